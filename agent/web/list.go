package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// listed is how many orders one page of the list has.
const listed = 50

// listPage is the list of orders, or of those of one user.
type listPage struct {
	Query  query
	Stages []choice
	Times  []choice
	Counts counts
	Rows   []row
	Live   string // the events of orders that come on top; empty where they would not belong
	Self   string // the address of what is shown
	Older  string // the address of the page that follows
	Base   string // the address of the list without a filter
	Owner  string // of a user's page
	Group  string // likewise
}

// query is what a reader asked the list for.
type query struct{ Text, Stage, User, Group, Since, After string }

// choice is an entry of a select.
type choice struct {
	Value, Name string
	Chosen      bool
}

// stagesOf are the stages that a choice stands for.
var stagesOf = map[string][]order.Stage{
	"waiting":   {order.Pending},
	"working":   {order.Started, order.Preprocessing},
	"completed": {order.Completed},
	"failed":    {order.Failed},
}

var timesOf = map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour}

func choices(chosen string, pairs ...string) (list []choice) {
	for pair := range slices.Chunk(pairs, 2) {
		list = append(list, choice{pair[0], pair[1], pair[0] == chosen})
	}
	return list
}

func readQuery(r *http.Request) query {
	v := r.URL.Query()
	read := func(name string) string {
		text := strings.TrimSpace(v.Get(name))
		return strings.ToValidUTF8(text[:min(len(text), maxTitle)], "")
	}
	return query{Text: read("q"), Stage: read("stage"), User: read("user"), Group: read("group"), Since: read("since"), After: v.Get("after")}
}

func (q query) filter() tracking.Filter {
	f := tracking.Filter{Stages: stagesOf[q.Stage], User: q.User, Group: q.Group, Text: q.Text, Limit: listed, After: q.After}
	if within := timesOf[q.Since]; within > 0 {
		f.Since = time.Now().Add(-within)
	}
	return f
}

// values are the query as in an address.
func (q query) values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"q": q.Text, "stage": q.Stage, "user": q.User, "group": q.Group, "since": q.Since, "after": q.After} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v
}

func address(base string, v url.Values) string {
	if len(v) == 0 {
		return base
	}
	return base + "?" + v.Encode()
}

// list answers with the list of all orders, or of a user's.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	q := readQuery(r)
	p := listPage{Query: q, Base: "/"}
	filter := q.filter()
	if name := r.PathValue("name"); name != "" {
		p.Owner, p.Group = name, r.PathValue("group")
		p.Base = userPath(p.Group, p.Owner)
		filter.User, filter.Group = p.Owner, p.Group
	}
	p.Self = address(p.Base, q.values())
	p.Stages = choices(q.Stage, "", "Any stage", "waiting", "Waiting", "working", "At work", "completed", "Completed", "failed", "Failed")
	p.Times = choices(q.Since, "", "Any time", "hour", "Last hour", "day", "Last day", "week", "Last week")
	if q == (query{}) {
		p.Live = newEvent(p.Group, p.Owner)
	}
	f := frame{Nav: "/"}
	var err error
	// Before the orders are read: what happens meanwhile is told by events, if twice.
	if f.Mark, err = s.hub.mark(r.Context()); err == nil {
		err = s.fill(r.Context(), &p, filter, f.Mark)
	}
	f.Page = p
	s.show(w, r, "list", wanted(r, "orders"), f, err)
}

func (s *server) fill(ctx context.Context, p *listPage, filter tracking.Filter, mark string) error {
	// Where thousands wait for one event, they wait for one look.
	found, err := s.once(ctx, "list "+p.Self+" "+mark, func(ctx context.Context) (any, error) { return s.orders.List(ctx, filter) })
	if err != nil {
		return err
	}
	page, _ := found.(tracking.Page)
	for i := range page.Orders {
		p.Rows = append(p.Rows, newRow(&page.Orders[i]))
	}
	if page.Next != "" {
		older := p.Query
		older.After = page.Next
		p.Older = address(p.Base, older.values())
	}
	p.Counts, err = s.hub.counts(ctx)
	return err
}
