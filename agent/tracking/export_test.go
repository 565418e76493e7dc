package tracking

import (
	"context"
	"log/slog"
)

// MigrateTo brings a database to the shape of an earlier version.
func MigrateTo(ctx context.Context, url string, version int64) error {
	return migrate(ctx, url, version, slog.New(slog.DiscardHandler))
}
