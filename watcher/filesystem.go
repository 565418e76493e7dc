package watcher

import (
	"time"

	"golang.org/x/sys/unix"
)

// filesystem says what can be relied on in one kind of filesystem.
type filesystem struct {
	name string
	// local: all changes are made through this kernel and by its clock, so that
	// events tell of each, and leases of each writer.
	local bool
	// times: a folder's times change whenever an entry comes, goes or is renamed.
	times bool
	// inodes: a file keeps its inode number over a remount.
	inodes bool
}

// filesystems are known by the f_type of statfs(2). Of any other kind nothing
// is relied on.
var filesystems = map[uint32]filesystem{
	unix.EXT4_SUPER_MAGIC:      {name: "ext", local: true, times: true, inodes: true},
	unix.XFS_SUPER_MAGIC:       {name: "xfs", local: true, times: true, inodes: true},
	unix.BTRFS_SUPER_MAGIC:     {name: "btrfs", local: true, times: true, inodes: true},
	unix.F2FS_SUPER_MAGIC:      {name: "f2fs", local: true, times: true, inodes: true},
	unix.TMPFS_MAGIC:           {name: "tmpfs", local: true, times: true, inodes: true},
	0x2fc12fc1:                 {name: "zfs", local: true, times: true, inodes: true},
	0xca451a4e:                 {name: "bcachefs", local: true, times: true, inodes: true},
	unix.OVERLAYFS_SUPER_MAGIC: {name: "overlay", local: true, times: true},
	unix.NFS_SUPER_MAGIC:       {name: "nfs", times: true, inodes: true},
	0x00c36400:                 {name: "ceph", times: true, inodes: true},
	0x0bd00bd0:                 {name: "lustre", times: true, inodes: true},
	0x47504653:                 {name: "gpfs", times: true, inodes: true},
	unix.CIFS_SUPER_MAGIC:      {name: "cifs"},
	unix.SMB2_SUPER_MAGIC:      {name: "smb2"},
	unix.SMB_SUPER_MAGIC:       {name: "smb"},
	unix.FUSE_SUPER_MAGIC:      {name: "fuse"},
	unix.V9FS_MAGIC:            {name: "9p"},
}

const (
	// granule is longer than the unit of any filesystem's times.
	granule = 2 * time.Second
	// trust is how long the times of a folder on a server, whose clock is not
	// ours, have to stand to be relied on.
	trust = 5 * time.Second
)

// firm reports whether any change of a folder that comes now will change its
// times, which were first seen at a moment of the loop.
func (fs *filesystem) firm(times [2]int64, at, now time.Duration, clock time.Time) bool {
	switch {
	case !fs.times:
		return false
	case fs.local:
		return clock.UnixNano()-max(times[0], times[1]) > int64(granule)
	default:
		return now-at > trust
	}
}

// mountID tells apart two mounts of a folder at one path, even where what is
// mounted has the same numbers. It is 0 where the kernel does not say.
func (f *folder) mountID() uint64 {
	var st unix.Statx_t
	_, err := retry(func() (int, error) {
		return 0, unix.Statx(f.fd, "", unix.AT_EMPTY_PATH|unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID_UNIQUE, &st)
	})
	if err != nil {
		return 0
	}
	return st.Mnt_id
}

// FilesystemOf names the filesystem of a folder, and says whether events tell of every
// change in it.
func FilesystemOf(path string) (name string, events bool, err error) {
	f, err := openFolder(newAnchor(path), path)
	if err != nil {
		return "", false, err
	}
	defer f.close()
	fs := f.filesystem()
	return fs.name, fs.local, nil
}

// filesystem asks for the filesystem of an open folder. One that does not say is
// not relied on.
func (f *folder) filesystem() filesystem {
	var st unix.Statfs_t
	if _, err := retry(func() (int, error) { return 0, unix.Fstatfs(f.fd, &st) }); err != nil {
		return filesystem{name: "unknown"}
	}
	fs, ok := filesystems[uint32(st.Type)] //nolint:gosec // magic numbers have 32 bits, the field has other types elsewhere
	if !ok {
		fs.name = "unknown"
	}
	return fs
}
