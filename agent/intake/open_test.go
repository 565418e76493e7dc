package intake

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
)

// A pipe in place of a folder holds up neither reports nor searches.
func TestAccess_aPipeInPlaceOfAFolderIsNotOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	share, err := importer.OpenShare(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, share.Close()) })
	require.NoError(t, os.Mkdir(filepath.Join(dir, "in"), 0o755))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "in/pipe"), 0o644))
	_, err = openFolder(share, filepath.Join(dir, "in"), filepath.Join(dir, "in/pipe"))
	require.ErrorIs(t, err, syscall.ENOTDIR)
	_, err = openFolder(share, filepath.Join(dir, "in/pipe"), filepath.Join(dir, "in/pipe"))
	require.ErrorIs(t, err, syscall.ENOTDIR)
	found, err := share.Glob(t.Context(), filepath.Join(dir, "in/*/*.tif"))
	require.NoError(t, err)
	require.Empty(t, found)
}
