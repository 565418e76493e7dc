package watcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Unit says what counts as one drop below a rule's folder.
type Unit int

// The units a rule can have.
const (
	// Auto makes each file a drop, and each folder whose name ends in .zarr
	// (in any case) one drop with everything in it.
	Auto Unit = iota
	// File makes each file a drop, inside .zarr folders too.
	File
	// Folder makes each folder directly below the rule's folder one drop with
	// everything in it. Loose files beside them are no drops, control files are.
	Folder
)

// Mode says how a rule's folders are watched.
type Mode int

// The modes a rule can have. Whatever the mode, all folders are scanned at the
// start, and after events were lost.
const (
	// ModeAuto scans, and takes events where the filesystem's type promises that
	// they tell of every change.
	ModeAuto Mode = iota
	// ModeEvents relies on events. Folders that cannot be watched are scanned.
	ModeEvents
	// ModeScan takes no events.
	ModeScan
	// ModeBoth scans, and takes events whatever the filesystem.
	ModeBoth
)

// DefaultFullScan is the time between two full scans where Options names none.
const DefaultFullScan = time.Hour

// maxSettle keeps quiet times far below the range of a stamp's clock.
const maxSettle = 7 * 24 * time.Hour

// Rule names folders to watch and what in them is a drop. All globs follow
// path.Match, apply to base names, and do not tell upper from lower case ASCII.
type Rule struct {
	// Path is the absolute path of the rule's folders. Components may be or
	// contain captures such as {user}; each matches one or more bytes within one
	// component. Files anywhere below a matching folder belong to the rule; where
	// rules nest, the one with the deeper folder wins, then the more literal one.
	Path string
	// Settle is the quiet time after which a drop is taken. With 0 a drop is
	// taken when it is renamed into place, and otherwise when two looks at least
	// one second apart show the same.
	Settle time.Duration
	// Unit is what counts as one drop.
	Unit Unit
	// Include and Exclude choose files, or .zarr folders, by name; an empty
	// Include takes all. For the unit Folder they choose the files that count.
	Include, Exclude []string
	// Control are the names of control files: handed over as drops of their own,
	// after a quiet time of at most one second, and before any file in the same
	// folder or below it.
	Control []string
	// ControlOnly makes control files the only drops of the rule.
	ControlOnly bool
	// DoneMarker is the name of a file that its writer puts beside a drop once it
	// is complete, with {name} for the drop's name; empty for none. A drop whose
	// marker is there, and not older than what it is about, is settled at once;
	// one without goes by the quiet time. Markers are no drops.
	DoneMarker string
	// Mode is how the rule's folders are watched.
	Mode Mode
	// ScanInterval is the time from the end of one scan to the start of the next
	// over the folders that share the rule's literal prefix, where rules differ
	// the shortest. 0 leaves it to the filesystem: 5 minutes where events tell of
	// every change, 30 seconds elsewhere. It is never shorter than four times as
	// long as a scan took.
	ScanInterval time.Duration
}

// Options configure a Watcher.
type Options struct {
	// Rules to watch by; at least one.
	Rules []Rule
	// Ignore lists globs of what is never a drop nor walked. One without a slash
	// is matched against each component below a rule's literal prefix; one with
	// slashes against the last components of a folder's path. Components that a
	// rule spells out itself are exempt for that rule. Nil means DefaultIgnore.
	Ignore []string
	// FullScan is the time from the end of a scan that listed every folder to the
	// next such; the scans in between list those whose own times have changed,
	// where the filesystem's times can be trusted. 0 means DefaultFullScan.
	FullScan time.Duration
	// ScanRate bounds the files that scans look at, in files a second over all
	// roots; 0 for no bound.
	ScanRate int
	// Log receives what an administrator should know; nil discards it.
	Log *slog.Logger
	// Observer is told of what is measured; nil for nobody.
	Observer Observer
}

// Drop is a settled file or folder.
type Drop struct {
	// Rule is the index of the rule in Options.Rules.
	Rule int
	// Path is the drop's absolute path; its bytes need not be UTF-8.
	Path string
	// Dir is the rule's folder with the captures filled in.
	Dir string
	// Control is set for a control file.
	Control bool
	// Captures are the named parts of Dir. Drops share the map: do not change it.
	Captures map[string]string
	// Size is in bytes; for a folder the sum over the files that count.
	Size int64
	// ModTime is the file server's; for a folder that of the newest file.
	ModTime time.Time
	// Device and Inode identify the file or folder on its filesystem.
	Device, Inode uint64
	// IsDir is set for a folder unit.
	IsDir bool
	// Mark condenses what the drop was recognised by: its name, size and time.
	// It stays the same over restarts, and is never 0.
	Mark uint64
	// Shape condenses the names and sizes of a unit's files; 0 for a single file.
	Shape uint64
	// Samples are paths of a few of a unit's files, below the folder that Path
	// is or lies in: the same ones wherever a copy of the unit is.
	Samples []string
}

// Sink takes drops. Settled gets at least 1 and at most 10,000 drops, control
// files first, and is never called concurrently. Returning nil means that the
// drops are durably taken; they are not offered again until they change or the
// watcher restarts. After an error the drops that still exist are offered again,
// after a pause that doubles from 250 ms up to 30 s. Settled must return soon
// after ctx ends.
//
// Known returns the marks of the drops directly in each of these folders, at
// most 1,000, that an earlier Settled took, so that a restart need not offer
// them again. Marks left out cost only that. It may be called while Settled runs.
type Sink interface {
	Known(ctx context.Context, folders []string) ([][]uint64, error)
	Settled(ctx context.Context, drops []Drop) error
}

// Watcher watches folders and hands settled drops to its sink.
type Watcher struct {
	match    *matcher
	anchors  []anchor
	sink     Sink
	log      *slog.Logger
	observer Observer
	fullScan time.Duration
	scanRate int
	rootPoll time.Duration

	mu    sync.Mutex
	loops []*loop // while Run does
}

// New checks the options and compiles the rules. It touches no file; folders
// that do not exist yet are waited for by Run.
func New(opts Options, sink Sink) (*Watcher, error) {
	if sink == nil {
		return nil, errors.New("watcher: a sink is required")
	}
	if opts.FullScan < 0 || opts.ScanRate < 0 {
		return nil, fmt.Errorf("watcher: full scan is %s and scan rate %d: neither may be negative", opts.FullScan, opts.ScanRate)
	}
	ignore := opts.Ignore
	if ignore == nil {
		ignore = DefaultIgnore
	}
	match, err := newMatcher(opts.Rules, ignore)
	if err != nil {
		return nil, fmt.Errorf("watcher: %w", err)
	}
	w := &Watcher{match: match, sink: sink, log: opts.Log, observer: opts.Observer, fullScan: opts.FullScan, scanRate: opts.ScanRate, rootPoll: time.Second}
	for _, dir := range match.roots() {
		w.anchors = append(w.anchors, newAnchor(dir))
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.observer == nil {
		w.observer = nobody{}
	}
	if w.fullScan == 0 {
		w.fullScan = DefaultFullScan
	}
	return w, nil
}
