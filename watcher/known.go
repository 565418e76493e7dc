package watcher

import "slices"

// marks is a set of marks in eight bytes each: what was taken of one folder.
type marks struct {
	sorted []uint64
	fresh  []uint64 // not sorted in yet, and few
}

// maxFresh keeps both the search through fresh and the sorting-in cheap.
const maxFresh = 128

func newMarks(list []uint64) marks {
	slices.Sort(list)
	return marks{sorted: slices.Clip(slices.Compact(list))}
}

func (m *marks) len() int { return len(m.sorted) + len(m.fresh) }

func (m *marks) has(mark uint64) bool {
	if _, ok := slices.BinarySearch(m.sorted, mark); ok {
		return true
	}
	return slices.Contains(m.fresh, mark)
}

func (m *marks) add(mark uint64) {
	if m.has(mark) {
		return
	}
	if m.fresh = append(m.fresh, mark); len(m.fresh) < maxFresh {
		return
	}
	*m = m.and(nil)
}

// and returns the set with more marks in it.
func (m *marks) and(more []uint64) marks { return newMarks(slices.Concat(m.sorted, m.fresh, more)) }

// keep forgets all but those that were met in a listing of the folder.
func (m *marks) keep(met []uint64) {
	if len(met) < m.len() {
		*m = newMarks(slices.Clone(met))
	}
}
