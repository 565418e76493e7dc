package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAbove_holdsAllPaths(t *testing.T) {
	t.Parallel()
	for want, paths := range map[string][]string{
		"/data/a":   {"/data/a/1.tif"},
		"/data":     {"/data/a/1.tif", "/data/ab/1.tif"},
		"/data/a/b": {"/data/a/b/1.tif", "/data/a/b/c/d/1.tif"},
		"/data/x":   {"/data/x/b/1.tif", "/data/x/b"},
		"/":         {"/data/a", "/other/b"},
	} {
		dir := ""
		for _, path := range paths {
			dir = above(dir, path)
		}
		require.Equal(t, want, dir)
	}
}
