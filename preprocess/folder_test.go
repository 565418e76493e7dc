package preprocess

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Both ways of renaming, that of filesystems that can do it in one step and that of others.
func TestMoveNew(t *testing.T) {
	t.Parallel()
	reserved := func(from *os.Root, old string, to *os.Root, name, mark string) error {
		source, err := from.Open(".")
		require.NoError(t, err)
		defer func() { _ = source.Close() }()
		target, err := to.Open(".")
		require.NoError(t, err)
		defer func() { _ = target.Close() }()
		return moveReserved(from, old, to, name, mark, int(source.Fd()), int(target.Fd()))
	}
	for name, move := range map[string]func(from *os.Root, old string, to *os.Root, name, mark string) error{"at once": moveNew, "reserved": reserved} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			for _, file := range []string{"from/a", "from/b", "from/tree/x", "from/tree2/x", "to/taken", "to/full/x"} {
				require.NoError(t, os.MkdirAll(filepath.Dir(at(file)), 0o755))
				require.NoError(t, os.WriteFile(at(file), []byte("content of "+file), 0o644))
			}
			require.NoError(t, os.Symlink("taken", at("to/link")))
			from, err := os.OpenRoot(at("from"))
			require.NoError(t, err)
			defer func() { _ = from.Close() }()
			to, err := os.OpenRoot(at("to"))
			require.NoError(t, err)
			defer func() { _ = to.Close() }()
			for _, taken := range []string{"taken", "link", "full"} {
				require.ErrorIs(t, move(from, "a", to, taken, "mark"), fs.ErrExist, taken)
				require.ErrorIs(t, move(from, "tree", to, taken, "mark"), fs.ErrExist, taken)
			}
			require.ErrorIs(t, move(from, "none", to, "new", "mark"), fs.ErrNotExist)
			require.NoError(t, move(from, "a", to, "new", "mark"))
			require.NoError(t, move(from, "tree", to, "newtree", "mark"))
			require.FileExists(t, at("to/new"))
			require.FileExists(t, at("to/newtree/x"))
			require.NoFileExists(t, at("from/a"))
			text, err := os.ReadFile(at("to/taken"))
			require.NoError(t, err)
			require.Equal(t, "content of to/taken", string(text))
			if name == "reserved" {
				// A crash after the name was taken. What others took is theirs, also while it is empty.
				require.NoError(t, os.WriteFile(at("to/begun"), []byte("mark"), 0o644))
				require.NoError(t, os.Mkdir(at("to/begun tree"), 0o755))
				require.NoError(t, os.WriteFile(at("to/begun by another"), []byte("kram"), 0o644))
				require.NoError(t, os.WriteFile(at("to/empty"), nil, 0o644))
				require.ErrorIs(t, move(from, "b", to, "begun by another", "mark"), fs.ErrExist)
				require.ErrorIs(t, move(from, "b", to, "empty", "mark"), fs.ErrExist)
				require.NoError(t, move(from, "b", to, "begun", "mark"))
				require.NoError(t, move(from, "tree2", to, "begun tree", "mark"))
				require.FileExists(t, at("to/begun tree/x"))
			}
		})
	}
}

func TestSplitName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"x.ome.tiff": {"x", ".ome.tiff"}, "x.tif": {"x", ".tif"}, "a.b.czi": {"a.b", ".czi"}, "x.ome.zarr": {"x", ".ome.zarr"},
		"x": {"x", ""}, ".x": {".x", ""}, ".ome.tiff": {".ome", ".tiff"}, "x.companion.ome": {"x", ".companion.ome"}, "x.tar.gz": {"x", ".tar.gz"},
	} {
		stem, suffix := splitName(name)
		require.Equal(t, want, [2]string{stem, suffix}, name)
	}
}

// Of many that publish under one name at the same time, one gets it and none is replaced.
func TestMoveReserved_isOneAtATime(t *testing.T) {
	t.Parallel()
	dir, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer func() { _ = dir.Close() }()
	at, err := dir.Open(".")
	require.NoError(t, err)
	defer func() { _ = at.Close() }()
	for round := range 200 {
		name := "x" + strconv.Itoa(round)
		var movers sync.WaitGroup
		var moved atomic.Int32
		begin := make(chan struct{})
		for i := range 4 {
			own := fmt.Sprintf("%s from %d", name, i)
			require.NoError(t, dir.WriteFile(own, []byte(own), 0o644))
			movers.Go(func() {
				<-begin
				err := moveReserved(dir, own, dir, name, own, int(at.Fd()), int(at.Fd()))
				if err == nil {
					moved.Add(1)
				} else if !errors.Is(err, fs.ErrExist) {
					t.Error(err)
				}
			})
		}
		close(begin)
		movers.Wait()
		require.EqualValues(t, 1, moved.Load())
	}
}
