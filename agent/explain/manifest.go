package explain

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"biomero-importer/agent/intake"
	"biomero-importer/agent/order"
	"biomero-importer/watcher"
)

// mostNamed bounds how many files of a manifest's entry are looked at.
const mostNamed = 20

// claim has the manifests around a drop that are not done with claim it, as far as
// they lie above it: what lies elsewhere and claims it is recorded once it is held.
func (e *Explainer) claim(ctx context.Context, s *watcher.Sight) error {
	var controls []watcher.Drop
	for dir := filepath.Dir(s.Path); len(dir) >= len(s.Dir); dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			break // what cannot be read claims nothing that shows
		}
		for _, entry := range entries {
			if !order.IsManifest(entry.Name()) {
				continue
			}
			at, err := e.Watch.Explain(ctx, filepath.Join(dir, entry.Name()))
			if err != nil {
				return err
			}
			if at.Drop.Control {
				controls = append(controls, at.Drop)
			}
		}
		if dir == "/" {
			break
		}
	}
	known, err := e.Intake.Records(ctx, paths(controls))
	for i := range controls {
		e.Intake.ForeseeManifest(ctx, controls[i], known[controls[i].Path])
	}
	return err
}

// named looks at what a manifest names.
func (e *Explainer) named(ctx context.Context, x *Explanation, list []intake.Named) error {
	for _, n := range list {
		named := Named{Pattern: n.Pattern, Fault: n.Fault, Count: len(n.Paths), Paths: []Item{}}
		for _, path := range n.Paths[:min(len(n.Paths), mostNamed)] {
			item := Item{Path: path, State: Ready}
			if may := e.importable(path, order.Order{}); !may.OK {
				item.State, item.Reason = Refused, may.Reason
			}
			s, err := e.Watch.Explain(ctx, path)
			if err != nil {
				return err
			}
			if s.Standing == watcher.IsSettling {
				item.State, item.Reason, _ = sighted(&s)
			}
			if item.State == Settling && x.State == Ready {
				x.State, x.Reason = Waiting, fmt.Sprintf("%q is %s", path, item.Reason)
			}
			named.Paths = append(named.Paths, item)
		}
		x.Files = append(x.Files, named)
	}
	return nil
}
