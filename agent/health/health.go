package health

import (
	"slices"
	"sync"
	"time"
)

// Part is what an agent consists of or needs.
type Part string

// The parts, in the order in which they are told of.
const (
	Database Part = "database"
	Watcher  Part = "watcher"
	Engine   Part = "engine"
	Backend  Part = "backend"
	Podman   Part = "podman"
)

// State is that of a part.
type State string

// The states. One that stands by does nothing, as it should: another agent does it.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Standby  State = "standby"
	Waiting  State = "waiting"
)

// Status is what a part said last.
type Status struct {
	Part   Part      `json:"part"`
	State  State     `json:"state"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"` // why it waits: a sentence without names or secrets
	Needed bool      `json:"needed"`           // by what the agent is there for
}

// OK reports whether the part does what it is there for.
func (s *Status) OK() bool { return s.State == Ready || s.State == Standby }

// Health is the states of an agent's parts. Its methods may be called concurrently.
type Health struct {
	now func() time.Time

	mu      sync.Mutex
	parts   []Status
	changed chan struct{} // closed at the next change
	stopped bool
}

// New makes a Health of parts that are starting. The needed ones keep the agent from
// being ready, the others are only told of.
func New(needed, others []Part) *Health { return newAt(needed, others, time.Now) }

func newAt(needed, others []Part, now func() time.Time) *Health {
	h := &Health{now: now, changed: make(chan struct{})}
	for _, p := range []Part{Database, Watcher, Engine, Backend, Podman} {
		if need := slices.Contains(needed, p); need || slices.Contains(others, p) {
			h.parts = append(h.parts, Status{Part: p, State: Starting, Since: now(), Needed: need})
		}
	}
	return h
}

// Set notes the state of a part, and why it waits: a fixed sentence, or empty. A part that
// is none of the agent's is passed over.
func (h *Health) Set(p Part, state State, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.parts {
		s := &h.parts[i]
		if s.Part != p || s.State == state && s.Reason == reason {
			continue
		}
		if s.State != state {
			s.Since = h.now()
		}
		s.State, s.Reason = state, reason
		close(h.changed)
		h.changed = make(chan struct{})
	}
}

// Parts are all of them as they are now, and what is closed when that changes.
func (h *Health) Parts() ([]Status, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.parts), h.changed
}

// Stop has the agent no longer be ready.
func (h *Health) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
}

// Ready reports whether all that is needed is.
func (h *Health) Ready() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.stopped && !slices.ContainsFunc(h.parts, func(s Status) bool { return s.Needed && !s.OK() })
}

// started reports whether each part has said how it is.
func started(parts []Status) bool {
	return !slices.ContainsFunc(parts, func(s Status) bool { return s.Needed && s.State == Starting })
}

// of is the status of a part; the zero one if the agent has none.
func of(parts []Status, p Part) (found Status) {
	for _, s := range parts {
		if s.Part == p {
			found = s
		}
	}
	return found
}
