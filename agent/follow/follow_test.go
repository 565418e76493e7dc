package follow

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a source that answers one look after the other.
type script struct {
	t     *testing.T
	looks []func() ([]tracking.Status, error)
	asked []tracking.Filter
}

func (s *script) next() ([]tracking.Status, error) {
	require.NotEmpty(s.t, s.looks, "it was to stop")
	look := s.looks[0]
	s.looks = s.looks[1:]
	return look()
}

func (s *script) List(_ context.Context, f tracking.Filter) (tracking.Page, error) {
	s.asked = append(s.asked, f)
	list, err := s.next()
	return tracking.Page{Orders: list}, err
}

func (s *script) Statuses(_ context.Context, uuids []string) (map[string]*tracking.Status, error) {
	list, err := s.next()
	found := map[string]*tracking.Status{}
	for i := range list {
		require.Contains(s.t, uuids, list[i].UUID)
		found[list[i].UUID] = &list[i]
	}
	return found, err
}

func (s *script) say(list ...tracking.Status) {
	s.looks = append(s.looks, func() ([]tracking.Status, error) { return list, nil })
}

func (s *script) fail() {
	s.looks = append(s.looks, func() ([]tracking.Status, error) { return nil, errors.New("gone") })
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func status(id string, stage order.Stage, seconds int, p *tracking.Progress) tracking.Status {
	at := noon.Add(time.Duration(seconds) * time.Second)
	return tracking.Status{UUID: id, Stage: stage, Changed: &at, Progress: p, Description: "why"}
}

func (s *script) follower() (f *Follower, changes *[]Change, events *[]string) {
	tick := make(chan time.Time)
	close(tick)
	changes, events = &[]Change{}, &[]string{}
	return &Follower{
		Source: s, tick: tick,
		Changed: func(c Change) bool { *changes = append(*changes, c); return true },
		Lost:    func(error) { *events = append(*events, "lost") }, Found: func() { *events = append(*events, "found") },
	}, changes, events
}

func TestOrder_isFollowedThroughALostDatabaseToItsEnd(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	p := &tracking.Progress{Step: "importing", FilesTotal: 4, BytesTotal: 1000, Began: noon, Updated: noon}
	half := &tracking.Progress{Step: "importing", FilesDone: 2, FilesTotal: 4, BytesDone: 500, BytesTotal: 1000, Began: noon, Updated: noon.Add(10 * time.Second)}
	s.say(status("a", order.Pending, 0, nil))
	s.say(status("a", order.Pending, 0, nil))
	s.say(status("a", order.Started, 1, p))
	s.fail()
	s.fail()
	s.say(status("a", order.Started, 1, half))
	s.say() // its rows are changed by a client
	s.say(status("a", order.Failed, 2, nil))
	f, changes, events := s.follower()
	stage, err := f.Order(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, order.Failed, stage)
	require.Equal(t, []string{"lost", "found"}, *events)
	require.Len(t, *changes, 4, "one for each change")
	c := (*changes)[2]
	require.InDelta(t, 50, c.BytesPerSecond, 0.01)
	require.True(t, noon.Add(20*time.Second).Equal(*c.Expected))
	require.Equal(t, "why", (*changes)[3].Reason)
}

func TestOrder_thatIsNotThere(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	s.say()
	f, _, _ := s.follower()
	_, err := f.Order(t.Context(), "a")
	require.Equal(t, order.Invalid, order.ClassOf(err))
}

func TestAll_tellsOfWhatRunsAndOfWhatChangesFromThenOn(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	s.say(status("running", order.Started, 0, nil))
	s.say(status("old", order.Completed, 5, nil)) // the newest: nothing before it is news
	s.say(status("running", order.Started, 0, nil))
	s.say(status("old", order.Completed, 5, nil))
	s.say()
	s.say(status("quick", order.Completed, 7, nil), status("running", order.Completed, 6, nil))
	s.say()
	s.say(status("quick", order.Completed, 7, nil), status("last", order.Failed, 8, nil))
	f, _, _ := s.follower()
	var told []string
	f.Changed = func(c Change) bool { told = append(told, c.UUID+" "+string(c.Stage)); return c.UUID != "last" }
	require.NoError(t, f.All(t.Context()))
	require.Equal(t, []string{"running Import Started", "running Import Completed", "quick Import Completed", "last Import Failed"}, told)
	require.Equal(t, noon.Add(5*time.Second), s.asked[3].Since)
	require.Equal(t, noon.Add(5*time.Second), s.asked[7].Since.UTC(), "what is as new may show later, what was there before does not")
}

// An order shows when its end is committed, which may be after the end of a later one.
func TestAll_tellsOfWhatShowsLate(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	s.say(status("running", order.Started, 0, nil))
	s.say(status("old", order.Completed, 5, nil))
	s.say(status("running", order.Started, 0, nil))
	s.say(status("other", order.Completed, 21, nil))
	s.say()
	s.say(status("other", order.Completed, 21, nil), status("running", order.Completed, 20, nil))
	s.say()
	s.say(status("last", order.Failed, 22, nil))
	f, _, _ := s.follower()
	var told []string
	f.Changed = func(c Change) bool { told = append(told, c.UUID+" "+string(c.Stage)); return c.UUID != "last" }
	require.NoError(t, f.All(t.Context()))
	require.Equal(t, []string{"running Import Started", "other Import Completed", "running Import Completed", "last Import Failed"}, told)
	require.Equal(t, noon.Add(16*time.Second), s.asked[5].Since.UTC())
	require.Equal(t, s.asked[5].Since, s.asked[7].Since)
}

// Rows have the dates that their clients gave them.
func TestAll_goesOnBehindADateThatIsYetToCome(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	const century = 100 * 365 * 24 * 3600
	s.say()
	s.say(status("old", order.Completed, century, nil))
	s.say()
	s.say(status("old", order.Completed, century, nil), status("odd", order.Completed, century+1, nil))
	s.say()
	s.say(status("last", order.Failed, 8, nil))
	f, _, _ := s.follower()
	f.Changed = func(c Change) bool { return c.UUID != "last" }
	require.NoError(t, f.All(t.Context()))
	for _, asked := range []tracking.Filter{s.asked[3], s.asked[5]} {
		require.WithinDuration(t, time.Now(), asked.Since, time.Minute)
	}
}

func TestAll_tellsOfWhatEndedWhileTheDatabaseWasAway(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	s.say(status("running", order.Started, 0, nil))
	s.say(status("old", order.Completed, 5, nil))
	s.say(status("running", order.Started, 0, nil))
	s.fail() // between two questions
	s.say()
	s.say(status("last", order.Failed, 8, nil), status("running", order.Completed, 7, nil))
	f, _, events := s.follower()
	var told []string
	f.Changed = func(c Change) bool { told = append(told, c.UUID+" "+string(c.Stage)); return c.UUID != "last" }
	require.NoError(t, f.All(t.Context()))
	require.Equal(t, []string{"running Import Started", "running Import Completed", "last Import Failed"}, told)
	require.Equal(t, []string{"lost", "found"}, *events)
}

func TestFollowing_endsWithItsContext(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	ctx, cancel := context.WithCancel(t.Context())
	s.looks = append(s.looks, func() ([]tracking.Status, error) {
		cancel()
		return []tracking.Status{status("a", order.Pending, 0, nil)}, nil
	})
	f, _, _ := s.follower()
	stage, err := f.Order(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, order.Pending, stage)
}
