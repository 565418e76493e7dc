package explain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/watcher"
)

func TestListing_keepsWhenEachChanged(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	l := &listing{wanted: Wanted{Limit: 10}, found: &Drops{}, sights: make([]watcher.Sight, 1)}
	for n, path := range []string{"/data/a.lnk", "/data/b.lnk", "/data/c.lnk"} {
		l.sights[0] = watcher.Sight{Path: path, Standing: watcher.IsPassed, Changed: noon.Add(time.Duration(n) * time.Hour)}
		l.add(&l.sights[0], nil) // which the next one replaces
	}
	require.Len(t, l.found.Drops, 3)
	for n, d := range l.found.Drops {
		require.Equal(t, noon.Add(time.Duration(n)*time.Hour), *d.Changed, d.Path)
	}
}
