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
	return migrate(ctx, url, newest, log)
}

// newest stands for the version of the last migration.
const newest = math.MaxInt64

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
// sites that migrate by hand. It changes nothing.
func (s *Store) Verify(ctx context.Context) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return fmt.Errorf("reading the embedded migrations: %w", err)
	}
	missing := order.Errorf(order.Invalid, "the database lacks tables of this version: run `biomero-importer migrate` on it")
	var exists bool
	if err := s.pool.QueryRow(ctx, `SELECT to_regclass('importer.schema_version') IS NOT NULL`).Scan(&exists); err != nil {
		return fmt.Errorf("reading the database's version: %w", err)
	}
	if !exists {
		return missing
	}
	var version int
	err = s.pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM importer.schema_version WHERE is_applied`).Scan(&version)
	if err != nil {
		return fmt.Errorf("reading the database's version: %w", err)
	}
	if version < len(names) {
		return missing
	}
	return nil
}
