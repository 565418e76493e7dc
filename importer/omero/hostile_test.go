package omero_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero"
	"biomero-importer/importer/omero/cli"
	"biomero-importer/importer/omero/omerotest"
)

func (r *rig) imp(b *omero.Backend, o importer.Order, paths ...string) []importer.Result {
	r.t.Helper()
	results, err := b.Import(r.t.Context(), r.request(o, paths...))
	require.NoError(r.t, err)
	for i, res := range results {
		r.t.Logf("%s: filesets %v images %v err %v", paths[i], res.Filesets, res.Images, res.Err)
	}
	return results
}

// What was imported before is looked for in every batch.
func TestHostile_LookIsForgottenAfterFirstBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	bad := r.file("bad.tif", omerotest.CorruptFile())
	a, c, d := r.file("a.tif", omerotest.ImagesFile(1)), r.file("c.tif", omerotest.ImagesFile(1)), r.file("d.tif", omerotest.ImagesFile(1))
	b := r.open()
	r.prepare(b, &o)
	r.imp(b, o, a, bad) // batch 1: saved; bad.tif failed
	r.imp(b, o, c, d)   // batch 2: imported, and the agent is killed before it is saved
	b2 := r.open()      // resumes: a.tif is kept, bad.tif is tried again
	r.prepare(b2, &o)
	r.imp(b2, o, bad, c)
	r.imp(b2, o, d)
	r.sound(o.UUID, a, c, d)
}

// A Java that does not start says nothing of the files.
func TestHostile_JavaDoesNotStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	wrapper := filepath.Join(t.TempDir(), "omero")
	require.NoError(t, os.WriteFile(wrapper, []byte("#!/bin/sh\ncase \" $* \" in *' import '*) echo 'Error: Could not create the Java Virtual Machine.' >&2; exit 1;; esac\nexec "+r.server.CLI+" \"$@\"\n"), 0o755))
	r.config = func(c *omero.Config) { c.CLI.Path = wrapper }
	o := r.order()
	b := r.open()
	r.prepare(b, &o)
	res := r.imp(b, o, r.file("a.tif", omerotest.ImagesFile(1)))
	_, refused := errors.AsType[*importer.Error](res[0].Err)
	require.False(t, refused, "%v", res[0].Err)
}

// What is wrong with the importer's own login is no fault of an order.
func TestHostile_LoginTroubleFailsOrders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(r *rig){
		"own password": func(r *rig) { r.password = "wrong" },
		"other (44)": func(r *rig) {
			r.server.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.OtherLogin, Times: -1})
		},
		"python dies 1": func(r *rig) {
			wrapper := filepath.Join(r.t.TempDir(), "omero")
			require.NoError(r.t, os.WriteFile(wrapper, []byte("#!/bin/sh\necho 'Traceback: MemoryError' >&2; exit 1\n"), 0o755))
			r.config = func(c *omero.Config) { c.CLI.Path = wrapper }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, byCLI)
			r.t = t
			c(r)
			o := r.order()
			_, err := r.open().Prepare(t.Context(), o)
			_, refused := errors.AsType[*importer.Error](err)
			require.False(t, refused, "%v", err)
		})
	}
}

// A plate that is ordered into a dataset is refused, and removed.
func TestHostile_PlateIntoDataset(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	b := r.open()
	r.prepare(b, &o)
	p := r.file("p.xml", omerotest.PlatesFile(1, 2, 1))
	res := r.imp(b, o, p)
	b2 := r.open()
	r.prepare(b2, &o)
	again := r.imp(b2, o, p)
	t.Log(res, again)
	require.Error(t, res[0].Err, "an orphan is reported as imported")
}

// The files of one fileset may be in several batches.
func TestHostile_FilesetOverBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	main, part := r.file("m.companion.ome", omerotest.MainFile("m_1.dat", "m_2.dat")), r.file("m_1.dat", []byte("part"))
	r.file("m_2.dat", []byte("part"))
	b := r.open()
	r.prepare(b, &o)
	r.imp(b, o, main)
	res := r.imp(b, o, part)
	require.NoError(t, res[0].Err)
}

// Links in folders lead nowhere.
func TestHostile_FolderLinksOutside(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	secret := filepath.Join(t.TempDir(), "secret.tif")
	require.NoError(t, os.WriteFile(secret, omerotest.ImagesFile(1), 0o644))
	r.file("d/a.tif", omerotest.ImagesFile(1))
	require.NoError(t, os.Symlink(secret, filepath.Join(r.data, "d/b.tif")))
	require.NoError(t, os.Symlink(filepath.Dir(secret), filepath.Join(r.data, "d/c")))
	o := r.order()
	b := r.open()
	r.prepare(b, &o)
	r.imp(b, o, filepath.Join(r.data, "d"))
	for _, f := range r.server.State().Filesets {
		require.NotContains(t, f.ClientPaths[0], "b.tif")
		t.Log(f.ClientPaths)
	}
}

// An order whose user changes has a session of the new one.
func TestHostile_AnotherUsersSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	b := r.open()
	r.prepare(b, &o)
	_, err := b.Folders(t.Context(), o) // as tidy does, of the order as it was
	require.NoError(t, err)
	o.User, o.Container, o.Mark = "bob", r.server.AddDataset("Bob's", r.bob, r.group, 0), ""
	mark, err := b.Prepare(t.Context(), o)
	t.Log(mark, err)
	o.Mark = mark
	r.imp(b, o, r.file("a.tif", omerotest.ImagesFile(1)))
	for _, f := range r.server.State().Filesets {
		require.Equal(t, r.bob, f.Owner)
	}
	require.Len(t, r.server.State().Filesets, 1)
}

// Several that look for a container at once find one.
func TestHostile_ContainerAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	b := r.open()
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			_, err := b.Container(t.Context(), importer.Container{Type: importer.Dataset, Group: "Lab", User: "ada", Name: "New"})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	n := 0
	for _, d := range r.server.State().Datasets {
		if d.Name == "New" {
			n++
		}
	}
	t.Log("datasets", n)
	require.Equal(t, 1, n)
	r.closed()
}

func TestHostile_ZarrWithDash(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	r.config = r.zarrThatWorks()
	r.file("-x.ome.zarr/.zattrs", []byte(`{"multiscales":[{"version":"0.4","datasets":[{"path":"0"}]}]}`))
	r.file("-x.ome.zarr/0/0", []byte(`x`))
	o := r.order()
	b := r.open()
	r.prepare(b, &o)
	res := r.imp(b, o, filepath.Join(r.data, "-x.ome.zarr"))
	require.NoError(t, res[0].Err)
}

// A server that is away while images are annotated is waited for.
func TestHostile_DownWhileAnnotating(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	b := r.open()
	r.prepare(b, &o)
	r.server.Fail(omerotest.Fault{At: omerotest.AtObj, Kind: omerotest.Lost, Times: -1})
	res, err := b.Import(t.Context(), r.request(o, r.file("a.tif", omerotest.ImagesFile(1))))
	t.Log(res, err)
	require.True(t, errors.Is(err, importer.ErrUnavailable) || errors.Is(res[0].Err, importer.ErrUnavailable))
}

// What OMERO cannot hold is left out.
func TestHostile_OneValueFailsAll(t *testing.T) {
	t.Parallel()
	for _, by := range []way{byCLI, overWeb} {
		t.Run(string(by), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, by)
			r.t = t
			o := r.order()
			b := r.open()
			r.prepare(b, &o)
			req := r.request(o, r.file("a.tif", omerotest.ImagesFile(1)), r.file("b.tif", omerotest.ImagesFile(1)))
			req.Files[1].Name = strings.Repeat("n", 300)
			req.Describe = func(i int) ([]importer.Pair, error) {
				v := "x"
				if i == 1 {
					v = "a\x00b"
				}
				return []importer.Pair{{Key: "UUID", Value: o.UUID}, {Key: "v", Value: v}}, nil
			}
			res, err := b.Import(t.Context(), req)
			t.Log(err)
			for _, x := range res {
				_, refused := errors.AsType[*importer.Error](x.Err)
				t.Log(x.Err, "permanent:", refused)
			}
			require.NoError(t, res[0].Err)
		})
	}
}

// A user may import into any of its groups.
func TestHostile_SecondGroup(t *testing.T) {
	t.Parallel()
	r := newRig(t, overWeb)
	second := r.server.AddGroup("Second", omerotest.ReadOnly)
	r.server.AddMember(omerotest.Member{User: r.ada, Group: second})
	o := r.order()
	o.Group, o.Container = "Second", r.server.AddDataset("There", r.ada, second, 0)
	b := r.open()
	r.prepare(b, &o)
	res := r.imp(b, o, r.file("a.tif", omerotest.ImagesFile(1)))
	require.NoError(t, res[0].Err)
	for _, c := range r.server.State().Calls {
		t.Log(c.Argv)
	}
}

// zarrThatWorks puts the arguments of the login where `omero zarr` has them.
func (r *rig) zarrThatWorks() func(c *omero.Config) {
	wrapper := filepath.Join(r.t.TempDir(), "omero")
	require.NoError(r.t, os.WriteFile(wrapper, []byte("#!/bin/bash\nif [ \"$2 $3\" = 'zarr import' ]; then exec "+r.server.CLI+" -q zarr \"${@:4:6}\" import \"${@:10}\"; fi\nexec "+r.server.CLI+" \"$@\"\n"), 0o755))
	return func(c *omero.Config) { c.RegisterZarr, c.CLI.Path = true, wrapper }
}

// A session of OMERO.web in another group than the order's is not used.
func TestHostile_SecondGroupOverWeb(t *testing.T) {
	t.Parallel()
	r := newRig(t, overWeb)
	to, err := url.Parse(r.web.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, "/webclient/active_group/") {
			http.Redirect(w, q, "/webclient/", http.StatusFound)
			return
		}
		q.Host = to.Host
		proxy.ServeHTTP(w, q)
	}))
	t.Cleanup(front.Close)
	r.web.URL = front.URL
	second := r.server.AddGroup("Second", omerotest.ReadOnly)
	r.server.AddMember(omerotest.Member{User: r.ada, Group: second})
	o := r.order()
	o.Group, o.Container = "Second", r.server.AddDataset("There", r.ada, second, 0)
	b := r.open()
	r.prepare(b, &o)
	res := r.imp(b, o, r.file("a.tif", omerotest.ImagesFile(1)))
	for _, c := range r.server.State().Calls {
		t.Log(c.Argv)
	}
	for _, f := range r.server.State().Filesets {
		t.Logf("%+v", f)
	}
	require.NoError(t, res[0].Err)
}

var _ = cli.ClientPath
