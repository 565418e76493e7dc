package main_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
)

// The service is killed between each two of its steps, and started again.
func TestFault_killedAtEachStep(t *testing.T) {
	t.Parallel()
	for _, point := range failpoint.Points() {
		t.Run(string(point), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			exec := func(sql string) {
				_, err := s.store.Pool().Exec(t.Context(), sql)
				require.NoError(t, err)
			}
			if point == failpoint.Returning || point == failpoint.Returned { // something has to go wrong first
				exec(`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full' USING ERRCODE = '53100'; END $$;
					CREATE TRIGGER refuse BEFORE INSERT ON importer.repository_filesets FOR EACH STATEMENT EXECUTE FUNCTION public.refuse()`)
			}
			killed := s.launch("FAILPOINT=" + string(point))
			var many []string
			for i := range 510 { // more than one batch
				many = append(many, s.write("pixels", "many", fmt.Sprintf("%03d.tif", i)))
			}
			ids := []string{s.insert(many...), s.insert(many[0], s.path("data", "missing.tif")), s.insert(many[1])}
			s.write("pixels", "Demo", "ada", "inbox", "Retina", "dropped.tif")
			s.write("pixels", "Demo", "ada", "orders", "named.tif")
			s.write(goodManifest, "Demo", "ada", "orders", "x.order.yml")
			require.ErrorContains(t, <-killed.done, "killed", s.log())

			exec(`DROP TRIGGER IF EXISTS refuse ON importer.repository_filesets`)
			a := s.start()
			ids = append(ids, s.orderOf("dropped.tif"), s.orderOf("named.tif"))
			for i, id := range ids {
				st := s.ended(id, 1)
				want := []string{"Import Pending", "Import Started", string(order.Completed)}
				if i == 1 {
					want[2] = string(order.Failed)
				}
				require.Equal(t, want, s.stages(id), st.Description)
			}
			s.eventually(func() bool {
				var due int
				err := s.store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM importer.reports`).Scan(&due)
				return err == nil && due == 0
			}, "the receipt is written")
			require.Contains(t, s.read("Demo", "ada", "orders", "x.order.yml.receipt.json"), string(order.Completed))
			a.stop()
			require.Len(t, s.links(), len(many)+4, "each file once, of each order")
			list, err := s.store.Recent(t.Context(), 100)
			require.NoError(t, err)
			require.Len(t, list, len(ids))
			e, status := s.examine("--audit")
			require.Zero(t, status, "%v", e)
			require.Empty(t, e.Audit.Found)
		})
	}
}

// An order that kills every agent that takes it up fails, whatever they do with it.
func TestFault_orderThatKillsAgents(t *testing.T) {
	t.Parallel()
	for _, point := range []failpoint.Point{failpoint.Listed, failpoint.Checked} {
		t.Run(string(point), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			id := s.insert(s.write("pixels", "a.tif"))
			ended := func() bool {
				st, err := s.store.Show(t.Context(), id)
				return err == nil && st.Ended != nil
			}
			for deaths := 0; ; deaths++ {
				a := s.launch("FAILPOINT=" + string(point))
				s.eventually(func() bool { return len(a.done) > 0 || ended() }, "the order ends, or the service")
				if len(a.done) == 0 {
					a.stop()
					break
				}
				require.ErrorContains(t, <-a.done, "killed", s.log())
				require.LessOrEqual(t, deaths, 5, "and the first that could not be noted")
			}
			require.Equal(t, []string{"Import Pending", "Import Started", string(order.Failed)}, s.stages(id))
			require.Contains(t, s.ended(id, 1).Description, "stopped 5 times")
		})
	}
}
