package tracking

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// orderFiles is each order's list, which PostgreSQL cannot always read, beside what
// became of its files. One that no worker has begun with, or that was cancelled before,
// still has the files of the attempt before.
const orderFiles = `
SELECT o.uuid, o.state = 'completed', p.files, f.ordinals, f.paths, f.imported
FROM importer.orders o
JOIN public.imports p ON p.id = o.import_id AND p.uuid = o.uuid
LEFT JOIN (SELECT order_uuid, array_agg(ordinal) AS ordinals, array_agg(path) AS paths, array_agg(state = 'imported') AS imported
           FROM (SELECT * FROM importer.files ORDER BY order_uuid, ordinal) sorted GROUP BY order_uuid) f ON f.order_uuid = o.uuid
WHERE NOT (o.state = 'failed' AND o.reason = $1) AND (o.begun OR o.state IN ('completed', 'failed')) AND ` + idle + `o.uuid)`

// auditPaths makes sure that every file of a completed order is imported, and that
// what is known of files is known of those that their orders name.
func auditPaths(ctx context.Context, tx pgx.Tx, found func(Violation) error) error {
	rows, err := tx.Query(ctx, orderFiles, cancelled)
	if err != nil {
		return classified("auditing the orders' files", err)
	}
	var uuid, column string
	var completed bool
	var f knownPaths
	var told error
	_, err = pgx.ForEachRow(rows, []any{&uuid, &completed, &column, &f.ordinals, &f.paths, &f.imported}, func() error {
		defer func() { f = knownPaths{} }()
		paths, err := order.DecodePaths(column)
		if err != nil {
			return nil // the order failed for it, or its client has changed it since
		}
		told = f.judge(paths, completed, func(rule, what string) error {
			return found(Violation{Rule: rule, Order: uuid, What: what})
		})
		return told
	})
	if told != nil {
		return told
	}
	return classified("auditing the orders' files", err)
}

// knownPaths is what became of an order's files, by their ordinals.
type knownPaths struct {
	ordinals []int
	paths    []string
	imported []bool
}

func (f *knownPaths) judge(paths []string, completed bool, found func(rule, what string) error) error {
	next := 0
	for i, path := range paths {
		imported := false
		for ; next < len(f.ordinals) && f.ordinals[next] <= i; next++ {
			if f.ordinals[next] == i && f.paths[next] == text(path) {
				imported = f.imported[next]
				continue
			}
			if err := found("file-place", f.misplaced(next, len(paths))); err != nil {
				return err
			}
		}
		if completed && !imported {
			if err := found("file-missing", fmt.Sprintf("it is completed, and file %d, %s, is not imported", i, text(path))); err != nil {
				return err
			}
		}
	}
	for ; next < len(f.ordinals); next++ {
		if err := found("file-place", f.misplaced(next, len(paths))); err != nil {
			return err
		}
	}
	return nil
}

func (f *knownPaths) misplaced(i, total int) string {
	return fmt.Sprintf("%s is known as file %d of its %d, which it is not", f.paths[i], f.ordinals[i], total)
}
