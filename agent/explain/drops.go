package explain

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"biomero-importer/agent/intake"
	"biomero-importer/agent/tracking"
	"biomero-importer/watcher"
)

// Drop is something in a watched folder that is not taken.
type Drop struct {
	Path        string     `json:"path"`
	State       State      `json:"state"`
	Reason      string     `json:"reason"`
	LeftSeconds float64    `json:"left_seconds"`
	Kind        string     `json:"kind"`
	Rule        int        `json:"rule"`
	Size        int64      `json:"size"`
	Changed     *time.Time `json:"changed"`
}

// Drops is what is not taken.
type Drops struct {
	Drops []Drop `json:"drops"`
	// More says that there are others, and Complete that all folders were looked
	// through.
	More     bool `json:"more"`
	Complete bool `json:"complete"`
	Looked   int  `json:"looked"` // how many files, folders and units
}

// Wanted says which drops are listed.
type Wanted struct {
	Limit    int  // at most so many
	ByFolder bool // those that come first by their paths, and not the newest
}

const (
	// mostLooked bounds how many entries of watched folders are looked at.
	mostLooked = 1_000_000
	// together is how many are asked of the database at once.
	together = 1000
)

// List lists what lies in the watched folders and is not taken, and why. Of a file
// that a manifest somewhere else claims, it knows that once it is recorded.
func (e *Explainer) List(ctx context.Context, w Wanted) (*Drops, error) {
	l := &listing{Explainer: e, wanted: w, found: &Drops{Drops: []Drop{}}}
	var failed error
	err := e.Watch.Survey(ctx, func(s watcher.Sight) bool {
		if e.Own(s.Path) {
			return true
		}
		if l.found.Looked++; l.found.Looked > mostLooked {
			return false
		}
		if l.sights = append(l.sights, s); len(l.sights) == together {
			failed = l.flush(ctx)
		}
		return failed == nil && (!w.ByFolder || len(l.found.Drops) <= w.Limit)
	})
	if err = cmp.Or(err, failed); err == nil {
		err = l.flush(ctx)
	}
	if err != nil {
		return nil, err
	}
	d := l.found
	d.Complete = d.Looked <= mostLooked && (!w.ByFolder || len(d.Drops) <= w.Limit)
	if !w.ByFolder {
		d.newest(w.Limit)
	} else if len(d.Drops) > w.Limit {
		d.Drops, d.More = d.Drops[:w.Limit], true
	}
	return d, nil
}

// listing is a list in the making.
type listing struct {
	*Explainer
	wanted Wanted
	found  *Drops
	sights []watcher.Sight // not judged yet
}

// flush judges what was seen, with one look into the database.
func (l *listing) flush(ctx context.Context) error {
	var asked []string
	for i := range l.sights {
		if s := &l.sights[i]; s.Drop.Path != "" {
			asked = append(asked, s.Path)
		}
	}
	known, err := l.Intake.Records(ctx, asked)
	if err != nil {
		return err
	}
	outlooks := make([]*intake.Outlook, len(l.sights))
	var data []watcher.Drop
	var at []int
	for i := range l.sights {
		s := &l.sights[i]
		prev := known[s.Path]
		switch {
		case s.Drop.Path == "":
			continue
		case s.Drop.Control:
			outlooks[i] = l.manifest(ctx, s, prev)
			continue
		case s.Standing == watcher.IsUnmeasured && prev.Mark == s.Drop.Mark && prev.Version > 0:
			outlooks[i] = recorded(&prev)
			continue
		case s.Standing == watcher.IsUnmeasured:
			if *s, err = l.Watch.Explain(ctx, s.Path); err != nil {
				return err
			}
			if s.Drop.Path == "" { // it went meanwhile
				continue
			}
		}
		data, at = append(data, s.Drop), append(at, i)
	}
	judged, err := l.Intake.Foresee(ctx, data, known, false)
	if err != nil {
		return err
	}
	for n, i := range at {
		outlooks[i] = &judged[n]
	}
	for i := range l.sights {
		l.add(&l.sights[i], outlooks[i])
	}
	l.sights = l.sights[:0]
	return nil
}

// manifest judges an order file; one that is recorded as it is need not be read, but
// for what it waits for.
func (l *listing) manifest(ctx context.Context, s *watcher.Sight, prev tracking.Drop) *intake.Outlook {
	same := prev.Version > 0 && prev.Size == s.Drop.Size && prev.ModTime == s.Drop.ModTime.UnixNano()
	if same && (prev.State == tracking.DropTaken || prev.State == tracking.DropRefused) {
		return recorded(&prev)
	}
	out := l.Intake.ForeseeManifest(ctx, s.Drop, prev)
	return &out
}

// recorded is the outlook of what is as it is recorded.
func recorded(prev *tracking.Drop) *intake.Outlook {
	fate := intake.Taken
	switch {
	case prev.State == tracking.DropRefused:
		fate = intake.Refused
	case prev.Changed:
		fate = intake.Passed
	}
	return &intake.Outlook{Fate: fate, Reason: prev.Reason, Record: *prev}
}

// add takes one into the list, unless it is taken, or there are enough newer ones.
func (l *listing) add(s *watcher.Sight, out *intake.Outlook) {
	d := Drop{Path: s.Path, Kind: kind(s), Rule: s.Rule + 1, Size: s.Drop.Size}
	if d.State, d.Reason, d.LeftSeconds = sighted(s); out != nil {
		d.State, d.Reason = fate(s, out)
	}
	if d.State == Taken {
		return
	}
	if d.State != Settling {
		d.LeftSeconds = 0
	}
	if changed := s.Changed; !changed.IsZero() { // a copy: the sight's place is used again
		d.Changed = &changed
	}
	if l.wanted.ByFolder {
		l.found.Drops = append(l.found.Drops, d)
		return
	}
	if l.found.Drops = append(l.found.Drops, d); len(l.found.Drops) >= 2*l.wanted.Limit {
		l.found.newest(l.wanted.Limit)
	}
}

// newest keeps the newest.
func (d *Drops) newest(limit int) {
	slices.SortFunc(d.Drops, func(a, b Drop) int { return cmp.Or(older(b, a), strings.Compare(a.Path, b.Path)) })
	if len(d.Drops) > limit {
		d.Drops, d.More = d.Drops[:limit], true
	}
}

// older compares when two changed last.
func older(a, b Drop) int { return at(a).Compare(at(b)) }

func at(d Drop) time.Time {
	if d.Changed == nil {
		return time.Time{}
	}
	return *d.Changed
}

// paths are those of drops.
func paths(drops []watcher.Drop) []string {
	list := make([]string, len(drops))
	for i := range drops {
		list[i] = drops[i].Path
	}
	return list
}
