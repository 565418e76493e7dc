package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"

	"biomero-importer/agent/failpoint"
	"biomero-importer/agent/order"
	"biomero-importer/agent/spool"
	"biomero-importer/agent/tracking"
)

// entry is a file or folder that is to be imported.
type entry struct {
	ordinal int // in the order
	path    string
	found
}

// encode writes an entry after b.
func (e *entry) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(e.ordinal)) //nolint:gosec // from 0
	b = binary.AppendUvarint(b, uint64(e.size))    //nolint:gosec // not negative
	b = binary.AppendUvarint(b, uint64(len(e.path)))
	b = append(b, e.path...)
	if e.resolved != e.path { // one text of the same is enough
		b = append(b, e.resolved...)
	}
	return b
}

// decodeEntry reads what encode wrote.
func decodeEntry(b []byte) (e entry) {
	number := func() int64 {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return int64(n) //nolint:gosec // as encode wrote it
	}
	e.ordinal, e.size = int(number()), number()
	n := number()
	e.path, e.resolved = string(b[:n]), string(b[n:])
	if e.resolved == "" {
		e.resolved = e.path
	}
	return e
}

// batches are the entries of a list, up to so many at a time. A batch is valid until
// the next one.
func batches(list *spool.List, most int) iter.Seq2[[]entry, error] {
	return func(yield func([]entry, error) bool) {
		batch := make([]entry, 0, min(most, list.Len()))
		for record, err := range list.All() {
			if err != nil {
				yield(nil, unlisted(err))
				return
			}
			if batch = append(batch, decodeEntry(record)); len(batch) == most {
				if !yield(batch, nil) {
					return
				}
				clear(batch)
				batch = batch[:0]
			}
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

// paths are the order's files as its client wrote them.
func (r *run) paths() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for record, err := range r.listed.All() {
			if !yield(string(record), unlisted(err)) {
				return
			}
		}
	}
}

// list reads the order's files, and finds out which were imported before. An order can
// have very many, so that a worker does not keep them in memory. The end of one that cannot
// be understood names its files all the same.
func (r *run) list(ctx context.Context) error {
	err := r.engine.store.EachPath(ctx, r.work, func(path string) error {
		return unlisted(r.listed.Add([]byte(path)))
	})
	if err == nil && r.work.Faulty == nil && r.work.Job.Run > 1 {
		err = r.keep(ctx)
	}
	failpoint.Hit(failpoint.Listed)
	if _, ours := errors.AsType[*order.Error](err); ours || errors.Is(err, errUnlisted) {
		return err
	}
	return unsaved(err)
}

// keep finds out what earlier attempts or runs imported.
func (r *run) keep(ctx context.Context) (err error) {
	if r.kept, err = r.engine.store.KeepFiles(ctx, r.work, r.paths()); err != nil {
		return err
	}
	for _, imported := range r.kept {
		if imported {
			r.tally.imported++
		}
	}
	return nil
}

// tally is what has become of an order's files.
type tally struct {
	imported, failed int
	first            string // why the first of those failed
	ordinal          int    // of that one
	done, total      int64  // bytes, as far as they are known
}

// file is one of the order's files that this run decides on.
func (r *run) file(e *entry, state tracking.FileState, reason string) tracking.File {
	return tracking.File{Ordinal: e.ordinal, Path: e.path, State: state, Reason: reason, Target: r.work.Target}
}

// decide sets what became of a file, to be saved with the next checkpoint.
func (r *run) decide(f tracking.File, size int64) {
	t := &r.tally
	if t.done += size; f.State == tracking.FileImported {
		t.imported++
	} else {
		if t.failed == 0 || f.Ordinal < t.ordinal {
			t.first, t.ordinal = f.Reason, f.Ordinal
		}
		t.failed++
	}
	r.unsaved = append(r.unsaved, f)
	r.engine.config.Observer.File(f.State)
}

// failures sums up the files that failed, or is nil.
func (r *run) failures() error {
	switch t := &r.tally; {
	case t.failed == 0:
		return nil
	case r.listed.Len() == 1:
		return order.Errorf(order.Invalid, "%s", t.first)
	default:
		return order.Errorf(order.Invalid, "%d of %d files failed: %s", t.failed, r.listed.Len(), t.first)
	}
}

// cancelled says what became of an order that somebody cancelled.
func (r *run) cancelled() error {
	if r.tally.imported == 0 {
		return order.Errorf(order.Invalid, "The order was cancelled.")
	}
	return order.Errorf(order.Invalid, "The order was cancelled after %d of %d files had been imported.", r.tally.imported, r.listed.Len())
}
