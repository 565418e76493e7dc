package intake_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// Whoever counts drops is told of each record that was made, and of none that was not.
func TestRecorded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var mu sync.Mutex
	var told []string
	f.config.Recorded = func(drops []tracking.Drop) {
		mu.Lock()
		defer mu.Unlock()
		for _, d := range drops {
			told = append(told, fmt.Sprintf("%s %s %t", filepath.Base(d.Path), d.State, d.DuplicateOf != ""))
		}
	}
	f.restart()
	drop := f.drop(inbox, false, f.write("x", "Demo/ada/in/a.tif"))
	f.settle(drop)
	f.settle(drop) // nothing new
	f.settle(f.drop(inbox, false, f.write("x", "Demo/ada/in/b.tif")))
	_, err := f.store.Pool().Exec(t.Context(), `ALTER TABLE importer.drops RENAME TO away`)
	require.NoError(t, err)
	require.Error(t, f.Settled(t.Context(), []watcher.Drop{f.drop(inbox, false, f.write("y", "Demo/ada/in/c.tif"))}))
	f.stop()
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{"a.tif taken false", "b.tif taken true"}, told)
}
