package intake

import (
	"errors"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/watcher"
)

func TestPostpone_keepsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	in := &Intake{config: Config{FullScan: time.Hour}, unread: map[string]unreadDrop{}}
	for i := range maxUnread - 2 {
		in.unread[strconv.Itoa(i)] = unreadDrop{}
	}
	drops := []watcher.Drop{{Path: "readable"}, {Path: "gone"}, {Path: "changing"}, {Path: "denied"}, {Path: "too many"}, {Path: "0"}}
	why := map[string]error{
		"gone": fs.ErrNotExist, "changing": errMoved, "denied": fs.ErrPermission, "too many": fs.ErrPermission, "0": fs.ErrPermission,
	}
	rest, left := in.postpone(drops, why)
	require.Equal(t, []watcher.Drop{{Path: "readable"}}, rest)
	require.Equal(t, 1, left)
	require.Len(t, in.unread, maxUnread)
	require.Contains(t, in.unread, "denied")
	require.Contains(t, in.unread, "gone")
	require.Contains(t, in.unread, "0", "it was kept before")
}

// One that is gone may be back before the watcher notices.
func TestPostpone_keepsWhatIsGoneForAWhile(t *testing.T) {
	t.Parallel()
	in := &Intake{config: Config{FullScan: time.Hour}, unread: map[string]unreadDrop{}}
	away := map[string]error{"a": fs.ErrNotExist}
	show := func(d watcher.Drop, why map[string]error) []watcher.Drop {
		rest, left := in.postpone([]watcher.Drop{d}, why)
		require.Zero(t, left)
		return rest
	}
	a := watcher.Drop{Path: "a", Mark: 1}
	require.Empty(t, show(a, away))
	since := in.unread["a"].gone
	require.NotZero(t, since)
	require.Empty(t, show(a, away))
	require.Equal(t, since, in.unread["a"].gone)
	require.Empty(t, show(watcher.Drop{Path: "a", Mark: 2}, away))
	require.True(t, in.unread["a"].gone.After(since), "it is another")
	in.unread["a"] = unreadDrop{Drop: a, gone: time.Now().Add(-2*time.Hour + time.Minute)}
	require.Empty(t, show(a, away))
	require.Contains(t, in.unread, "a")
	in.unread["a"] = unreadDrop{Drop: a, gone: time.Now().Add(-2*time.Hour - time.Minute)}
	require.Empty(t, show(a, away))
	require.Empty(t, in.unread)
	require.Empty(t, show(a, away))
	require.Equal(t, []watcher.Drop{a}, show(a, nil), "it is back")
	require.Empty(t, in.unread)
}

func TestTellUnread_onceAnHour(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	in := &Intake{unread: map[string]unreadDrop{"a": {}}, log: slog.New(slog.NewTextHandler(&log, nil))}
	why := map[string]error{"a": fs.ErrPermission, "moved": errors.New("no matter")}
	for range 3 {
		in.tellUnread(t.Context(), why)
	}
	require.Equal(t, 1, strings.Count(log.String(), "cannot be read"))
	in.unreadAt = time.Now().Add(-2 * time.Hour)
	in.tellUnread(t.Context(), nil)
	in.tellUnread(t.Context(), why)
	require.Equal(t, 2, strings.Count(log.String(), "cannot be read"))
}
