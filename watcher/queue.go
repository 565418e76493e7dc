package watcher

import (
	"container/heap"
	"time"
)

// queue orders nodes by when they are due.
type queue []*node

var _ heap.Interface = (*queue)(nil)

func (q *queue) Len() int           { return len(*q) }
func (q *queue) Less(i, j int) bool { return (*q)[i].due < (*q)[j].due }
func (q *queue) Swap(i, j int) {
	s := *q
	s[i], s[j] = s[j], s[i]
	s[i].queuer, s[j].queuer = i, j
}

func (q *queue) Push(x any) {
	if n, ok := x.(*node); ok {
		n.queuer = len(*q)
		*q = append(*q, n)
	}
}

func (q *queue) Pop() any {
	s := *q
	n := s[len(s)-1]
	s[len(s)-1] = nil
	*q = s[:len(s)-1]
	n.queuer = -1
	return n
}

// schedule makes the node due at a time, unless it is due earlier.
func (q *queue) schedule(n *node, at time.Duration) {
	at = max(at, n.idle)
	switch {
	case n.dead:
	case n.queuer < 0:
		n.due = at
		heap.Push(q, n)
		n.enlist()
	case at < n.due:
		n.due = at
		heap.Fix(q, n.queuer)
	}
}

func (q *queue) isDue(now time.Duration) bool { return len(*q) > 0 && (*q)[0].due <= now }

// next removes and returns a node that is due.
func (q *queue) next(now time.Duration) (*node, bool) {
	if !q.isDue(now) {
		return nil, false
	}
	n, ok := heap.Pop(q).(*node)
	if ok {
		n.dismiss()
	}
	return n, ok
}

func (q *queue) remove(n *node) {
	if n.queuer >= 0 {
		heap.Remove(q, n.queuer)
		n.dismiss()
	}
}
