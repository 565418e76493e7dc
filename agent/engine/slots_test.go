package engine

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSlots_takeUpAheadWhileOrdersEndQuickly(t *testing.T) {
	t.Parallel()
	s := newSlots(2)
	require.Equal(t, 2, s.capacity(), "nothing is known yet")
	for range 100 {
		s.enter(t.Context())()
	}
	require.Equal(t, 2+fewAhead, s.capacity())

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
