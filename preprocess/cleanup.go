package preprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// CleanUp removes what a request had for its work: the partial folder and Temp. It is
// called when all that was made is imported and redirected, or the order has ended
// otherwise; the container has to be gone. Repeating it does no harm. The error is
// ErrBusy while somebody is at the request.
func CleanUp(ctx context.Context, req Request) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var known runRecord // nothing of a request that Open refuses
	if folder, err := req.folder(); err == nil {
		known = runRecord{Share: req.Share, Folder: folder, Processed: req.processed(), Partial: partialName(req, "")}
	}
	// It is locked also where nothing is left: somebody may begin meanwhile.
	if err := makeTemp(req.Temp); err != nil {
		return err
	}
	if err := cleanUp(req.Temp, known, nil); err != nil {
		return err
	}
	if dir := filepath.Dir(req.Temp); filepath.Base(dir) == req.Order {
		_ = os.Remove(dir) // unless there are folders of other inputs
	}
	return nil
}

// cleanUp removes the temporary folder last: it says where the partial one is. What is
// known of that without it is in known. A question that is given is asked while nobody
// else can begin, and nothing is removed where it is denied.
func cleanUp(path string, known runRecord, ask func() (bool, error)) error {
	temp, err := os.OpenRoot(path)
	if err == nil {
		err = emptyTemp(temp, known, ask)
		_ = temp.Close()
	} else {
		err = ignoreMissing(err) // another one was quicker
	}
	// The lock is closed by now: NFS keeps the names of open files.
	if err == nil {
		err = ignoreMissing(os.Remove(path))
		if errors.Is(err, unix.ENOTEMPTY) {
			return nil // it is denied, or somebody begins anew
		}
	}
	if err != nil {
		return fmt.Errorf("cleaning up: %w", err)
	}
	return nil
}

func emptyTemp(temp *os.Root, known runRecord, ask func() (bool, error)) error {
	held, err := lock(temp)
	if err != nil {
		return ignoreMissing(err)
	}
	defer unlock(held)
	if ask != nil {
		if yes, err := ask(); err != nil || !yes {
			return err
		}
	}
	var run runRecord
	// What cannot be read was never used: it is written before the folder is made.
	if err := load(temp, runFile, &run); err == nil && run.Run != "" {
		known = run
	}
	if known.Partial != "" {
		if err := removePartial(known); err != nil {
			return err
		}
	}
	entries, err := fs.ReadDir(temp.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != lockFile {
			if err := removeTree(temp, entry.Name()); err != nil {
				return fmt.Errorf("removing %s: %w", entry.Name(), err)
			}
		}
	}
	return temp.Remove(lockFile)
}

// removePartial removes the partial folders of an input. Where somebody put something
// else in the place of the folders above, there are none any more.
func removePartial(run runRecord) error {
	share, err := os.OpenRoot(run.Share)
	if err != nil {
		return err // it may be unmounted
	}
	defer func() { _ = share.Close() }()
	processed, err := enterAll(share, filepath.Join(run.Folder, run.Processed))
	if errors.Is(err, fs.ErrNotExist) && isEmpty(share) {
		return fmt.Errorf("%s is empty: is it mounted?", run.Share)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoFolder) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = processed.Close() }()
	return removePartials(processed, strings.TrimSuffix(run.Partial, run.Run))
}

func isEmpty(dir *os.Root) bool {
	f, err := dir.Open(".")
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	_, err = f.Readdirnames(1)
	return errors.Is(err, io.EOF)
}

// removePartials removes all of an input, also those of runs that are not known any more.
func removePartials(processed *os.Root, prefix string) error {
	dir, err := processed.Open(".")
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			err = errors.Join(err, removeTree(processed, name))
		}
	}
	return err
}

// Sweep removes what crashed runs left: of the folders in dir, each named by the UUID of
// an order and with a Temp for each input in it, those whose order atWork denies, with
// their partial folders. Whatever else is there is left alone, and so is what somebody is
// at. Where dir is shared with other installations, atWork must not deny their orders. It
// is asked again for each input, which nobody can begin with before it has answered.
func Sweep(ctx context.Context, dir string, atWork func(ctx context.Context, order string) (bool, error)) error {
	orders, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweeping: %w", err)
	}
	var faults []error
	for _, order := range orders {
		if !order.IsDir() || uuid.Validate(order.Name()) != nil {
			continue
		}
		busy, err := atWork(ctx, order.Name())
		if err != nil {
			return errors.Join(append(faults, err)...)
		}
		if !busy {
			faults = append(faults, sweepOrder(filepath.Join(dir, order.Name()), func() (bool, error) {
				busy, err := atWork(ctx, order.Name())
				return !busy, err
			}))
		}
	}
	return errors.Join(faults...)
}

func sweepOrder(dir string, ask func() (bool, error)) error {
	inputs, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sweeping: %w", err)
	}
	var faults []error
	for _, input := range inputs {
		temp := filepath.Join(dir, input.Name())
		if !isTemp(temp) {
			continue
		}
		err := cleanUp(temp, runRecord{}, ask)
		if err != nil && !errors.Is(err, ErrBusy) {
			faults = append(faults, err)
		}
	}
	_ = os.Remove(dir) // unless something stays in it
	return errors.Join(faults...)
}

// isTemp reports whether everything in a folder is what a request's Temp has: the Python
// importer left images in the same place, and links may still lead to them.
func isTemp(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(entries, func(entry fs.DirEntry) bool {
		name := strings.TrimSuffix(entry.Name(), ".new")
		ours := name == lockFile || name == runFile || name == resultFile || strings.HasPrefix(name, outFolder(""))
		return !ours && !strings.HasPrefix(name, ".nfs") // what somebody still has open
	})
}
