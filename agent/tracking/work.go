package tracking

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// ErrNotMine says that the order no longer belongs to the worker that asks:
// somebody else has taken it up, or it has ended. The worker stops and changes
// nothing.
var ErrNotMine = errors.New("the order belongs to somebody else by now")

// FileState is what has become of one file or folder of an order.
type FileState string

// The states of a file. One that is pending has no row in importer.files.
const (
	FilePending  FileState = "pending"
	FileImported FileState = "imported"
	FileFailed   FileState = "failed"
)

// File is one file or folder that an order names, and what became of it.
type File struct {
	Ordinal  int       `json:"ordinal"` // place in the order's list, from 0
	Path     string    `json:"path"`
	State    FileState `json:"state"`
	Reason   string    `json:"reason"` // why it failed: one sentence
	Filesets []int64   `json:"filesets"`
	Images   []int64   `json:"images"`
	Plates   []int64   `json:"plates"`
	// Target is for whom and where to it is imported.
	Target string `json:"-"`
}

// Work is an attempt that a worker has taken up.
type Work struct {
	Job     Job
	Attempt int // from 1
	Order   order.Order
	// Options is import_options as the client wrote it.
	Options *string
	// Files is one entry per path of the order, in its order.
	Files []File
	// Tries is how often this attempt met a fault that may pass, Crashes how
	// often an agent died while at it.
	Tries, Crashes int
	// Round tells when all of the order was asked for anew: what it imported before
	// that does not count.
	Round int64
	// Cancelled is set of one that is only to be ended.
	Cancelled bool
	// Faulty is set, and Files empty, when the row cannot be understood.
	Faulty error

	importID int64
	kept     []File // imported by an earlier attempt, in the places that they have now
	moved    bool   // the rows of an earlier attempt are not as they should be
}

// listFiles gives each path of the order its state: that which an earlier attempt
// left, where it imported it for the same user and destination, or this one.
func (w *Work) listFiles(known []File) {
	target := text(fmt.Sprintf("%s %d for %q of %q", w.Order.Destination.Type, w.Order.Destination.ID, w.Order.User, w.Order.Group))
	done := make(map[string]File, len(known))
	for _, f := range known {
		if f.State == FileImported && f.Target == target {
			done[f.Path] = f
		}
	}
	w.Files = make([]File, len(w.Order.Files))
	for i, path := range w.Order.Files {
		f, ok := done[path]
		if !ok {
			w.Files[i] = File{Path: path, State: FilePending, Target: target, Ordinal: i}
			continue
		}
		w.moved = w.moved || f.Ordinal != i
		f.Ordinal = i
		w.Files[i] = f
		w.kept = append(w.kept, f)
	}
	w.moved = w.moved || len(w.kept) != len(known)
}

// queueKept rewrites the rows of earlier attempts.
func (w *Work) queueKept(batch *pgx.Batch) {
	if !w.moved {
		return
	}
	batch.Queue(`DELETE FROM importer.files WHERE order_uuid = $1`, w.Job.UUID)
	var rows fileRows
	rows.add(w.Job.UUID, w.kept)
	rows.queue(batch)
}

func queryFiles(ctx context.Context, q querier, uuids ...string) (map[string][]File, error) {
	rows, err := q.Query(ctx, `SELECT order_uuid, ordinal, path, state, reason, filesets, images, plates, target
		FROM importer.files WHERE order_uuid = ANY ($1) ORDER BY order_uuid, ordinal`, uuids)
	if err != nil {
		return nil, err
	}
	files := map[string][]File{}
	var uuid string
	var f File
	_, err = pgx.ForEachRow(rows, []any{&uuid, &f.Ordinal, &f.Path, &f.State, &f.Reason, &f.Filesets, &f.Images, &f.Plates, &f.Target}, func() error {
		files[uuid] = append(files[uuid], f)
		f.Filesets, f.Images, f.Plates = nil, nil, nil
		return nil
	})
	return files, err
}
