package follow

import (
	"context"
	"maps"
	"slices"
	"time"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

const (
	interval = time.Second
	// patience is how long a database may take to answer.
	patience = 15 * time.Second
)

// Source tells of orders; tracking.Store is one.
type Source interface {
	List(ctx context.Context, f tracking.Filter) (tracking.Page, error)
	Statuses(ctx context.Context, uuids []string) (map[string]*tracking.Status, error)
}

// Follower tells of changes.
type Follower struct {
	Source Source
	// Changed is told of each change, and first of what is under way. It stops by
	// returning false.
	Changed func(Change) bool
	// Lost is told when the database does not answer, and Found when it does again.
	Lost  func(error)
	Found func()

	tick  <-chan time.Time // nil: once a second
	known map[string]Change
	from  time.Time // what changed before it is no news, by the database's clock
	since time.Time // the newest change that was seen
}

// Order follows one order until it has ended, and returns how it did. Where Changed or ctx
// ended that before, its stage is where it stood.
func (f *Follower) Order(ctx context.Context, uuid string) (order.Stage, error) {
	stage := order.Stage("")
	err := f.run(ctx, func(ctx context.Context) (more bool, err error) {
		found, err := f.Source.Statuses(ctx, []string{uuid})
		if err != nil {
			return false, err
		}
		s := found[uuid]
		if s == nil {
			if stage == "" {
				return false, order.Errorf(order.Invalid, "There is no order %q; `biomero-importer order list` shows those there are.", uuid)
			}
			return true, nil // another client changes its rows
		}
		stage = s.Stage
		return f.tell(s) && !stage.Ended(), nil
	})
	return stage, err
}

// All follows all orders: those that run, and those that change from now on.
func (f *Follower) All(ctx context.Context) error {
	return f.run(ctx, f.look)
}

// look tells of all that changed since the last look. Of very many at once it tells of
// the newest.
func (f *Follower) look(ctx context.Context) (more bool, err error) {
	running := []order.Stage{order.Started, order.Preprocessing}
	page, err := f.Source.List(ctx, tracking.Filter{Stages: running})
	if err != nil {
		return false, err
	}
	list := page.Orders
	if f.since.IsZero() {
		page, err = f.Source.List(ctx, tracking.Filter{Limit: 1})
		if err != nil {
			return false, err
		}
		f.since = time.Unix(0, 0)
		for _, s := range page.Orders {
			f.see(&s)
			f.known[s.UUID] = changeOf(&s, time.Now())
		}
		f.from = f.since
	} else {
		since := f.since.Add(-late)
		if since.Before(f.from) {
			since = f.from
		}
		page, err = f.Source.List(ctx, tracking.Filter{Since: since})
		if err != nil {
			return false, err
		}
		list = append(list, page.Orders...)
	}
	// Oldest first, and each once: by then it may have ended.
	last := map[string]tracking.Status{}
	for i := range list {
		last[list[i].UUID] = list[i]
	}
	list = slices.SortedFunc(maps.Values(last), func(a, b tracking.Status) int { return changed(&a).Compare(changed(&b)) })
	for i := range list {
		if f.see(&list[i]); !f.tell(&list[i]) {
			return false, nil
		}
	}
	f.forget(last)
	return true, nil
}

// late is by how much orders may show later than others of the same date: that is from
// before their transactions ended.
const late = 5 * time.Second

func changed(s *tracking.Status) time.Time {
	if s.Changed == nil {
		return time.Time{}
	}
	return *s.Changed
}

// see notes when an order changed; clients may have dated its row ahead of all others to come.
func (f *Follower) see(s *tracking.Status) {
	at := changed(s)
	if now := time.Now(); at.After(now) {
		at = now
	}
	if at.After(f.since) {
		f.since = at
	}
}

// mostKnown bounds how many orders that have ended are remembered.
const mostKnown = 2 * tracking.MaxPage

// forget drops orders that ended and show no more, once they are many.
func (f *Follower) forget(shown map[string]tracking.Status) {
	if len(f.known) < mostKnown {
		return
	}
	for id, c := range f.known {
		if _, shows := shown[id]; !shows && c.Stage.Ended() {
			delete(f.known, id)
		}
	}
}

// tell tells of an order, if anything of it changed.
func (f *Follower) tell(s *tracking.Status) bool {
	now := changeOf(s, time.Now())
	if last, ok := f.known[s.UUID]; ok && now.same(&last) {
		return true
	}
	f.known[s.UUID] = now
	return f.Changed(now)
}

// run looks until there is no more, or ctx ends.
func (f *Follower) run(ctx context.Context, look func(ctx context.Context) (more bool, err error)) error {
	f.known = map[string]Change{}
	tick := f.tick
	if tick == nil {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		tick = ticker.C
	}
	lost := false
	for {
		bound, cancel := context.WithTimeout(ctx, patience)
		more, err := look(bound)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case order.ClassOf(err) == order.Invalid:
			return err
		case err != nil && !lost:
			lost = true
			f.Lost(err)
		case err == nil:
			if lost {
				f.Found()
			}
			if lost = false; !more {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
	}
}
