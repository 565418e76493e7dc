package engine

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSlots_takeUpAheadWhatIsDoneSoon(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		workers int
		pace    time.Duration
		want    int
	}{
		{1, 10 * time.Millisecond, 1},
		{1, 9 * time.Millisecond, 1 + fewAhead},
		{16, 10 * time.Millisecond, 16},
		{16, 9 * time.Millisecond, 16 + 3*16},
		{16, 7 * time.Millisecond, 16 + 4*16},
		{16, time.Millisecond, 16 + mostAhead*16},
		{16, 0, 16 + mostAhead*16},
	} {
		s := newSlots(tc.workers)
		s.pace.Store(int64(tc.pace))
		require.Equal(t, tc.want, s.capacity(), "%d workers, %s an order", tc.workers, tc.pace)
	}
}

func TestSlots_takeUpAheadWhileOrdersEndQuickly(t *testing.T) {
	t.Parallel()
	s := newSlots(2)
	require.Equal(t, 2, s.capacity(), "nothing is known yet")
	for range 100 {
		s.enter(t.Context())()
	}
	require.Equal(t, 2+2*mostAhead, s.capacity())

	first, second := s.enter(t.Context()), s.enter(t.Context())
	for range 3 {
		require.Nil(t, s.enter(t.Context()), "no worker is free")
	}
	require.Equal(t, 2, s.capacity(), "they take longer by now")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.Nil(t, s.enter(stopped))
	first()
	require.NotNil(t, s.enter(t.Context()))
	second()
}
