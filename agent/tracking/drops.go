package tracking

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// DropKind says what was found in a watched folder.
type DropKind string

// The kinds of drops.
const (
	DropFile     DropKind = "file"
	DropFolder   DropKind = "folder"
	DropManifest DropKind = "manifest"
	DropLegacy   DropKind = "legacy"
)

// DropState says what has become of a drop.
type DropState string

// The states of a drop: a manifest waits for its files, which are held for it
// meanwhile; both are then taken, as part of an order, or refused. A manifest
// that its author takes away before that is gone.
const (
	DropWaiting DropState = "waiting"
	DropHeld    DropState = "held"
	DropTaken   DropState = "taken"
	DropRefused DropState = "refused"
	DropGone    DropState = "gone"
)

// Drop is the record of something found in a watched folder.
type Drop struct {
	Path    string
	Kind    DropKind
	Size    int64
	ModTime int64  // nanoseconds since 1970
	Inode   uint64 // 0: unknown
	// Mark is what the watcher recognises the drop by; 0: unknown. It is only
	// kept of files and folders that are taken or refused.
	Mark uint64
	// Fingerprint condenses the content; 0: unknown.
	Fingerprint uint64
	Digest      []byte // SHA-256 of a manifest's content
	State       DropState
	Reason      string
	Holder      string // of a held file: the path of the manifest that it waits for
	UUID        string // the order that it became or is part of
	DuplicateOf string // path of the earliest drop with the same content
	Changed     bool   // after it was taken, and not imported again
	Version     int    // as read; 0 for a drop not recorded before
	FirstSeen   time.Time
}

// Drops returns the records of those paths that have one, by path.
func (s *Store) Drops(ctx context.Context, paths []string) (map[string]Drop, error) {
	keys := make([][]byte, len(paths))
	byKey := make(map[string]string, len(paths))
	for i, p := range paths {
		keys[i] = hash(p)
		byKey[string(keys[i])] = p
	}
	// One look at the index for each key: for thousands of them = ANY reads the whole table.
	rows, err := s.pool.Query(ctx, `SELECT d.key, kind, size, mtime, inode, coalesce(mark, 0), coalesce(fingerprint, 0),
			digest, state, reason, holder, uuid, duplicate_of, changed, version, first_seen
		FROM unnest($1::bytea[]) AS asked (key)
		CROSS JOIN LATERAL (SELECT * FROM importer.drops WHERE key = asked.key LIMIT 1) d`, keys)
	if err != nil {
		return nil, fmt.Errorf("looking up drops: %w", err)
	}
	found := make(map[string]Drop)
	var key []byte
	var d Drop
	var inode, mark, fingerprint int64
	_, err = pgx.ForEachRow(rows, []any{
		&key, &d.Kind, &d.Size, &d.ModTime, &inode, &mark, &fingerprint,
		&d.Digest, &d.State, &d.Reason, &d.Holder, &d.UUID, &d.DuplicateOf, &d.Changed, &d.Version, &d.FirstSeen,
	}, func() error {
		d.Inode, d.Mark, d.Fingerprint = uint64(inode), uint64(mark), uint64(fingerprint) //nolint:gosec // the same bits
		d.Path = byKey[string(key)]
		found[d.Path] = d
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking up drops: %w", err)
	}
	return found, nil
}

// Forget forgets the content of an order file, so that it counts as new when it
// is shown again as it was.
func (s *Store) Forget(ctx context.Context, path string) error {
	_, err := s.pool.Exec(ctx, `UPDATE importer.drops SET digest = '', version = version + 1 WHERE key = $1`, hash(path))
	if err != nil {
		return fmt.Errorf("forgetting an order file: %w", err)
	}
	return nil
}

// Known returns the marks of what was taken or refused directly in each of the
// folders, in their order.
func (s *Store) Known(ctx context.Context, folders []string) ([][]uint64, error) {
	hashes := make([]int64, len(folders))
	for i, f := range folders {
		hashes[i] = folderHash(f)
	}
	// One look at the index for each folder, as in Drops: = ANY is that only where statistics say so.
	rows, err := s.pool.Query(ctx, `SELECT asked.folder, d.marks FROM unnest($1::bigint[]) AS asked (folder)
		CROSS JOIN LATERAL (SELECT array_agg(mark) AS marks FROM importer.drops
			WHERE folder = asked.folder AND mark IS NOT NULL AND state IN ('taken', 'refused') GROUP BY folder) d`, hashes)
	if err != nil {
		return nil, fmt.Errorf("looking up what is known of %d folders: %w", len(folders), err)
	}
	found := make(map[int64][]uint64, len(folders))
	var folder int64
	var marks []int64
	_, err = pgx.ForEachRow(rows, []any{&folder, &marks}, func() error {
		list := make([]uint64, len(marks))
		for i, m := range marks {
			list[i] = uint64(m) //nolint:gosec // the same bits
		}
		found[folder] = list
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking up what is known of %d folders: %w", len(folders), err)
	}
	known := make([][]uint64, len(folders))
	for i, h := range hashes {
		known[i] = found[h]
	}
	return known, nil
}

// Originals returns for each drop the path of the earliest other one that was
// taken with the same content, or nothing.
func (s *Store) Originals(ctx context.Context, drops []Drop) ([]string, error) {
	type content struct{ fingerprint, size int64 }
	var prints, sizes []int64
	asked := map[content]bool{}
	of := func(d *Drop) content { return content{int64(d.Fingerprint), d.Size} } //nolint:gosec // the same bits
	for i := range drops {
		if c := of(&drops[i]); c.fingerprint != 0 && !asked[c] {
			asked[c] = true
			prints, sizes = append(prints, c.fingerprint), append(sizes, c.size)
		}
	}
	originals := make([]string, len(drops))
	if len(prints) == 0 {
		return originals, nil
	}
	// Two, because the earliest may be the drop itself.
	rows, err := s.pool.Query(ctx, `SELECT c.fingerprint, c.size, o.key, o.path FROM unnest($1::bigint[], $2::bigint[]) AS c (fingerprint, size)
		CROSS JOIN LATERAL (SELECT key, path FROM importer.drops d
			WHERE d.fingerprint = c.fingerprint AND d.size = c.size AND d.state = 'taken' ORDER BY d.first_seen LIMIT 2) o`, prints, sizes)
	if err != nil {
		return nil, fmt.Errorf("looking for the same content as that of %d drops: %w", len(drops), err)
	}
	type original struct{ key, path string }
	found := map[content][]original{}
	var c content
	var key []byte
	var path string
	_, err = pgx.ForEachRow(rows, []any{&c.fingerprint, &c.size, &key, &path}, func() error {
		found[c] = append(found[c], original{string(key), path})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for the same content as that of %d drops: %w", len(drops), err)
	}
	for i := range drops {
		key := string(hash(drops[i].Path))
		for _, o := range found[of(&drops[i])] {
			if o.key != key {
				originals[i] = o.path
				break
			}
		}
	}
	return originals, nil
}

// folderHash stands for a folder's path.
func folderHash(path string) int64 {
	sum := sha256.Sum256([]byte(path))
	return int64(binary.BigEndian.Uint64(sum[:])) //nolint:gosec // the same bits
}

// folderOf is the hash of the folder that a drop lies in.
func folderOf(path string) int64 { return folderHash(filepath.Dir(path)) }
