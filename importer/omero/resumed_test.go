package omero_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero"
	"biomero-importer/importer/omero/omerotest"
)

// Images keep their numbers.
func TestHostile_NumbersOfAdopted(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	path := r.file("a.tif", omerotest.ImagesFile(3))
	b := r.open()
	r.prepare(b, &o)
	req := r.request(o, path)
	req.Files[0].Name = "Eye"
	_, err := b.Import(t.Context(), req)
	require.NoError(t, err)
	first := map[int64]string{}
	for _, i := range r.server.State().Images {
		first[i.ID] = i.Name
	}
	b2 := r.open() // killed before it was saved
	r.prepare(b2, &o)
	_, err = b2.Import(t.Context(), req)
	require.NoError(t, err)
	for _, i := range r.server.State().Images {
		require.Equal(t, first[i.ID], i.Name)
	}
}

// No two orders share a log of the importer.
func TestHostile_LogsOfTwoOrders(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	r.server.Change(func(o *omerotest.Options) { o.FilesetTime, o.JVMStart = 100*time.Millisecond, 300*time.Millisecond })
	b := r.open()
	one, two := r.order(), r.order()
	one.UUID, two.UUID = "lab/1", "lab:1"
	done := make(chan []importer.Result, 2)
	for _, o := range []importer.Order{one, two} {
		r.prepare(b, &o)
		req := r.request(o, r.file(o.UUID[3:4]+"_a.tif", omerotest.ImagesFile(1)), r.file(o.UUID[3:4]+"_b.tif", omerotest.ImagesFile(1)))
		if o.UUID == "lab/1" {
			req = r.request(o, r.file("x_a.tif", omerotest.ImagesFile(1)), r.file("x_b.tif", omerotest.ImagesFile(1)))
		}
		go func() {
			res, err := b.Import(t.Context(), req)
			if err != nil {
				t.Error(err)
			}
			done <- res
		}()
		time.Sleep(150 * time.Millisecond)
	}
	for range 2 {
		for _, x := range <-done {
			_, refused := errors.AsType[*importer.Error](x.Err)
			t.Log(x.Filesets, x.Err, refused)
			if x.Err != nil {
				t.Error(x.Err)
			}
		}
	}
}

// What was imported before the server refused is found.
func TestHostile_RefusedAfterImport(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	b := r.open()
	r.prepare(b, &o)
	req := r.request(o, r.file("a.tif", omerotest.ImagesFile(1)))
	req.Files[0].Copy, req.Files[0].Path = req.Files[0].Path, req.Files[0].Path+".kept"
	describe := req.Describe
	req.Describe = func(i int) ([]importer.Pair, error) {
		r.server.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.OtherLogin, Times: -1})
		return describe(i)
	}
	results, err := b.Import(t.Context(), req)
	_, refused := errors.AsType[*importer.Error](err)
	t.Log(results, err, refused, "filesets:", len(r.server.State().Filesets))
	require.False(t, refused && len(r.server.State().Filesets) > 0)
	r.server.Heal()
}

// A command that is not there says nothing of an order.
func TestHostile_NoCommand(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	r.config = func(c *omero.Config) { c.CLI.Path = "/nonexistent/omero" }
	o := r.order()
	_, err := r.open().Prepare(t.Context(), o)
	_, refused := errors.AsType[*importer.Error](err)
	require.False(t, refused, "%v", err)
}

// Files may come in another order when they are gone on with.
func TestHostile_ResumedInAnotherOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	one, two := r.file("one.tif", omerotest.ImagesFile(1)), r.file("two.tif", omerotest.ImagesFile(1))
	b := r.open()
	r.prepare(b, &o)
	r.imp(b, o, two) // the agent is killed before it is saved
	b2 := r.open()
	r.prepare(b2, &o)
	r.imp(b2, o, one)
	r.imp(b2, o, two)
	r.sound(o.UUID, one, two)
}

// Two files that have one path for OMERO keep what was made of them.
func TestHostile_ResumedWithOnePathForTwo(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	one, two := r.file("a:b.tif", omerotest.ImagesFile(1)), r.file("a;b.tif", omerotest.ImagesFile(1))
	b := r.open()
	r.prepare(b, &o)
	r.imp(b, o, one, two) // the agent is killed before it is saved
	b2 := r.open()
	r.prepare(b2, &o)
	for _, path := range []string{two, one} { // each in a batch of its own
		results := r.imp(b2, o, path)
		require.NoError(t, results[0].Err)
		require.Len(t, results[0].Filesets, 1)
		for _, f := range r.server.State().Filesets {
			if f.ID == results[0].Filesets[0] {
				link, err := os.Readlink(filepath.Join(r.server.Repository, f.Files[0]))
				require.NoError(t, err)
				require.Equal(t, path, link)
			}
		}
	}
	require.Len(t, r.server.State().Images, 2)
}
