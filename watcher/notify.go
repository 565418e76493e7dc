package watcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// eventBuffer lets bursts be taken together: many events on one file, one look.
const eventBuffer = 4096

// notifier holds the inotify watches. Without inotify it has none, and the
// scans find everything.
type notifier struct {
	log    *slog.Logger
	fs     *fsnotify.Watcher // nil without inotify
	events chan fsnotify.Event
	lost   chan struct{}    // events were lost: scan everything
	done   chan struct{}    // the reader of errors has ended
	byID   map[fileID]*node // who holds the watch: inotify has one per folder, not one per path
	full   bool             // the limit of watches was logged
	told   bool             // the lack of inotify was logged
}

func newNotifier(ctx context.Context, log *slog.Logger) *notifier {
	n := &notifier{log: log, lost: make(chan struct{}, 1)}
	n.open(ctx)
	return n
}

func (n *notifier) open(ctx context.Context) {
	n.byID = map[fileID]*node{}
	n.fs, n.events = nil, nil
	fs, err := fsnotify.NewBufferedWatcher(eventBuffer)
	if err != nil {
		if n.told {
			return
		}
		n.told = true
		n.log.WarnContext(ctx, "no file events: relying on scans; raising the limit may help: sysctl fs.inotify.max_user_instances=1024",
			slog.Any("error", err))
		return
	}
	n.fs, n.events, n.done = fs, fs.Events, make(chan struct{})
	// fsnotify can report an error while it holds the lock that adding a watch
	// needs, so errors must be read by someone who never adds watches.
	go func(errs <-chan error, done chan<- struct{}) {
		defer close(done)
		for err := range errs {
			if errors.Is(err, unix.EINVAL) {
				continue // a moved folder was gone before its watch was ended
			}
			select {
			case n.lost <- struct{}{}:
			default:
			}
		}
	}(fs.Errors, n.done)
}

// close ends all watches and the goroutines behind them.
func (n *notifier) close() error {
	if n.fs == nil {
		return nil
	}
	err := n.fs.Close()
	<-n.done
	if err != nil {
		return fmt.Errorf("ending file events: %w", err)
	}
	return nil
}

// reopen starts afresh. After lost events a watch may go by a path that its
// folder no longer has, and nothing else finds that out.
func (n *notifier) reopen(ctx context.Context) error {
	err := n.close()
	n.open(ctx)
	return err
}

// add watches a folder, again if need be. Adding a held watch is cheap and
// revives one that was lost.
func (n *notifier) add(ctx context.Context, d *node) {
	if n.fs == nil {
		return
	}
	if holder := n.byID[d.id]; d.id != (fileID{}) && holder != nil && holder != d {
		n.remove(holder) // a moved folder: its events would carry the old path
	}
	if err := n.fs.Add(d.path); err != nil {
		n.refused(ctx, d, err)
		return
	}
	d.watched = true
	if d.id != (fileID{}) { // not opened yet
		n.byID[d.id] = d
	}
}

// refused notes that a folder has no watch. Scans cover it.
func (n *notifier) refused(ctx context.Context, d *node, err error) {
	d.watched = false
	switch {
	case !errors.Is(err, unix.ENOSPC):
		n.log.DebugContext(ctx, "folder not watched", slog.String("folder", d.path), slog.Any("error", err))
	case !n.full:
		n.full = true
		n.log.WarnContext(ctx, "the limit of watched folders is reached, the others are covered by scans; to raise it: sysctl fs.inotify.max_user_watches=1048576",
			slog.String("folder", d.path))
	}
}

// remove ends the watch of a folder, which may have ended by itself.
func (n *notifier) remove(d *node) {
	if n.byID[d.id] == d {
		delete(n.byID, d.id)
	}
	if n.fs == nil || !d.watched {
		return
	}
	d.watched = false
	// The only failures are that the watch is gone already, or the kernel's.
	_ = n.fs.Remove(d.path)
}

// movedFrom returns the old path where the event says that a path was renamed
// within watched folders. fsnotify keeps the old path in a field that it only
// shows in the event's text.
func movedFrom(ev fsnotify.Event) (string, bool) {
	plain := fsnotify.Event{Name: ev.Name, Op: ev.Op}
	if ev == plain {
		return "", false
	}
	quoted, ok := strings.CutPrefix(ev.String(), plain.String()+" ← ")
	if !ok {
		return "", false
	}
	old, err := strconv.Unquote(quoted)
	return old, err == nil
}
