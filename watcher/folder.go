package watcher

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

// fileID identifies a file on this machine while it exists.
type fileID struct{ dev, ino uint64 }

// info is what a look at one directory entry shows.
type info struct {
	id     fileID
	size   int64
	mod    unix.Timespec // of the content; whoever writes may set it
	change unix.Timespec // of anything; the file server's own
	links  uint64
	mode   uint32 // only the type bits
}

func (i *info) isDir() bool  { return i.mode == unix.S_IFDIR }
func (i *info) isFile() bool { return i.mode == unix.S_IFREG }
func (i *info) isLink() bool { return i.mode == unix.S_IFLNK }

func (i *info) times() [2]int64    { return [2]int64{i.mod.Nano(), i.change.Nano()} }
func (i *info) modTime() time.Time { return time.Unix(i.mod.Unix()) }

// digest condenses what settling goes by.
func (i *info) digest() uint64 {
	h := mix(mix(i.id.dev, i.id.ino), uint64(i.size))                 //nolint:gosec // only the bits matter
	return mix(mix(h, uint64(i.mod.Nano())), uint64(i.change.Nano())) //nolint:gosec // only the bits matter
}

// mark condenses what a file is recognised by after a restart. The inode counts
// where the filesystem has lasting ones.
func (i *info) mark(name string, inodes bool) uint64 {
	h := mix(mix(xxhash.Sum64String(name), uint64(i.size)), uint64(i.mod.Nano())) //nolint:gosec // only the bits matter
	if inodes {
		h = mix(h, i.id.ino)
	}
	return max(h, 1)
}

// mix adds a word to a hash. Marks are kept in the database: it must stay as it is.
func mix(h, word uint64) uint64 {
	h = (h ^ word) * 0x9e3779b97f4a7c15
	return h ^ h>>32
}

func infoOf(st *unix.Stat_t) info {
	return info{
		id: fileID{dev: st.Dev, ino: st.Ino}, size: st.Size, mod: st.Mtim, change: st.Ctim, mode: st.Mode & unix.S_IFMT,
		links: uint64(st.Nlink), //nolint:unconvert // of other sizes elsewhere
	}
}

// folder is an open directory.
type folder struct {
	fd   int
	path string
}

// anchor is the literal prefix of a rule, and where it led when that was first
// asked. The administrator may have it lead through links; whoever can write on
// the share may not have it lead elsewhere later.
type anchor struct {
	path string
	end  func() string // may hang where the filesystem does
}

func newAnchor(path string) anchor {
	return anchor{path: path, end: sync.OnceValue(func() string { return leadsTo(path, 0) })}
}

// leadsTo follows the links in a path as far as it is there.
func leadsTo(path string, links int) string {
	const maxLinks = 40 // as in the kernel
	if end, err := filepath.EvalSymlinks(path); err == nil || path == "/" || links > maxLinks {
		return cmp.Or(end, path)
	}
	dir, name := split(path)
	if target, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(leadsTo(dir, links), target)
		}
		return leadsTo(filepath.Clean(target), links+1)
	}
	return join(leadsTo(dir, links), name)
}

// openFolder opens a directory at or below an anchor. No component of where that
// leads may be a link by now, nor any below.
func openFolder(at anchor, path string) (*folder, error) {
	top, err := retry(func() (int, error) { return unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, fmt.Errorf("opening folder %q: %w", "/", err)
	}
	defer closeFD(top)
	rel := strings.TrimLeft(at.end()+strings.TrimPrefix(path, at.path), "/")
	fd, err := openBelow(top, cmp.Or(rel, "."), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("opening folder %q: %w", path, err)
	}
	return &folder{fd: fd, path: path}, nil
}

// sub opens the folder at a path below f, in which no component may be a link.
func (f *folder) sub(rel string) (*folder, error) {
	fd, err := openBelow(f.fd, rel, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("opening folder %q: %w", join(f.path, rel), err)
	}
	return &folder{fd: fd, path: join(f.path, rel)}, nil
}

func openBelow(fd int, rel string, flags int) (int, error) {
	opened, err := retry(func() (int, error) {
		return unix.Openat2(fd, rel, &unix.OpenHow{
			Flags:   uint64(flags), //nolint:gosec // never negative
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
		})
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return stepDown(fd, rel, flags) // an old kernel, or a sandbox that bars openat2
	}
	return opened, err
}

// stepDown opens rel below the descriptor one component at a time.
func stepDown(top int, rel string, flags int) (int, error) {
	fd := top
	parts := strings.Split(filepath.Clean(rel), "/")
	for i, name := range parts {
		how := unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
		if i == len(parts)-1 {
			how = flags
		}
		next, err := retry(func() (int, error) { return unix.Openat(fd, name, how|unix.O_NOFOLLOW, 0) })
		if fd != top {
			closeFD(fd)
		}
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

func (f *folder) close() { closeFD(f.fd) }

// closeFD closes a descriptor that was only read from: nothing can be lost.
func closeFD(fd int) { _ = unix.Close(fd) }

// look returns what an entry is, never following it. The empty name asks for
// the folder itself.
func (f *folder) look(name string) (info, error) {
	var st unix.Stat_t
	_, err := retry(func() (int, error) {
		if name == "" {
			return 0, unix.Fstat(f.fd, &st)
		}
		return 0, unix.Fstatat(f.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
	})
	if err != nil {
		return info{}, fmt.Errorf("looking at %q: %w", join(f.path, name), err)
	}
	return infoOf(&st), nil
}

// fresh is a look that the server answers where there is one: what is cached of
// a file may be older than a quiet time.
func (f *folder) fresh(name string, fs *filesystem) (info, error) {
	if fs.local {
		return f.look(name)
	}
	var st unix.Statx_t
	_, err := retry(func() (int, error) {
		return 0, unix.Statx(f.fd, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT|unix.AT_STATX_FORCE_SYNC, unix.STATX_BASIC_STATS, &st)
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return f.look(name) // an old kernel, or a sandbox that bars statx
	}
	if err != nil {
		return info{}, fmt.Errorf("looking at %q: %w", join(f.path, name), err)
	}
	return info{
		id: fileID{dev: unix.Mkdev(st.Dev_major, st.Dev_minor), ino: st.Ino}, size: int64(st.Size), //nolint:gosec // as Stat_t has it
		mod: timespec(st.Mtime), change: timespec(st.Ctime), mode: uint32(st.Mode) & unix.S_IFMT, links: uint64(st.Nlink),
	}, nil
}

// born returns when an entry was made, wherever that was, if the filesystem keeps it.
func (f *folder) born(name string) (at unix.Timespec, ok bool) {
	var st unix.Statx_t
	_, err := retry(func() (int, error) {
		return 0, unix.Statx(f.fd, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BTIME, &st)
	})
	return timespec(st.Btime), err == nil && st.Mask&unix.STATX_BTIME != 0
}

func timespec(t unix.StatxTimestamp) unix.Timespec {
	return unix.NsecToTimespec(t.Sec*int64(time.Second) + int64(t.Nsec))
}

// each calls fn for every entry, see some.
func (f *folder) each(buf []byte, fn func(name []byte, kind uint8) error) error {
	for {
		if more, err := f.some(buf, fn); err != nil || !more {
			return err
		}
	}
}

// some calls fn for the next entries but . and .., as many as the buffer holds,
// with their types as far as the filesystem says them without a look
// (unix.DT_UNKNOWN otherwise). It is false when there are no more.
func (f *folder) some(buf []byte, fn func(name []byte, kind uint8) error) (more bool, err error) {
	// Layout of struct linux_dirent64, getdents64(2).
	const offLength, offKind, offName = 16, 18, 19
	n, err := retry(func() (int, error) { return unix.Getdents(f.fd, buf) })
	if err != nil {
		return false, fmt.Errorf("reading folder %q: %w", f.path, err)
	}
	for rest := buf[:n]; len(rest) > offName; {
		length := binary.NativeEndian.Uint16(rest[offLength:])
		entry := rest[:length]
		rest = rest[length:]
		name, _, _ := bytes.Cut(entry[offName:], []byte{0})
		if len(name) == 0 || string(name) == "." || string(name) == ".." {
			continue
		}
		if err := fn(name, entry[offKind]); err != nil {
			return false, err
		}
	}
	return n > 0, nil
}

// gone reports whether the error says that nothing (or no folder) is there.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EXDEV)
}

// written reports whether a process on this machine has the file at a path below open for
// writing. A read lease is refused then; it ends with the descriptor. Where
// leases are not to be had, it is false.
func (f *folder) written(path string) bool {
	fd, err := openBelow(f.fd, path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC)
	if err != nil {
		return false
	}
	defer closeFD(fd)
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	return errors.Is(err, unix.EAGAIN)
}

// retry repeats a system call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
