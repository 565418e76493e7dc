package watcher

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fileID identifies a file on this machine while it exists.
type fileID struct{ dev, ino uint64 }

// info is what a look at one directory entry shows.
type info struct {
	id   fileID
	size int64
	mod  unix.Timespec
	mode uint32 // only the type bits
}

func (i *info) isDir() bool  { return i.mode == unix.S_IFDIR }
func (i *info) isFile() bool { return i.mode == unix.S_IFREG }
func (i *info) isLink() bool { return i.mode == unix.S_IFLNK }

func (i *info) modTime() time.Time { return time.Unix(i.mod.Unix()) }

// digest condenses what settling goes by.
func (i *info) digest(seed maphash.Seed) uint64 {
	return maphash.Comparable(seed, [5]uint64{
		i.id.dev, i.id.ino, uint64(i.size), //nolint:gosec // only the bits matter
		uint64(i.mod.Sec), uint64(i.mod.Nsec), //nolint:gosec // only the bits matter
	})
}

func infoOf(st *unix.Stat_t) info {
	return info{
		id: fileID{dev: st.Dev, ino: st.Ino}, size: st.Size, mod: st.Mtim, mode: st.Mode & unix.S_IFMT,
	}
}

// folder is an open directory.
type folder struct {
	fd   int
	path string
}

// openFolder opens a directory at or below root. Root itself may lead through
// links, because the administrator named it; below it no component may be one,
// so that nobody who can write there can lead the watcher out of it.
func openFolder(root, path string) (*folder, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	top, err := retry(func() (int, error) { return unix.Open(root, flags|unix.O_NONBLOCK, 0) })
	if err != nil {
		return nil, fmt.Errorf("opening folder %q: %w", root, err)
	}
	if path == root {
		return &folder{fd: top, path: path}, nil
	}
	defer closeFD(top)
	rel := strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
	fd, err := retry(func() (int, error) {
		return unix.Openat2(top, rel, &unix.OpenHow{
			Flags:   flags,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
		})
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		fd, err = stepDown(top, rel) // an old kernel, or a sandbox that bars openat2
	}
	if err != nil {
		return nil, fmt.Errorf("opening folder %q: %w", path, err)
	}
	return &folder{fd: fd, path: path}, nil
}

// stepDown opens rel below the descriptor one component at a time.
func stepDown(top int, rel string) (int, error) {
	fd := top
	for name := range strings.SplitSeq(filepath.Clean(rel), "/") {
		next, err := openBelow(fd, name)
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

func openBelow(fd int, name string) (int, error) {
	return retry(func() (int, error) {
		return unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
}

// sub opens a folder directly inside.
func (f *folder) sub(name string) (*folder, error) {
	fd, err := openBelow(f.fd, name)
	if err != nil {
		return nil, fmt.Errorf("opening folder %q: %w", join(f.path, name), err)
	}
	return &folder{fd: fd, path: join(f.path, name)}, nil
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

// each calls fn for every entry but . and .. with its type as far as the
// filesystem says it without a look (unix.DT_UNKNOWN otherwise). The buffer is
// the caller's, to be used again.
func (f *folder) each(buf []byte, fn func(name []byte, kind uint8) error) error {
	// Layout of struct linux_dirent64, getdents64(2).
	const offLength, offKind, offName = 16, 18, 19
	for {
		n, err := retry(func() (int, error) { return unix.Getdents(f.fd, buf) })
		if err != nil {
			return fmt.Errorf("reading folder %q: %w", f.path, err)
		}
		if n == 0 {
			return nil
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
				return err
			}
		}
	}
}

// gone reports whether the error says that nothing (or no folder) is there.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EXDEV)
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
