package omero_test

import (
	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest"
)

func testImport(on trial) {
	t := on.t
	r := newRig(t, on.by)
	b := r.open()
	o := r.order()
	r.prepare(b, &o)
	one, two := r.file("a.tif", omerotest.ImagesFile(1)), r.file("sub/b.tif", omerotest.ImagesFile(3))
	results, err := b.Import(t.Context(), r.request(o, one, two))
	require.NoError(t, err)
	for _, result := range results {
		require.NoError(t, result.Err)
		require.Len(t, result.Filesets, 1)
	}
	require.Len(t, results[0].Images, 1)
	require.Len(t, results[1].Images, 3)
	b.Done(t.Context(), o.UUID)
	r.sound(o.UUID, one, two)
	r.closed()
	calls := r.server.State().Calls
	require.LessOrEqual(t, len(calls), 7)
	for _, call := range calls {
		require.NotContains(t, call.Argv, omerotest.RootPassword)
	}
}
