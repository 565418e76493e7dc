package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadPasses(t *testing.T) {
	seen, err := readPasses([]byte(`{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"started","files":["a"]}
{"level":"DEBUG","msg":"scan finished","folder":"/data/in","full":true,"first":true,"folders":21,"listed":21,"files":2020,"took":5000000}
{"level":"DEBUG","msg":"scan finished","folder":"/data/in","full":false,"first":false,"folders":21,"listed":1,"files":20,"took":1000}
{"level":"DEBUG","msg":"scan finished","folder":"/data/in","full":true,"first":false,"folders":21,"listed":21,"files":2020,"took":4000000}
{"level":"DEBUG","msg":"scan finished","folder":"/data/in","full":true,"first":false,"folders":21,"listed":21,"files":2020,"took":3000000}
{"level":"DEBUG","msg":"scan fin`))
	require.NoError(t, err)
	require.Len(t, seen.first, 1)
	require.Equal(t, pass{Full: true, Listed: 21, Files: 2020, Took: 3 * time.Millisecond}, fastest(seen.full))
	require.Equal(t, []pass{{Listed: 1, Files: 20, Took: time.Microsecond}}, seen.unchanged)
}

func TestCompare(t *testing.T) {
	require.NoError(t, compare([]string{"b", "a"}, []string{"a", "b"}))
	require.EqualError(t, compare([]string{"a", "a", "x"}, []string{"a", "b"}),
		"of 2, 1 are missing, 1 are there more than once; 1 others are there too")
}
