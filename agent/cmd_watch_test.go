package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/follow"
)

func TestPace_saysWhatIsKnown(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	after := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	for _, tc := range []struct {
		c    follow.Change
		want string
	}{
		{follow.Change{Step: "importing", FilesTotal: 4}, "importing, 0 of 4 files"},
		{follow.Change{Step: "importing", FilesTotal: 4, BytesTotal: 4 << 30}, "importing, 0 of 4 files, 0B of 4GiB"},
		{
			follow.Change{Step: "importing", FilesDone: 1, FilesTotal: 4, BytesDone: 1 << 30, BytesTotal: 4 << 30, BytesPerSecond: 10 << 20},
			"importing, 1 of 4 files, 1GiB of 4GiB, 10MiB/s",
		},
		{
			follow.Change{Step: "importing", FilesDone: 1, FilesTotal: 4, BytesDone: 1 << 30, BytesTotal: 4 << 30, BytesPerSecond: 10 << 20, Expected: after(307200 * time.Millisecond)},
			"importing, 1 of 4 files, 1GiB of 4GiB, 10MiB/s, 5m7s left",
		},
		{ // it takes longer than was expected
			follow.Change{Step: "converting", FilesDone: 3, FilesTotal: 4, BytesPerSecond: 512, Expected: after(-time.Minute)},
			"converting, 3 of 4 files, 512B/s, 0s left",
		},
	} {
		require.Equal(t, tc.want, pace(&tc.c, now))
	}
}
