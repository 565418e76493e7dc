package intake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

const (
	secretWord = "hunter2"
	secretSize = 4321
	raceTime   = 2 * time.Second
)

// swap exchanges each path with the one that has ".swapped" behind it, as fast
// as it can, until the test ends.
func swap(t *testing.T, paths ...string) {
	t.Helper()
	var done sync.WaitGroup
	var ended atomic.Bool
	swaps := 0
	done.Go(func() {
		for !ended.Load() {
			for _, path := range paths {
				if unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, path+".swapped", unix.RENAME_EXCHANGE) == nil {
					swaps++
				}
			}
		}
	})
	t.Cleanup(func() {
		ended.Store(true)
		done.Wait()
		require.Greater(t, swaps, 100)
	})
}

// secret makes a folder outside the share, with a file that nobody may learn of.
func secret(t *testing.T, name string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	text := secretWord + ": " + strings.Repeat("x", secretSize-len(secretWord)-2)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	return dir
}

// told is everything that the database says of drops, as one text.
func (f *fixture) told() string {
	f.t.Helper()
	var told string
	require.NoError(f.t, f.store.Pool().QueryRow(f.t.Context(),
		`SELECT coalesce(string_agg(row_to_json(d)::text, E'\n'), '') FROM importer.drops d`).Scan(&told))
	return told
}

// racing settles manifests that name these files, again and again, and waits
// until each is decided on.
func (f *fixture) racing(files string) {
	f.t.Helper()
	began := time.Now()
	for round := 0; time.Since(began) < raceTime; round++ {
		var paths []string
		for i := range 20 {
			path := f.write(fmt.Sprintf(manifest, files)+"wait_for: present\n", fmt.Sprintf("Demo/ada/m/%d-%d.order.yml", round, i))
			paths = append(paths, path)
			f.settle(f.drop(manifests, true, path))
		}
		for _, path := range paths {
			f.eventually(func() bool {
				state := f.record(path).State
				return state == tracking.DropTaken || state == tracking.DropRefused
			})
		}
	}
	require.NotContains(f.t, f.told(), fmt.Sprintf(`"size":%d`, secretSize))
	require.NotContains(f.t, f.told(), secretWord)
}

// showing settles a drop that claims to be the secret, again and again.
func (f *fixture) showing(path, secret string) {
	f.t.Helper()
	info, err := os.Stat(secret)
	require.NoError(f.t, err)
	d := watcher.Drop{
		Rule: inbox, Path: path, Dir: filepath.Dir(path), Size: info.Size(), ModTime: info.ModTime(),
		Captures: map[string]string{"group": "Demo", "user": "ada"},
	}
	for began := time.Now(); time.Since(began) < raceTime; {
		f.settle(d)
		got := f.record(path)
		require.Equal(f.t, tracking.DropTaken, got.State)
		require.Zero(f.t, got.Fingerprint)
		f.forget()
	}
}

// forget has no drop be known.
func (f *fixture) forget() {
	f.t.Helper()
	_, err := f.store.Pool().Exec(f.t.Context(), `DELETE FROM importer.drops`)
	require.NoError(f.t, err)
}

func TestAccess_aFileThatBecomesALinkIsNotRead(t *testing.T) {
	t.Parallel()
	for name, race := range map[string]func(f *fixture, path, secret string){
		"as a manifest's": func(f *fixture, _, _ string) { f.racing("a.tif") },
		"as a drop":       (*fixture).showing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			outside := filepath.Join(secret(t, "a.tif"), "a.tif")
			a := f.write("pixels", "Demo/ada/m/a.tif")
			require.NoError(t, os.Symlink(outside, a+".swapped"))
			swap(t, a)
			race(f, a, outside)
		})
	}
}

func TestAccess_aFolderThatBecomesALinkIsNotEntered(t *testing.T) {
	t.Parallel()
	for name, race := range map[string]func(f *fixture, path, secret string){
		"as a manifest's": func(f *fixture, _, _ string) { f.racing(`sub/a.tif, "sub/*.tif", sub/`) },
		"as a drop":       (*fixture).showing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			outside := secret(t, "a.tif")
			a := f.write("pixels", "Demo/ada/m/sub/a.tif")
			require.NoError(t, os.Symlink(outside, filepath.Dir(a)+".swapped"))
			swap(t, filepath.Dir(a))
			race(f, a, filepath.Join(outside, "a.tif"))
		})
	}
}

// A manifest is refused with words of its content: they must be its own.
func TestAccess_aManifestThatBecomesALinkTellsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.report()
	// Neither what is outside nor, inside, what is another user's.
	outside := filepath.Join(secret(t, "secret.yml"), "secret.yml")
	f.write(secretWord+": x\n", "Demo/bob/secret.yml")
	var paths []string
	var drops []watcher.Drop
	for i := range 20 {
		path := f.write("mine: x\n", fmt.Sprintf("Demo/ada/m/%d.order.yml", i))
		require.NoError(t, os.Symlink([]string{outside, "../../bob/secret.yml"}[i%2], path+".swapped"))
		paths, drops = append(paths, path), append(drops, f.drop(manifests, true, path))
	}
	swap(t, paths...)
	read := false // where it is no link
	for began := time.Now(); time.Since(began) < raceTime; {
		f.forget() // so that it is decoded each time
		f.settle(drops...)
		time.Sleep(150 * time.Millisecond) // most are refused by then
		told := f.told()
		require.NotContains(t, told, secretWord)
		read = read || strings.Contains(told, "mine")
		rejections, err := filepath.Glob(filepath.Join(f.dir, "Demo/ada/m/*.rejected.txt"))
		require.NoError(t, err)
		for _, name := range rejections {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			require.NotContains(t, string(text), secretWord)
		}
	}
	require.True(t, read)
}

// As of the manifest, so of its folder: what lies in another user's is not told.
func TestAccess_aManifestWhoseFolderBecomesALinkTellsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write(secretWord+": x\n", "Demo/bob/private/x.order.yml")
	path := f.write("mine: x\n", "Demo/ada/m/sub/x.order.yml")
	require.NoError(t, os.Symlink("../../bob/private", filepath.Dir(path)+".swapped"))
	d := f.drop(manifests, true, path)
	swap(t, filepath.Dir(path))
	for began := time.Now(); time.Since(began) < raceTime; {
		f.forget() // so that it is decoded each time
		f.settle(d)
		time.Sleep(150 * time.Millisecond) // it is refused by then
		require.NotContains(t, f.told(), secretWord)
	}
}

func TestAccess_reportsAreWrittenThroughNoLink(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, path, link string }{
		"a rejection": {"mine: x", "Demo/ada/m/sub/order.yml", "Demo/ada/m/sub"},
		"a receipt":   {fmt.Sprintf(manifest, "a.tif") + "wait_for: present\n", "Demo/ada/m/sub/order.yml", "Demo/ada/m/sub"},
		"an order":    {fmt.Sprintf(legacyOrder, "/etc/passwd"), "core/.2BUploaded/2024_01_31_10-20-30.txt", "core/.failed_uploads"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.write("x", "Demo/ada/m/sub/a.tif")
			path := f.write(tc.text, tc.path)
			rule := manifests
			if name == "an order" {
				rule = legacy
			}
			f.settle(f.drop(rule, true, path))
			f.eventually(func() bool { return f.reports(`true`) == 1 })
			f.stop()
			link := filepath.Join(f.dir, tc.link)
			if name != "an order" {
				require.NoError(t, os.Rename(link, link+".before"))
			}
			victim := filepath.Join(f.dir, "core/victim")
			require.NoError(t, os.MkdirAll(victim, 0o755))
			f.write("x", "core/victim/"+filepath.Base(path)) // as if it were the manifest
			target, err := filepath.Rel(filepath.Dir(link), victim)
			require.NoError(t, err)
			require.NoError(t, os.Symlink(target, link))
			f.report()
			f.eventually(func() bool { return f.reports(`tries > 0`) == 1 })
			entries, err := os.ReadDir(victim)
			require.NoError(t, err)
			for _, e := range entries {
				require.True(t, e.IsDir() || e.Name() == filepath.Base(path), e.Name())
			}
			require.NoFileExists(t, filepath.Join(victim, "unknown", filepath.Base(path)))
			require.NoFileExists(t, filepath.Join(victim, "ada", filepath.Base(path)))
		})
	}
}
