package tracking

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"

	"biomero-importer/importer/repository"
)

// Violation is something that contradicts what this program keeps to.
type Violation struct {
	Rule  string `json:"rule"`
	Order string `json:"order"` // its uuid; empty where it is no order's
	What  string `json:"what"`
	// Warning marks what may be as it should be: it is worth a look.
	Warning bool `json:"warning"`
}

// warnings are the rules that are broken for a while when an agent dies, rests or
// waits, by what was changed by hand, or by what retention has forgotten.
var warnings = map[string]bool{
	"agent-gone": true, "inbox-gone": true, "inbox-late": true, "report-late": true, "catalog-left": true, "catalog-again": true,
}

// Links is handed every link that the catalog of the repository backend holds, in
// the order that repository.Compare asks for.
type Links func(ctx context.Context, rows iter.Seq2[repository.Row, error]) error

// auditSettings are for a transaction that reads whole tables, beside agents that
// have work to do: a bounded memory, one processor, and the plans that suit what is
// large. A loop over an unindexed table is never one of these.
const auditSettings = `SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_hashjoin = on;
SET LOCAL enable_mergejoin = on; SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB';
SET LOCAL hash_mem_multiplier = 1; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL plan_cache_mode = auto;
SET LOCAL statement_timeout = 0`

// noTimeouts lifts the time limits that a role or a database may have: not every
// server knows all of them. The links are fetched once the transaction has ended, and
// the session rests while a slow disk is looked at.
const noTimeouts = `SELECT set_config(name, '0', false) FROM pg_settings
WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout')`

// Audit hands found each violation of a rule, of which README.md has the list, in
// the state that the database is in at one moment. It changes nothing, keeps nobody
// waiting and remembers little. links, if any, follows once the database is no
// longer kept at that moment; without it, what the repository backend records is
// not looked at.
func (s *Store) Audit(ctx context.Context, found func(Violation) error, links Links) (err error) {
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return classified("auditing the database", err)
	}
	// A cursor outlives its transaction, not its connection.
	conn := pooled.Hijack()
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, noTimeouts); err != nil {
		return classified("auditing the database", err)
	}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, auditSettings); err != nil {
			return classified("auditing the database", err)
		}
		queries := auditQueries
		if links != nil {
			queries = append(slices.Clip(queries), catalogQueries...)
		}
		for _, q := range queries {
			if err := q.run(ctx, tx, found); err != nil {
				return err
			}
		}
		if err := auditPaths(ctx, tx, found); err != nil || links == nil {
			return err
		}
		if _, err := tx.Exec(ctx, declareLinks); err != nil {
			return classified("auditing the repository's links", err)
		}
		return nil
	})
	if err != nil || links == nil {
		return err
	}
	return links(ctx, fetchLinks(ctx, conn))
}

// auditQuery finds violations of some rules: the rule, the order and what is wrong.
type auditQuery struct {
	about string
	sql   string
	args  []any
}

func (q auditQuery) run(ctx context.Context, tx pgx.Tx, found func(Violation) error) error {
	rows, err := tx.Query(ctx, q.sql, q.args...)
	if err != nil {
		return classified("auditing "+q.about, err)
	}
	var v Violation
	var told error
	_, err = pgx.ForEachRow(rows, []any{&v.Rule, &v.Order, &v.What}, func() error {
		v.Warning = warnings[v.Rule]
		told = found(v)
		return told
	})
	if told != nil {
		return told
	}
	return classified("auditing "+q.about, err)
}

// declareLinks makes the rows wait on the server's disk when the transaction ends:
// a walk over a slow disk keeps no table from being vacuumed. An array is compared
// part by part, as folders are walked.
const declareLinks = `
DECLARE links NO SCROLL CURSOR WITH HOLD FOR
SELECT s.id, s.order_uuid, s.link, s.source, f.id IS NOT NULL, o.uuid IS NULL
FROM importer.repository_filesets s
LEFT JOIN (SELECT DISTINCT unnest(filesets) AS id FROM importer.files WHERE state = 'imported') f ON f.id = s.id
LEFT JOIN importer.orders o ON o.uuid = s.order_uuid
ORDER BY string_to_array(s.link, '/') COLLATE "C"`

func fetchLinks(ctx context.Context, conn *pgx.Conn) iter.Seq2[repository.Row, error] {
	return func(yield func(repository.Row, error) bool) {
		for {
			// All of them before the first is looked at: a slow disk must not keep the
			// server waiting with the rest.
			rows, err := conn.Query(ctx, `FETCH 5000 FROM links`)
			var fetched []repository.Row
			if err == nil {
				fetched, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r repository.Row, err error) {
					return r, row.Scan(&r.Fileset, &r.Order, &r.Link, &r.Source, &r.Imported, &r.Forgotten)
				})
			}
			if err != nil {
				yield(repository.Row{}, fmt.Errorf("reading the repository's links: %w", err))
				return
			}
			if len(fetched) == 0 {
				return
			}
			for _, r := range fetched {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// Unrecorded returns those of some links that the catalog does not hold by now. It
// reads the whole catalog once: ask for many at a time.
func (s *Store) Unrecorded(ctx context.Context, links []string) ([]string, error) {
	var missing []string
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, auditSettings); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT n.link FROM unnest($1::text[]) AS n (link)
			WHERE NOT EXISTS (SELECT FROM importer.repository_filesets s WHERE s.link = n.link)`, links)
		if err != nil {
			return err
		}
		missing, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for links in the catalog: %w", err)
	}
	return missing, nil
}
