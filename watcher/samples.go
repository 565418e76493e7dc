package watcher

import (
	"cmp"
	"slices"
)

// maxSamples is how many of a unit's files stand for its content.
const maxSamples = 8

// samples are the files of a unit whose paths have the smallest hashes, so that
// they are the same ones in any copy of it.
type samples []sampled

type sampled struct {
	hash uint64
	path string
}

func (s *samples) add(hash uint64, dir, name string) {
	if len(*s) == maxSamples && hash >= (*s)[maxSamples-1].hash {
		return
	}
	at, _ := slices.BinarySearchFunc(*s, hash, func(f sampled, h uint64) int { return cmp.Compare(f.hash, h) })
	*s = slices.Insert(*s, at, sampled{hash: hash, path: dir + name})
	*s = (*s)[:min(len(*s), maxSamples)]
}

func (s *samples) paths() []string {
	list := make([]string, len(*s))
	for i, f := range *s {
		list[i] = f.path
	}
	return list
}
