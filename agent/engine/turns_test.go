package engine

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"biomero-importer/agent/tracking"
)

func TestTurns_goByRankGroupAndUser(t *testing.T) {
	t.Parallel()
	waiting := []tracking.Share{
		{Rank: -1, Group: "Z", User: "eve", Count: 2},
		{Group: "A", User: "ada", Count: 100},
		{Group: "A", User: "bob", Count: 100},
		{Group: "B", User: "cid", Count: 1},
	}
	var turns turns
	require.Equal(t, []tracking.Share{{Rank: -1, Group: "Z", User: "eve", Count: 1}}, turns.next(waiting, 1))
	require.Equal(t, []tracking.Share{
		{Rank: -1, Group: "Z", User: "eve", Count: 2},
		{Group: "A", User: "ada", Count: 1},
		{Group: "B", User: "cid", Count: 1},
	}, turns.next(waiting, 4))
	// After A comes B, and in A after ada comes bob.
	waiting = waiting[1:]
	require.Equal(t, []tracking.Share{{Group: "A", User: "bob", Count: 1}}, turns.next(waiting, 1))
	require.Equal(t, []tracking.Share{{Group: "B", User: "cid", Count: 1}}, turns.next(waiting, 1))
	require.Equal(t, []tracking.Share{
		{Group: "A", User: "ada", Count: 3}, {Group: "A", User: "bob", Count: 2}, {Group: "B", User: "cid", Count: 1},
	}, turns.next(waiting, 6))
	require.Empty(t, turns.next(nil, 3))
}

// However much others have waiting, whoever waits has a turn within as many as
// there are groups and users.
func TestTurns_starveNobody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var waiting []tracking.Share
		groups := rapid.IntRange(1, 5).Draw(t, "groups")
		most := 0
		for g := range groups {
			users := rapid.IntRange(1, 5).Draw(t, "users")
			most = max(most, users)
			for u := range users {
				waiting = append(waiting, tracking.Share{Group: strconv.Itoa(g), User: strconv.Itoa(u), Count: rapid.IntRange(1, 1000).Draw(t, "count")})
			}
		}
		var turns turns
		first := map[string]int{}
		given := 0
		for given < groups*most {
			n := rapid.IntRange(1, 4).Draw(t, "n")
			before := given
			for _, share := range turns.next(waiting, n) {
				require.Positive(t, share.Count)
				key := share.Group + "/" + share.User
				if _, seen := first[key]; !seen {
					first[key] = given
				}
				before += share.Count
			}
			require.LessOrEqual(t, before-given, n)
			given = before
		}
		require.Len(t, first, len(waiting))
	})
}
