package watcher

// state is where a file stands between being found and being taken.
type state uint8

const (
	pending  state = iota // seen, not yet known to be complete
	inflight              // settled and on its way to the sink
	offered               // taken by the sink in its present state
)

// tick is a moment of the watcher's own clock, in milliseconds since its start.
// It wraps after 49 days; only differences between close moments are taken.
type tick uint32

// stamp is all that is remembered of a file. Tests hold its size to 16 bytes.
type stamp struct {
	digest uint64 // of device, inode, size and modification time
	since  tick   // when that state was first seen, or last disturbed
	state  state
	gen    uint8 // the last full scan that met the file
}

// how says what led to a look at a file.
type how uint8

const (
	glanced how = iota // a scan, a due time, or changed attributes
	touched            // an event said that it was made or written to
	placed             // it was moved here complete
)

// verdict is the outcome of a look.
type verdict struct {
	settled bool
	waiting bool
	wait    tick // until the next look can settle it, where waiting
}

// settler decides from looks at files which of them are complete. Keys are
// hashes of paths: two paths with one key would only be offered too often,
// never too seldom, because the inode is part of the digest.
type settler struct {
	known map[uint64]stamp
	gen   uint8
}

func newSettler() *settler {
	return &settler{known: map[uint64]stamp{}}
}

// see records a look at a file and says whether it has settled.
func (s *settler) see(key, digest uint64, now, quiet tick, why how) verdict {
	st, ok := s.known[key]
	fresh := !ok || st.digest != digest
	if fresh {
		st = stamp{digest: digest, since: now, state: pending}
	}
	st.gen = s.gen
	switch {
	case st.state != pending:
	case why == placed:
		// Counts as quiet already, however long a control file holds it back.
		st.since = now - quiet
	case why == touched:
		st.since = now
	}
	s.known[key] = st
	if st.state != pending {
		return verdict{}
	}
	if passed := now - st.since; passed < quiet {
		return verdict{waiting: true, wait: quiet - passed}
	}
	return verdict{settled: true}
}

// due says, without a look, how long until a look could settle the file. It is
// false for files that need none.
func (s *settler) due(key uint64, now, quiet tick) (wait tick, needed bool) {
	st, ok := s.known[key]
	if !ok {
		return 0, true
	}
	if st.state != pending {
		return 0, false
	}
	if passed := now - st.since; passed < quiet {
		return quiet - passed, true
	}
	return 0, true
}

// take marks a settled file as on its way to the sink.
func (s *settler) take(key, digest uint64) { s.move(key, digest, pending, inflight) }

// accept marks a file as taken, unless it changed while on its way.
func (s *settler) accept(key, digest uint64) { s.move(key, digest, inflight, offered) }

// refuse makes a file that the sink did not take wait for its next look.
func (s *settler) refuse(key, digest uint64) { s.move(key, digest, inflight, pending) }

func (s *settler) move(key, digest uint64, from, to state) {
	if st, ok := s.known[key]; ok && st.state == from && st.digest == digest {
		st.state = to
		s.known[key] = st
	}
}

// forget drops a file and reports whether it was still unsettled.
func (s *settler) forget(key uint64) (unsettled bool) {
	st, ok := s.known[key]
	delete(s.known, key)
	return ok && st.state == pending
}

// begin starts a full scan.
func (s *settler) begin() { s.gen++ }

// sweep forgets the files that the full scan did not meet.
func (s *settler) sweep() {
	for key, st := range s.known {
		if st.gen != s.gen {
			delete(s.known, key)
		}
	}
}
