package intake_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
)

// Of a large file both ends and some blocks count, of a small one each byte.
func TestFingerprint_readsABoundedPartOfALargeFile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	fingerprint := func(name string, size int, at ...int) uint64 {
		content := make([]byte, size)
		for _, n := range at {
			content[n]++
		}
		d := f.drop(inbox, false, f.write(string(content), "Demo/ada/in/"+name))
		f.settle(d)
		require.NotZero(t, f.record(d.Path).Fingerprint)
		return f.record(d.Path).Fingerprint
	}
	const kib = 1 << 10
	for _, size := range []int{1, 64 * kib, 64*kib + 1, 256 * kib, 256*kib + 1, 1024 * kib} {
		plain := fingerprint(fmt.Sprintf("%d.tif", size), size)
		places := []int{0, size / 3, size - 1}
		if size > 256*kib {
			places = []int{0, 64*kib - 1, 64*kib + (size-128*kib)/16, size - 64*kib, size - 1}
		}
		for _, at := range places {
			require.NotEqual(t, plain, fingerprint(fmt.Sprintf("%d at %d.tif", size, at), size, at), at)
		}
		require.NotEqual(t, plain, fingerprint(fmt.Sprintf("%d longer.tif", size), size+1))
	}
	require.Equal(t, fingerprint("x.tif", 1024*kib), fingerprint("y.tif", 1024*kib, 65*kib), "between the blocks")
}

func TestFingerprint_isOfNothingButTheFileThatWasShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, swap := range map[string]func(path string){
		"gone":    func(path string) { require.NoError(t, os.Remove(path)) },
		"changed": func(path string) { require.NoError(t, os.WriteFile(path, []byte("other"), 0o644)) },
		"a link": func(path string) {
			require.NoError(t, os.Rename(path, path+"~"))
			require.NoError(t, os.Symlink(path+"~", path))
		},
		"a folder": func(path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o755))
		},
	} {
		path := f.write(strings.Repeat(name, 1000), "Demo/ada/in/"+name+".tif")
		d := f.drop(inbox, false, path)
		swap(path)
		f.settle(d)
		require.Equal(t, tracking.DropTaken, f.record(path).State, name)
		require.Zero(t, f.record(path).Fingerprint, name)
	}
	_, err := os.Stat(filepath.Join(f.dir, "Demo/ada/in/gone.tif"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}
