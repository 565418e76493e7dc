package tracking

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Presence is an agent that said that it is there.
type Presence struct {
	Name    string // of the process: its host and its number
	Roles   []string
	Version string
	Started time.Time
	Seen    time.Time
	Away    bool // it has not said so for longer than it should
	Running int  // orders that it carries out
}

// PresenceEvery is the time between two calls of Present.
const PresenceEvery = 20 * time.Second

const present = `
WITH forgotten AS (DELETE FROM importer.agents WHERE seen_at < clock_timestamp() - interval '1 day')
INSERT INTO importer.agents AS a (name, roles, version) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET roles = excluded.roles, version = excluded.version, seen_at = clock_timestamp()`

// Present says that an agent is there. It decides nothing.
func (s *Store) Present(ctx context.Context, name string, roles []string, version string) error {
	if _, err := s.pool.Exec(ctx, present, text(name), roles, text(version)); err != nil {
		return fmt.Errorf("saying that the agent is there: %w", err)
	}
	return nil
}

// Leave says that an agent stops.
func (s *Store) Leave(ctx context.Context, name string) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM importer.agents WHERE name = $1`, text(name)); err != nil {
		return fmt.Errorf("saying that the agent stops: %w", err)
	}
	return nil
}

const runningByAgent = `SELECT agent, count(*) FROM importer.orders WHERE state = 'running' GROUP BY agent`

// Agents lists who is there, and who was within a day and did not say that it stops.
func (s *Store) Agents(ctx context.Context) ([]Presence, error) {
	rows, err := s.pool.Query(ctx, `SELECT name, roles, version, started_at, seen_at, seen_at < clock_timestamp() - 3 * $1::interval, 0
		FROM importer.agents ORDER BY name LIMIT 1000`, PresenceEvery)
	if err != nil {
		return nil, fmt.Errorf("listing agents: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Presence])
	if err != nil {
		return nil, fmt.Errorf("listing agents: %w", err)
	}
	// An agent works under names that begin with its own.
	rows, err = s.pool.Query(ctx, runningByAgent)
	if err != nil {
		return nil, fmt.Errorf("counting what agents carry out: %w", err)
	}
	var name string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&name, &n}, func() error {
		for i := range list {
			if strings.HasPrefix(name, list[i].Name+"-") {
				list[i].Running += n
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting what agents carry out: %w", err)
	}
	return list, nil
}
