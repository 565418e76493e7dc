package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"biomero-importer/agent/order"
)

// Limits are how many watches and watchers of inotify a user may have.
type Limits struct{ Watches, Instances int }

// ReadLimits reads them below /proc, those of the machine and of the user namespace.
func ReadLimits(proc string) (Limits, error) {
	read := func(files ...string) (int, error) {
		least := math.MaxInt
		var err error
		for i, file := range files {
			data, fault := os.ReadFile(filepath.Join(proc, "sys", file)) //nolint:gosec // below /proc
			if fault != nil {
				if i == 0 {
					err = fault
				}
				continue
			}
			n, fault := strconv.Atoi(strings.TrimSpace(string(data)))
			if fault != nil {
				err = fault
			} else {
				least = min(least, n)
			}
		}
		return least, err
	}
	watches, err := read("fs/inotify/max_user_watches", "user/max_inotify_watches")
	if err != nil {
		return Limits{}, fmt.Errorf("reading the limits of inotify: %w", err)
	}
	instances, err := read("fs/inotify/max_user_instances", "user/max_inotify_instances")
	if err != nil {
		return Limits{}, fmt.Errorf("reading the limits of inotify: %w", err)
	}
	return Limits{Watches: watches, Instances: instances}, nil
}

// Folders counts those at and below roots that would be watched, until there are most
// of them or ctx ends; then it is not complete.
func Folders(ctx context.Context, roots []string, most int) (n int, complete bool) {
	complete = true
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil || n >= most:
				complete = false
				return fs.SkipAll
			case err != nil || !d.IsDir():
				return nil //nolint:nilerr // what cannot be read is not watched
			}
			if n++; strings.HasSuffix(strings.ToLower(d.Name()), ".zarr") {
				return fs.SkipDir // watched itself, and not what is in it
			}
			return nil
		})
	}
	return n, complete
}

// Inotify compares the folders that are to be watched with the limits. roots is how
// many watchers the service has.
func Inotify(l Limits, roots, folders int, complete bool) Finding {
	count := strconv.Itoa(folders)
	if !complete {
		count = "at least " + count
	}
	detail := fmt.Sprintf("%s folders, and the kernel watches %d for a user", count, l.Watches)
	more := max(1<<19, 1<<int(math.Ceil(math.Log2(float64(2*max(folders, 1))))))
	fix := fmt.Sprintf("sysctl fs.inotify.max_user_watches=%d, and the same in a file below /etc/sysctl.d.", more)
	switch {
	case l.Instances < roots:
		return Of("inotify", "", &order.Error{Class: order.Invalid, Reason: fmt.Sprintf("a user may have %d watchers, and the service needs %d: what changes is only found by scans", l.Instances, roots)},
			"sysctl fs.inotify.max_user_instances=1024, and the same in a file below /etc/sysctl.d.")
	case folders > l.Watches:
		return Of("inotify", "", &order.Error{Class: order.Invalid, Reason: detail + ": what changes in the others is only found by scans"}, fix)
	case folders > l.Watches/10*8:
		return notice("inotify", Look, detail+": few are left for new ones and for other programs", fix)
	}
	return Well("inotify", detail)
}

// CountTime bounds how long folders are counted.
const CountTime = 10 * time.Second
