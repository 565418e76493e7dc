package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// files has one order of n files carried out, and before that one of a tenth.
func (m *machine) files(ctx context.Context, n int) error {
	few, err := m.orderOfFiles(ctx, max(n/10, 1))
	if err != nil {
		return err
	}
	all, err := m.orderOfFiles(ctx, n)
	if err != nil {
		return err
	}
	rate := func(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }
	fmt.Fprintf(os.Stdout, "one order of %d files: %.0f files/s (wanted 15000), at a tenth of them %.0f files/s; COPY of the rows %.0f/s, ratio %.2f; as many links in folders %.0f/s, ratio %.2f; each imported once\n",
		n, rate(n, all.took), rate(max(n/10, 1), few.took),
		rate(n, all.copied), all.took.Seconds()/all.copied.Seconds(), rate(n, all.linked), all.took.Seconds()/all.linked.Seconds())
	fmt.Fprintf(os.Stdout, "  memory of the agent: %.1f MB at most, anonymous %.1f; at a tenth of the files %.1f, anonymous %.1f (wanted the same); processor time %.2f s of %.2f s\n",
		all.used.peak, all.used.anonymous, few.used.peak, few.used.anonymous, all.cpu.Seconds(), all.took.Seconds())
	return nil
}

// orderOfFiles is what one order took, and what its rows and links take by themselves.
type orderOfFiles struct {
	took, copied, linked time.Duration
	cpu                  time.Duration
	used                 memory // at most
}

func (m *machine) orderOfFiles(ctx context.Context, n int) (order orderOfFiles, err error) {
	err = m.onSite(ctx, func(s *site) error {
		files := tree{s.data(), n + 1}
		if err := files.write(ctx, image); err != nil {
			return err
		}
		paths := files.paths()
		err := s.work(ctx, 4, func(ctx context.Context, agent process) error {
			// The first shows that the service has started.
			if err := insert(ctx, s.pool, paths[n:]); err != nil {
				return err
			}
			if err := await(ctx, s.pool, 1); err != nil {
				return err
			}
			before, err := agent.cpu()
			if err != nil {
				return err
			}
			began := time.Now()
			if err := insertOne(ctx, s, paths[:n]); err != nil {
				return err
			}
			order.used, err = most(agent, func() error { return await(ctx, s.pool, 2) })
			if err != nil {
				return err
			}
			order.took = time.Since(began)
			after, err := agent.cpu()
			order.cpu = after - before
			return err
		})
		if err != nil {
			return err
		}
		if err := s.exactlyOnce(ctx, 2); err != nil {
			return err
		}
		for _, table := range []string{"importer.repository_prefixes", "importer.repository_filesets", "importer.repository_images", "importer.files", "public.imports"} {
			took, err := s.copyAgain(ctx, table)
			if err != nil {
				return fmt.Errorf("copying %s: %w", table, err)
			}
			order.copied += took
		}
		order.linked, err = linkTime(tree{filepath.Join(s.dir, "links"), n}, paths)
		return err
	})
	return order, err
}

// insertOne places one order of all files.
func insertOne(ctx context.Context, s *site, files []string) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO public.imports
		(group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', 'ada', '1', 'Dataset', 'Import Pending', gen_random_uuid()::text, array_to_json($1::text[])::text)`, files)
	return err
}

// most is the most memory that a process has during do.
func most(p process, do func() error) (used memory, err error) {
	done := make(chan error, 1)
	go func() { done <- do() }()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	var unseen error
	for {
		now, err := p.memory()
		unseen = errors.Join(unseen, err)
		used = memory{max(used.resident, now.resident), max(used.peak, now.peak), max(used.anonymous, now.anonymous), max(used.files, now.files)}
		select {
		case err := <-done:
			return used, errors.Join(err, unseen)
		case <-ticker.C:
		}
	}
}

// copyAgain is how long a COPY of all of a table's rows into a new table like it takes,
// until it is committed.
func (s *site) copyAgain(ctx context.Context, table string) (took time.Duration, err error) {
	err = s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		var rows bytes.Buffer
		raw := conn.Conn().PgConn()
		if _, err := raw.CopyTo(ctx, &rows, "COPY "+table+" TO STDOUT (FORMAT binary)"); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `DROP TABLE IF EXISTS public.copied`); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `CREATE TABLE public.copied (LIKE `+table+` INCLUDING ALL)`); err != nil {
			return err
		}
		began := time.Now()
		_, err := raw.CopyFrom(ctx, &rows, "COPY public.copied FROM STDIN (FORMAT binary)")
		took = time.Since(began)
		return err
	})
	return took, err
}

// linkTime is how long it takes to make links to files, in folders of a hundred.
func linkTime(links tree, targets []string) (time.Duration, error) {
	began := time.Now()
	if err := links.makeFolders(); err != nil {
		return 0, err
	}
	for i := range links.n {
		if err := os.Symlink(targets[i], links.path(i)); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}
