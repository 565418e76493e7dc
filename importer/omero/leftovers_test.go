package omero_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"biomero-importer/importer/omero"
)

// Who starts ends what others left, and takes nobody for gone who only just starts too.
func TestOpen_manyAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	settings := r.settings()
	var agents errgroup.Group
	for range 16 {
		agents.Go(func() error {
			for range 200 {
				b, err := omero.Open(t.Context(), settings, logOf(t))
				if err != nil {
					return err
				}
				if err := b.Close(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, agents.Wait())
	left, err := os.ReadDir(settings.Dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
