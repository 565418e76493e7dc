package watcher

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// recheck is how often, at most, a unit is looked at that is not complete or
// held open.
const recheck = 5 * time.Second

// mainSeen takes a look at a main file.
func (l *loop) mainSeen(n *node, name string, in *info, why how) {
	u := n.units[name]
	if u == nil {
		u = &unit{home: n, main: name}
		u.format, u.stem = formatOf(lower(name))
		n.enter(u)
		l.units++
		if len(n.loose) == maxLoose && u.format.loose {
			l.log.Warn("a folder holds very many main files: more of them are taken as single files", slog.String("folder", n.path), slog.Int("of", maxLoose))
		}
		u.head = in.digest()
		u.disturb(l.now())
		u.placed = why == placed
		u.next = l.now()
		l.queue.schedule(n, u.next)
		l.claim(n)
		return
	}
	if head := in.digest(); head != u.head || why == touched {
		u.head = head
		l.disturb(u)
	}
}

// claim ends the folders that turned out to be a unit's companions.
func (l *loop) claim(n *node) {
	for name, child := range n.children {
		if u, sure := n.claimant(lower(name), true); u != nil && sure && child.within(&n.spot) {
			l.dropTree(child)
		}
	}
}

// endUnit forgets a unit whose main file is gone; its companions stand for
// themselves then.
func (l *loop) endUnit(n *node, u *unit) {
	n.leave(u)
	l.units--
	u.home = &node{dead: true}
	l.doubt(n)
	l.list(n)
	l.wake()
}

// markSeen takes a done-marker.
func (l *loop) markSeen(n *node, f *folder, about string) {
	if child := n.children[about]; child != nil {
		if u := child.unit; u != nil && u.home == child {
			l.hurry(u)
		}
		return
	}
	if u := n.units[about]; u != nil {
		l.hurry(u)
		return
	}
	if in, err := f.look(about); err == nil && in.isFile() && n.kindOf(&l.match.ignore, about) == data {
		l.saw(n, f, about, data, &in, l.tick(), glanced)
	}
}

// hurryMarked hurries the pending units of a folder that have a done-marker there
// which is no older than what was seen of them.
func (l *loop) hurryMarked(n *node, f *folder) {
	marker := n.place.rule.marker
	for name, u := range n.units {
		if u.state == pending && marker.marks(f, name, u.sum.change) {
			l.hurry(u)
		}
	}
	for name, child := range n.children {
		if u := child.unit; u != nil && u.home == child && u.state == pending && marker.marks(f, name, u.sum.change) {
			l.hurry(u)
		}
	}
}

// hurry has a unit whose done-marker was seen walked through at once.
func (l *loop) hurry(u *unit) {
	if u.state == pending {
		u.hurried = u.walking
		u.next = l.now()
		l.queue.schedule(u.home, u.next)
	}
}

// concern notes an event on what is, or may be, a companion in a unit. What only
// may be does not put off the walk that finds out: else a stream of it would for
// as long as it lasts.
func (l *loop) concern(u *unit, sure bool) {
	if sure || u.state != pending {
		l.disturb(u)
		return
	}
	u.idle = false
	u.next = min(u.next, l.now()+u.home.place.rule.settle)
	l.queue.schedule(u.home, u.next)
}

// disturb notes an event in a unit.
func (l *loop) disturb(u *unit) {
	u.disturb(l.now())
	l.queue.schedule(u.home, u.next)
}

// verify compares a unit that a pass met with what was handed over. The folder
// is that of a unit that is one.
func (l *loop) verify(u *unit, f *folder) {
	if u.home.leaf && f != nil {
		surface := shallow(f, u.home.name(), u.home.fs)
		switch {
		case u.state == pending && !u.walked && u.surface == 0 && u.keeper().known.has(surface):
			u.state, u.idle, u.surface = offered, false, surface // before a restart
			l.measure(u)                                         // for its trail
			return
		case surface != u.surface && u.surface != 0:
			u.surface = surface
			l.disturb(u)
			return
		}
		u.surface = surface
	}
	switch {
	case u.state == pending && u.idle:
		u.idle = false
		u.next = l.now()
		l.queue.schedule(u.home, u.next)
	case u.state == offered && (u.home.leaf || l.full):
		l.measure(u)
	}
}

// lookUnits asks for the measures of the folder's units that are due.
func (l *loop) lookUnits(n *node) {
	if n.unit != nil && n.unit.home == n {
		l.lookUnit(n.unit)
	}
	for _, u := range n.units {
		l.lookUnit(u)
	}
}

func (l *loop) lookUnit(u *unit) {
	n := u.home
	switch {
	case u.state != pending || u.idle || u.walking:
	case l.now() < u.next:
		l.queue.schedule(n, u.next)
	case n.holds():
		l.held[n] = struct{}{}
	case u.main != "" && !n.listed:
		l.queue.schedule(n, l.now()+minBackoff)
	default:
		l.measure(u)
	}
}

// measure puts a unit on the walker's list.
func (l *loop) measure(u *unit) {
	if u.walking {
		return
	}
	u.walking = true
	r := u.home.place.rule
	l.walks = append(l.walks, walkJob{
		unit: u, seq: u.seq, root: l.root.anchor, path: u.home.path, main: u.main, stem: u.stem, format: u.format,
		rule: r, spot: &u.home.spot, zarr: u.home.leaf, trail: u.trail,
		glance: u.state == offered && u.home.leaf,
		early:  u.main == "" && u.state == pending && !u.placed && r.marker == nil && l.now() < u.since+r.settle,
	})
}

// sendWalk gives the walker its next job. Those that a drop waits for go before
// those that only look for changes.
func (l *loop) sendWalk() {
	if l.walking || len(l.walks) == 0 {
		return
	}
	next := max(slices.IndexFunc(l.walks, func(job walkJob) bool { return job.unit.state == pending }), 0)
	l.walking = true
	l.jobs <- l.walks[next] // never blocks: it has room for one, and the one before came back
	l.walks = slices.Delete(l.walks, next, next+1)
}

// walked takes the measure of a unit.
func (l *loop) walked(ctx context.Context, d *walkDone) {
	l.walking = false
	u, n, now := d.unit, d.unit.home, l.now()
	u.walking = false
	if n.dead {
		return
	}
	if d.err != nil {
		l.unreadable(ctx, n, d.err)
		l.later(u, now+max(retryAfter, restShare*d.took))
		return
	}
	u.trail = d.trail
	if d.members != nil {
		l.learn(u, d)
	}
	if u.state != pending {
		measured := !d.moved && !d.early && !d.glance
		if u.state == offered && ((d.moved && u.home.leaf) || (measured && d.mark != u.taken.mark && u.taken.mark != 0)) {
			l.log.DebugContext(ctx, "a unit changed after it was handed over", slog.String("path", u.path()))
			u.disturb(now)
			u.sum, u.walked = d.measure, measured
			if u.taken.mark == 0 { // known by its surface only, which says nothing any more
				u.taken.mark = 1
			}
			l.queue.schedule(n, u.next)
		}
		return
	}
	if d.glance { // it was disturbed meanwhile
		l.later(u, u.next)
		return
	}
	l.judge(ctx, u, d, now)
	u.hurried = false
}

// learn takes what a walk found to be companions. What is left of a list that is
// cut short, because it is still being written, says nothing of what it does not
// name before the unit has settled.
func (l *loop) learn(u *unit, d *walkDone) {
	u.members = d.members
	if d.broken && u.state == pending {
		u.members = maps.Clone(d.members)
		maps.DeleteFunc(u.members, func(_ string, ours bool) bool { return !ours })
	}
	l.claim(u.home)
	l.wake()
}

// acceptList has a list that stays cut short count as it is.
func (l *loop) acceptList(u *unit, d *walkDone) {
	if d.broken {
		l.learn(u, d)
	}
}

// judge decides what is to become of a pending unit.
func (l *loop) judge(ctx context.Context, u *unit, d *walkDone, now time.Duration) {
	quiet := u.home.place.rule.settle
	soon := min(max(quiet/8, minBackoff), recheck)
	if d.moved { // it is still being written to
		u.since, u.walked = now, false
		l.later(u, now+soon)
		return
	}
	if d.early {
		l.later(u, u.since+quiet)
		return
	}
	if d.count > 0 && d.seq == u.seq && u.taken.mark == 0 && u.keeper().known.has(d.lasting()) {
		u.state, u.taken, u.surface = offered, d.measure, d.surface // before a restart
		l.acceptList(u, d)
		return
	}
	complete := u.placed || d.marked
	if d.count == 0 || d.missing != "" {
		u.placed = false // what comes yet was not moved here with it
	}
	switch u.weigh(d.measure, d.seq, now, quiet, complete, l.tells(u, d)) {
	case unitSettled:
		switch {
		case d.missing != "":
			if !u.told {
				u.told = true
				l.log.InfoContext(ctx, "a drop waits for files that belong to it", slog.String("path", u.path()), slog.String("missing", d.missing))
			}
			l.later(u, now+max(incomplete(u, now), restShare*d.took))
		case d.written:
			l.later(u, now+max(soon, restShare*d.took))
		default:
			l.releaseUnit(u, d, now)
		}
	case unitSame:
		u.state = offered
		l.acceptList(u, d)
	case unitWaits:
		l.later(u, max(u.since+quiet, now+restShare*d.took))
	case unitEmpty:
		l.later(u, now+max(incomplete(u, now), restShare*d.took))
	}
}

// tells reports whether a single walk tells that nothing in a unit has changed
// for the quiet time: by the times of changes, where they are of this machine's
// clock and that was not set meanwhile.
func (l *loop) tells(u *unit, d *walkDone) bool {
	return !d.latest.IsZero() && !l.clock.setSince(u.since) && d.latest.Add(u.home.place.rule.settle+clockSlack).Before(d.began)
}

// incomplete is the time to the next walk through a unit that lacks something.
// What comes is told by an event, or met by a pass, but for what comes in folders
// that neither covers.
func incomplete(u *unit, now time.Duration) time.Duration {
	const longest = 5 * time.Minute
	return max(u.home.place.rule.settle, recheck, min((now-u.since)/4, longest))
}

// later has a unit walked through again.
func (l *loop) later(u *unit, at time.Duration) {
	if u.hurried {
		u.hurried, at = false, l.now()
	}
	u.next = at
	l.queue.schedule(u.home, at)
}

func (l *loop) releaseUnit(u *unit, d *walkDone, now time.Duration) {
	n := u.home
	if n.holds() {
		l.held[n] = struct{}{}
		u.next = now
		return
	}
	u.state = inflight
	u.surface = d.surface
	l.acceptList(u, d)
	l.add(now, item{node: n, unit: u, measure: u.sum, seq: u.seq, drop: n.unitDrop(u.path(), d)})
}

// unitDrop describes a unit at the node as a walk found it.
func (n *node) unitDrop(path string, d *walkDone) Drop {
	in := info{id: d.id, size: d.size, mod: d.newest}
	drop := n.drop(path, &in, false)
	drop.IsDir = d.main == ""
	drop.Mark, drop.Shape, drop.Samples = d.lasting(), d.shape, d.samples.paths()
	return drop
}

// lasting is the mark of a unit that was handed over, see walkDone.lasting.
func (u *unit) lasting() uint64 {
	if u.home.leaf {
		return u.surface
	}
	return u.taken.mark
}

// lasting is the mark that the unit is known by after a restart: of a .zarr
// folder, which is not to be walked through for it, that of its surface.
func (d *walkDone) lasting() uint64 {
	if d.zarr {
		return d.surface
	}
	return d.mark
}
