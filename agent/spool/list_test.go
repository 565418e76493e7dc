package spool_test

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"biomero-importer/agent/spool"
)

func TestList_returnsWhatWasAdded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		list := spool.New(dir)
		defer func() { require.NoError(t, list.Close()) }()
		var want [][]byte
		for _, n := range rapid.SliceOf(rapid.OneOf(rapid.IntRange(0, 200), rapid.IntRange(60_000, 150_000))).Draw(t, "sizes") {
			record := bytes.Repeat([]byte{byte(len(want))}, n)
			want = append(want, record)
			require.NoError(t, list.Add(record))
			if rapid.IntRange(0, 9).Draw(t, "look") == 0 {
				requireRecords(t, want, list)
			}
		}
		require.Equal(t, len(want), list.Len())
		requireRecords(t, want, list)
	})
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestList_stopsWhenToldTo(t *testing.T) {
	t.Parallel()
	list := spool.New(t.TempDir())
	defer func() { require.NoError(t, list.Close()) }()
	for range 3 {
		require.NoError(t, list.Add(make([]byte, 50_000)))
	}
	for stop := 1; stop <= 3; stop++ {
		seen := 0
		for _, err := range list.All() {
			require.NoError(t, err)
			if seen++; seen == stop {
				break
			}
		}
		require.Equal(t, stop, seen)
	}
}

func TestList_saysThatItCannotGrow(t *testing.T) {
	t.Parallel()
	list := spool.New(t.TempDir() + "/none")
	require.NoError(t, list.Add(make([]byte, 1000)), "a short list needs no disk")
	require.ErrorIs(t, list.Add(make([]byte, 100_000)), os.ErrNotExist)
}

// A server that a folder is on may lose what it had taken.
func TestList_saysThatItsFileIsShort(t *testing.T) {
	t.Parallel()
	for _, left := range []int64{0, 40_003, 40_004, 79_999, 80_006} {
		list := spool.New(t.TempDir())
		for range 4 {
			require.NoError(t, list.Add(make([]byte, 40_000)))
		}
		require.NoError(t, list.Truncate(left))
		var last error
		for _, last = range list.All() { //nolint:revive // the last error counts
		}
		require.ErrorIs(t, last, io.ErrUnexpectedEOF, left)
		require.NoError(t, list.Close())
	}
}

func requireRecords(t require.TestingT, want [][]byte, list *spool.List) {
	i := 0
	for record, err := range list.All() {
		require.NoError(t, err)
		require.True(t, bytes.Equal(want[i], record), "record %d", i)
		i++
	}
	require.Equal(t, len(want), i)
}
