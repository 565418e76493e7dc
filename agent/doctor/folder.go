package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	sizes "github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"biomero-importer/agent/config"
	"biomero-importer/agent/order"
	"biomero-importer/watcher"
)

// Missing reports whether there is nothing of this name.
func Missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// Denied classifies a lack of rights.
func Denied(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &order.Error{Class: order.Denied, Reason: err.Error(), Err: err}
	}
	return err
}

// Writable checks that this user can write into a folder, or make it where it is
// missing; setting is what names it.
func Writable(name, dir, setting string) Finding {
	err := writable(dir)
	fix := fmt.Sprintf("Give the user %s the right to write there, or name another folder in %s.", account(), setting)
	if errors.Is(err, unix.EROFS) {
		fix = fmt.Sprintf("It is mounted read-only: mount it with rw, or name another folder in %s.", setting)
	}
	detail := dir
	if err == nil && Missing(dir) {
		detail += ", which is made at the first start"
	}
	return Of(name, detail, err, fix)
}

func writable(dir string) error {
	for Missing(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return Denied(err)
	case !info.IsDir():
		return &order.Error{Class: order.Invalid, Reason: dir + " is not a folder"}
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return Denied(&fs.PathError{Op: "writing into", Path: dir, Err: err})
	}
	return nil
}

func account() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// Receipts looks whether receipts can be written into the share. Without them the
// database says the same.
func Receipts(dir string) Finding {
	f := Writable("receipts", dir, "base_dir")
	if f.OK {
		return f
	}
	return notice(f.Name, Look, "manifests get no receipts, and nothing can be converted there: "+f.Detail, f.Fix)
}

// Filesystem says what the filesystem of a watched folder allows, and whether that
// goes with the rule's mode.
func Filesystem(dir string, mode config.Mode) Finding {
	kind, events, err := watcher.FilesystemOf(dir)
	if err != nil {
		return Of("filesystem", "", Denied(err), "Give the user "+account()+" the right to read it.")
	}
	detail := fmt.Sprintf("%s is on %s", dir, kind)
	switch {
	case events && mode == config.Scan:
		return Well("filesystem", detail+", and scanned as mode: scan asks for")
	case events:
		return Well("filesystem", detail+", where the kernel tells of all changes")
	case mode == config.Events:
		return notice("filesystem", Look, detail+", where the kernel does not tell of what others change, and mode: events relies on that",
			"Leave mode out of the rule, so that it is scanned.")
	}
	return Well("filesystem", detail+", and scanned")
}

// Listens reports whether the kernel is to tell of what changes in a watched folder. One
// that is only scanned takes no watches.
func Listens(dir string, mode config.Mode) bool {
	if mode != config.AutoMode {
		return mode != config.Scan
	}
	_, events, err := watcher.FilesystemOf(dir)
	return err == nil && events
}

const (
	fewBytes = 1 << 30 // worth a look
	noBytes  = 1 << 20 // nothing more can be written
)

// Space looks for room on the filesystem of a folder, or of where it is to be made.
func Space(name, dir string) Finding {
	for Missing(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return notice(name, Unknown, fmt.Sprintf("%s does not say how much room it has: %v", dir, err), "")
	}
	free := int64(st.Bavail) * st.Bsize //nolint:gosec // of other types elsewhere
	detail := fmt.Sprintf("%s has %s left", dir, sizes.BytesSize(float64(free)))
	fix := "Make room on the filesystem of " + dir + "."
	switch {
	case st.Files > 0 && st.Ffree == 0:
		return Of(name, "", &order.Error{Class: order.Busy, Reason: dir + " has no room for another file: no inode is left"}, fix)
	case free < noBytes:
		return Of(name, "", &order.Error{Class: order.Busy, Reason: detail}, fix)
	case free < fewBytes:
		return notice(name, Look, detail, fix)
	}
	return Well(name, detail)
}

// Apart checks that a repository and the share do not lie in each other, by their paths
// and by what is there.
func Apart(name, repository, share string) Finding {
	end := func(path string) string {
		if target, err := filepath.EvalSymlinks(path); err == nil {
			return target
		}
		return filepath.Clean(path)
	}
	a, b := end(repository), end(share)
	err := error(nil)
	switch {
	case sameFolder(a, b):
		err = fmt.Errorf("%s and base_dir %s are the same folder", repository, share)
	case within(a, b):
		err = fmt.Errorf("%s lies below base_dir %s: who may write there could change what is imported", repository, share)
	case within(b, a):
		err = fmt.Errorf("base_dir %s lies below %s: OMERO's own files would be taken for data", share, repository)
	}
	if err != nil {
		err = &order.Error{Class: order.Invalid, Reason: err.Error(), Err: err}
	}
	return Of(name, repository+" is apart from base_dir", err, "Correct the setting, or mount one of them elsewhere.")
}

func within(path, dir string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// sameFolder also knows one that is mounted twice.
func sameFolder(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return a == b
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
