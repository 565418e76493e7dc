package intake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"time"

	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// release drops the manifest, once all files that it held and did not take are
// given back. What is left of it until then takes no room.
func (in *Intake) release(ctx context.Context, m *manifest) error {
	m.taken = true
	rest := &manifest{
		path: m.path, drop: m.drop, own: m.own, record: m.record, taken: true,
		next: m.next, pause: m.pause, waiting: m.waiting, held: m.held,
	}
	in.manifests.put(rest)
	return in.dissolve(ctx, rest)
}

// dissolve gives back what the manifest holds, and drops it once that is all.
func (in *Intake) dissolve(ctx context.Context, m *manifest) error {
	err := in.giveBack(ctx, m)
	if err == nil && len(m.held) == 0 {
		in.manifests.remove(m)
	}
	return err
}

// giveBack hands on the held files that the manifest does not claim. One that
// changed since it was held is left to the watcher, which hands it over again.
// One that is gone stays held for a while, as it may be back before the watcher
// notices, and one that cannot be looked at now stays held.
func (in *Intake) giveBack(ctx context.Context, m *manifest) error {
	free, prints := make([]watcher.Drop, 0, len(m.held)), map[string]uint64{}
	for path, d := range m.held {
		if in.manifests.claims(m, path) {
			continue
		}
		same, err := in.unmoved(&d.Drop)
		switch {
		case errors.Is(err, fs.ErrNotExist) && d.gone.IsZero():
			d.gone = time.Now()
			m.held[path] = d
		case errors.Is(err, fs.ErrNotExist):
			if in.stayedAway(d.gone) {
				delete(m.held, path)
			}
		case err != nil:
			in.log.WarnContext(ctx, "a file stays held", slog.String("manifest", m.path), slog.Any("error", err))
		case same:
			free, prints[path] = append(free, d.Drop), d.content
		default:
			delete(m.held, path)
		}
	}
	// Files that are back with their folder belong to the manifest that came back
	// with them: it is looked for after they were.
	if (m.absent || m.unseen) && len(free) > 0 {
		if _, err := in.lstat(m.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := in.data(ctx, free, prints, m.path); err != nil {
		return err
	}
	for i := range free {
		delete(m.held, free[i].Path)
	}
	return nil
}

// stayedAway reports whether what is gone since then has been noticed to be so by
// the watcher, if it is not back: only then does that show it again as it was.
func (in *Intake) stayedAway(since time.Time) bool { return time.Since(since) > 2*in.config.FullScan }

// lstat looks at a path of the share. One that cannot be there is not.
func (in *Intake) lstat(path string) (fs.FileInfo, error) {
	rel, err := in.share.Rel(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	info, err := in.share.Root().Lstat(rel)
	if importer.IsUnusable(err) {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return info, err //nolint:wrapcheck // it names the path
}

// unmoved reports whether a drop is still there as it was handed over.
func (in *Intake) unmoved(d *watcher.Drop) (bool, error) {
	info, err := in.lstat(d.Path)
	return err == nil && (isUnit(d) || info.Size() == d.Size && info.ModTime().Equal(d.ModTime)), err
}

// overHolders are the manifests that held drops wait for in vain, by their
// records: a crash came between the end of their wait and the drops' return.
func (in *Intake) overHolders(ctx context.Context, known map[string]tracking.Drop) (map[string]bool, error) {
	over := map[string]bool{}
	for _, d := range known {
		if d.State == tracking.DropHeld && in.manifests.byPath[d.Holder] == nil {
			over[d.Holder] = false
		}
	}
	if len(over) == 0 {
		return over, nil
	}
	holders, err := in.store.Drops(ctx, slices.Collect(maps.Keys(over)))
	if err != nil {
		return nil, err
	}
	for path, d := range holders {
		over[path] = d.State == tracking.DropTaken || d.State == tracking.DropGone
	}
	return over, nil
}

// standIn is what a file waits for that was held for a manifest before a
// restart: until the watcher shows that manifest, or it is gone, or, as it may
// no longer be watched, for as long as a manifest may wait. It is nil once the
// manifest was shown.
func (in *Intake) standIn(path string) *manifest {
	m := in.manifests.byPath[path]
	if m == nil {
		m = &manifest{path: path, unseen: true, waiting: time.Now(), held: map[string]heldDrop{}}
		in.manifests.put(m)
	}
	if !m.unseen {
		return nil
	}
	return m
}
