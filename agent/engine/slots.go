package engine

import (
	"context"
	"sync/atomic"
	"time"
)

// slots are the workers. While orders end within milliseconds, what an agent waits for
// is the database: then more are taken up ahead, so that a worker that is free has something
// to do at once, and that many share a transaction. One that waits for a worker all the same
// goes back.
type slots struct {
	workers int
	used    chan struct{}
	pace    atomic.Int64 // how long orders have kept a worker lately, in nanoseconds
}

const (
	briskTime = 10 * time.Millisecond  // orders that take less are taken up ahead
	aheadTime = 100 * time.Millisecond // what such an order waits for a worker at most
	slowTime  = time.Second            // longer ones count as this
	readyTime = 30 * time.Millisecond  // for how long there is to be something to do
	fewAhead  = 8                      // for few workers
	mostAhead = 6                      // for each worker
)

func newSlots(workers int) *slots {
	s := &slots{workers: workers, used: make(chan struct{}, workers)}
	s.pace.Store(int64(slowTime))
	return s
}

// capacity is how many orders may be taken up at the same time.
func (s *slots) capacity() int {
	pace := max(s.pace.Load(), 1)
	if pace >= int64(briskTime) {
		return s.workers
	}
	each := min(int(int64(readyTime)/pace), mostAhead)
	return s.workers + max(each*s.workers, fewAhead)
}

// scarce is for how many orders taken up more are needed soon: all workers have one,
// and few wait.
func (s *slots) scarce() int { return s.workers + (s.capacity()-s.workers)/4 }

// enter waits for a worker, and returns what frees it; nil where none was free in time.
func (s *slots) enter(ctx context.Context) (leave func()) {
	select {
	case s.used <- struct{}{}:
	default:
		timer := time.NewTimer(aheadTime)
		defer timer.Stop()
		select {
		case s.used <- struct{}{}:
		case <-timer.C:
			s.took(slowTime)
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	began := time.Now()
	return func() {
		s.took(time.Since(began))
		<-s.used
	}
}

// took notes how long an order has kept a worker: the eighth part of the mean.
func (s *slots) took(d time.Duration) {
	pace := s.pace.Load()
	s.pace.Store(pace + (int64(min(d, slowTime))-pace)/8) // of two at the same instant one counts
}
