package intake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
)

// Folders beside a legacy orders folder that its files are moved to.
const (
	legacyDone    = ".Uploaded"
	legacyRefused = ".failed_uploads"
)

// Reporter tells authors, beside their file, what became of it.
type Reporter struct {
	store *tracking.Store
	share *importer.Share
	rules []Rule
	log   *slog.Logger
}

// Reporter is one for what the intake takes.
func (in *Intake) Reporter() *Reporter {
	return &Reporter{store: in.store, share: in.share, rules: in.config.Rules, log: in.log}
}

// Run writes what is due, until ctx ends.
func (r *Reporter) Run(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		r.listen(ctx, wake)
	}()
	defer func() { <-listening }()
	sweep := time.NewTicker(5 * time.Second)
	defer sweep.Stop()
	for {
		n, err := r.store.Report(ctx, r.write)
		if err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "receipts wait", slog.Any("error", err))
		}
		if n > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-sweep.C:
		}
	}
}

func (r *Reporter) listen(ctx context.Context, wake chan<- struct{}) {
	r.store.Listen(ctx, tracking.ReportsChannel, func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}, func(err error) {
		r.log.DebugContext(ctx, "not told of new receipts; sweeping for them", slog.Any("error", err))
	})
}

// write tells the author. A folder that cannot be written to breaks nothing:
// the database says the same. Other faults may pass, as when the share was
// away, and it is tried again.
func (r *Reporter) write(ctx context.Context, report tracking.Report) error {
	err := r.tell(ctx, report)
	if err == nil {
		failpoint.Hit(failpoint.Reporting)
		return nil
	}
	level := slog.LevelWarn
	if report.Tries > 0 { // it was said, and may be tried for a week
		level = slog.LevelDebug
	}
	r.log.Log(ctx, level, "no receipt beside the manifest", slog.String("manifest", report.Path), slog.Any("error", err))
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENAMETOOLONG) {
		return nil
	}
	return err
}

// open opens a folder that reports are written to.
func (r *Reporter) open(dir string) (*os.Root, error) {
	top := r.share.Dir()
	for i := range r.rules {
		if root := r.rules[i].root(); len(root) > len(top) && strings.HasPrefix(dir+"/", root+"/") {
			top = root
		}
	}
	return openFolder(r.share, top, dir)
}

func (r *Reporter) tell(ctx context.Context, report tracking.Report) error {
	// Where there is no such folder, the share may be away.
	folder, err := r.open(path.Dir(report.Path))
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	base := path.Base(report.Path)
	if report.Kind == tracking.DropLegacy || report.State == tracking.DropRefused {
		_, err := folder.Lstat(base)
		if errors.Is(err, fs.ErrNotExist) {
			failed := report.State == tracking.DropRefused || (report.Status != nil && report.Status.Stage == order.Failed)
			if report.Kind == tracking.DropLegacy && failed { // or it was moved just before a crash
				return r.store.Forget(ctx, report.Path)
			}
			return nil // its author has taken it away
		}
		if err != nil {
			return err
		}
	}
	switch {
	case report.Kind == tracking.DropLegacy:
		return r.tellLegacy(ctx, folder, report)
	case report.State == tracking.DropRefused:
		return publish(folder, order.RejectionName(base), order.Rejection(report.Reason))
	case report.Status == nil:
		return nil
	}
	if err := folder.Remove(order.RejectionName(base)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the earlier rejection: %w", err)
	}
	receipt, err := receipt(base, report.Status).Encode()
	if err != nil {
		return err
	}
	return publish(folder, order.ReceiptName(base), receipt)
}

// tellLegacy moves an order file to where the service before us put it.
func (r *Reporter) tellLegacy(ctx context.Context, folder *os.Root, report tracking.Report) error {
	base := path.Base(report.Path)
	var name, user, reason string
	switch {
	case report.State == tracking.DropRefused:
		name, user, reason = legacyRefused, legacyUser(folder, base), report.Reason
	case report.Status == nil || !report.Status.Stage.Ended():
		return nil
	case report.Status.Stage == order.Failed:
		name, user, reason = legacyRefused, report.Status.User, report.Status.Description
	default:
		name, user = legacyDone, report.Status.User
	}
	parent, err := r.open(path.Dir(path.Dir(report.Path)))
	if err != nil {
		return err
	}
	defer func() { _ = parent.Close() }()
	dir := path.Join(name, strings.NewReplacer("/", "_", "..", "_").Replace(user))
	if err := parent.MkdirAll(dir, 0o775); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	target, err := descend(parent, dir)
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }()
	as, err := freeName(target, base)
	if err != nil {
		return err
	}
	if reason != "" {
		text := fmt.Appendf(nil, "%s\nCorrect it and move the order file back to try again.\n", reason)
		if err := publish(target, order.RejectionName(as), text); err != nil {
			return err
		}
	}
	if err := move(folder, target, base, as); err != nil {
		return fmt.Errorf("moving the order file to %s: %w", dir, err)
	}
	if name == legacyRefused {
		return r.store.Forget(ctx, report.Path)
	}
	return nil
}

// legacyUser is whose a refused order file is, where it can be understood.
func legacyUser(folder *os.Root, base string) string {
	data, _, err := readOrderFile(folder, base)
	if err != nil {
		return "unknown"
	}
	decoded, err := order.DecodeLegacy(base, data)
	if err != nil {
		return "unknown"
	}
	return decoded.User
}

// freeName is base, with a number before its extension if an earlier order file
// has that name.
func freeName(folder *os.Root, base string) (string, error) {
	name := base
	for n := 2; ; n++ {
		switch _, err := folder.Lstat(name); {
		case errors.Is(err, fs.ErrNotExist):
			return name, nil
		case err != nil:
			return "", err
		}
		ext := path.Ext(base)
		name = fmt.Sprintf("%s.%d%s", strings.TrimSuffix(base, ext), n, ext)
	}
}

// move renames a file from one folder to another, where nothing has its new name.
func move(from, to *os.Root, base, as string) error {
	source, err := from.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := to.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }()
	err = unix.Renameat2(int(source.Fd()), base, int(target.Fd()), as, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // as on NFS: there, that it was free has to do
		err = unix.Renameat(int(source.Fd()), base, int(target.Fd()), as)
	}
	return err
}

// publish writes a file whole or not at all.
func publish(folder *os.Root, name string, data []byte) (err error) {
	temporary := ".~" + shortBase(name) + ".tmp"
	if err := folder.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing what an interrupted write left: %w", err)
	}
	f, err := folder.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o664)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = folder.Rename(temporary, name)
	}
	if err != nil {
		_ = folder.Remove(temporary)
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// shortBase leaves room for what is put around a name of up to 255 bytes.
func shortBase(base string) string { return base[:min(len(base), 200)] }

func receipt(manifest string, s *tracking.Status) order.Receipt {
	out := order.Receipt{
		UUID: s.UUID, Stage: s.Stage, Attempt: s.Attempt, Manifest: manifest, Group: s.Group, User: s.User,
		DestinationType: s.DestinationType, DestinationID: s.DestinationID,
		Queued: s.Queued, Started: s.Started, Ended: s.Ended,
	}
	if s.Stage == order.Failed {
		out.Reason = s.Description
	}
	for _, f := range s.Files {
		out.Files = append(out.Files, order.FileReceipt{
			Path: f.Path, State: string(f.State), Filesets: f.Filesets, Images: f.Images, Plates: f.Plates, Reason: f.Reason,
		})
	}
	return out
}
