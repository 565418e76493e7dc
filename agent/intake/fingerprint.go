package intake

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// What of a file its fingerprint is made of: all of a small one, and of others
// both ends and blocks between them, so that a file of any size costs the same.
const (
	wholeFile   = 256 << 10
	fileEnd     = 64 << 10
	fileBlock   = 16 << 10
	blockNumber = 8
)

// readers is how many files are read at a time, and readAhead how many one reader
// takes on at once: those beside each other are mostly of one folder.
const (
	readers   = 4
	readAhead = 64
)

// fingerprints condenses the content of those drops for which that says more
// than what is recorded of them, by path. Of one that cannot be read, or
// changes, or that ctx ended before, there is none; unread says why for those
// that cannot be judged without.
func (in *Intake) fingerprints(ctx context.Context, drops []watcher.Drop) (prints map[string]uint64, unread map[string]error, err error) {
	if len(drops) == 0 {
		return nil, nil, nil
	}
	known, err := in.store.Drops(ctx, paths(drops))
	if err != nil {
		return nil, nil, err
	}
	var wanted []*watcher.Drop
	for i := range drops {
		prev, seen := known[drops[i].Path]
		if !seen || tells(&prev, &drops[i]) {
			wanted = append(wanted, &drops[i])
		}
	}
	contents, faults := in.condenseAll(ctx, wanted)
	prints, unread = make(map[string]uint64, len(wanted)), map[string]error{}
	for i, d := range wanted {
		prints[d.Path] = contents[i]
		if prev := known[d.Path]; faults[i] != nil && hinges(&prev, d) {
			unread[d.Path] = faults[i]
		}
	}
	return prints, unread, nil
}

// condenseAll returns the fingerprints of drops, or why there is none, as far as ctx
// leaves the time.
func (in *Intake) condenseAll(ctx context.Context, wanted []*watcher.Drop) (contents []uint64, faults []error) {
	contents, faults = make([]uint64, len(wanted)), make([]error, len(wanted))
	root := in.share.Root()
	var next atomic.Int64
	var pool sync.WaitGroup
	for range min(readers, len(wanted)) {
		pool.Go(func() {
			r := &reader{root: root, buffer: make([]byte, fileEnd)}
			defer r.close()
			for {
				end := int(next.Add(readAhead))
				for i := end - readAhead; i < min(end, len(wanted)) && ctx.Err() == nil; i++ {
					contents[i], faults[i] = in.fingerprint(r, wanted[i])
					if faults[i] != nil {
						in.log.DebugContext(ctx, "a drop has no fingerprint", slog.String("path", wanted[i].Path), slog.Any("error", faults[i]))
					}
				}
				if end >= len(wanted) || ctx.Err() != nil {
					return
				}
			}
		})
	}
	pool.Wait()
	return contents, faults
}

// tells reports whether a drop's fingerprint is of use: unless it was taken
// with this size and time before, by all that is known of it.
func tells(prev *tracking.Drop, d *watcher.Drop) bool {
	switch {
	case !sameStamp(prev, d):
		return true
	case prev.Fingerprint != 0:
		return !sameInode(prev, d)
	}
	return prev.State != tracking.DropRefused
}

// hinges reports whether only its fingerprint tells if a drop is what was taken.
func hinges(prev *tracking.Drop, d *watcher.Drop) bool {
	return prev.State == tracking.DropTaken && prev.Fingerprint != 0 && prev.Size == d.Size &&
		(!sameStamp(prev, d) || !sameInode(prev, d))
}

// reader reads files below root. It keeps the folder of the last one open.
type reader struct {
	root   *os.Root
	dir    string
	folder *os.Root
	buffer []byte
}

// in opens the folder at dir, below the root.
func (r *reader) in(dir string) (*os.Root, error) {
	if r.folder != nil && r.dir == dir {
		return r.folder, nil
	}
	r.close()
	folder, err := r.root.OpenRoot(dir + "/") // a folder: opening a pipe would never end
	if err != nil {
		return nil, err
	}
	r.dir, r.folder = dir, folder
	return folder, nil
}

func (r *reader) close() {
	if r.folder != nil {
		_ = r.folder.Close()
		r.folder = nil
	}
}

// fingerprint is a drop's, if it is as it was handed over.
func (in *Intake) fingerprint(r *reader, d *watcher.Drop) (uint64, error) {
	if unfit(d) != "" {
		return 0, nil
	}
	rel, err := in.share.Rel(d.Path)
	if err != nil {
		return 0, err
	}
	if isUnit(d) {
		return r.unit(rel, d)
	}
	folder, err := r.in(filepath.Dir(rel))
	if err != nil {
		return 0, err
	}
	sum, info, err := fileSum(folder, filepath.Base(rel), r.buffer)
	switch {
	case err != nil:
		return 0, err
	case !isAs(info, d):
		return 0, errMoved
	}
	return condense(sum), nil
}

// unit is the fingerprint of a drop of several files: too many to read all.
func (r *reader) unit(rel string, d *watcher.Drop) (uint64, error) {
	if d.Shape == 0 || len(d.Samples) == 0 {
		return 0, nil
	}
	if !d.IsDir {
		rel = filepath.Dir(rel)
	}
	folder, err := r.in(rel)
	if err != nil {
		return 0, err
	}
	sum := sha256.New()
	number(sum, d.Shape)
	number(sum, uint64(d.Size)) //nolint:gosec // the same bits
	for _, sample := range d.Samples {
		if !filepath.IsLocal(sample) {
			return 0, fmt.Errorf("the sample %q is not in the unit", sample)
		}
		part, _, err := fileSum(folder, sample, r.buffer)
		if err != nil {
			return 0, err
		}
		sum.Write(part)
	}
	return condense(sum.Sum(nil)), nil
}

// errMoved says that a file is not what it was when it was looked at.
var errMoved = errors.New("it changes")

// fileSum condenses a file's size and content, with what the file was before
// and after that.
func fileSum(root *os.Root, rel string, buffer []byte) ([]byte, fs.FileInfo, error) {
	f, info, err := importer.OpenRegular(root, rel)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	number(sum, uint64(info.Size())) //nolint:gosec // the same bits
	for _, s := range spans(info.Size()) {
		block := buffer[:s.length]
		if _, err := io.ReadFull(io.NewSectionReader(f, s.from, s.length), block); err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", rel, err)
		}
		sum.Write(block)
	}
	after, err := f.Stat()
	if err == nil && (after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime())) {
		err = errMoved
	}
	return sum.Sum(nil), info, err
}

// span is a part of a file.
type span struct{ from, length int64 }

// spans is the parts of a file of this size that are read.
func spans(size int64) (parts []span) {
	if size <= wholeFile {
		for from := int64(0); from < size; from += fileEnd {
			parts = append(parts, span{from, min(fileEnd, size-from)})
		}
		return parts
	}
	parts = append(parts, span{0, fileEnd})
	between := size - 2*fileEnd
	for i := range int64(blockNumber) {
		middle := fileEnd + between/blockNumber*i + between/blockNumber/2
		parts = append(parts, span{middle - fileBlock/2, fileBlock})
	}
	return append(parts, span{size - fileEnd, fileEnd})
}

func number(sum hash.Hash, n uint64) { sum.Write(binary.BigEndian.AppendUint64(nil, n)) }

// condense makes a fingerprint, which is never 0, of a hash.
func condense(sum []byte) uint64 { return max(binary.BigEndian.Uint64(sum), 1) }

// isAs reports whether a file is as it was handed over.
func isAs(info fs.FileInfo, d *watcher.Drop) bool {
	return info.Size() == d.Size && info.ModTime().Equal(d.ModTime) && (d.Inode == 0 || inode(info) == d.Inode)
}

func inode(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// sameStamp reports whether a drop has the recorded size and time.
func sameStamp(prev *tracking.Drop, d *watcher.Drop) bool {
	return prev.Size == d.Size && prev.ModTime == d.ModTime.UnixNano()
}

// sameInode reports whether a drop has the recorded inode, as far as known.
func sameInode(prev *tracking.Drop, d *watcher.Drop) bool {
	return prev.Inode == d.Inode || prev.Inode == 0 || d.Inode == 0
}
