package watcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// DefaultRescan is the time between two full scans where Options names none.
const DefaultRescan = 5 * time.Minute

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
	// Rescan is the time from the end of a full scan to the start of the next;
	// 0 means DefaultRescan.
	Rescan time.Duration
	// Log receives what an administrator should know; nil discards it.
	Log *slog.Logger
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
}

// Sink takes drops. Settled gets at least 1 and at most 10,000 drops, control
// files first, and is never called concurrently. Returning nil means that the
// drops are durably taken; they are not offered again until they change or the
// watcher restarts. After an error the drops that still exist are offered again,
// after a pause that doubles from 250 ms up to 30 s. Settled must return soon
// after ctx ends.
type Sink interface {
	Settled(ctx context.Context, drops []Drop) error
}

// Watcher watches folders and hands settled drops to its sink.
type Watcher struct {
	match    *matcher
	sink     Sink
	log      *slog.Logger
	rescan   time.Duration
	rootPoll time.Duration
}

// New checks the options and compiles the rules. It touches no file; folders
// that do not exist yet are waited for by Run.
func New(opts Options, sink Sink) (*Watcher, error) {
	if sink == nil {
		return nil, errors.New("watcher: a sink is required")
	}
	if opts.Rescan < 0 {
		return nil, fmt.Errorf("watcher: rescan is %s: a positive time is required", opts.Rescan)
	}
	ignore := opts.Ignore
	if ignore == nil {
		ignore = DefaultIgnore
	}
	match, err := newMatcher(opts.Rules, ignore)
	if err != nil {
		return nil, fmt.Errorf("watcher: %w", err)
	}
	w := &Watcher{match: match, sink: sink, log: opts.Log, rescan: opts.Rescan, rootPoll: time.Second}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.rescan == 0 {
		w.rescan = DefaultRescan
	}
	return w, nil
}
