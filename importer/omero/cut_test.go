package omero_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero"
	"biomero-importer/importer/omero/omerotest"
)

// cut has an import end for a reason once its first file is imported, and returns when it has.
func (r *rig) cut(b *omero.Backend, o importer.Order, reason error, paths ...string) (ended <-chan struct{}) {
	r.t.Helper()
	r.server.Fail(omerotest.Fault{At: omerotest.AtImport, Kind: omerotest.Hang, After: 1})
	ctx, cancel := context.WithCancelCause(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := b.Import(ctx, r.request(o, paths...)); err == nil {
			r.t.Error("it is not cut short")
		}
	}()
	require.Eventually(r.t, func() bool { return len(r.server.State().Images) == 1 }, time.Minute, 10*time.Millisecond)
	cancel(reason)
	return done
}

// An order that was merely stopped is another process's, also what is to be annotated of it.
func TestImport_StoppedAndTakenOver(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	paths := []string{r.file("one.tif", omerotest.ImagesFile(1)), r.file("two.tif", omerotest.ImagesFile(1))}
	r.wrapped(`case " $* " in *' obj '*) sleep 4;; esac`) // it would have seen that there is no annotation
	a := r.open()
	r.config = nil
	b := r.open()
	r.prepare(a, &o)
	ended := r.cut(a, o, nil, paths...)
	for _, result := range r.imp(b, o, paths...) {
		require.NoError(t, result.Err)
	}
	<-ended
	r.sound(o.UUID, paths...)
}

// What a cancelled order has imported is annotated: nobody comes back for it.
func TestImport_Cancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	one, two := r.file("one.tif", omerotest.ImagesFile(1)), r.file("two.tif", omerotest.ImagesFile(1))
	b := r.open()
	r.prepare(b, &o)
	<-r.cut(b, o, errors.New("somebody cancelled it"), one, two)
	r.sound(o.UUID, one)
}

// A server may be at a file of a later batch when an order is gone on with.
func TestImport_ServerGoesOnWithLaterBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	one, two := r.file("one.tif", omerotest.ImagesFile(1)), r.file("two.tif", omerotest.ImagesFile(1))
	a, b := r.open(), r.open()
	r.prepare(a, &o)
	r.imp(a, o, one)
	r.server.Fail(omerotest.Fault{At: omerotest.AtImport, Kind: omerotest.ServerGoesOn, Delay: time.Second})
	require.Error(t, r.imp(a, o, two)[0].Err) // and the agent is killed, too
	for _, path := range []string{one, two} {
		require.NoError(t, r.imp(b, o, path)[0].Err)
	}
	require.Eventually(t, r.server.Idle, time.Minute, 10*time.Millisecond)
	r.sound(o.UUID, one, two)
}
