package main

import (
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/explain"
	"biomero-importer/agent/follow"
	"biomero-importer/agent/notify"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// printed lists the keys that a type has as JSON, with those that they are inside.
func printed(t reflect.Type, prefix string) (keys []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return nil
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			keys = append(keys, printed(f.Type, prefix)...)
		case f.IsExported() && name != "-" && name != "":
			keys = append(keys, prefix+name)
			keys = append(keys, printed(f.Type, prefix+name+".")...)
		}
	}
	return keys
}

var (
	section = regexp.MustCompile("(?m)^## `([a-z ]+) --json`")
	row     = regexp.MustCompile("(?m)^\\| (`[^|]+) \\|")
	key     = regexp.MustCompile("`([a-z_.]+)`")
)

// documented lists the keys in the table of each command in README.md.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("README.md")
	require.NoError(t, err)
	text := string(data)
	found := map[string][]string{}
	starts := section.FindAllStringSubmatchIndex(text, -1)
	for i, at := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		name := text[at[2]:at[3]]
		for _, cells := range row.FindAllStringSubmatch(text[at[0]:end], -1) {
			for _, k := range key.FindAllStringSubmatch(cells[1], -1) {
				found[name] = append(found[name], k[1])
			}
		}
	}
	return found
}

// What README.md says of the JSON is what is printed.
func TestFields_areDocumented(t *testing.T) {
	t.Parallel()
	docs := documented(t)
	docs["order show"] = append(docs["order show"], docs["order list"]...) // as it says
	for command, printedAs := range map[string]reflect.Type{
		"explain":     reflect.TypeFor[explain.Explanation](),
		"drops list":  reflect.TypeFor[explain.Drops](),
		"order list":  reflect.TypeFor[[]tracking.Status](),
		"order show":  reflect.TypeFor[detail](),
		"order watch": reflect.TypeFor[follow.Change](),
		"order retry": reflect.TypeFor[[]answer](),
		"order pause": reflect.TypeFor[[]tracking.Pause](),
		"notify list": reflect.TypeFor[[]tracking.Delivery](),
		"notify test": reflect.TypeFor[[]notify.Trial](),
		"doctor":      reflect.TypeFor[checkup](),
	} {
		require.ElementsMatch(t, printed(printedAs, ""), docs[command], command)
		delete(docs, command)
	}
	require.Empty(t, docs)
}

// One order that refuses is not between others and what is asked; a lost database is.
func TestEach(t *testing.T) {
	t.Parallel()
	faults := map[string]error{
		"ended": order.Errorf(order.Invalid, "it has ended"), "locked": order.Errorf(order.Busy, "it is locked"), "lost": errors.New("no connection"),
	}
	for _, tc := range []struct {
		ids, answered, done string
		class               order.Class
	}{
		{"a b", "a b", "a b", order.Broken},
		{"a ended b", "a ended b", "a b", order.Invalid},
		{"locked ended b", "locked ended b", "b", order.Busy},
		{"ended lost b", "ended lost", "", order.Broken},
	} {
		var done, answered []string
		answers, err := each(strings.Fields(tc.ids), func(id string) error { return faults[id] }, func(id string) error {
			done = append(done, id)
			return nil
		})
		for _, a := range answers {
			answered = append(answered, a.UUID)
			require.Equal(t, faults[a.UUID] == nil, a.Done)
			if !a.Done {
				require.ErrorContains(t, err, a.Reason)
			}
		}
		require.Equal(t, []string{tc.answered, tc.done}, []string{strings.Join(answered, " "), strings.Join(done, " ")})
		require.Equal(t, tc.class, order.ClassOf(err), tc.ids)
		require.Equal(t, tc.ids == tc.done, err == nil)
	}
}

// Each state is documented too.
func TestStates_areDocumented(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, s := range []explain.State{
		explain.Missing, explain.Unwatched, explain.Ignored, explain.Passed, explain.Part, explain.Folder, explain.Unreadable,
		explain.Settling, explain.Ready, explain.Taken, explain.Changed, explain.Held, explain.Waiting, explain.Refused,
	} {
		require.Contains(t, string(data), "\n| `"+string(s)+"` |")
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"24h": now.Add(-24 * time.Hour), "7d": now.AddDate(0, 0, -7), "1.5d": now.Add(-36 * time.Hour), "90m": now.Add(-90 * time.Minute),
		"2026-03-01": time.Date(2026, 3, 1, 0, 0, 0, 0, time.Local), "2026-03-01 14:30": time.Date(2026, 3, 1, 14, 30, 0, 0, time.Local),
		"2026-03-01T14:30:00Z": time.Date(2026, 3, 1, 14, 30, 0, 0, time.UTC), "": {},
	} {
		at, err := parseSince(text, now)
		require.NoError(t, err, text)
		require.WithinDuration(t, want, at, time.Hour, text) // an hour: 7 days may hold a change of the clock
	}
	for _, text := range []string{"yesterday", "d", "-3h", "2026-13-01"} {
		_, err := parseSince(text, now)
		require.Error(t, err, text)
	}
}
