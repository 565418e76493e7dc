package order_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
)

func TestDecodePaths_refusesTooMany(t *testing.T) {
	t.Parallel()
	_, err := order.DecodePaths(`["a"` + strings.Repeat(`,"a"`, 1_000_000) + `]`)
	require.ErrorContains(t, err, "more than 100000")
	require.Equal(t, order.Invalid, order.ClassOf(err))
}
