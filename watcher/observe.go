package watcher

import (
	"sync/atomic"
	"time"
)

// Observer is told what a Watcher does, for those who measure. Its methods may be
// called from several goroutines and have to return at once.
type Observer interface {
	// Taken: the sink took a drop, so long after something of it was last seen to change.
	Taken(after time.Duration)
	// Scanned: a pass over a root has ended that met so many folders, and looked at so many files.
	Scanned(took time.Duration, folders, files int)
	// Lost: the kernel dropped events of a root.
	Lost()
}

// State is what a Watcher has in hand.
type State struct {
	Roots     int  // literal prefixes of rules
	Missing   int  // of these, that are not there
	Folders   int  // that are known
	Watches   int  // of these, that events tell of
	Limited   bool // the kernel's limit of watches was reached
	Unsettled int  // files that have yet to settle; units of several files count as none
}

// State sums up all roots, each as it was when it was last at work.
func (w *Watcher) State() State {
	s := State{Roots: len(w.anchors)}
	for _, l := range w.atWork() {
		s.Folders += int(l.shown.folders.Load())
		s.Watches += int(l.shown.watches.Load())
		s.Unsettled += int(l.shown.unsettled.Load())
		s.Limited = s.Limited || l.shown.limited.Load()
		if l.shown.missing.Load() {
			s.Missing++
		}
	}
	return s
}

// shown is what others may see of a loop.
type shown struct {
	folders, watches, unsettled atomic.Int64
	missing, limited            atomic.Bool

	turns   atomic.Uint64          // counts rounds of the loop
	looking atomic.Pointer[string] // the folder that was opened last
}

// show is called once in each round of the loop.
func (l *loop) show() {
	l.shown.turns.Add(1)
	l.shown.folders.Store(int64(len(l.nodes)))
	l.shown.watches.Store(int64(len(l.notify.byID)))
	l.shown.unsettled.Store(int64(len(l.settler.files)))
	l.shown.missing.Store(l.root.told)
	l.shown.limited.Store(l.notify.full)
}

// open opens a folder of the root, and lets others know which.
func (l *loop) open(path string) (*folder, error) {
	l.shown.looking.Store(&path)
	return openFolder(l.root.anchor, path)
}

// atWork are the loops, while Run has any.
func (w *Watcher) atWork() []*loop {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.loops
}

func (w *Watcher) setAtWork(loops []*loop) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loops = loops
}

// nobody is the observer of a Watcher that has none.
type nobody struct{}

func (nobody) Taken(time.Duration)             {}
func (nobody) Scanned(time.Duration, int, int) {}
func (nobody) Lost()                           {}
