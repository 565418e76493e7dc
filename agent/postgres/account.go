package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"biomero-importer/agent/order"
)

// account is the OS user that the server runs as.
type account struct {
	uid, gid uint32
	name     string
	other    bool // not the user that this process runs as
}

// serverAccount is the owner of an existing cluster, or else ourselves, or for
// root, whom PostgreSQL refuses, the user postgres.
func serverAccount(data string) (account, error) {
	self := os.Geteuid()
	info, err := os.Lstat(data)
	switch {
	case err == nil:
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return account{}, fmt.Errorf("finding the owner of %s", data)
		}
		a := account{uid: stat.Uid, gid: stat.Gid, name: nameOf(stat.Uid), other: int64(stat.Uid) != int64(self)}
		if a.uid == 0 {
			return a, order.Errorf(order.Invalid, "the cluster in %s belongs to root, whom PostgreSQL refuses to run as: "+
				"run `chown -R postgres: %s`", data, data)
		}
		if a.other && self != 0 {
			return a, order.Errorf(order.Invalid, "the cluster in %s belongs to the user %s: run as that user or as root, or choose another state_dir", data, a.name)
		}
		return a, nil
	case !errors.Is(err, os.ErrNotExist):
		return account{}, fmt.Errorf("looking for the cluster in %s: %w", data, err)
	case self != 0:
		return account{uid: uint32(self), gid: uint32(os.Getegid()), name: nameOf(uint32(self))}, nil //nolint:gosec // ids are 32 bits wide
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		return account{}, order.Errorf(order.Invalid, "root cannot run PostgreSQL itself and this machine has no user postgres: "+
			"run `apt-get install postgresql` (%w)", err)
	}
	uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return account{}, fmt.Errorf("reading the ids of the user postgres: %w", err)
	}
	return account{uid: uint32(uid), gid: uint32(gid), name: found.Username, other: true}, nil
}

func nameOf(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if found, err := user.LookupId(id); err == nil {
		return found.Username
	}
	return id
}

// command runs a program of PostgreSQL's as the account, out of reach of the
// terminal's signals and of the environment's PG… variables.
func (a account) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // a program that pick chose
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	if zone, ok := os.LookupEnv("TZ"); ok {
		cmd.Env = append(cmd.Env, "TZ="+zone)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if a.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return cmd
}

// prepareDir opens the state folder, which stays ours, to the server's user,
// who only has to pass through it.
func (a account) prepareDir(ctx context.Context, dir string, bin binaries) error {
	if !a.other {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at the state folder: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o001 == 0 {
		if err := os.Chmod(dir, mode|0o011); err != nil {
			return fmt.Errorf("letting the user %s into the state folder: %w", a.name, err)
		}
	}
	if a.enters(ctx, dir, bin) == nil {
		return nil
	}
	// Only the kernel knows (modes, lists, mount options), so ask it for each.
	path := string(filepath.Separator)
	for _, part := range append([]string{""}, strings.Split(dir, path)...) {
		path = filepath.Join(path, part)
		if err := a.enters(ctx, path, bin); err != nil {
			return order.Errorf(order.Invalid, "the user %s, whom the database server runs as, may not enter %s: "+
				"run `chmod o+x %s`, or choose a state_dir elsewhere (%w)", a.name, path, path, err)
		}
	}
	return nil
}

// enters starts a harmless program in dir: the change of folder comes after
// the change of user.
func (a account) enters(ctx context.Context, dir string, bin binaries) error {
	cmd := a.command(ctx, bin.path("postgres"), "--version")
	cmd.Dir = dir
	return cmd.Run()
}

// own gives path to the account.
func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	if err := os.Lchown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("giving %s to the user %s: %w", path, a.name, err)
	}
	return nil
}
