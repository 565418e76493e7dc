package intake

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// holder is the manifest that a file belongs to, if any.
func (in *Intake) holder(path string) *manifest {
	for _, m := range in.manifests {
		if m.claims(path) {
			return m
		}
	}
	return nil
}

// claims reports whether the manifest names path or a folder around it, among
// what is its own. One that could not be understood speaks for all that lies
// beside it and below; one that is taken or unseen for nothing.
func (m *manifest) claims(path string) bool {
	switch {
	case m.taken || m.unseen:
		return false
	case m.fault != nil:
		return strings.HasPrefix(path, filepath.Dir(m.path)+"/")
	}
	for ; path != "/" && strings.HasPrefix(path, m.own+"/"); path = filepath.Dir(path) {
		if m.literal[path] {
			return true
		}
		for _, p := range m.patterns {
			if !p.Glob {
				continue
			}
			if ok, err := filepath.Match(p.Path, path); err == nil && ok {
				return true
			}
		}
	}
	return false
}

// release drops the manifest, once all files that it held and did not take are
// given back.
func (in *Intake) release(ctx context.Context, m *manifest) error {
	m.taken = true
	in.manifests[m.path] = m
	err := in.giveBack(ctx, m)
	if err == nil && len(m.held) == 0 {
		delete(in.manifests, m.path)
	}
	return err
}

// giveBack hands on the held files that the manifest does not claim. One that
// changed since it was held, or is gone, is left to the watcher, which hands it
// over again; one that cannot be looked at now stays held.
func (in *Intake) giveBack(ctx context.Context, m *manifest) error {
	free, prints := make([]watcher.Drop, 0, len(m.held)), map[string]uint64{}
	for path, d := range m.held {
		if m.claims(path) {
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
	m := in.manifests[path]
	if m == nil {
		m = &manifest{path: path, unseen: true, waiting: time.Now(), held: map[string]heldDrop{}}
		in.manifests[path] = m
	}
	if !m.unseen {
		return nil
	}
	return m
}
