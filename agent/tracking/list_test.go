package tracking_test

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

const insertNamed = `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, file_names, description)
	VALUES ($1, $2, '151', 'Dataset', 'Import Pending', $3, $4, $4, $5)`

// place places an order of a user as a client would.
func (f fixture) place(group, user, names, description string) (id string) {
	f.t.Helper()
	id = uuid.NewString()
	f.exec(insertNamed, group, user, id, names, description)
	return id
}

// ended is an order that ended at a stage.
func (f fixture) ended(group, user string, stage order.Stage) (id string) {
	f.t.Helper()
	id = f.place(group, user, "[]", "")
	works := f.take()
	require.Len(f.t, works, 1)
	require.NoError(f.t, f.end(tracking.End{Job: works[0].Job, Stage: stage, Reason: "The file is empty."}))
	return id
}

// listed are the uuids of all pages of a filter.
func (f fixture) listed(filter tracking.Filter) (ids []string) {
	f.t.Helper()
	for range 100 {
		page, err := f.List(f.t.Context(), filter)
		require.NoError(f.t, err)
		for i := range page.Orders {
			require.Nil(f.t, page.Orders[i].Files)
			ids = append(ids, page.Orders[i].UUID)
		}
		if page.Next == "" {
			return ids
		}
		filter.After = page.Next
	}
	require.Fail(f.t, "the list does not end")
	return nil
}

func TestList_filters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.Empty(t, f.listed(tracking.Filter{}))
	completed := f.ended("Demo", "ada", order.Completed)
	failed := f.ended("Lab", "ada", order.Failed)
	bobs := f.ended("Demo", "bob", order.Completed)
	runs := f.place("Demo", "ada", `["/data/s\u00c9rie 7.tif"]`, "Third Run")
	f.take()
	taken := f.place("Demo", "ada", "not JSON: é.tif", "")
	f.takeOnly(agent)
	waits := f.place("Lab", "bob", "[]", "50% of <it>")
	all := []string{waits, taken, runs, bobs, failed, completed}
	for name, c := range map[string]struct {
		filter tracking.Filter
		want   []string
	}{
		"all":              {tracking.Filter{}, all},
		"pending":          {tracking.Filter{Stages: []order.Stage{order.Pending}}, []string{waits, taken}},
		"started":          {tracking.Filter{Stages: []order.Stage{order.Started}}, []string{runs}},
		"preprocessing":    {tracking.Filter{Stages: []order.Stage{order.Preprocessing}}, nil},
		"ended":            {tracking.Filter{Stages: []order.Stage{order.Failed, order.Completed}}, []string{bobs, failed, completed}},
		"unknown stage":    {tracking.Filter{Stages: []order.Stage{"Import Lost"}}, nil},
		"user":             {tracking.Filter{User: "ada"}, []string{taken, runs, failed, completed}},
		"group":            {tracking.Filter{Group: "Lab"}, []string{waits, failed}},
		"user and group":   {tracking.Filter{User: "ada", Group: "Lab"}, []string{failed}},
		"user and stage":   {tracking.Filter{User: "ada", Stages: []order.Stage{order.Completed}}, []string{completed}},
		"part of a user":   {tracking.Filter{User: "ad"}, nil},
		"file name":        {tracking.Filter{Text: "Série"}, []string{runs}},
		"not JSON":         {tracking.Filter{Text: "É.TIF"}, []string{taken}},
		"description":      {tracking.Filter{Text: "third run"}, []string{runs}},
		"reason":           {tracking.Filter{Text: "IS EMPTY"}, []string{failed}},
		"no pattern":       {tracking.Filter{Text: "50%"}, []string{waits}},
		"hostile":          {tracking.Filter{Text: "'; DROP TABLE importer.orders; --\x00", User: "\xff\x00", Group: "'"}, nil},
		"uuid":             {tracking.Filter{Text: strings.ToUpper(failed)}, []string{failed}},
		"uuid of others":   {tracking.Filter{Text: failed, User: "bob"}, nil},
		"start of a uuid":  {tracking.Filter{Text: strings.ToUpper(bobs[:13])}, []string{bobs}},
		"middle of a uuid": {tracking.Filter{Text: bobs[1:13]}, nil},
		"since now":        {tracking.Filter{Since: time.Now().Add(time.Hour)}, nil},
		"since before":     {tracking.Filter{Since: time.Now().Add(-time.Hour)}, all},
	} {
		require.Equal(t, c.want, f.listed(c.filter), name)
		for _, limit := range []int{1, 2, len(c.want)} {
			c.filter.Limit = limit
			require.Equal(t, c.want, f.listed(c.filter), "%s, %d a page", name, limit)
		}
	}
}

// What was asked for again has the place of the newer request, once.
func TestList_asksForAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	again := f.ended("Demo", "ada", order.Failed)
	other := f.ended("Demo", "ada", order.Failed)
	f.exec(`UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = $1`, again)
	for _, limit := range []int{0, 1} {
		require.Equal(t, []string{again, other}, f.listed(tracking.Filter{Limit: limit}))
		require.Equal(t, []string{other}, f.listed(tracking.Filter{Stages: []order.Stage{order.Failed}, Limit: limit}))
		require.Equal(t, []string{again}, f.listed(tracking.Filter{Stages: []order.Stage{order.Pending}, Limit: limit}))
	}
	running := f.take()
	require.Len(t, running, 1)
	f.exec(insertPending, again, "[]") // parked
	require.Equal(t, []string{again, other}, f.listed(tracking.Filter{}))
}

// An order that ended while somebody leafs through the list is neither lost nor repeated
// on the pages that follow.
func TestList_goesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var ids []string
	for range 5 {
		ids = append([]string{f.ended("Demo", "ada", order.Completed)}, ids...)
	}
	page, err := f.List(t.Context(), tracking.Filter{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, ids[0], page.Orders[0].UUID)
	f.ended("Demo", "ada", order.Completed)
	f.exec(`UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = $1`, ids[1])
	require.Equal(t, ids[2:], f.listed(tracking.Filter{Limit: 2, After: page.Next}))
}

func TestList_ofEqualTimes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 7 {
		f.ended("Demo", "ada", order.Completed)
	}
	f.exec(`UPDATE importer.orders SET ended_at = '2026-01-01'`)
	require.ElementsMatch(t, f.column(`SELECT uuid FROM importer.orders`), f.listed(tracking.Filter{Limit: 3}))
}

func TestList_refusesAPlaceThatItDidNotGive(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	encoded := base64.RawURLEncoding.EncodeToString
	for _, after := range []string{
		"x", "' OR true", encoded([]byte("10")), encoded([]byte(" x")), encoded([]byte("zz x\x00")),
		encoded([]byte("1y2p0ij32e8e7 x")), encoded([]byte("-1y2p0ij32e8e7 x")), encoded([]byte("+10 x")), strings.Repeat("A", 100_000),
	} {
		_, err := f.List(t.Context(), tracking.Filter{After: after})
		require.Equal(t, order.Invalid, order.ClassOf(err), "%.50q: %v", after, err)
		require.Less(t, len(err.Error()), 300)
	}
}

// A search ends after a bounded number of orders, and goes on from there.
func TestList_boundsWhatItLooksAt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	wanted := f.place("Demo", "ada", `["needle.tif"]`, "")
	f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		SELECT 'Demo', 'ada', '151', 'Dataset', 'Import Pending', gen_random_uuid(), '[]' FROM generate_series(1, $1)`, tracking.MaxLooked)
	page, err := f.List(t.Context(), tracking.Filter{Text: "NEEDLE"})
	require.NoError(t, err)
	require.Empty(t, page.Orders)
	page, err = f.List(t.Context(), tracking.Filter{Text: "NEEDLE", After: page.Next})
	require.NoError(t, err)
	require.Equal(t, wanted, page.Orders[0].UUID)
	require.Empty(t, page.Next)
	recent, err := f.Recent(t.Context(), tracking.MaxLooked)
	require.NoError(t, err)
	require.Len(t, recent, tracking.MaxLooked)
}

// An order is listed as its newest attempt's user's, also where an agent of the version
// before took it up, whose statement does not say whose it is.
func TestList_ofAnOlderAgent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.ended("Demo", "ada", order.Failed)
	f.exec(`UPDATE public.imports SET user_name = 'bob', stage = 'Import Pending' WHERE uuid = $1`, id)
	f.take()
	require.Equal(t, []string{id}, f.listed(tracking.Filter{User: "bob"}))
	require.Empty(t, f.listed(tracking.Filter{User: "ada"}))
	old := f.place("Lab", "eve", "[]", "")
	f.exec(`INSERT INTO importer.orders (uuid, import_id, attempt, state) SELECT uuid, id, 1, 'running' FROM public.imports WHERE uuid = $1`, old)
	f.exec(`DELETE FROM importer.inbox WHERE uuid = $1`, old)
	require.Equal(t, []string{old}, f.listed(tracking.Filter{User: "eve"}))
	require.Equal(t, []string{old}, f.listed(tracking.Filter{Group: "Lab"}))
}

func TestCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ended("Demo", "ada", order.Completed)
	f.place("Demo", "ada", "[]", "")
	f.place("Demo", "ada", "[]", "")
	works := f.take()
	f.place("Demo", "ada", "[]", "")
	f.takeOnly(agent)
	f.place("Demo", "ada", "[]", "")
	require.NoError(t, f.Preprocessing(t.Context(), works[0]))
	counts, err := f.Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[order.Stage]int64{order.Pending: 2, order.Started: 1, order.Preprocessing: 1}, counts)
}

// million makes a million orders: 899,000 that ended, 1,000 that were begun and 100,000 that
// wait. Half of them are ada's; of those that failed, all but a few are old.
func (f fixture) million() {
	f.t.Helper()
	for _, sql := range []string{
		`ALTER TABLE public.imports DISABLE TRIGGER USER`,
		`ALTER TABLE importer.orders DISABLE TRIGGER importer_name_order`,
		`INSERT INTO public.imports (id, group_name, user_name, destination_id, destination_type, stage, uuid, "timestamp", files, file_names)
		 SELECT n, 'group ' || n % 10, CASE WHEN n % 2 = 0 THEN 'ada' ELSE 'user ' || n % 1000 END, '151', 'Dataset',
		        CASE WHEN n > 900000 THEN 'Import Pending' WHEN n > 899000 THEN 'Import Started' WHEN n <= 5000 THEN 'Import Failed' ELSE 'Import Completed' END,
		        lpad(to_hex(n), 8, '0') || '-0000-4000-8000-000000000000', now() - (1000000 - n) * interval '1 second', '["/data/a.tif"]', '["image ' || n || '.tif"]'
		 FROM generate_series(1, 1000000) n`,
		`INSERT INTO importer.orders (uuid, import_id, attempt, state, agent, run, queued_at, started_at, ended_at, due_at, group_name, user_name)
		 SELECT uuid, id, 1, CASE WHEN id > 899950 THEN 'running' WHEN id > 899000 THEN 'queued' WHEN id <= 5000 THEN 'failed' ELSE 'completed' END,
		        '', 1, "timestamp", "timestamp", CASE WHEN id <= 899000 THEN "timestamp" END, "timestamp", group_name, user_name
		 FROM public.imports WHERE id <= 900000`,
		`INSERT INTO importer.inbox (import_id, uuid, inserted, group_name, user_name, placed_at)
		 SELECT id, uuid, true, group_name, user_name, "timestamp" FROM public.imports WHERE id > 900000`,
		`ANALYZE public.imports, importer.orders, importer.inbox`,
	} {
		f.exec("SET enable_seqscan = on; " + sql + "; RESET enable_seqscan")
	}
}

// plan is a node of what EXPLAIN says.
//
//nolint:tagliatelle // PostgreSQL's names
type plan struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Cond     string  `json:"Index Cond"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Hit      int     `json:"Shared Hit Blocks"`
	Read     int     `json:"Shared Read Blocks"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Plans    []plan  `json:"Plans"`
}

func (p plan) each(do func(plan)) {
	do(p)
	for _, below := range p.Plans {
		below.each(do)
	}
}

// Of a million orders, no page looks at more than it may: neither rows nor blocks grow
// with how many there are.
func TestList_ofAMillionOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.million()
	middle := base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(time.Now().Add(-500_000*time.Second).UnixMicro(), 36) + " x"))
	ended := []order.Stage{order.Completed, order.Failed}
	for name, filter := range map[string]tracking.Filter{
		"all":               {},
		"pending":           {Stages: []order.Stage{order.Pending}},
		"started":           {Stages: []order.Stage{order.Started}},
		"failed":            {Stages: []order.Stage{order.Failed}},
		"of ada":            {User: "ada"},
		"of ada, failed":    {User: "ada", Stages: []order.Stage{order.Failed}},
		"of user 999":       {User: "user 999", Stages: ended},
		"of a group":        {Group: "group 3"},
		"of ada in it":      {User: "ada", Group: "group 4"},
		"of ada nowhere":    {User: "ada", Group: "nowhere"},
		"since":             {Since: time.Now().Add(-200_000 * time.Second), Stages: ended},
		"text":              {Text: "image 999"},
		"text, nowhere":     {Text: "nowhere"},
		"text of ada":       {Text: "nowhere", User: "ada", Stages: ended},
		"from the middle":   {After: middle},
		"of ada from there": {After: middle, User: "ada"},
	} {
		filter.Limit = 50
		var buffers, rows int
		var slowest float64
		queries, err := filter.Asked(t.Context(), f.Store)
		require.NoError(t, err, name)
		for _, query := range queries {
			said := f.keptPlan("ANALYZE, BUFFERS", query)
			said.Plan.each(func(p plan) {
				require.LessOrEqual(t, p.Rows*p.Loops, 1000.0, "%s: %s %s", name, p.Type, p.Relation)
				if p.Relation != "" && p.Relation != "progress" {
					require.NotEqual(t, "Seq Scan", p.Type, "%s: %s", name, p.Relation)
					require.Less(t, p.Removed*p.Loops, 1000.0, "%s: %s", name, p.Relation)
				}
			})
			slowest = max(slowest, said.Took)
			buffers, rows = buffers+said.Plan.Hit+said.Plan.Read, rows+int(said.Plan.Rows)
		}
		require.Less(t, buffers, 5000, name) // of 8 KB; 201 orders have 5 tables
		began := time.Now()
		page, err := f.List(t.Context(), filter)
		took := time.Since(began)
		require.NoError(t, err)
		t.Logf("%-18s %3d orders in %5.1f ms, slowest query %5.1f ms; a look: %d buffers, %d rows", name, len(page.Orders), took.Seconds()*1000, slowest, buffers, rows)
	}
	began := time.Now()
	counts, err := f.Counts(t.Context())
	require.NoError(t, err)
	t.Logf("counts %v in %s", counts, time.Since(began))
	require.Equal(t, fmt.Sprint(map[order.Stage]int64{order.Pending: 100_000, order.Started: 1000, order.Preprocessing: 0}), fmt.Sprint(counts))
}

// What is taken for a place is one that a list could have ended at.
func FuzzPlace(f *testing.F) {
	for _, seed := range []string{"", "x", "aG9sMDJrNG05YyA5M2Q0YmRiOS02ZDAwLTRhOTItOTlmMC1hMW", base64.RawURLEncoding.EncodeToString([]byte("10 x"))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		again, err := tracking.ReadPlace(token)
		if err != nil {
			require.Equal(t, order.Invalid, order.ClassOf(err))
			return
		}
		if token != "" {
			require.Equal(t, token, again)
		}
	})
}
