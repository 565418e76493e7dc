package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/watcher"
)

// Fate is what becomes of a drop.
type Fate string

// The fates.
const (
	Ordered Fate = "ordered" // it becomes part of an order
	Taken   Fate = "taken"   // it became part of one as it is
	Held    Fate = "held"    // it waits for a manifest
	Waiting Fate = "waiting" // it is a manifest that waits for its files
	Refused Fate = "refused" // until it changes
	Passed  Fate = "passed"  // it changed since it was taken, and is not imported again
)

// Outlook is what an intake does with a drop when it is given it as it is.
type Outlook struct {
	Fate   Fate
	Reason string
	// Record is what is recorded of it; of Version 0 for nothing.
	Record tracking.Drop
	// Order is the one that it becomes part of, or that a manifest asks for, without
	// files; of other fates it is empty.
	Order order.Order
	// DuplicateOf is a file that was taken with the same content.
	DuplicateOf string
	// Named is what a manifest names, pattern by pattern.
	Named []Named
}

// Named is what a pattern of a manifest names.
type Named struct {
	Pattern string
	Paths   []string
	Fault   string // why it cannot be looked for
}

// Records returns what is recorded of those paths of which anything is; without a
// store, nothing.
func (in *Intake) Records(ctx context.Context, paths []string) (map[string]tracking.Drop, error) {
	if in.store == nil || len(paths) == 0 {
		return nil, nil
	}
	return in.store.Drops(ctx, paths)
}

// Foresee says what becomes of data drops, of which so much is recorded, and changes
// nothing: neither files nor the database. It is for an intake that is fed by nobody
// else; without a store it goes by the rules alone. Where it is to be thorough, all are
// read, and copies found.
func (in *Intake) Foresee(ctx context.Context, drops []watcher.Drop, known map[string]tracking.Drop, thorough bool) ([]Outlook, error) {
	over := map[string]bool{}
	if in.store != nil {
		var err error
		if over, err = in.overHolders(ctx, known); err != nil {
			return nil, err
		}
	}
	prints := in.printsFor(ctx, drops, known, thorough)
	list := make([]Outlook, len(drops))
	var ordered []int
	var records []tracking.Drop
	for i := range drops {
		d := &drops[i]
		prev := known[d.Path]
		record, verdict := in.judge(d, &prev, prints[d.Path], over)
		if verdict == leave {
			record = prev
		}
		list[i] = Outlook{Reason: record.Reason, Record: prev, DuplicateOf: record.DuplicateOf}
		if verdict != arrange {
			list[i].Fate = fateOf(&record, verdict)
			continue
		}
		head, _, fault := in.head(d)
		if fault != nil {
			list[i].Fate, list[i].Reason = Refused, fault.Error()
			continue
		}
		list[i].Fate, list[i].Order = Ordered, head
		ordered, records = append(ordered, i), append(records, record)
	}
	if !thorough || in.store == nil {
		return list, nil
	}
	if err := in.findOriginals(ctx, records); err != nil {
		return nil, err
	}
	for n, i := range ordered {
		list[i].DuplicateOf = records[n].DuplicateOf
	}
	return list, nil
}

// printsFor are the fingerprints that a decision hangs on, or all that are of use.
func (in *Intake) printsFor(ctx context.Context, drops []watcher.Drop, known map[string]tracking.Drop, thorough bool) map[string]uint64 {
	var wanted []*watcher.Drop
	for i := range drops {
		prev, seen := known[drops[i].Path]
		if seen && hinges(&prev, &drops[i]) || thorough && (!seen || tells(&prev, &drops[i])) {
			wanted = append(wanted, &drops[i])
		}
	}
	contents, _ := in.condenseAll(ctx, wanted)
	prints := make(map[string]uint64, len(wanted))
	for i, d := range wanted {
		prints[d.Path] = contents[i]
	}
	return prints
}

// fateOf is that of a drop of which no order is made now.
func fateOf(record *tracking.Drop, v verdict) Fate {
	switch {
	case record.State == tracking.DropRefused:
		return Refused
	case record.State == tracking.DropHeld:
		return Held
	case v == flag, record.Changed:
		return Passed
	default:
		return Taken
	}
}

// ForeseeManifest says what becomes of an order file, of which so much is recorded, and which of the files that it
// names are there. Files are claimed by it from then on, as a waiting one claims them.
func (in *Intake) ForeseeManifest(ctx context.Context, d watcher.Drop, prev tracking.Drop) Outlook {
	out := Outlook{Fate: Waiting, Record: prev}
	if in.config.Rules[d.Rule].Legacy && !order.IsLegacy(filepath.Base(d.Path)) {
		out.Fate, out.Reason = Passed, "its name is none of an order file of the older service"
		return out
	}
	if fault := nameFault(d.Path); fault != nil {
		out.Fate, out.Reason = Refused, fault.Error()
		return out
	}
	data, err := in.read(d)
	if err != nil {
		out.Fate, out.Reason = Refused, fmt.Sprintf("%s: it cannot be read: %v", filepath.Base(d.Path), err)
		return out
	}
	sum := sha256.Sum256(data)
	same := prev.Version > 0 && bytes.Equal(prev.Digest, sum[:])
	touched := prev.ModTime != d.ModTime.UnixNano()
	if same && prev.State == tracking.DropTaken && (!touched || prev.Inode == d.Inode) {
		out.Fate = Taken
		return out
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	m := in.newManifest(d)
	switch m.fault = in.decode(m, data); {
	case errors.Is(m.fault, errCrowded):
		m.fault = nil
	case m.fault != nil:
		out.Fate, out.Reason = Refused, m.fault.Error()
		in.manifests.put(m)
		return out
	}
	in.manifests.put(m)
	out.Order = m.order
	if same && prev.State == tracking.DropRefused && !touched {
		out.Fate, out.Reason = Refused, prev.Reason
	}
	out.Named = in.named(ctx, m)
	return out
}

// named looks for a manifest's files.
func (in *Intake) named(ctx context.Context, m *manifest) []Named {
	ctx, cancel := context.WithTimeout(ctx, in.budget)
	defer cancel()
	list := make([]Named, len(m.patterns))
	for i, p := range m.patterns {
		list[i].Pattern = p.Path
		found, err := in.match(ctx, p)
		if fault, own := errors.AsType[*importer.Error](err); own {
			err = errors.New(fault.Reason)
		}
		if err != nil {
			list[i].Fault = err.Error()
		}
		for n := range found {
			list[i].Paths = append(list[i].Paths, found[n].path)
		}
	}
	return list
}
