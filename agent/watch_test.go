package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
)

func TestWatchName_isTheSameOnlyForTheSame(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range []config.Config{
		{BaseDir: "/a"},
		{BaseDir: "/b"},
		{BaseDir: "/a", Legacy: config.Legacy{Root: "/a", Folder: ".2BUploaded"}},
		{BaseDir: "/a", Legacy: config.Legacy{Root: "/a/b", Folder: ".2BUploaded"}},
		{BaseDir: "/a", Rules: []config.Rule{{Path: "/a/{group}"}}},
	} {
		name := watchName(&c)
		require.False(t, seen[name], name)
		seen[name] = true
		require.Equal(t, name, watchName(&c))
	}
}
