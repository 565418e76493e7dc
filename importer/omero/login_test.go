package omero_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero"
	"biomero-importer/importer/omero/omerotest"
)

// A server that is in trouble, as one that starts is, does not refuse an account.
func TestPing_ServerInTrouble(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	b := r.open()
	r.server.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.OtherLogin})
	err := b.Ping(t.Context())
	require.ErrorIs(t, err, importer.ErrUnavailable)
	require.ErrorContains(t, err, "Out of memory")
	require.NotEmpty(t, b.Trouble())
	require.NoError(t, b.Ping(t.Context()))
	require.Empty(t, b.Trouble())
}

// Where nobody has anything to import, it is asked again all the same.
func TestRecheck_findsThatAServerIsBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	b := r.open()
	r.server.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.OtherLogin})
	require.Error(t, b.Ping(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Recheck(ctx, 10*time.Millisecond)
	}()
	require.Eventually(t, func() bool { return b.Trouble() == "" }, time.Minute, 10*time.Millisecond)
	cancel()
	<-done
}

// Nor does it refuse to have the importer act for a user.
func TestPrepare_ServerInTrouble(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	b := r.open()
	o := r.order()
	r.server.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.OtherLogin})
	_, err := b.Prepare(t.Context(), o)
	require.Error(t, err)
	_, refused := errors.AsType[*importer.Error](err)
	require.False(t, refused, "%v", err)
	r.prepare(b, &o)
	b.Done(t.Context(), o.UUID)
	r.closed()
}

// Who stops while the server is asked leaves no session behind, whether of the importer's own
// account or of a user.
func TestInterrupted_endsItsSession(t *testing.T) {
	t.Parallel()
	address := func(ctx context.Context, r *rig, b *omero.Backend) error {
		_, err := b.Address(ctx, r.order().User)
		return err
	}
	for name, tc := range map[string]struct {
		command string // is cut off
		first   string // what it does before
		ask     func(ctx context.Context, r *rig, b *omero.Backend) error
	}{
		"ping, at its end": {"logout", "true", func(ctx context.Context, _ *rig, b *omero.Backend) error { return b.Ping(ctx) }},
		"mail":             {"login", `$omero "$@"`, address},
		"mail, logged in":  {"hql", "true", address},
		"an order": {"login", `$omero "$@"`, func(ctx context.Context, r *rig, b *omero.Backend) error {
			o := r.order()
			_, err := b.Prepare(ctx, o)
			b.Done(context.WithoutCancel(ctx), o.UUID)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, byCLI)
			reached := filepath.Join(t.TempDir(), "reached")
			r.wrapped(fmt.Sprintf(`case " $* " in *' %s '*) [ -e %[2]s ] || { %[3]s; touch %[2]s; exec sleep 600; };; esac`, tc.command, reached, tc.first))
			b := r.open()
			ctx, stop := context.WithCancel(t.Context())
			asked := make(chan error, 1)
			go func() { asked <- tc.ask(ctx, r, b) }()
			require.Eventually(t, func() bool {
				_, err := os.Stat(reached)
				return err == nil
			}, time.Minute, 10*time.Millisecond)
			require.Len(t, r.server.State().Sessions, 1)
			stop()
			require.Error(t, <-asked)
			r.closed()
		})
	}
}
