package watcher

// state is where a file or unit stands between being found and being taken.
type state uint8

const (
	pending  state = iota // seen, not yet known to be complete
	inflight              // settled and on its way to the sink
	offered               // taken by the sink in its present state
)

// tick is a moment of the watcher's own clock, in milliseconds since its start.
// It wraps after 49 days; only differences between close moments are taken.
type tick uint32

// stamp is all that is remembered of an unsettled file. Tests hold its size to
// 16 bytes.
type stamp struct {
	digest uint64 // see info.digest
	since  tick   // when that state was first seen, or last disturbed
	state  state
	gen    uint8 // the last full scan that met the file
	whole  bool  // it was moved here complete: since is its quiet time before that
}

// how says what led to a look at a file.
type how uint8

const (
	glanced how = iota // a scan, a due time, or changed attributes
	touched            // an event said that it was made or written to
	created            // an event said that it appeared, and none that it was written to
	renamed            // it had a name before under which only a folder counts
	placed             // it was moved here complete, or its marker says so
)

// then is what is known of a file after two events, of which the later one counts.
func (h how) then(later how) how {
	if later == glanced {
		return h
	}
	return later
}

// verdict is the outcome of a look.
type verdict struct {
	settled bool
	waiting bool
	full    bool // there is no room to remember it: it waits for a later listing
	wait    tick // until the next look can settle it, where waiting
}

// maxPending bounds the memory that unsettled files take, however many there
// are and however long the sink takes nothing. Once half of it is used no place
// gets more than an eighth, so that one that is held up does not hold up others.
const (
	maxPending = 500_000
	fairShare  = 8
)

// ownerBits are the upper bits of a key, which tell the place of the file.
const ownerBits = 12

// settler decides from looks at files which of them are complete. It knows the
// unsettled ones only. Keys are hashes of paths: two paths with one key would
// only be offered too often, never too seldom, because the inode is part of the
// digest.
type settler struct {
	files  map[uint64]stamp
	owners [1 << ownerBits]int32 // how many of the files are of each
	max    int
	gen    uint8
}

func owner(key uint64) uint64 { return key >> (64 - ownerBits) }

// room reports whether there is any for one more file of this key's place.
func (s *settler) room(key uint64) bool {
	return !s.crowded() || (len(s.files) < s.max && int(s.owners[owner(key)]) < s.max/fairShare)
}

// crowded reports whether places share what room is left.
func (s *settler) crowded() bool { return len(s.files) >= s.max/2 }

func newSettler() *settler {
	return &settler{files: map[uint64]stamp{}, max: maxPending}
}

// see records a look at a file that is not known as taken and says whether it
// has settled.
func (s *settler) see(key, digest uint64, now, quiet tick, why how) verdict {
	if _, ok := s.files[key]; !ok && !s.room(key) {
		return verdict{waiting: true, full: true, wait: quiet}
	}
	return s.remember(key, digest, now, quiet, why)
}

// remember is see without a bound: for control files, which others wait for.
func (s *settler) remember(key, digest uint64, now, quiet tick, why how) verdict {
	st, ok := s.files[key]
	if !ok {
		s.owners[owner(key)]++
	}
	if !ok || st.digest != digest {
		st = stamp{digest: digest, since: now, state: pending}
	}
	st.gen = s.gen
	switch {
	case st.state != pending:
	case why == placed:
		// Counts as quiet already, however long a control file holds it back.
		st.since, st.whole = now-quiet, true
	case why == touched:
		st.since, st.whole = now, false
	}
	s.files[key] = st
	if st.state != pending {
		return verdict{}
	}
	if passed := now - st.since; passed < quiet {
		return verdict{waiting: true, wait: quiet - passed}
	}
	return verdict{settled: true}
}

// due says, without a look, how long until a look could settle the file. Those
// on their way to the sink need none; of those that are not remembered it
// cannot say.
func (s *settler) due(key uint64, now, quiet tick) (wait tick, needed, remembered bool) {
	st, ok := s.files[key]
	if !ok || st.state != pending {
		return 0, false, ok
	}
	if passed := now - st.since; passed < quiet {
		return quiet - passed, true, true
	}
	return 0, true, true
}

// underWay reports whether a file is on its way to the sink in this state.
func (s *settler) underWay(key, digest uint64) bool {
	st, ok := s.files[key]
	return ok && st.state == inflight && st.digest == digest
}

// take marks a settled file as on its way to the sink.
func (s *settler) take(key, digest uint64) { s.move(key, digest, pending, inflight) }

// refuse makes a file that the sink did not take wait for its next look.
func (s *settler) refuse(key, digest uint64) { s.move(key, digest, inflight, pending) }

func (s *settler) move(key, digest uint64, from, to state) {
	if st, ok := s.files[key]; ok && st.state == from && st.digest == digest {
		st.state = to
		s.files[key] = st
	}
}

// accept forgets a file that was taken, unless it changed while on its way.
func (s *settler) accept(key, digest uint64) {
	if st, ok := s.files[key]; ok && st.state == inflight && st.digest == digest {
		s.remove(key)
	}
}

// after is how long ago a file of this quiet time was last seen to change.
func (s *settler) after(key uint64, now, quiet tick) (after tick, ok bool) {
	st, ok := s.files[key]
	if after = now - st.since; st.whole {
		after -= min(after, quiet)
	}
	return after, ok
}

// remove deletes an entry. A map never shrinks: the last one takes it along.
func (s *settler) remove(key uint64) {
	s.owners[owner(key)]--
	if delete(s.files, key); len(s.files) == 0 {
		s.files = map[uint64]stamp{}
	}
}

// forget drops a file.
func (s *settler) forget(key uint64) {
	if _, ok := s.files[key]; ok {
		s.remove(key)
	}
}

// begin starts a full scan.
func (s *settler) begin() { s.gen++ }

// sweep forgets the files that the full scan did not meet.
func (s *settler) sweep() {
	for key, st := range s.files {
		if st.gen != s.gen {
			s.remove(key)
		}
	}
}
