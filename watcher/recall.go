package watcher

import (
	"context"
	"log/slog"
	"time"
)

const (
	// maxAsk is how many folders the sink is asked about at a time.
	maxAsk = 500
	// retryAsk is the pause after the sink could not say.
	retryAsk = 5 * time.Second
)

// recall is what the loop does to learn which drops were taken before it ran.
type recall struct {
	asks      []*node // folders to ask about
	asked     []*node // folders that the sink is being asked about
	askAt     time.Duration
	askFail   bool // the last answer was an error
	questions chan []string
	answers   chan answer
}

type answer struct {
	known [][]uint64
	err   error
}

// recaller asks the sink, one batch at a time.
func (w *Watcher) recaller(ctx context.Context, asks <-chan []string, answers chan<- answer) {
	for {
		select {
		case <-ctx.Done():
			return
		case folders := <-asks:
			known, err := w.sink.Known(ctx, folders)
			select {
			case <-ctx.Done():
				return
			case answers <- answer{known, err}:
			}
		}
	}
}

// ask sends the next folders to the recaller. None is listed before its marks
// are there: else all that was ever taken would be settled and offered anew.
func (l *loop) ask() {
	if len(l.asked) > 0 || len(l.asks) == 0 || l.now() < l.askAt {
		return
	}
	take := min(len(l.asks), maxAsk)
	l.asked = append(l.asked, l.asks[:take]...)
	l.asks = append([]*node(nil), l.asks[take:]...)
	paths := make([]string, take)
	for i, n := range l.asked {
		paths[i] = n.path
	}
	l.questions <- paths // never blocks: it has room for one, and the one before came back
}

// recalled takes the marks and lets the folders be listed.
func (l *loop) recalled(ctx context.Context, a answer) {
	asked := l.asked
	l.asked = nil
	if a.err != nil {
		if !l.askFail && ctx.Err() == nil {
			l.log.WarnContext(ctx, "cannot learn what was taken before: new folders wait", l.root.attr(), slog.Any("error", a.err))
		}
		l.askFail = true
		l.askAt = l.now() + retryAsk
		l.asks = append(l.asks, asked...)
		return
	}
	if l.askFail {
		l.log.InfoContext(ctx, "new folders are taken again", l.root.attr())
	}
	l.askFail = false
	for i, n := range asked {
		n.ready = true
		if i < len(a.known) {
			n.known = n.known.and(a.known[i])
		}
		if !n.dead {
			l.lists = append(l.lists, n)
		}
	}
}
