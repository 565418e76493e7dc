package tracking

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"biomero-importer/agent/order"
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

// Asked is a query that a page of a list takes.
type Asked struct {
	SQL  string
	Args []any
}

// Asked are the queries of the first look at a filter's orders.
func (f *Filter) Asked(ctx context.Context, s *Store) ([]Asked, error) {
	after, err := parsePlace(f.After)
	if err != nil {
		return nil, err
	}
	n := max(f.Limit+1, smallestLook)
	sql, args := f.candidates()
	found, err := s.places(ctx, sql, after, n, args)
	return []Asked{
		{sql, slices.Concat([]any{after.at, after.uuid, n}, args)},
		{wantedStatus, []any{uuids(found)}},
	}, err
}

// ReadPlace reads a place in a list, and writes it again.
func ReadPlace(token string) (string, error) {
	p, err := parsePlace(token)
	return p.String(), err
}

// ReportsAtOnce is how many reports are due at most in what Report hands over.
const ReportsAtOnce = reportsAtOnce

// DepthQuery is what Depth asks.
const DepthQuery = depth

// Holding are the queries by which a run begins, writes of or ends an order.
func Holding(j Job) map[string]Asked {
	uuids, runs, agents, nothing := []string{j.UUID}, []int64{j.Run}, []string{j.Agent}, []*string{nil}
	none := []string{}
	return map[string]Asked{
		"begin": {beginRuns, []any{uuids, runs, agents, nothing}},
		"still": {stillHeld, []any{uuids, runs, agents}},
		"write": {hold, []any{j.UUID, j.Run, j.Agent}},
		"end": {endOrders, []any{
			uuids, runs, agents,
			[]string{"completed"},
			[]string{string(order.Completed)},
			nothing, nothing,
			none,
			[]int{},
			none, none, none, none, none, none, none,
			[]int64{},
		}},
	}
}

// PageQueries are those of the status page, with the arguments for one order.
func PageQueries(uuid string, from time.Time) map[string]Asked {
	return map[string]Asked{
		"changed":      {changedOrders, []any{5 * time.Second, []string{uuid}, 500, 100}},
		"an hour":      {endedWithin, []any{from, from.Add(time.Hour)}},
		"unsettled":    {unsettled, []any{100}},
		"timeline":     {timeline, []any{uuid, MaxSteps}},
		"files":        {filesFrom, []any{uuid, 90_000, 51}},
		"failed files": {stateFrom, []any{uuid, 50_000, 51, FileFailed, MaxFilesLooked}},
		"tally":        {tallyFiles, []any{uuid, MaxFilesLooked}},
		"counts":       {countNow, []any{maxCounted}},
		"agents":       {runningByAgent, nil},
		"an order":     {wantedStatus, []any{[]string{uuid}}},
		"its manifest": {origin, []any{uuid}},
		"converters":   {converters, []any{uuid}},
	}
}

// BeginLot begins orders together.
func (s *Store) BeginLot(ctx context.Context, works []*Work) error {
	_, err := s.begin(ctx, works)
	return err
}

// FinishLot ends orders together.
func (s *Store) FinishLot(ctx context.Context, ends []End) error {
	_, err := s.finish(ctx, ends)
	return err
}
