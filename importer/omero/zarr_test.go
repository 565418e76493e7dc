package omero_test

import (
	"path/filepath"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero"
	"biomero-importer/importer/omero/omerotest"
)

// zarr writes an OME-Zarr image and returns its path.
func (r *rig) zarr(name string) string {
	r.t.Helper()
	r.file(name+"/.zattrs", []byte(zarrImage))
	r.file(name+"/.zgroup", []byte(`{"zarr_format": 2}`))
	return filepath.Join(r.data, name)
}

const zarrImage = `{"multiscales": [{"version": "0.4", "axes": [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}], "datasets": [{"path": "0"}]}]}`

func testZarr(on trial) {
	t := on.t
	r := newRig(t, on.by)
	r.config = func(c *omero.Config) { c.RegisterZarr = true }
	o := r.order()
	paths := []string{r.zarr("a.ome.zarr"), r.zarr("sub/b.zarr"), r.zarr("a.ome.zarr/labels/cells.zarr")}
	results := r.run(&o, paths...)
	s := r.server.State()
	require.Len(t, s.Images, 3)
	for i, result := range results {
		require.NoError(t, result.Err)
		require.Len(t, result.Images, 1)
		require.Empty(t, result.Filesets)
		image := s.Images[i]
		require.Equal(t, []string{"a", "b", "cells"}[i], image.Name)
		require.Equal(t, paths[i], image.URI)
		require.Equal(t, []int64{r.dataset}, image.Datasets)
	}
	require.Len(t, s.Annotations, 3)

	r.server.Change(func(o *omerotest.Options) { o.PixelBuffer = false })
	o = r.order()
	results = r.run(&o, r.zarr("c.zarr"))
	require.Error(t, results[0].Err)
	require.Len(t, r.server.State().Images, 3)
}

// An image that was registered before a crash is not registered again.
func testZarrFaults(on trial) {
	t := on.t
	for _, fault := range []omerotest.Fault{
		{At: omerotest.AtZarr, Kind: omerotest.Lost},
		{At: omerotest.AtZarr, Kind: omerotest.Crash},
		{At: omerotest.AtObj, Kind: omerotest.Lost},
		{At: omerotest.AtObj, Kind: omerotest.Crash, After: 1},
	} {
		r := newRig(t, on.by)
		r.config = func(c *omero.Config) { c.RegisterZarr = true }
		o := r.order()
		r.server.Fail(fault)
		results := r.tries(&o, 4, r.zarr("a.zarr"), r.zarr("b.zarr"))
		for _, result := range results {
			require.NoError(t, result.Err)
			require.Len(t, result.Images, 1)
		}
		s := r.server.State()
		require.Len(t, s.Images, 2, "%+v", fault)
		require.Len(t, s.Annotations, 2, "%+v", fault)
		for _, a := range s.Annotations {
			require.Len(t, a.Images, 1)
			require.Equal(t, o.UUID, a.Value("UUID"))
		}
	}
}

// What was converted is imported from its copy; its links are told, also to whoever goes on.
func testCopies(on trial) {
	t := on.t
	r := newRig(t, on.by)
	o := r.order()
	b := r.open()
	r.prepare(b, &o)
	copied := r.file("temp/0/a.tif", omerotest.ImagesFile(1))
	req := r.request(o, filepath.Join(r.data, ".processed", "a.tif"))
	req.Files[0].Copy, req.Files[0].Name = copied, "Left eye"
	results, err := b.Import(t.Context(), req)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	require.Len(t, results[0].Folders, 1)
	links, err := filepath.Glob(filepath.Join(results[0].Folders[0], "*"))
	require.NoError(t, err)
	require.Len(t, links, 1)
	require.Equal(t, "Left eye", r.server.State().Images[0].Name)
	b.Done(t.Context(), o.UUID)
	later := r.open()
	folders, err := later.Folders(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, results[0].Folders, folders)
	later.Done(t.Context(), o.UUID)
	r.closed()
}

// Another order's import of the same file into the same place is not taken for one's own.
func testOthersImports(on trial) {
	t := on.t
	r := newRig(t, on.by)
	path := r.file("a.tif", omerotest.ImagesFile(1))
	first, second := r.order(), r.order()
	b := r.open()
	r.prepare(b, &second) // before the first imports
	b.Done(t.Context(), second.UUID)
	require.NoError(t, r.run(&first, path)[0].Err)
	results := r.tries(&second, 1, path)
	require.NoError(t, results[0].Err)
	require.Len(t, r.server.State().Filesets, 2)
	require.NotEqual(t, r.server.State().Annotations[0].Value("UUID"), r.server.State().Annotations[1].Value("UUID"))
}

// OMERO.web may fail in any way, anywhere: the command line does the rest.
func testWebFaults(on trial) {
	t := on.t
	if on.by != overWeb {
		return
	}
	for _, path := range []string{"/api/v0/token", "/webgateway/su", "/api/v0/login", "/api/v0/m/", "/webclient/annotate_map", "/webclient/action/savename", "/webclient/logout"} {
		for _, kind := range []omerotest.FaultKind{
			omerotest.Error500, omerotest.BadGateway, omerotest.TooMany, omerotest.ToLogin, omerotest.Cut, omerotest.TruncatedJSON,
		} {
			r := newRig(t, on.by)
			o := r.order()
			r.server.Fail(omerotest.Fault{At: omerotest.AtWeb, Kind: kind, Path: path, Times: 5})
			file := r.file("a.tif", omerotest.ImagesFile(2))
			results := r.tries(&o, 3, file)
			require.NoError(t, results[0].Err, "%s %s", path, kind)
			r.sound(o.UUID, file)
		}
	}
}
