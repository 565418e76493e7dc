package tracking_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/importer/repository"
)

// audit returns the rules that are broken, each with its order, and the catalog's
// links as they are handed over.
func (f fixture) audit() (broken []string, rows []repository.Row) {
	f.t.Helper()
	err := f.Audit(f.t.Context(), func(v tracking.Violation) error {
		f.t.Log(v)
		broken = append(broken, strings.TrimSpace(v.Rule+" "+v.Order))
		return nil
	}, func(_ context.Context, links iter.Seq2[repository.Row, error]) error {
		for row, err := range links {
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	require.NoError(f.t, err)
	return broken, rows
}

func (f fixture) requireSound(after string) {
	f.t.Helper()
	broken, _ := f.audit()
	require.Empty(f.t, broken, after)
}

// imported records all of an order's files as an import does, and returns them.
func (f fixture) imported(w *tracking.Work) []tracking.File {
	f.t.Helper()
	files := f.files(w)
	for i := range files {
		if files[i].State == tracking.FileImported {
			continue
		}
		name := fmt.Sprintf("%d.tif", i)
		made, err := f.Catalog().Record(f.t.Context(), repository.Import{
			Order: w.Job.UUID, User: w.Order.User, UserID: f.user(w.Order.User), Group: w.Order.Group,
			Type: importer.ContainerType(w.Order.Destination.Type), Container: w.Order.Destination.ID,
			Prefix:  fmt.Sprintf("%s_1/%s/%d/%d", w.Order.User, w.Job.UUID, w.Job.Run, i),
			Sources: []repository.Source{{Path: files[i].Path, Link: name, Images: []string{name, name}, Plates: []string{name}}},
		})
		require.NoError(f.t, err)
		files[i].State = tracking.FileImported
		files[i].Filesets, files[i].Images, files[i].Plates = []int64{made[0].ID}, made[0].Images, made[0].Plates
	}
	return files
}

func (f fixture) complete(w *tracking.Work) {
	f.t.Helper()
	require.NoError(f.t, f.end(tracking.End{Job: w.Job, Stage: order.Completed, Names: w.Names, Files: f.imported(w)}))
}

// fail ends an order whose first file could be imported, and the others not.
func (f fixture) fail(w *tracking.Work) {
	f.t.Helper()
	files := f.imported(w)
	for i := range files[1:] {
		files[i+1] = tracking.File{Ordinal: i + 1, Path: files[i+1].Path, Target: files[i+1].Target, State: tracking.FileFailed, Reason: "It is corrupt."}
	}
	require.NoError(f.t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: "It is corrupt.", Files: files}))
}

func (f fixture) takeOne() *tracking.Work {
	f.t.Helper()
	works := f.take()
	require.Len(f.t, works, 1)
	return works[0]
}

const setBack = `UPDATE public.imports SET stage = 'Import Pending' WHERE uuid = $1`

// holding is a fixture whose agent is alive.
func holding(t *testing.T) fixture {
	t.Helper()
	f := newFixture(t)
	hold, err := f.Hold(t.Context(), agent)
	require.NoError(t, err)
	t.Cleanup(func() { _ = hold.Release(context.WithoutCancel(t.Context())) })
	return f
}

// Whatever clients and agents may do, no audit at any moment finds fault with it.
func TestAudit_findsNothingInWhatIsAllowed(t *testing.T) {
	t.Parallel()
	const two = `["/data/a.tif", "/data/b.tif"]`
	for name, live := range map[string]func(f fixture, step func(string)){
		"completed": func(f fixture, step func(string)) {
			f.insert(two)
			step("placed")
			w := f.takeOne()
			step("taken up")
			require.NoError(f.t, f.SaveFiles(f.t.Context(), w.Job, f.imported(w)[:1]))
			step("one file saved, another recorded")
			require.NoError(f.t, f.PutBack(f.t.Context(), w.Job, 0, true, "", nil))
			step("put back")
			f.complete(f.takeOne())
		},
		"failed and retried": func(f fixture, step func(string)) {
			id := f.insert(two)
			f.fail(f.takeOne())
			step("failed")
			require.NoError(f.t, f.Retry(f.t.Context(), id, false))
			step("to be retried")
			w := f.takeOne()
			step("retried")
			f.complete(w)
		},
		"set back": func(f fixture, step func(string)) {
			id := f.insert(two)
			f.complete(f.takeOne())
			f.exec(setBack, id)
			step("after its end")
			w := f.takeOne()
			f.exec(setBack, id)
			step("while it runs")
			require.Empty(f.t, f.take())
			step("parked")
			f.complete(w)
			step("completed")
			f.fail(f.takeOne())
			step("failed")
			f.exec(setBack+` AND stage = 'Import Failed'`, id)
			f.complete(f.takeOne())
			step("only the failed row was set back")
			w = f.begunAgain(id)
			f.exec(setBack+` AND stage = 'Import Started'`, id)
			step("only the row of its start was set back")
			f.complete(w)
			step("ended after that")
			f.complete(f.takeOne())
		},
		"asked for again while it runs": func(f fixture, step func(string)) {
			id := f.insert(two)
			w := f.takeOne()
			f.exec(insertPending, id, two)
			f.exec(insertPending, id, `["/data/c.tif"]`)
			require.Empty(f.t, f.take())
			step("parked")
			f.complete(w)
			step("unparked")
			f.complete(f.takeOne())
			step("other files")
			f.exec(insertPending, id, two)
			f.exec(`UPDATE public.imports SET user_name = 'bob', group_name = 'Other' WHERE uuid = $1`, id)
			f.complete(f.takeOne())
			step("for another user")
		},
		"waiting for days": func(f fixture, step func(string)) {
			f.insert(two)
			w := f.takeOne()
			f.insert(two)
			f.exec(`UPDATE importer.inbox SET placed_at = now() - interval '2 days'`)
			require.NoError(f.t, f.Pause(f.t.Context(), "", "ada"))
			step("paused")
			require.NoError(f.t, f.Resume(f.t.Context(), "", "ada"))
			f.exec(`UPDATE importer.inbox SET parked = true, held = true`)
			step("held while another goes into its destination")
			f.exec(`UPDATE importer.inbox SET placed_at = now()`)
			f.complete(w)
		},
		"cancelled": func(f fixture, step func(string)) {
			id := f.insert(two)
			require.NoError(f.t, f.Cancel(f.t.Context(), id))
			step("while it waited")
			require.NoError(f.t, f.Retry(f.t.Context(), id, false))
			require.NoError(f.t, f.Cancel(f.t.Context(), id))
			step("twice")
			require.NoError(f.t, f.Retry(f.t.Context(), id, false))
			w := f.takeOne()
			f.exec(insertPending, id, two)
			require.NoError(f.t, f.Cancel(f.t.Context(), id))
			step("while it runs")
			require.NoError(f.t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: "The order was cancelled.", Files: f.imported(w)[:1]}))
			step("ended")
			f.exec(insertPending, id, `["/data/c.tif"]`)
			require.NoError(f.t, f.Cancel(f.t.Context(), id))
			step("before other files were imported")
			w = f.begunAgain(id)
			require.NoError(f.t, f.PutBack(f.t.Context(), w.Job, time.Hour, true, "", nil))
			require.NoError(f.t, f.Cancel(f.t.Context(), id))
		},
		"dated by clients": func(f fixture, step func(string)) {
			for _, date := range []string{"NULL", "'2001-01-01'", "now() + interval '3 days'", "'-infinity'", "'infinity'", "'294276-12-31'"} {
				id := f.insert(two)
				f.exec(`UPDATE public.imports SET "timestamp" = `+date+` WHERE uuid = $1`, id)
				step(date)
				w := f.takeOne()
				step(date + ", taken up")
				f.exec(insertPending, id, two)
				f.exec(`UPDATE public.imports SET "timestamp" = `+date+` WHERE uuid = $1 AND stage = 'Import Pending'`, id)
				step(date + ", asked for again")
				f.complete(w)
				step(date + ", completed")
				f.complete(f.takeOne())
				step(date + ", completed again")
			}
		},
		"not understood, deleted, forgotten": func(f fixture, step func(string)) {
			id := f.insert("not json")
			w := f.takeOne()
			require.NoError(f.t, f.end(tracking.End{Job: w.Job, Stage: order.Failed, Reason: w.Faulty.Error()}))
			step("not understood")
			gone := f.insert(two)
			f.exec(`DELETE FROM public.imports WHERE uuid = $1`, gone)
			step("its row is gone")
			require.Empty(f.t, f.take())
			f.exec(insertPending, id, two)
			f.complete(f.takeOne())
			_, err := f.Prune(f.t.Context(), time.Now().Add(time.Hour))
			require.NoError(f.t, err)
			step("forgotten")
			f.exec(setBack, id)
			f.complete(f.takeOne())
			step("asked for after it was forgotten")
			_, err = f.Prune(f.t.Context(), time.Now().Add(time.Hour))
			require.NoError(f.t, err)
			f.exec(insertPending, id, `["/data/c.tif"]`)
			f.complete(f.takeOne())
		},
		"of the service before": func(f fixture, step func(string)) {
			for n, stage := range []string{"Import Pending", "Import Started", "Import Started", "Import Preprocessing", "Import Completed", "Import Completed", "Strange"} {
				f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, "timestamp", files)
					VALUES ('Demo', 'ada', '151', 'Dataset', $2, 'old', '2024-01-01'::timestamptz + $1 / 2 * interval '1 second', $3)`, n, stage, two)
			}
			f.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, "timestamp", files)
				SELECT 'Demo', 'ada', '151', 'Dataset', stage, 'ended', at::timestamptz, $1
				FROM (VALUES (1, 'Import Pending', '2024-01-03'), (2, 'Import Completed', '2024-01-02')) v (n, stage, at) ORDER BY n`, two)
			f.exec(`DELETE FROM importer.inbox`)
			step("found")
			f.exec(insertPending, "old", two)
			step("asked for")
			f.complete(f.takeOne())
		},
		"dropped": func(f fixture, _ func(string)) {
			path := "/data/x.order.yml"
			o := order.Order{UUID: "dropped", Group: "Demo", User: "ada", Files: []string{"/data/a.tif"}, Destination: order.Destination{Type: order.Dataset, ID: 1}}
			require.NoError(f.t, f.Place(f.t.Context(), []tracking.Drop{{Path: path, Kind: tracking.DropManifest, State: tracking.DropTaken, UUID: o.UUID}},
				[]tracking.NewOrder{{Order: o}}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := holding(t)
			live(f, f.requireSound)
			f.requireSound("at last")
		})
	}
}

// A walk of folders comes by names in another order than that of whole paths, and
// PostgreSQL has yet another one.
func TestAudit_handsLinksOverAsTheyAreWalked(t *testing.T) {
	t.Parallel()
	f := holding(t)
	f.insert(`["/data/a.tif"]`)
	f.complete(f.takeOne())
	i := repository.Import{Order: "forgotten", User: "ada", UserID: f.user("ada"), Type: importer.Dataset, Container: 1, Prefix: "ada_1/x"}
	for n, link := range []string{"a/x.tif", "a-b.tif", "a.tif", "A.tif", "a b/c.tif", "Ä.tif", "a/X.tif", "z", "🔬.tif", "�.tif"} {
		i.Sources = append(i.Sources, repository.Source{Path: fmt.Sprintf("/data/%d", n), Link: link, Images: []string{"x"}})
	}
	_, err := f.Catalog().Record(t.Context(), i)
	require.NoError(t, err)
	_, rows := f.audit()
	require.Len(t, rows, 11)
	require.True(t, slices.IsSortedFunc(rows, func(a, b repository.Row) int {
		return slices.Compare(strings.Split(a.Link, "/"), strings.Split(b.Link, "/"))
	}), "%v", rows)
	for _, row := range rows {
		require.Equal(t, row.Order == "forgotten", row.Forgotten, row)
		require.Equal(t, row.Order != "forgotten", row.Imported, row)
	}
	missing, err := f.Unrecorded(t.Context(), []string{"x", "ada_1/x/a.tif", "y"})
	require.NoError(t, err)
	require.Equal(t, []string{"x", "y"}, missing)
}

// begunAgain is another attempt at an order, taken up.
func (f fixture) begunAgain(id string) *tracking.Work {
	f.t.Helper()
	require.NoError(f.t, f.Retry(f.t.Context(), id, false))
	return f.takeOne()
}

// No audit takes what is under way for a fault, whatever it comes between.
func TestAudit_besideClientsAndAgentsAtWork(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const orders, changes = 20, 300
	var clients, agents errgroup.Group
	done := make(chan struct{})
	clients.Go(func() error {
		defer close(done)
		for n := range changes {
			id, list := fmt.Sprintf("order-%d", n*7%orders), fmt.Sprintf(`["/data/a.tif", "/data/%d.tif"]`, n%3)
			var err error
			switch {
			case n < orders || n%3 == 0:
				_, err = f.Pool().Exec(t.Context(), insertPending, id, list)
			case n%3 == 1:
				_, err = f.Pool().Exec(t.Context(), setBack, id)
			case n%2 == 0:
				err = f.Cancel(t.Context(), id)
			default:
				err = f.Retry(t.Context(), id, false)
			}
			if err != nil && order.ClassOf(err) != order.Invalid {
				return err
			}
		}
		return nil
	})
	for n := range 2 {
		name := fmt.Sprintf("agent-%d", n)
		hold, err := f.Hold(t.Context(), name)
		require.NoError(t, err)
		defer func() { _ = hold.Release(context.WithoutCancel(t.Context())) }()
		agents.Go(func() error {
			for {
				waiting, err := f.Waiting(t.Context(), tracking.Agent{Name: name}, 4)
				if err != nil {
					return err
				}
				works, _, err := f.Take(t.Context(), tracking.Agent{Name: name}, waiting.Due, waiting.Shares)
				if err != nil {
					return err
				}
				for _, w := range works {
					if err := f.carryOut(w); err != nil {
						return err
					}
				}
				select {
				case <-done:
					if len(works) == 0 {
						return nil
					}
				default:
				}
			}
		})
	}
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(clients.Wait(), agents.Wait()) }()
	for {
		f.requireSound("beside them")
		select {
		case err := <-ended:
			require.NoError(t, err)
			f.requireSound("at last")
			return
		default:
		}
	}
}

// carryOut does with an order what its number says.
func (f fixture) carryOut(w *tracking.Work) error {
	f.files(w) // what was imported before gets its places first
	if err := f.Begin(f.t.Context(), w); err != nil {
		return err
	}
	end := tracking.End{Job: w.Job, Stage: order.Completed, Names: w.Names}
	switch w.Job.Run % 3 {
	case 0:
		return f.PutBack(f.t.Context(), w.Job, 0, true, "", nil)
	case 1:
		end.Files = f.imported(w)
	default:
		end.Stage, end.Reason = order.Failed, "It is corrupt."
	}
	return f.end(end)
}

// A client may set a row back that is pending already, and ask for all of a forgotten order.
func TestAudit_allowsWhatLeavesNoRow(t *testing.T) {
	t.Parallel()
	f := holding(t)
	id := f.insert(`["/data/a.tif"]`)
	f.complete(f.takeOne())
	f.exec(`UPDATE public.imports SET stage = stage WHERE uuid = $1 AND stage = 'Import Pending'`, id)
	f.requireSound("set back")
	f.complete(f.takeOne())
	f.requireSound("done again")
	id = f.insert(`["/data/b.tif"]`)
	f.complete(f.takeOne())
	f.exec(`DELETE FROM importer.orders WHERE uuid = $1`, id)
	require.NoError(t, f.Retry(t.Context(), id, true))
	f.requireSound("forgotten and asked for")
}

// A session that rests while a slow disk is looked at is ended for no limit of its role.
func TestAudit_outlastsTheLimitsOfItsRole(t *testing.T) {
	t.Parallel()
	f := holding(t)
	f.insert(`["/data/a.tif"]`)
	f.complete(f.takeOne())
	f.exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET idle_session_timeout = ''100ms''', current_database()); END $$`)
	f.Pool().Reset()
	fetched := 0
	err := f.Audit(t.Context(), func(tracking.Violation) error { return nil }, func(_ context.Context, links iter.Seq2[repository.Row, error]) error {
		time.Sleep(500 * time.Millisecond)
		for _, err := range links {
			if err != nil {
				return err
			}
			fetched++
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 1, fetched)
}
