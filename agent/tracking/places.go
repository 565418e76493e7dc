package tracking

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// place is that of an order in the list.
type place struct {
	at    time.Time
	uuid  string
	again bool // it has another, newer place
}

// String is opaque to clients, and for nobody to keep.
func (p place) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.at.UnixMicro(), 36) + " " + p.uuid))
}

// parsePlace reads what String made; of nothing, it is the place before the first.
func parsePlace(token string) (place, error) {
	if token == "" {
		return place{at: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(token)
	at, id, ok := strings.Cut(string(data), " ")
	micros, wrong := strconv.ParseInt(at, 36, 64)
	if p := (place{at: time.UnixMicro(micros), uuid: id}); err == nil && wrong == nil && ok && p.String() == token &&
		p.at.Year() > 0 && p.at.Year() < 10_000 && text(id) == id {
		return p, nil
	}
	return place{}, order.Errorf(order.Invalid, "The place %.40q in the list of orders is none that a list ended at: begin with its first page.", token)
}

func uuids(places []place) (list []string) {
	for _, p := range places {
		list = append(list, p.uuid)
	}
	return list
}

// An order has its place by when it ended, or else was asked for. What waits and was
// taken up before has two, of which only the newer counts. Those that run are few, and
// sorted when they are asked for. Each part is read in the order of its index, to the end
// of its last moment, which hardly two orders share, and sorted by uuid as well outside: a
// second key here would have the planner sort all of a user's orders where it expects few.
const (
	orderAt    = `coalesce(o.ended_at, o.queued_at)`
	orderPlace = `
(SELECT o.uuid, ` + orderAt + ` AS at, %s AS again FROM importer.orders o
 WHERE o.%s AND o.state = '%s' AND ` + orderAt + ` <= $1 AND (` + orderAt + `, o.uuid) < ($1, $2)%s
 ORDER BY ` + orderAt + ` DESC FETCH FIRST ($3) ROWS WITH TIES)`
	waitsAgain = `(SELECT 1 FROM importer.inbox i WHERE i.uuid = o.uuid LIMIT 1) IS NOT NULL` // for EXISTS all of the inbox may be hashed
	inboxPlace = `
(SELECT i.uuid, i.placed_at AS at, (SELECT 1 FROM importer.inbox j WHERE j.uuid = i.uuid AND (j.placed_at, j.id) > (i.placed_at, i.id) LIMIT 1) IS NOT NULL AS again
 FROM importer.inbox i WHERE i.%s AND i.placed_at <= $1 AND (i.placed_at, i.uuid) < ($1, $2)
 ORDER BY i.placed_at DESC FETCH FIRST ($3) ROWS WITH TIES)`
)

// clockSlack is more than there is between when an order ended and the date of its last row.
const clockSlack = time.Minute

// candidates selects the places of orders that may fit, and the arguments from $4 on. Each
// part is read along an index, for as long as it has to be.
func (f *Filter) candidates() (sql string, args []any) {
	arg := func(value any) string {
		args = append(args, value)
		return "$" + strconv.Itoa(len(args)+3)
	}
	ofOrders, ofInbox := "attempt >= 0", "id > 0" // see the indexes
	if column, name := "user_name", f.User; name != "" || f.Group != "" {
		if name == "" {
			column, name = "group_name", f.Group
		}
		ofOrders = "import_id > 0 AND " + column + " = left(" + arg(text(name)) + ", 100)"
		ofInbox = ofOrders
	}
	states, waiting := f.states()
	again := "false"
	var parts []string
	if waiting {
		again = waitsAgain
		parts = append(parts, fmt.Sprintf(inboxPlace, ofInbox))
	}
	for _, state := range states {
		cut := ""
		if !f.Since.IsZero() && (state == "completed" || state == "failed") { // others have newer rows than their place
			cut = " AND " + orderAt + " >= " + arg(f.Since.Add(-clockSlack))
		}
		parts = append(parts, fmt.Sprintf(orderPlace, again, ofOrders, state, cut))
	}
	return "SELECT * FROM (" + strings.Join(parts, " UNION ALL") + ") places ORDER BY at DESC, uuid DESC LIMIT $3", args
}

// states are those that orders of the wanted stages may be in, and whether they may wait.
func (f *Filter) states() (states []string, waiting bool) {
	if len(f.Stages) == 0 {
		return []string{"running", "queued", "completed", "failed"}, true
	}
	for _, stage := range f.Stages {
		switch stage {
		case order.Completed:
			states = append(states, "completed")
		case order.Failed:
			states = append(states, "failed")
		default: // what was taken up is pending until a worker begins with it
			waiting = waiting || stage == order.Pending
			states = append(states, "running", "queued")
		}
	}
	slices.Sort(states)
	return slices.Compact(states), waiting
}

func (s *Store) places(ctx context.Context, sql string, after place, n int, args []any) ([]place, error) {
	rows, err := s.pool.Query(ctx, sql, append([]any{after.at, after.uuid, n}, args...)...)
	if err == nil {
		var places []place
		places, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p place, err error) {
			return p, row.Scan(&p.uuid, &p.at, &p.again)
		})
		if err == nil {
			return places, nil
		}
	}
	return nil, fmt.Errorf("listing orders: %w", err)
}
