package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// drop writes n files into watched folders as fast as it can.
func (m *machine) drop(ctx context.Context, n int, settle time.Duration) error {
	return m.onSite(ctx, func(s *site) error {
		files := tree{s.inbox(), n}
		if err := files.makeFolders(); err != nil {
			return err
		}
		var took time.Duration
		err := s.watch(ctx, settle, "", func(ctx context.Context, agent process) (err error) {
			if err := agent.watching(ctx, files.folders()...); err != nil {
				return err
			}
			took, err = s.dropped(ctx, files)
			return err
		})
		if err != nil {
			return err
		}
		took -= settle
		orders, err := s.once(ctx, files.paths())
		if err != nil {
			return err
		}
		rows, columns, err := s.dropRows(ctx)
		if err != nil {
			return err
		}
		indexed, err := s.copyTime(ctx, "ALL", rows, columns)
		if err != nil {
			return err
		}
		bare, err := s.copyTime(ctx, "DEFAULTS", rows, columns)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "drop of %d files: recorded in %d orders %s after they settled; COPY of the same rows %s, ratio %.2f (wanted 2); COPY without indexes %s; each recorded and ordered once\n",
			n, orders, took.Round(time.Millisecond), indexed.Round(time.Millisecond), took.Seconds()/indexed.Seconds(), bare.Round(time.Millisecond))
		return nil
	})
}

// dropped writes the files, and returns how long after the last was closed all
// of them are recorded.
func (s *site) dropped(ctx context.Context, files tree) (time.Duration, error) {
	placed, err := s.listen(ctx)
	if err != nil {
		return 0, err
	}
	defer placed.close(ctx)
	if err := files.write(ctx, bytes.Repeat([]byte("pixel"), 20)); err != nil {
		return 0, err
	}
	closed := time.Now()
	// Counting only when something was committed leaves the agent the processor.
	for {
		if err := placed.wait(ctx); err != nil {
			return 0, err
		}
		taken, err := s.taken(ctx)
		if err != nil {
			return 0, err
		}
		if taken >= files.n {
			return time.Since(closed), nil
		}
	}
}

// dropRows reads all drops, as a COPY takes them.
func (s *site) dropRows(ctx context.Context) (rows [][]any, columns []string, err error) {
	found, err := s.pool.Query(ctx, `SELECT * FROM importer.drops`)
	if err != nil {
		return nil, nil, err
	}
	for _, field := range found.FieldDescriptions() {
		columns = append(columns, field.Name)
	}
	rows, err = pgx.CollectRows(found, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	return rows, columns, err
}

// copyTime is how long one COPY takes into a new table like that of the drops,
// until it is committed.
func (s *site) copyTime(ctx context.Context, including string, rows [][]any, columns []string) (time.Duration, error) {
	if _, err := s.pool.Exec(ctx, `DROP TABLE IF EXISTS public.copied`); err != nil {
		return 0, err
	}
	if _, err := s.pool.Exec(ctx, `CREATE TABLE public.copied (LIKE importer.drops INCLUDING `+including+`)`); err != nil {
		return 0, err
	}
	began := time.Now()
	_, err := s.pool.CopyFrom(ctx, pgx.Identifier{"public", "copied"}, columns, pgx.CopyFromRows(rows))
	return time.Since(began), err
}
