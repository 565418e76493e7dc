package watcher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// calmSettle is a quiet time that real tools keep to on a busy machine.
const calmSettle = time.Second

// patient is a quiet time that the tests themselves keep to.
const patient = 300 * time.Millisecond

func patientRules(paths ...string) Options {
	var opts Options
	for _, path := range paths {
		opts.Rules = append(opts.Rules, Rule{Path: path, Settle: patient})
	}
	return opts
}

// scannedOnly returns options for a filesystem that events tell nothing of.
func scannedOnly(opts Options) Options {
	for i := range opts.Rules {
		opts.Rules[i].Mode, opts.Rules[i].ScanInterval = ModeScan, 200*time.Millisecond
	}
	return opts
}

// asRoot skips the test for people who cannot mount. Root can, or the test fails.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount filesystems")
	}
}

// runTool runs a program to its end. One that is missing is an error like any other.
func runTool(ctx context.Context, name string, args ...string) error {
	cmd, err := toolCommand(ctx, name, args...)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, out)
	}
	return nil
}

func toolCommand(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is missing, scripts/test installs it: %w", name, err)
	}
	return exec.CommandContext(ctx, path, args...), nil
}

// eventually tries until it works.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(deadline)
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			require.NoError(t, err)
		}
	}
}

// mountAt mounts a filesystem until the test ends.
func mountAt(t *testing.T, kind, dir, options string) {
	t.Helper()
	asRoot(t)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, unix.Mount(kind, dir, kind, 0, options), "mounting %s at %s: a container needs the right to", kind, dir)
	t.Cleanup(func() { unmountIfMounted(t, dir) })
}

func mountTmpfs(t *testing.T, dir, size string) string {
	t.Helper()
	mountAt(t, "tmpfs", dir, "mode=755,size="+size)
	return dir
}

// mountBindfs shows below at above through FUSE until the test ends: nothing
// that happens below causes an event above.
func mountBindfs(t *testing.T, below, above, options string) {
	t.Helper()
	asRoot(t)
	require.NoError(t, os.MkdirAll(below, 0o755))
	require.NoError(t, os.MkdirAll(above, 0o755))
	before := deviceOf(t, above)
	var said bytes.Buffer
	cmd, err := toolCommand(context.WithoutCancel(t.Context()), "bindfs", "-f", "-o", options, below, above)
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	done := make(chan error, 1)
	go func() {
		done <- cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		unmountIfMounted(t, above)
		// It goes on for as long as a container that was started meanwhile has the mount.
		_ = cmd.Process.Signal(os.Interrupt) // or it has ended
		select {
		case <-done:
		case <-time.After(deadline):
			require.NoError(t, cmd.Process.Kill())
			require.Fail(t, "bindfs did not end when it was unmounted")
		}
	})
	eventually(t, func() error {
		select {
		case err := <-done:
			require.FailNow(t, "bindfs failed: is /dev/fuse there?", "%v: %s", err, said.String())
		default:
		}
		if deviceOf(t, above) == before {
			return errors.New("bindfs did not mount")
		}
		return nil
	})
}

// uncached is the option of FUSE to ask below for each look.
const uncached = "attr_timeout=0,entry_timeout=0"

// unmountSoon succeeds soon, unless something below is held open.
func unmountSoon(t *testing.T, dir string, flags int) {
	t.Helper()
	eventually(t, func() error {
		if err := unix.Unmount(dir, flags); err != nil {
			return fmt.Errorf("unmounting %s: %w", dir, err)
		}
		return nil
	})
}

// unmountIfMounted unmounts what is still mounted.
func unmountIfMounted(t *testing.T, dir string) {
	t.Helper()
	eventually(t, func() error {
		err := unix.Unmount(dir, 0)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return nil // no mount any more
		}
		return err
	})
}

func deviceOf(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Stat(path, &st))
	return st.Dev
}

func kindOfFilesystem(t *testing.T, path string) string {
	t.Helper()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(path, &st))
	names := map[int64]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.TMPFS_MAGIC: "tmpfs", unix.FUSE_SUPER_MAGIC: "fuse", unix.XFS_SUPER_MAGIC: "xfs",
		unix.BTRFS_SUPER_MAGIC: "btrfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.NFS_SUPER_MAGIC: "nfs",
	}
	if name, ok := names[st.Type]; ok {
		return name
	}
	return fmt.Sprintf("%#x", st.Type)
}

// randomBytes is content that is different for each seed.
func randomBytes(seed uint64, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b) // never fails
	return b
}

// fileContent is what a file holds.
type fileContent struct {
	size int64
	sum  string // SHA-256; of large files that of the first and last part
}

func contentOf(path string) (fileContent, error) {
	const large, part = 64 << 20, 1 << 20
	f, err := os.Open(path)
	if err != nil {
		return fileContent{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fileContent{}, err
	}
	h := sha256.New()
	if st.Size() > large {
		_, err = io.Copy(h, io.MultiReader(io.NewSectionReader(f, 0, part), io.NewSectionReader(f, st.Size()-part, part)))
	} else {
		_, err = io.Copy(h, f)
	}
	return fileContent{size: st.Size(), sum: hex.EncodeToString(h.Sum(nil)[:8])}, err
}

func sumOf(b []byte) fileContent {
	sum := sha256.Sum256(b)
	return fileContent{size: int64(len(b)), sum: hex.EncodeToString(sum[:8])}
}

// contentsOf returns the files below a folder by their paths from there.
func contentsOf(dir string) (map[string]fileContent, error) {
	all := map[string]fileContent{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all[rel], err = contentOf(path)
		return err
	})
	return all, err
}

// openingInbox is a sink that reads each file when it is offered.
type openingInbox struct {
	*inbox
	mu   sync.Mutex
	held map[string][]fileContent // by path, one for each time it was offered
}

func newOpeningInbox() *openingInbox {
	return &openingInbox{inbox: newInbox(), held: map[string][]fileContent{}}
}

func (o *openingInbox) Settled(ctx context.Context, drops []Drop) error {
	for _, d := range drops {
		c, err := contentOf(d.Path)
		if err != nil {
			c.sum = err.Error()
		}
		if c.size != d.Size {
			c.sum = fmt.Sprintf("it was offered with %d bytes", d.Size)
		}
		o.mu.Lock()
		o.held[d.Path] = append(o.held[d.Path], c)
		o.mu.Unlock()
	}
	return o.inbox.Settled(ctx, drops)
}

// offered returns what was in the offered files below dir, by their paths from there.
func (o *openingInbox) offered(dir string) map[string][]fileContent {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[string][]fileContent{}
	for path, held := range o.held {
		if rel, ok := strings.CutPrefix(path, dir+"/"); ok {
			all[rel] = slices.Clone(held)
		}
	}
	return all
}

// onceEach is what is expected: each file one time.
func onceEach(want map[string]fileContent) map[string][]fileContent {
	all := map[string][]fileContent{}
	for path, c := range want {
		all[path] = []fileContent{c}
	}
	return all
}
