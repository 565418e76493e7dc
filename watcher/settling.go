package watcher

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Settling is a drop that waits until it has settled.
type Settling struct {
	// Path is absolute. In a folder of very many unsettled files it is the folder's,
	// which stands for them all.
	Path string
	// Since is when it was first seen as it is, or last seen to change.
	Since time.Time
	// Due is when it has settled if nothing of it changes. It may be taken later:
	// control files and open writers hold it back.
	Due time.Time
}

// settlingTime is what Settling waits for roots that do not answer.
const settlingTime = 250 * time.Millisecond

// settlingAsk asks a loop for some of what settles there.
type settlingAsk struct {
	limit int
	reply chan []Settling // has room for one
}

// Settling is a snapshot of up to limit drops that wait until they have settled, the
// next due first; of more it is any of them. What lies on a filesystem that hangs is
// left out, after a quarter of a second. Nothing settles while Run does not run.
func (w *Watcher) Settling(limit int) []Settling {
	var list []Settling
	ctx, cancel := context.WithTimeout(context.Background(), settlingTime)
	defer cancel()
	for _, l := range w.atWork() {
		ask := settlingAsk{limit: limit - len(list), reply: make(chan []Settling, 1)}
		if ask.limit <= 0 {
			break
		}
		select {
		case l.settlings <- ask:
			list = append(list, <-ask.reply...)
		case <-ctx.Done():
		}
	}
	slices.SortFunc(list, func(a, b Settling) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Path, b.Path)) })
	return list
}

// settling is up to limit of what settles. It looks at no more folders than that, give
// or take those that have nothing to tell any more.
func (l *loop) settling(limit int) (list []Settling) {
	at := time.Now()
	now := at.Sub(l.clock.start)
	ticks := tick(now / time.Millisecond) //nolint:gosec // wraps, as a tick does
	ticked := at.Add(-now % time.Millisecond)
	moment := func(d time.Duration) time.Time { return at.Add(d - now) }
	add := func(s Settling) bool {
		list = append(list, s)
		return len(list) < limit
	}
	for _, n := range l.settlingNodes(limit) {
		for u := range n.allUnits() {
			if u.state != pending || u.idle {
				continue
			}
			if !add(Settling{Path: u.path(), Since: moment(u.since), Due: moment(max(u.next, u.since+n.place.rule.settle))}) {
				return list
			}
		}
		if n.all {
			due := n.due
			if n.queuer < 0 {
				due = now
			}
			if !add(Settling{Path: n.path, Since: moment(due - n.place.rule.settle), Due: moment(due)}) {
				return list
			}
		}
		for name := range n.names {
			quiet := n.quiet(n.kindOf(&l.match.ignore, name))
			st, ok := l.settler.files[n.key(l.seed, name)]
			if !ok || st.state != pending {
				continue
			}
			since := ticked.Add(-millis(ticks - st.since))
			if st.whole {
				since = since.Add(millis(quiet))
			}
			if !add(Settling{Path: join(n.path, name), Since: since, Due: ticked.Add(millis(quiet) - millis(ticks-st.since))}) {
				return list
			}
		}
	}
	return list
}

// settlingNodes are up to limit folders that wait, or are held back.
func (l *loop) settlingNodes(limit int) []*node {
	nodes := slices.Clone(l.queue[:min(limit, len(l.queue))])
	for n := range l.held {
		if len(nodes) >= limit {
			break
		}
		if n.queuer < 0 && !n.dead {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// allUnits are the units that wait by the folder: those with a main file in it, and
// itself.
func (n *node) allUnits() func(yield func(*unit) bool) {
	return func(yield func(*unit) bool) {
		if n.unit != nil && n.unit.home == n && !yield(n.unit) {
			return
		}
		for _, u := range n.units {
			if !yield(u) {
				return
			}
		}
	}
}
