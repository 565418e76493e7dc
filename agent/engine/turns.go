package engine

import (
	"cmp"
	"slices"

	"biomero-importer/agent/tracking"
)

// turns shares free workers out: the lowest rank first, and in each rank group by
// group, in each group user by user, so that nobody waits for all that another
// has. It remembers whose turn was last.
type turns struct {
	last map[int]*round // by rank
}

// round is how far the turns of a rank have come.
type round struct {
	group string
	users map[string]string // the last user of each group
}

// next gives n turns to those who wait. The result has each share at most once,
// with as many turns as it gets.
func (t *turns) next(waiting []tracking.Share, n int) []tracking.Share {
	var chosen []tracking.Share
	for start := 0; start < len(waiting) && n > 0; {
		end := start
		for end < len(waiting) && waiting[end].Rank == waiting[start].Rank {
			end++
		}
		given := t.rank(waiting[start:end], n)
		for _, share := range given {
			n -= share.Count
		}
		chosen = append(chosen, given...)
		start = end
	}
	return chosen
}

// rank gives up to n turns to the shares of one rank, which are sorted by group
// and user.
func (t *turns) rank(waiting []tracking.Share, n int) []tracking.Share {
	if t.last == nil {
		t.last = map[int]*round{}
	}
	r := t.last[waiting[0].Rank]
	if r == nil {
		r = &round{users: map[string]string{}}
		t.last[waiting[0].Rank] = r
	}
	groups := groupsOf(waiting)
	// Who no longer waits need not be remembered.
	for group := range r.users {
		if _, found := slices.BinarySearchFunc(groups, group, byGroup); !found {
			delete(r.users, group)
		}
	}
	given := make([]int, len(waiting))
	at, found := slices.BinarySearchFunc(groups, r.group, byGroup)
	if found {
		at++
	}
	for left := len(groups); n > 0 && left > 0; at++ {
		g := &groups[at%len(groups)]
		i := g.take(r.users[g.name], waiting, given)
		if i < 0 {
			left-- // a whole round without anybody ends it
			continue
		}
		left = len(groups)
		given[i]++
		n--
		r.group, r.users[g.name] = g.name, waiting[i].User
	}
	var chosen []tracking.Share
	for i, count := range given {
		if count > 0 {
			share := waiting[i]
			share.Count = count
			chosen = append(chosen, share)
		}
	}
	return chosen
}

// group is the shares of one group, as a part of a sorted list.
type group struct {
	name     string
	from, to int
}

func groupsOf(waiting []tracking.Share) (groups []group) {
	for i, share := range waiting {
		if i == 0 || share.Group != waiting[i-1].Group {
			groups = append(groups, group{name: share.Group, from: i})
		}
		groups[len(groups)-1].to = i + 1
	}
	return groups
}

func byGroup(g group, name string) int { return cmp.Compare(g.name, name) }

// take is the share of the next user after last who has something left; -1 for none.
func (g *group) take(last string, waiting []tracking.Share, given []int) int {
	users := waiting[g.from:g.to]
	at, found := slices.BinarySearchFunc(users, last, func(s tracking.Share, name string) int { return cmp.Compare(s.User, name) })
	if found {
		at++
	}
	for k := range users {
		i := g.from + (at+k)%len(users)
		if given[i] < waiting[i].Count {
			return i
		}
	}
	return -1
}
