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
	in := &Intake{unread: map[string]watcher.Drop{}}
	for i := range maxUnread - 1 {
		in.unread[strconv.Itoa(i)] = watcher.Drop{}
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
	require.Contains(t, in.unread, "0", "it was kept before")
}

func TestTellUnread_onceAnHour(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	in := &Intake{unread: map[string]watcher.Drop{"a": {}}, log: slog.New(slog.NewTextHandler(&log, nil))}
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
