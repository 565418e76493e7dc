package tracking

import (
	"context"
	"fmt"
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
