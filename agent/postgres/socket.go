package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"biomero-importer/agent/order"
)

// longestSocket is what sockaddr_un takes on Linux, without the final zero (unix(7)).
const longestSocket = 107

// socketFolder returns the folder for the socket of the cluster in dir, made
// and checked: beside the data, or, where that path is too long for a socket
// or holds what clients take for a list, in the folder for temporary files.
func socketFolder(places places, owner account) (string, error) {
	sum := sha256.Sum256([]byte(places.dir))
	name := "biomero-importer-" + hex.EncodeToString(sum[:8])
	for _, path := range []string{places.run, filepath.Join(os.TempDir(), name), filepath.Join("/tmp", name)} {
		if len(path)+len("/.s.PGSQL."+port) <= longestSocket && filepath.IsAbs(path) && !strings.ContainsAny(path, `,"\`) {
			return path, private(path, owner)
		}
	}
	return "", order.Errorf(order.Invalid, "no folder has a path short enough for the database's socket: choose a shorter state_dir than %s", places.dir)
}

// private makes sure that path is a real folder which only owner can enter.
// Elsewhere than below the state folder, anybody may have put something there.
func private(path string, owner account) error {
	err := os.Mkdir(path, 0o700)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making the folder for the database's socket: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("checking the folder for the database's socket: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	ours := ok && (stat.Uid == owner.uid || int64(stat.Uid) == int64(os.Geteuid()))
	if !info.IsDir() || !ours || info.Mode().Perm() != 0o700 {
		return order.Errorf(order.Invalid, "%s, which the database's socket needs, is not a private folder of the user %s: "+
			"somebody else made it, so look at it, remove it and start again", path, owner.name)
	}
	return owner.own(path)
}
