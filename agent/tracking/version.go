package tracking

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Version returns the server's version, and that of the tables. See Verify.
func (s *Store) Version(ctx context.Context) (server string, tables int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT current_setting('server_version'), max(version_id) FROM importer.schema_version WHERE is_applied`).
		Scan(&server, &tables)
	if err != nil {
		return "", 0, fmt.Errorf("reading the database's version: %w", err)
	}
	return server, tables, nil
}

// Clock is the time by the database's clock.
func (s *Store) Clock(ctx context.Context) (now time.Time, err error) {
	if err := s.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("reading the database's clock: %w", err)
	}
	return now, nil
}

// lackedRights are the rights on clients' tables that the service needs and has not: of
// the second one it locks rows, which takes UPDATE.
const lackedRights = `
SELECT n.privilege || ' on ' || n.relation
FROM (VALUES ('SELECT', 'imports'), ('INSERT', 'imports'), ('UPDATE', 'imports'),
             ('SELECT', 'imports_preprocessing'), ('INSERT', 'imports_preprocessing'), ('UPDATE', 'imports_preprocessing')) AS n (privilege, relation)
WHERE NOT has_table_privilege('public.' || n.relation, n.privilege)`

// LackedRights names what the account may not do that the service has to.
func (s *Store) LackedRights(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, lackedRights)
	if err == nil {
		var lacked []string
		if lacked, err = pgx.CollectRows(rows, pgx.RowTo[string]); err == nil {
			return lacked, nil
		}
	}
	return nil, fmt.Errorf("looking at the account's rights: %w", err)
}
