package tracking

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// announce makes due what is to be told of attempts that have just ended; $1 is their
// orders' uuids, $2 their runs. What has ended in another run is left alone, and what was
// made due before stays as it is. Texts are whatever a client wrote, and are cut.
const announce = `
WITH ended AS MATERIALIZED (
    SELECT o.uuid, o.attempt, CASE o.state WHEN 'completed' THEN 'Import Completed' ELSE 'Import Failed' END AS stage,
           left(coalesce(p.group_name, ''), 255) AS group_name, left(coalesce(p.user_name, ''), 255) AS user_name,
           left(coalesce(p.destination_type, ''), 20) AS destination_type, left(coalesce(p.destination_id, ''), 40) AS destination_id,
           left(o.reason, 2000) AS reason, c.imported, c.failed, o.queued_at, o.started_at, o.ended_at
    FROM unnest($1::text[], $2::bigint[]) AS n (uuid, run)
    JOIN importer.orders o ON o.uuid = ANY (ARRAY[n.uuid]) AND o.run = n.run AND o.state IN ('completed', 'failed')
    ` + writtenTable + `
    CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE f.state = 'imported') AS imported, count(*) FILTER (WHERE f.state = 'failed') AS failed
                        FROM importer.files f WHERE f.order_uuid = o.uuid) c
    WHERE EXISTS (SELECT FROM importer.notify_targets)
)
INSERT INTO importer.deliveries (target, uuid, attempt, stage, group_name, user_name, destination_type, destination_id, reason,
                                 files_imported, files_failed, queued_at, started_at, ended_at, due_at)
SELECT t.name, e.uuid, e.attempt, e.stage, e.group_name, e.user_name, e.destination_type, e.destination_id, e.reason,
       e.imported, e.failed, e.queued_at, e.started_at, e.ended_at, e.ended_at + t.gather
FROM importer.notify_targets t JOIN ended e ON e.stage = ANY (t.stages)
ON CONFLICT (uuid, attempt, target) DO NOTHING`

// Target is who is told of orders that end.
type Target struct {
	Name   string // without secrets
	Stages []order.Stage
	Gather time.Duration // how long what ends is waited with
}

// abandon gives up what is due for targets that there are no more. It looks at one row for
// each other target.
const abandon = `
WITH RECURSIVE due AS (
    (SELECT target FROM importer.deliveries WHERE state = 'due' ORDER BY target LIMIT 1)
    UNION ALL
    SELECT next.target FROM due CROSS JOIN LATERAL (
        SELECT d.target FROM importer.deliveries d WHERE d.state = 'due' AND d.target > due.target ORDER BY d.target LIMIT 1) next
)
UPDATE importer.deliveries SET state = 'given_up', due_at = NULL, settled_at = now(), error = 'It is no longer in the settings.'
WHERE ` + stillDue + ` AND id = ANY (ARRAY (
    SELECT one.id FROM due CROSS JOIN LATERAL (SELECT id FROM importer.deliveries d WHERE d.state = 'due' AND d.target = due.target LIMIT $1) one
    WHERE (SELECT name FROM importer.notify_targets t WHERE t.name = due.target) IS NULL))`

// stillDue is of a delivery that is looked up by its id, see isRunning.
const stillDue = `coalesce(state, '') = 'due'`

// KeepTargets says who an agent tells. What ends from now on is due for each of them.
// Targets that no agent has said so of for a while go.
func (s *Store) KeepTargets(ctx context.Context, targets []Target, forget time.Duration) error {
	batch := &pgx.Batch{}
	// All agents in one order: of two that wait for each other's rows, one would be ended.
	for _, t := range slices.SortedFunc(slices.Values(targets), func(a, b Target) int { return strings.Compare(a.Name, b.Name) }) {
		batch.Queue(`INSERT INTO importer.notify_targets (name, stages, gather, seen_at) VALUES ($1, $2, $3, now())
			ON CONFLICT (name) DO UPDATE SET stages = excluded.stages, gather = excluded.gather, seen_at = excluded.seen_at`, t.Name, t.Stages, t.Gather)
	}
	batch.Queue(`DELETE FROM importer.notify_targets WHERE name IN (
		SELECT name FROM importer.notify_targets WHERE seen_at < now() - $1::interval FOR UPDATE SKIP LOCKED)`, forget)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("saying who is told of orders: %w", err)
	}
	return nil
}

// Abandon gives up what is due for targets that there are no more, up to maxLot of each
// of them at a time, and returns how many deliveries that were.
func (s *Store) Abandon(ctx context.Context) (int64, error) {
	n, err := s.execInTurn(ctx, settleTurn, abandon, maxLot)
	if err != nil {
		return 0, fmt.Errorf("giving up what is due for those who are told no more: %w", err)
	}
	return n, nil
}

// DeliveryState says what became of a delivery.
type DeliveryState string

// The states of deliveries.
const (
	DeliveryDue     DeliveryState = "due"
	DeliveryMade    DeliveryState = "delivered"
	DeliveryGivenUp DeliveryState = "given_up"
)

// Delivery is what is told of the end of an attempt, to one target.
type Delivery struct {
	ID              uuid.UUID     `json:"id"`
	Target          string        `json:"target"`
	UUID            string        `json:"uuid"` // of the order
	Attempt         int           `json:"attempt"`
	Stage           order.Stage   `json:"stage"`
	Group           string        `json:"group"`
	User            string        `json:"user"`
	DestinationType string        `json:"destination_type"`
	DestinationID   string        `json:"destination_id"`
	Reason          string        `json:"reason"`
	FilesImported   int64         `json:"files_imported"`
	FilesFailed     int64         `json:"files_failed"`
	Queued          time.Time     `json:"queued"`
	Started         *time.Time    `json:"started"`
	Ended           time.Time     `json:"ended"`
	State           DeliveryState `json:"state"`
	Message         *uuid.UUID    `json:"message"` // what is delivered together; nil before the first try
	Tries           int           `json:"tries"`
	Due             *time.Time    `json:"due"` // nil once it is settled
	Settled         *time.Time    `json:"settled"`
	Error           string        `json:"error"` // of the last try
}

const deliveryColumns = `d.id, d.target, d.uuid, d.attempt, d.stage, d.group_name, d.user_name, d.destination_type, d.destination_id, d.reason,
    d.files_imported, d.files_failed, d.queued_at, d.started_at, d.ended_at, d.state, d.message, d.tries, d.due_at, d.settled_at, d.error`

// The rest of claimOne and claimLot.
const claimed = `
UPDATE importer.deliveries d SET tries = d.tries + 1, due_at = now() + $2::interval, message = lot.message
FROM lot WHERE d.id = ANY (ARRAY[lot.id]) RETURNING ` + deliveryColumns

// claimOne claims what has been due the longest.
const claimOne = `
WITH lot AS MATERIALIZED (
    SELECT id, id AS message FROM importer.deliveries WHERE target = $1 AND state = 'due' AND due_at <= now()
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
)` + claimed

// claimLot claims what has been due the longest, with what else there is for the same user.
// What was tried together stays together, as it may have arrived.
const claimLot = `
WITH first AS MATERIALIZED (
    SELECT id, user_name, message FROM importer.deliveries WHERE target = $1 AND state = 'due' AND due_at <= now() ORDER BY due_at LIMIT 1
), lot AS MATERIALIZED (
    SELECT d.id, coalesce(first.message, first.id) AS message
    FROM first JOIN importer.deliveries d ON d.target = $1 AND d.state = 'due' AND d.tries >= 0 AND d.user_name = (SELECT user_name FROM first)
        AND d.message IS NOT DISTINCT FROM first.message
    ORDER BY d.ended_at LIMIT $3 FOR UPDATE OF d
)` + claimed

// maxLot bounds what is told in one message.
const maxLot = 10_000

// Claim takes what is due for a target, and all that is for the same user where it is
// gathered; nothing, if there is none. Nobody else gets it for the time of the lease, within
// which it has to be settled: then it is due again, as its agent may have died.
func (s *Store) Claim(ctx context.Context, target string, gathered bool, lease time.Duration) (lot []Delivery, err error) {
	batch := &pgx.Batch{}
	claim, args := claimOne, []any{target, lease}
	if gathered {
		batch.Queue(settleTurn)
		claim, args = claimLot, append(args, maxLot)
	}
	batch.Queue(claim, args...).Query(func(rows pgx.Rows) (err error) {
		lot, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Delivery])
		return err
	})
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("looking for what is due for %s: %w", target, err)
	}
	return lot, nil
}

// Settle records what became of a try at what Claim returned. What is still due is tried
// again after a while. Where another agent has claimed it meanwhile, nothing is recorded.
func (s *Store) Settle(ctx context.Context, lot []Delivery, state DeliveryState, wait time.Duration, fault string) error {
	if len(lot) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(lot))
	for i := range lot {
		ids[i] = lot[i].ID
	}
	batch := &pgx.Batch{}
	if len(lot) > 1 {
		batch.Queue(settleTurn)
	}
	batch.Queue(`UPDATE importer.deliveries SET state = $3, error = $5,
		due_at = CASE WHEN $3 = 'due' THEN now() + $4::interval END, settled_at = CASE WHEN $3 <> 'due' THEN now() END
		WHERE id = ANY ($1) AND tries = $2 AND `+stillDue, ids, lot[0].Tries, state, wait, text(fault))
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("recording what became of a delivery to %s: %w", lot[0].Target, err)
	}
	return nil
}

// Deliveries lists what is told, or only what is not delivered: the orders that ended last
// come first.
func (s *Store) Deliveries(ctx context.Context, undelivered bool, limit int) ([]Delivery, error) {
	only := "d.attempt >= 0" // of every one: for the index
	if undelivered {
		only += " AND d.state <> 'delivered'"
	}
	// Along the index, to the end of its last moment: a second key would have all of them sorted.
	rows, err := s.pool.Query(ctx, `SELECT `+deliveryColumns+` FROM (
		SELECT * FROM importer.deliveries d WHERE `+only+` ORDER BY d.ended_at DESC FETCH FIRST ($1) ROWS WITH TIES) d
		ORDER BY d.ended_at DESC, d.target LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Delivery])
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	return list, nil
}
