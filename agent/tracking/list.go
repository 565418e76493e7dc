package tracking

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// Filter says which orders are meant; its zero value means all.
type Filter struct {
	Stages      []order.Stage
	User, Group string
	Since       time.Time // whose newest row is not older
	Text        string    // in file names, description or at the start of the uuid: case-insensitive
	Limit       int       // at most so many; 0 and more than MaxPage: MaxPage
	After       string    // where the page before ended: its Next
}

// Page is a part of a list.
type Page struct {
	Orders []Status // the newest first: by when they ended, or else were asked for; without files
	Next   string   // empty where nothing follows
}

const (
	// MaxPage is how many orders a page holds at most.
	MaxPage = 500
	// MaxLooked is how many orders are looked at for a page.
	MaxLooked = 2000
)

// List returns a page of the orders that the service knows: those that wait, and those
// that it has taken up and that retention has not forgotten. It looks at no more than
// MaxLooked orders of the user or the group, of the newest on, so that a page may hold
// fewer than there are, or none, and still be followed by another. That is the case for a
// text, and for a user of several groups whose other group it is. A whole uuid
// as the text finds its order at once. An After that no Next can be is an Invalid
// error.
func (s *Store) List(ctx context.Context, f Filter) (Page, error) {
	page := Page{Orders: []Status{}}
	at, err := parsePlace(f.After)
	if err != nil {
		return page, err
	}
	if f.Limit < 1 || f.Limit > MaxPage {
		f.Limit = MaxPage
	}
	if id, err := uuid.Parse(f.Text); err == nil && len(f.Text) == len(id.String()) {
		found, err := s.statuses(ctx, slices.Compact([]string{f.Text, id.String()}))
		for _, st := range found {
			if f.fits(st) && f.After == "" {
				page.Orders = append(page.Orders, *st)
			}
		}
		return page, err
	}
	sql, args := f.candidates()
	for looked := 0; looked < MaxLooked; {
		n := min(max(f.Limit+1, smallestLook), MaxLooked-looked)
		places, err := s.places(ctx, sql, at, n, args)
		if err != nil {
			return Page{}, err
		}
		found, err := s.statuses(ctx, uuids(places))
		if err != nil {
			return Page{}, err
		}
		for i, p := range places {
			at = p
			if st := found[p.uuid]; !p.again && st != nil && f.fits(st) {
				page.Orders = append(page.Orders, *st)
			}
			if len(page.Orders) == f.Limit {
				if i+1 < len(places) || len(places) == n {
					page.Next = at.String()
				}
				return page, nil
			}
		}
		if len(places) < n {
			return page, nil
		}
		looked += n
	}
	page.Next = at.String()
	return page, nil
}

// smallestLook spares round trips where only some of what is looked at fits.
const smallestLook = 200

// Recent returns the newest orders, without their files. Its cost does not grow with
// the history.
func (s *Store) Recent(ctx context.Context, limit int) (recent []Status, err error) {
	recent = []Status{}
	for page := (Page{}); len(recent) < limit; {
		if page, err = s.List(ctx, Filter{Limit: min(limit-len(recent), MaxPage), After: page.Next}); err != nil {
			return nil, err
		}
		if recent = append(recent, page.Orders...); page.Next == "" {
			break
		}
	}
	return recent, nil
}

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
// taken up before has two, of which only the newer counts.
const (
	orderAt    = `coalesce(o.ended_at, o.queued_at)`
	orderPlace = `
(SELECT o.uuid, ` + orderAt + ` AS at, %s AS again FROM importer.orders o
 WHERE o.%s AND o.state = '%s' AND ` + orderAt + ` <= $1 AND (` + orderAt + `, o.uuid) < ($1, $2)%s
 ORDER BY ` + orderAt + ` DESC, o.uuid DESC LIMIT $3)`
	waitsAgain = `(SELECT 1 FROM importer.inbox i WHERE i.uuid = o.uuid LIMIT 1) IS NOT NULL` // for EXISTS all of the inbox may be hashed
	inboxPlace = `
(SELECT i.uuid, i.placed_at AS at, (SELECT 1 FROM importer.inbox j WHERE j.uuid = i.uuid AND (j.placed_at, j.id) > (i.placed_at, i.id) LIMIT 1) IS NOT NULL AS again
 FROM importer.inbox i WHERE i.%s AND i.placed_at <= $1 AND (i.placed_at, i.uuid) < ($1, $2)
 ORDER BY i.placed_at DESC, i.uuid DESC LIMIT $3)`
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

const wantedStatus = `WITH wanted AS (SELECT DISTINCT unnest($1::text[]) AS uuid)` + statusOf

// statuses are of those of the orders that there are.
func (s *Store) statuses(ctx context.Context, uuids []string) (map[string]*Status, error) {
	rows, err := s.pool.Query(ctx, wantedStatus, uuids)
	if err == nil {
		var list []Status
		if list, err = pgx.CollectRows(rows, scanStatus); err == nil {
			found := make(map[string]*Status, len(list))
			for i := range list {
				found[list[i].UUID] = &list[i]
			}
			return found, nil
		}
	}
	return nil, fmt.Errorf("listing orders: %w", err)
}

// fits reports whether an order is one that the filter means.
func (f *Filter) fits(st *Status) bool {
	return (len(f.Stages) == 0 || slices.Contains(f.Stages, st.Stage)) &&
		(f.User == "" || f.User == st.User) && (f.Group == "" || f.Group == st.Group) &&
		(f.Since.IsZero() || st.Changed != nil && !st.Changed.Before(f.Since)) &&
		(f.Text == "" || st.says(strings.ToLower(f.Text)))
}

// says reports whether an order is about a text in lower case.
func (st *Status) says(wanted string) bool {
	var names []string
	if json.Unmarshal([]byte(st.FileNames), &names) != nil { // clients may have put anything there
		names = []string{st.FileNames}
	}
	return strings.HasPrefix(strings.ToLower(st.UUID), wanted) || strings.Contains(strings.ToLower(st.Description), wanted) ||
		slices.ContainsFunc(names, func(name string) bool { return strings.Contains(strings.ToLower(name), wanted) })
}

// maxCounted bounds what Counts counts of each kind.
const maxCounted = 100_000

const countNow = `
SELECT 'Import Pending', count(*) FROM (SELECT FROM importer.inbox WHERE id > 0 ORDER BY placed_at LIMIT $1) i
UNION ALL
SELECT stage, count(*) FROM (
    SELECT CASE WHEN started_at IS NULL THEN 'Import Pending' WHEN preprocessed = attempt THEN 'Import Preprocessing' ELSE 'Import Started' END AS stage
    FROM importer.orders WHERE attempt >= 0 AND state IN ('queued', 'running') LIMIT $1) o
GROUP BY stage`

// Counts returns how many orders that have not ended are in each stage: how many have
// would take a look at all history. It counts up to 100,000 of those that wait, rows that
// ask for one order again included, and of those that were taken up.
func (s *Store) Counts(ctx context.Context) (map[order.Stage]int64, error) {
	rows, err := s.pool.Query(ctx, countNow, maxCounted)
	if err != nil {
		return nil, fmt.Errorf("counting orders: %w", err)
	}
	counts := map[order.Stage]int64{order.Pending: 0, order.Started: 0, order.Preprocessing: 0}
	var stage order.Stage
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&stage, &n}, func() error {
		counts[stage] += n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting orders: %w", err)
	}
	return counts, nil
}
