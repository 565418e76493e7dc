package intake

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// release drops the manifest, once all files that it held and did not take are
// given back.
func (in *Intake) release(ctx context.Context, m *manifest) error {
	m.taken = true
	in.manifests.put(m)
	err := in.giveBack(ctx, m)
	if err == nil && len(m.held) == 0 {
		in.manifests.remove(m)
	}
	return err
}

// giveBack hands on the held files that the manifest does not claim. One that
// changed since it was held, or is gone, is left to the watcher, which hands it
// over again; one that cannot be looked at now stays held.
func (in *Intake) giveBack(ctx context.Context, m *manifest) error {
	free, prints := make([]watcher.Drop, 0, len(m.held)), map[string]uint64{}
	for path, d := range m.held {
		if in.manifests.claims(m, path) {
			continue
		}
		same, err := in.unmoved(&d.Drop)
		switch {
		case err != nil:
			in.log.WarnContext(ctx, "a file stays held", slog.String("manifest", m.path), slog.Any("error", err))
		case same:
			free, prints[path] = append(free, d.Drop), d.content
		default:
			delete(m.held, path)
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

// unmoved reports whether a drop is still there as it was handed over.
func (in *Intake) unmoved(d *watcher.Drop) (bool, error) {
	rel, err := in.share.Rel(d.Path)
	if err != nil {
		return false, nil //nolint:nilerr // it is not to be had
	}
	info, err := in.share.Root().Lstat(rel)
	if errors.Is(err, fs.ErrNotExist) || importer.IsUnusable(err) {
		return false, nil
	}
	return err == nil && (isUnit(d) || info.Size() == d.Size && info.ModTime().Equal(d.ModTime)), err
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
