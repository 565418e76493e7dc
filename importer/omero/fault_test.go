package omero_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero"
	"biomero-importer/importer/omero/omerotest"
)

// tries carries an order out as the engine does, until it is over: what failed for a reason
// that may pass is tried again, by a new process each time.
func (r *rig) tries(o *importer.Order, most int, paths ...string) (results []importer.Result) {
	r.t.Helper()
	for tries := 1; tries <= most; tries++ {
		b := r.open()
		var err error
		results, err = r.try(b, o, paths)
		b.Done(r.t.Context(), o.UUID)
		require.NoError(r.t, b.Close())
		r.t.Logf("try %d: %v, %+v", tries, err, results)
		if err == nil && over(results) {
			return results
		}
	}
	r.t.Fatalf("the order is not over after %d tries", most)
	return nil
}

func (r *rig) try(b *omero.Backend, o *importer.Order, paths []string) ([]importer.Result, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
	defer cancel()
	mark, err := b.Prepare(ctx, *o)
	if err != nil {
		return nil, err
	}
	o.Mark = mark
	return b.Import(ctx, r.request(*o, paths...))
}

// over reports whether nothing is left to be tried again.
func over(results []importer.Result) bool {
	for i := range results {
		if _, refused := results[i].Err.(*importer.Error); results[i].Err != nil && !refused { //nolint:errorlint // as returned
			return false
		}
	}
	return true
}

// Whatever fails once, wherever: each file has one fileset in the end, and each image one
// annotation.
func testFaults(on trial) {
	t := on.t
	faults := []omerotest.Fault{}
	for _, at := range []omerotest.Op{omerotest.AtLogin, omerotest.AtImport, omerotest.AtHQL, omerotest.AtObj, omerotest.AtLogout} {
		for _, kind := range []omerotest.FaultKind{
			omerotest.Refused, omerotest.NoSuchHost, omerotest.Lost, omerotest.TimedOut, omerotest.SessionGone, omerotest.Hang, omerotest.Crash,
		} {
			faults = append(faults, omerotest.Fault{At: at, Kind: kind})
		}
	}
	for _, kind := range []omerotest.FaultKind{
		omerotest.Lost, omerotest.TimedOut, omerotest.SessionGone, omerotest.Hang, omerotest.Crash, omerotest.DiskFull, omerotest.Cleanup,
		omerotest.Truncated, omerotest.Garbage,
		omerotest.CrashBeforeLink, omerotest.CrashAfterLink, omerotest.CrashBeforePrint, omerotest.CrashAfterPrint, omerotest.LostBeforePrint,
	} {
		faults = append(faults, omerotest.Fault{At: omerotest.AtImport, Kind: kind, After: 1})
	}
	faults = append(faults, omerotest.Fault{At: omerotest.AtImport, Kind: omerotest.ServerGoesOn, After: 1, Delay: 500 * time.Millisecond})
	for after := range 6 {
		for _, kind := range []omerotest.FaultKind{omerotest.Lost, omerotest.SessionGone} {
			faults = append(faults, omerotest.Fault{At: omerotest.AtObj, Kind: kind, After: after})
		}
	}
	for _, fault := range faults {
		t.Run(fmt.Sprintf("%s %s after %d", fault.At, fault.Kind, fault.After), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, on.by)
			o := r.order()
			paths := []string{r.file("a.tif", omerotest.ImagesFile(1)), r.file("b.tif", omerotest.ImagesFile(2)), r.file("c.tif", omerotest.ImagesFile(1))}
			r.server.Fail(fault)
			results := r.tries(&o, 4, paths...)
			for _, result := range results {
				require.NoError(t, result.Err)
			}
			require.Eventually(t, r.server.Idle, time.Minute, 10*time.Millisecond)
			r.sound(o.UUID, paths...)
		})
	}
}
