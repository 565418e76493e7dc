package intake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"biomero-importer/agent/tracking"
)

// readOnly lets nobody write into a folder, root included.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		require.NoError(t, os.Chmod(dir, 0o555))
		t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
		return
	}
	err := unix.Mount(dir, dir, "", unix.MS_BIND, "")
	if err != nil {
		t.Skipf("a read-only mount is not allowed here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	require.NoError(t, unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	require.ErrorIs(t, os.WriteFile(filepath.Join(dir, "x"), nil, 0o600), unix.EROFS)
}

func TestReadOnlyFolder_isTakenLikeAnyOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a, b := f.write("pixels", "Demo/ada/in/a.tif"), f.write("pixels", "Demo/ada/in/b.tif")
	good := f.write(fmt.Sprintf(manifest, "c.tif"), "Demo/ada/in/good.order.yml")
	bad := f.write(fmt.Sprintf(manifest, "/etc/passwd"), "Demo/ada/in/bad/order.yml")
	f.write("other", "Demo/ada/in/c.tif")
	readOnly(t, filepath.Dir(a))
	f.report()
	f.settle(f.drop(inbox, true, good), f.drop(inbox, true, bad))
	f.becomes(good, tracking.DropTaken)
	f.becomes(bad, tracking.DropRefused)
	f.settle(f.drop(inbox, false, a), f.drop(inbox, false, b))
	require.Equal(t, []string{"151: c.tif", "105: a.tif b.tif"}, f.orders())
	require.Equal(t, a, f.record(b).DuplicateOf)
	f.eventually(func() bool { return f.reports(`tries = 0`) == 0 })
	f.restart()
	f.settle(f.drop(inbox, true, good), f.drop(inbox, false, a), f.drop(inbox, false, b))
	require.Len(t, f.orders(), 2)
}
