package group

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Group gathers calls. Its methods may be called concurrently.
type Group[In, Out any] struct {
	max  int
	rest time.Duration
	do   func(ctx context.Context, lot []In) ([]Out, error)

	mu      sync.Mutex
	busy    bool // a lot is being done
	waiting []*call[In, Out]
	next    time.Time // not before this is another lot done
}

type call[In, Out any] struct {
	in   In
	out  Out
	err  error
	lead chan struct{} // it is to do the next lot, of which it is the first
	done chan struct{}
}

// maxTime bounds what one lot may take: all others wait for it.
const maxTime = time.Minute

// splitTime is how soon a fault of one of a lot shows.
const splitTime = 3 * time.Second

// New makes a group of up to most calls at a time, with a rest between two lots, in
// which others may come. do answers each of a lot in
// its place, within a minute; its error is that of all of them, unless there are
// several and it shows soon: then each is done again for itself, so that none fails
// for another's fault. It must not be harmed by being called twice.
func New[In, Out any](most int, rest time.Duration, do func(ctx context.Context, lot []In) ([]Out, error)) *Group[In, Out] {
	return &Group[In, Out]{max: most, rest: rest, do: do}
}

// Do has in done with others and returns what became of it. It does not end with ctx.
func (g *Group[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	c := &call[In, Out]{in: in, lead: make(chan struct{}, 1), done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, c)
	if !g.busy {
		g.busy = true
		c.lead <- struct{}{}
	}
	g.mu.Unlock()
	select {
	case <-c.done:
	case <-c.lead:
		g.doLot(context.WithoutCancel(ctx))
	}
	return c.out, c.err
}

// doLot does the first calls that wait, and then lets the next of them do the rest.
func (g *Group[In, Out]) doLot(ctx context.Context) {
	<-time.After(time.Until(g.next)) // only who does a lot looks at it
	g.mu.Lock()
	n := min(len(g.waiting), g.max)
	lot := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	g.mu.Unlock()
	g.doAll(ctx, lot)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = time.Now().Add(g.rest)
	if len(g.waiting) > 0 {
		g.waiting[0].lead <- struct{}{}
		return
	}
	g.busy, g.waiting = false, nil
}

func (g *Group[In, Out]) doAll(ctx context.Context, lot []*call[In, Out]) {
	ins := make([]In, len(lot))
	for i, c := range lot {
		ins[i] = c.in
	}
	began := time.Now()
	outs, err := g.try(ctx, ins)
	// What took long failed for no fault of one of them.
	if err != nil && len(lot) > 1 && time.Since(began) < splitTime {
		for i := range lot {
			g.doAll(ctx, lot[i:i+1])
		}
		return
	}
	for i, c := range lot {
		if c.err = err; err == nil {
			c.out = outs[i]
		}
		close(c.done)
	}
}

// try calls do. A panic there is an error of the lot: others must have their turn.
func (g *Group[In, Out]) try(ctx context.Context, ins []In) (outs []Out, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a crash: %v\n%s", p, debug.Stack())
		}
	}()
	return g.do(ctx, ins)
}
