package watcher

import (
	"sync/atomic"
	"time"
)

// pulse tells a loop that stands still from one whose filesystem does not answer.
type pulse struct {
	turns    uint64    // as they were seen last
	since    time.Time // when that was first
	asking   *question
	answered time.Time // when the filesystem answered, since then
}

// question is a look into a folder by somebody else than the loop.
type question struct{ answered atomic.Bool }

// Stuck reports whether a root has not been at work for so long although its
// filesystem answers: for as long again the folder that was looked into last could be
// opened. A scan that takes long, a sink that does, and a filesystem that hangs are
// not that. It judges by what earlier calls saw, and so has to be called now and then;
// not concurrently.
func (w *Watcher) Stuck(after time.Duration) bool {
	stuck := false
	for _, l := range w.atWork() {
		stuck = l.stuck(time.Now(), after) || stuck
	}
	return stuck
}

func (l *loop) stuck(now time.Time, after time.Duration) bool {
	p := &l.pulse
	if turns := l.shown.turns.Load(); turns != p.turns || p.since.IsZero() {
		*p = pulse{turns: turns, since: now}
		return false
	}
	switch {
	case now.Sub(p.since) < after:
		return false
	case p.asking == nil:
		p.asking = &question{}
		go l.probe(p.asking)
		return false
	case !p.asking.answered.Load():
		return false
	case p.answered.IsZero():
		p.answered = now
	}
	return now.Sub(p.answered) >= after
}

// probe opens the folder that the loop looked into last. It may hang as the loop does.
func (l *loop) probe(q *question) {
	path := l.root.path
	if looking := l.shown.looking.Load(); looking != nil {
		path = *looking
	}
	if f, err := openFolder(l.root.anchor, path); err == nil {
		_, _ = f.look("") // whatever it says, it answers
		f.close()
	}
	q.answered.Store(true)
}
