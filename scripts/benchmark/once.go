package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// faults count what must not be, once nobody is at work: orders of files that were
// lost, repeated or left half done.
var faults = map[string]string{
	"orders neither completed nor waiting": `SELECT count(*) FROM (SELECT DISTINCT uuid FROM public.imports) p
		WHERE NOT EXISTS (SELECT FROM importer.orders o WHERE o.uuid = p.uuid AND o.state = 'completed')
		  AND NOT EXISTS (SELECT FROM importer.inbox i WHERE i.uuid = p.uuid)`,
	"orders that are both begun and waiting": `SELECT count(*) FROM importer.orders o JOIN importer.inbox i USING (uuid)`,
	"orders with stages missing, repeated or out of order": `SELECT count(*) FROM (
		SELECT p.uuid FROM public.imports p JOIN importer.orders USING (uuid) GROUP BY 1
		HAVING array_agg(p.stage::text ORDER BY p."timestamp", p.id) <> ARRAY['Import Pending', 'Import Started', 'Import Completed']) f`,
	"files of orders without exactly one fileset of one image": `
		WITH ordered AS (
			SELECT p.uuid, f.path FROM public.imports p JOIN importer.orders USING (uuid)
			CROSS JOIN LATERAL json_array_elements_text(p.files::json) f (path) WHERE p.stage = 'Import Pending'
		), made AS (
			SELECT f.order_uuid AS uuid, f.source AS path, count(*) AS n
			FROM importer.repository_filesets f LEFT JOIN importer.repository_images i ON i.fileset_id = f.id GROUP BY 1, 2
		)
		SELECT count(*) FROM ordered o FULL JOIN made m USING (uuid, path) WHERE m.n IS DISTINCT FROM 1 OR o.uuid IS NULL`,
	"filesets that their orders do not know": `SELECT count(*) FROM importer.repository_filesets f
		FULL JOIN importer.files o ON o.order_uuid = f.order_uuid AND o.path = f.source
		WHERE o.filesets IS DISTINCT FROM ARRAY[f.id] OR o.state <> 'imported'`,
}

// exactlyOnce checks that n orders are completed, each of their files was imported
// once, and no other was begun.
func (s *site) exactlyOnce(ctx context.Context, n int) error {
	var wrong []error
	for what, query := range faults {
		var count int
		if err := s.pool.QueryRow(ctx, query).Scan(&count); err != nil {
			return err
		}
		if count > 0 {
			wrong = append(wrong, fmt.Errorf("%d %s", count, what))
		}
	}
	var completed int
	if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM importer.orders`).Scan(&completed); err != nil {
		return err
	}
	if completed != n {
		wrong = append(wrong, fmt.Errorf("%d orders are completed instead of %d", completed, n))
	}
	return errors.Join(append(wrong, s.linked(ctx))...)
}

// linked checks that the repository holds the links that are recorded, and no others.
func (s *site) linked(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `SELECT link, source FROM importer.repository_filesets`)
	if err != nil {
		return err
	}
	recorded := map[string]string{}
	var link, source string
	if _, err := pgx.ForEachRow(rows, []any{&link, &source}, func() error {
		recorded[link] = source
		return nil
	}); err != nil {
		return err
	}
	total, others := len(recorded), 0
	err = filepath.WalkDir(s.repository(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, s.repository()+"/")
		if source, ok := recorded[name]; !ok || source != target {
			others++
		}
		delete(recorded, name)
		return nil
	})
	if err == nil && len(recorded)+others > 0 {
		err = fmt.Errorf("of %d links, %d are missing; %d others are there, or lead elsewhere", total, len(recorded), others)
	}
	return err
}
