package preprocess

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// Work is what is done about a request, by one caller at a time.
type Work struct {
	req       Request
	print     string
	rel       string   // of the input's folder, below the share
	folder    *os.Root // the input's
	processed *os.Root
	temp      *os.Root
	lock      *os.File
	run       runRecord
	partial   *os.Root // of the run; nil before there is one
	out       *os.Root
}

// Mount is a folder of the host in a container.
type Mount struct {
	Source, Target string
	Writable       bool
}

const (
	runFile    = "run.json"
	resultFile = "result.json"
	lockFile   = "lock"
)

// Open takes up a request, where an earlier caller left it if there was one. The work is
// to be closed. The error is ErrBusy while another caller is at it.
func Open(req Request) (*Work, error) {
	if uuid.Validate(req.Order) != nil || req.Input < 0 {
		return nil, fmt.Errorf("input %d of the order %q is no input of an order", req.Input, req.Order)
	}
	w := &Work{req: req}
	err := w.open()
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *Work) open() error {
	var err error
	if w.rel, err = w.req.folder(); err != nil {
		return err
	}
	if w.print, err = w.req.fingerprint(); err != nil {
		return err
	}
	if err := makeTemp(w.req.Temp); err != nil {
		return err
	}
	if w.temp, err = os.OpenRoot(w.req.Temp); err != nil {
		return fmt.Errorf("opening the temporary folder: %w", err)
	}
	if w.lock, err = lock(w.temp); err != nil {
		return err
	}
	share, err := os.OpenRoot(w.req.Share)
	if err != nil {
		return fmt.Errorf("opening the share: %w", err)
	}
	defer func() { _ = share.Close() }()
	if w.folder, err = enterAll(share, w.rel); err != nil {
		return folderError("opening the folder of "+w.req.Path, err)
	}
	if w.processed, err = makeAll(w.folder, w.req.processed()); err != nil {
		return folderError(fmt.Sprintf("making the folder %q beside %s", w.req.processed(), w.req.Path), err)
	}
	return load(w.temp, runFile, &w.run)
}

// makeTemp makes the temporary folder and those above it.
func makeTemp(path string) error {
	above, err := os.OpenRoot(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) != path {
		if err := makeTemp(filepath.Dir(path)); err != nil {
			return err
		}
		above, err = os.OpenRoot(filepath.Dir(path))
	}
	if err == nil {
		defer func() { _ = above.Close() }()
		err = makeFolder(above, filepath.Base(path))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the temporary folder: %w", err)
	}
	return nil
}

// folder is that of the input, below the share.
func (r *Request) folder() (string, error) {
	rel, err := filepath.Rel(r.Share, filepath.Dir(r.Path))
	if err != nil || !filepath.IsLocal(rel) {
		return "", &Error{Reason: fmt.Sprintf("The path %q lies outside %s, where data must be.", r.Path, r.Share), Err: err}
	}
	return rel, nil
}

// folderError tells what somebody put in the place of a folder from what may pass.
func folderError(doing string, err error) error {
	if errors.Is(err, errNoFolder) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		return &Error{Reason: fmt.Sprintf("The converter has no folder to write into: %s failed because %v.", doing, err), Err: err}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Close lets others work on the request.
func (w *Work) Close() {
	w.leave()
	closeAll(w.folder, w.processed, w.temp)
	if w.lock != nil {
		unlock(w.lock)
	}
}

// Run is the name of the run that the folders belong to, and that a container has to
// have in its labels to be gone on with; empty if there is none for this request, or its
// folders are gone.
func (w *Work) Run() (string, error) {
	if w.run.Request != w.print {
		return "", nil
	}
	err := w.enter()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoFolder) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("opening the folders of a run: %w", err)
	}
	return w.run.Run, nil
}

// Begin makes the folders for a new container, and removes those of the one before.
func (w *Work) Begin() (run string, err error) {
	w.leave()
	if err := w.discard(); err != nil {
		return "", err
	}
	run = uuid.NewString()[:8]
	w.run = runRecord{
		Run: run, Request: w.print, Share: w.req.Share, Folder: w.rel, Processed: w.req.processed(),
		Partial: partialName(w.req, run),
	}
	if err := save(w.temp, runFile, w.run); err != nil {
		return "", err
	}
	if err := makeFolder(w.temp, outFolder(run)); err != nil {
		return "", fmt.Errorf("making the folder for copies: %w", err)
	}
	if err := makeFolder(w.processed, w.run.Partial); err != nil {
		return "", folderError("making the partial folder", err)
	}
	if err := w.enter(); err != nil {
		return "", folderError("opening the partial folder", err)
	}
	return run, nil
}

func partialName(req Request, run string) string {
	return fmt.Sprintf(".partial-%s-%d-%s", req.Order, req.Input, run)
}

func outFolder(run string) string { return "out-" + run }

// enter opens the folders of the run.
func (w *Work) enter() (err error) {
	if w.partial != nil {
		return nil
	}
	if w.out, err = enter(w.temp, outFolder(w.run.Run)); err != nil {
		return err
	}
	if w.partial, err = enter(w.processed, w.run.Partial); err != nil {
		w.leave()
	}
	return err
}

func (w *Work) leave() {
	closeAll(w.partial, w.out)
	w.partial, w.out = nil, nil
}

// closeAll closes the folders that are open.
func closeAll(dirs ...*os.Root) {
	for _, dir := range dirs {
		if dir != nil {
			_ = dir.Close() // nothing was written
		}
	}
}

// discard removes what the run before left.
func (w *Work) discard() error {
	err := w.temp.RemoveAll(resultFile)
	if err == nil && w.run.Run != "" {
		err = removeTree(w.temp, outFolder(w.run.Run))
	}
	if err == nil && w.run.Run != "" && !w.isHere() {
		err = removePartial(w.run)
	}
	if err == nil {
		err = removePartials(w.processed, partialName(w.req, ""))
	}
	if err != nil {
		return fmt.Errorf("removing what an earlier run left: %w", err)
	}
	return nil
}

// isHere reports whether the last run had the same processed folder: the request before
// may have been for a file elsewhere.
func (w *Work) isHere() bool {
	return w.run.Share == w.req.Share && w.run.Folder == w.rel && w.run.Processed == w.req.processed()
}

// Mounts are what the container of the run sees of the host.
func (w *Work) Mounts() []Mount {
	mounts := []Mount{
		{Source: w.inputFolder(), Target: w.req.OutputFolder},
		{Source: filepath.Join(w.processedFolder(), w.run.Partial), Target: filepath.Join(w.req.OutputFolder, w.req.processed()), Writable: true},
	}
	if w.req.AltOutputFolder != "" {
		mounts = append(mounts, Mount{Source: filepath.Join(w.req.Temp, outFolder(w.run.Run)), Target: w.req.AltOutputFolder, Writable: true})
	}
	return mounts
}

// Verify makes sure that the paths of the mounts lead to the folders that are open here.
func (w *Work) Verify() error {
	dirs := []*os.Root{w.folder, w.partial, w.out}
	for i, mount := range w.Mounts() {
		if err := leadsTo(mount.Source, dirs[i]); err != nil {
			return &Error{Reason: fmt.Sprintf("The folders of %s were changed while it was to be converted: order it again once they stay.", w.req.Path), Err: err}
		}
	}
	return nil
}

func (w *Work) inputFolder() string { return filepath.Dir(w.req.Path) }

func (w *Work) processedFolder() string { return filepath.Join(w.inputFolder(), w.req.processed()) }
