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
	Store *tracking.Store
	Share *importer.Share
	Log   *slog.Logger
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
		n, err := r.Store.Report(ctx, r.write)
		if err != nil && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "receipts wait", slog.Any("error", err))
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
	r.Store.Listen(ctx, tracking.ReportsChannel, func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}, func(err error) {
		r.Log.DebugContext(ctx, "not told of new receipts; sweeping for them", slog.Any("error", err))
	})
}

// write tells the author. A folder that cannot be written to breaks nothing:
// the database says the same. Other faults may pass, and it is tried again.
func (r *Reporter) write(ctx context.Context, report tracking.Report) error {
	rel, err := r.Share.Rel(report.Path)
	if err == nil {
		err = r.tell(rel, report)
	}
	if err == nil {
		return nil
	}
	r.Log.WarnContext(ctx, "no receipt beside the manifest", slog.String("manifest", report.Path), slog.Any("error", err))
	for _, final := range []error{fs.ErrPermission, fs.ErrNotExist, syscall.EROFS, syscall.ENAMETOOLONG} {
		if errors.Is(err, final) {
			return nil
		}
	}
	return err
}

func (r *Reporter) tell(rel string, report tracking.Report) error {
	if report.Kind == tracking.DropLegacy {
		return r.tellLegacy(rel, report)
	}
	dir, base := path.Split(rel)
	rejection := dir + order.RejectionName(base)
	if report.State == tracking.DropRefused {
		if _, err := r.Share.Root().Lstat(rel); err != nil {
			return nil //nolint:nilerr // its author has taken it away
		}
		return r.publish(rejection, order.Rejection(report.Reason))
	}
	if report.Status == nil {
		return nil
	}
	if err := r.Share.Root().Remove(rejection); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the earlier rejection: %w", err)
	}
	receipt, err := receipt(base, report.Status).Encode()
	if err != nil {
		return err
	}
	return r.publish(dir+order.ReceiptName(base), receipt)
}

// tellLegacy moves an order file to where the service before us put it.
func (r *Reporter) tellLegacy(rel string, report tracking.Report) error {
	folder, user, reason := legacyDone, "unknown", ""
	switch {
	case report.State == tracking.DropRefused:
		folder, reason = legacyRefused, report.Reason
	case report.Status == nil || !report.Status.Stage.Ended():
		return nil
	case report.Status.Stage == order.Failed:
		folder, user, reason = legacyRefused, report.Status.User, report.Status.Description
	default:
		user = report.Status.User
	}
	dir := path.Join(path.Dir(path.Dir(rel)), folder, strings.NewReplacer("/", "_", "..", "_").Replace(user))
	root := r.Share.Root()
	if _, err := root.Lstat(rel); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := root.MkdirAll(dir, 0o775); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	target := path.Join(dir, path.Base(rel))
	if reason != "" {
		if err := r.publish(order.RejectionName(target), fmt.Appendf(nil, "%s\nCorrect it and move the order file back to try again.\n", reason)); err != nil {
			return err
		}
	}
	if err := root.Rename(rel, target); err != nil {
		return fmt.Errorf("moving the order file to %s: %w", target, err)
	}
	return nil
}

// publish writes a file whole or not at all.
func (r *Reporter) publish(name string, data []byte) (err error) {
	root := r.Share.Root()
	dir, base := path.Split(name)
	temporary := dir + ".~" + shortBase(base) + ".tmp"
	if err := root.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing what an interrupted write left: %w", err)
	}
	f, err := root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o664)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		_ = root.Remove(temporary)
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
