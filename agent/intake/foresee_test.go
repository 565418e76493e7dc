package intake_test

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
	"biomero-importer/agent/intake"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// seer is an intake that only says what it would do.
func (f *fixture) seer(store *tracking.Store) *intake.Intake {
	return intake.New(f.config, store, f.share, f.containers, slog.New(slog.NewTextHandler(f.t.Output(), nil)))
}

func (f *fixture) outlook(d watcher.Drop) intake.Outlook {
	f.t.Helper()
	seer := f.seer(f.store)
	known, err := seer.Records(f.t.Context(), []string{d.Path})
	require.NoError(f.t, err)
	list, err := seer.Foresee(f.t.Context(), []watcher.Drop{d}, known, true)
	require.NoError(f.t, err)
	require.Len(f.t, list, 1)
	return list[0]
}

func TestForesee_saysWhatThenHappens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.write("x", "Demo/ada/in/a.tif")
	out := f.outlook(f.drop(inbox, false, a))
	require.Equal(t, intake.Ordered, out.Fate)
	require.Equal(t, "ada", out.Order.User)
	require.Equal(t, "inbox", out.Order.Destination.Name)
	require.Empty(t, f.orders(), "nothing was done")
	require.Zero(t, f.record(a).Version, "and nothing recorded")
	f.settle(f.drop(inbox, false, a))
	out = f.outlook(f.drop(inbox, false, a))
	require.Equal(t, intake.Taken, out.Fate)
	require.NotEmpty(t, out.Record.UUID)

	later := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(a, later, later))
	require.Equal(t, intake.Taken, f.outlook(f.drop(inbox, false, a)).Fate, "it was only touched")
	f.write("y", "Demo/ada/in/a.tif")
	require.Equal(t, intake.Ordered, f.outlook(f.drop(inbox, false, a)).Fate, "it changed")
	f.config.Rules[inbox].OnChange = config.Flag
	require.Equal(t, intake.Passed, f.outlook(f.drop(inbox, false, a)).Fate)

	b := f.write("x", "Demo/ada/in/b.tif")
	require.Equal(t, a, f.outlook(f.drop(inbox, false, b)).DuplicateOf)
	empty := f.write("", "Demo/ada/in/empty.tif")
	out = f.outlook(f.drop(inbox, false, empty))
	require.Equal(t, intake.Refused, out.Fate)
	require.Equal(t, "The file is empty.", out.Reason)

	list, err := f.seer(nil).Foresee(t.Context(), []watcher.Drop{f.drop(inbox, false, a)}, nil, true)
	require.NoError(t, err)
	require.Equal(t, intake.Ordered, list[0].Fate, "without a database there are only the rules")
}

func TestForeseeManifest_saysWhatIsThereAndWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.write("x", "Demo/ada/in/a.tif")
	m := f.write("group: Demo\nuser: ada\ndestination: {type: Dataset, id: 151}\nfiles: [a.tif, \"z*.tif\", /etc/passwd]\n", "Demo/ada/in/order.yml")
	seer := f.seer(f.store)
	out := seer.ForeseeManifest(t.Context(), f.drop(inbox, true, m), f.record(m))
	require.Equal(t, intake.Refused, out.Fate)
	require.Contains(t, out.Reason, "outside")

	f.write("group: Demo\nuser: ada\ndestination: {type: Dataset, id: 151}\nfiles: [a.tif, \"z*.tif\"]\n", "Demo/ada/in/order.yml")
	out = seer.ForeseeManifest(t.Context(), f.drop(inbox, true, m), f.record(m))
	require.Equal(t, intake.Waiting, out.Fate, out.Reason)
	require.EqualValues(t, 151, out.Order.Destination.ID)
	require.Equal(t, []intake.Named{{Pattern: a, Paths: []string{a}}, {Pattern: f.dir + "/Demo/ada/in/z*.tif"}}, out.Named)
	list, err := seer.Foresee(t.Context(), []watcher.Drop{f.drop(inbox, false, a)}, nil, false)
	require.NoError(t, err)
	require.Equal(t, intake.Held, list[0].Fate, "the manifest claims it")
	require.Equal(t, "It waits for the manifest order.yml.", list[0].Reason)
	f.settle(f.drop(inbox, true, m), f.drop(inbox, false, a))
	require.Equal(t, tracking.DropHeld, f.record(a).State)
	held := f.outlook(f.drop(inbox, false, a))
	require.Equal(t, intake.Held, held.Fate)
	require.Equal(t, "It waits for the manifest order.yml.", held.Reason)

	f.write("group: Demo\nuser: eve\ndestination: {type: Dataset, id: 151}\nfiles: [a.tif]\n", "Demo/ada/in/order.yml")
	out = seer.ForeseeManifest(t.Context(), f.drop(inbox, true, m), f.record(m))
	require.Equal(t, intake.Refused, out.Fate)
	require.Contains(t, out.Reason, `acts for the user "eve"`)
	require.Equal(t, tracking.DropWaiting, f.record(m).State, "nothing was changed")

	f.write("group: Demo\nuser: ada\ndestination: {type: Dataset, id: 151}\nfiles: [a.tif]\n", "Demo/ada/in/order.yml")
	f.settle(f.drop(inbox, true, m), f.drop(inbox, false, a))
	f.becomes(m, tracking.DropTaken)
	out = seer.ForeseeManifest(t.Context(), f.drop(inbox, true, m), f.record(m))
	require.Equal(t, intake.Taken, out.Fate)
	require.NotEmpty(t, out.Record.UUID)
}
