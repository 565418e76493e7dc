package tracking

import (
	"context"
	"log/slog"

	"biomero-importer/importer/repository"
)

// MigrateTo brings a database to the shape of an earlier version.
func MigrateTo(ctx context.Context, url string, version int64) error {
	return migrate(ctx, url, version, slog.New(slog.DiscardHandler))
}

// RecordLot records imports together.
func (s *Store) RecordLot(ctx context.Context, imports []repository.Import) ([][]repository.Fileset, error) {
	return s.record(ctx, imports)
}

// Files are the rows of an order's files.
func (s *Store) Files(ctx context.Context, uuid string) ([]File, error) {
	return queryFiles(ctx, s.pool, uuid)
}

// DepthQuery is what Depth asks.
const DepthQuery = depth
