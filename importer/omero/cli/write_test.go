package cli_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/cli"
)

// However much a batch's annotations hold, little of it is in memory at a time.
func TestFill_ManyLargeAnnotations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	omero := filepath.Join(dir, "omero")
	require.NoError(t, os.WriteFile(omero, []byte(`#!/bin/sh
tee -a `+told+`.all | tee `+told+`.now | awk '{print "MapAnnotation:1"}'
wc -c < `+told+`.now >> `+told+"\n"), 0o755))
	s := cli.New(cli.Config{Path: omero}, slog.New(slog.DiscardHandler)).Join(dir, "key", "ada")
	var fills []cli.Fill
	value := strings.Repeat("v", 10<<10)
	for i := range 50 {
		f := cli.Fill{Annotation: int64(i + 1), Pairs: []importer.Pair{{Key: "UUID", Value: "order"}}}
		for n := range 100 {
			f.Pairs = append(f.Pairs, importer.Pair{Key: strconv.Itoa(n), Value: value})
		}
		fills = append(fills, f)
	}
	require.NoError(t, s.Fill(t.Context(), fills))
	runs, err := os.ReadFile(told)
	require.NoError(t, err)
	require.Len(t, strings.Fields(string(runs)), 3)
	for size := range strings.FieldsSeq(string(runs)) {
		n, err := strconv.Atoi(size)
		require.NoError(t, err)
		require.Less(t, n, 18<<20)
	}
	all, err := os.ReadFile(told + ".all")
	require.NoError(t, err)
	require.Equal(t, 50*101, bytes.Count(all, []byte("\n")))
	left := map[string]int{}
	for line := range strings.Lines(string(all)) {
		words := strings.Fields(line)
		if left[words[1]]++; left[words[1]] == 101 {
			require.Equal(t, "'UUID'", words[3], "it says that the annotation is complete")
		}
	}
	require.Len(t, left, 50)
}
