package tracking

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"biomero-importer/agent/order"
)

// Schema is where everything of ours lives.
const Schema = "importer"

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock serialises migrations of every service on this database; the
// Python importer takes the same one.
const migrationLock = `pg_advisory_lock(hashtext('omeroadi_migrations'))`

// Migrate brings the database at url to the shape that this program needs: the
// clients' tables and ours. It may run any number of times, by any
// number of agents at once, on an empty database, on one that the web plugin
// made, or on one with history.
func Migrate(ctx context.Context, url string, log *slog.Logger) error {
	return migrate(ctx, url, math.MaxInt64, log)
}

func migrate(ctx context.Context, url string, version int64, log *slog.Logger) (err error) {
	// Every client of a table would queue behind a migration that waits for one.
	pool, err := connect(ctx, url, 3, "lock_timeout", "10s")
	if err != nil {
		return err
	}
	defer pool.Close()
	holder, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting to migrate the database: %w", err)
	}
	// A session lock of a pooled connection would outlive its release.
	conn := holder.Hijack()
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, "SET lock_timeout = 0; SELECT "+migrationLock); err != nil {
		return fmt.Errorf("waiting for the migration lock: %w", err)
	}
	// Asking first: IF NOT EXISTS wants the right to create even where it does not.
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, Schema).Scan(&exists); err != nil {
		return fmt.Errorf("looking for the schema %s: %w", Schema, err)
	}
	if !exists {
		if _, err := conn.Exec(ctx, "CREATE SCHEMA "+Schema); err != nil {
			return classified("creating the schema "+Schema, err)
		}
	}
	found, err := readTables(ctx, conn)
	if err != nil {
		return err
	}
	if err := found.serveUs(); err != nil {
		return err
	}
	if found.version > found.own {
		log.InfoContext(ctx, "the database's tables are of a newer version, and serve this one too",
			slog.Int64("tables", found.version), slog.Int64("own", found.own))
	}
	applied, err := migrateOurs(ctx, pool, version, log)
	if err != nil {
		return err
	}
	if applied == 0 {
		return nil
	}
	return reportStrays(ctx, conn, log)
}

func migrateOurs(ctx context.Context, pool *pgxpool.Pool, version int64, log *slog.Logger) (count int, err error) {
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return 0, fmt.Errorf("reading the embedded migrations: %w", err)
	}
	ours, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(Schema+".schema_version"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return 0, fmt.Errorf("reading the embedded migrations: %w", err)
	}
	applied, err := ours.UpTo(ctx, version)
	if err != nil {
		return 0, classified("migrating the tracking tables", err)
	}
	for _, m := range applied {
		log.InfoContext(ctx, "migration applied", slog.Int64("version", m.Source.Version), slog.Duration("took", m.Duration))
	}
	return len(applied), nil
}

// reportStrays names the orders that another service left between start and
// end. Only a person can tell whether that service still works on them.
func reportStrays(ctx context.Context, conn *pgx.Conn, log *slog.Logger) error {
	rows, err := conn.Query(ctx, `
		SELECT uuid FROM (SELECT DISTINCT ON (uuid) uuid, stage FROM public.imports
		                  ORDER BY uuid, "timestamp" DESC NULLS LAST, id DESC) newest
		WHERE stage IN ('Import Started', 'Import Preprocessing')
		  AND NOT EXISTS (SELECT FROM importer.orders o WHERE o.uuid = newest.uuid)
		ORDER BY uuid LIMIT 100`)
	if err != nil {
		return fmt.Errorf("looking for orders that another service left behind: %w", err)
	}
	strays, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("looking for orders that another service left behind: %w", err)
	}
	if len(strays) > 0 {
		log.WarnContext(ctx, "orders that another service began and did not end; retry them if it no longer runs",
			slog.Int("count", len(strays)), slog.String("orders", strings.Join(strays, " ")))
	}
	return nil
}

// Verify checks that the database has every migration of this program, for
// sites that migrate by hand, and that those of a newer one serve it. It changes
// nothing.
func (s *Store) Verify(ctx context.Context) error {
	found, err := readTables(ctx, s.pool)
	if err != nil {
		return err
	}
	if found.version < found.own {
		return order.Errorf(order.Invalid, "the database lacks tables of this version: run `biomero-importer migrate` on it")
	}
	return found.serveUs()
}

// ownVersion is that of the last migration of this program.
func ownVersion() (last int64, err error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	for _, name := range names {
		var version int64
		if version, err = goose.NumericComponent(name); err != nil {
			break
		}
		last = max(last, version)
	}
	if err != nil {
		return 0, fmt.Errorf("reading the embedded migrations: %w", err)
	}
	return last, nil
}

// tables is the state of a database.
type tables struct {
	version int64 // of its last migration; 0 without any
	serves  int64 // the oldest version of a program that can work with it
	own     int64 // the version of this program
}

func readTables(ctx context.Context, q querier) (t tables, err error) {
	if t.own, err = ownVersion(); err != nil {
		return t, err
	}
	var versions, serves bool
	err = q.QueryRow(ctx, `SELECT to_regclass('importer.schema_version') IS NOT NULL, to_regclass('importer.serves') IS NOT NULL`).Scan(&versions, &serves)
	if err == nil && versions {
		err = q.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM importer.schema_version WHERE is_applied`).Scan(&t.version)
	}
	if err == nil && serves {
		err = q.QueryRow(ctx, `SELECT version FROM importer.serves`).Scan(&t.serves)
	}
	return t, classified("reading the version of the database's tables", err)
}

// serveUs refuses tables of a newer version that this program cannot work with.
func (t tables) serveUs() error {
	if t.own >= t.serves {
		return nil
	}
	return order.Errorf(order.Invalid, "the database's tables are of version %d and serve only programs from version %d on, but this one is of version %d: install the biomero-importer that migrated them, or a newer one",
		t.version, t.serves, t.own)
}
