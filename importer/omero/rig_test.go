package omero_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero"
	"biomero-importer/importer/omero/cli"
	"biomero-importer/importer/omero/omerotest"
	"biomero-importer/importer/omero/web"
)

const namespace = "biomero.import"

// way is how a backend talks to its server.
type way string

const (
	byCLI   way = "command line"
	overWeb way = "OMERO.web"
)

// rig is a pretended server with ada and bob in the group Lab, and a backend.
type rig struct {
	t        *testing.T
	server   *omerotest.Omero
	data     string
	share    *importer.Share
	state    string
	web      *web.Config
	dataset  int64
	screen   int64
	group    int64
	ada      int64
	bob      int64
	password string
	config   func(*omero.Config)
}

func newRig(t *testing.T, by way) *rig {
	t.Helper()
	r := &rig{t: t, server: omerotest.New(t), data: t.TempDir(), state: t.TempDir(), password: omerotest.RootPassword}
	share, err := importer.OpenShare(r.data)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, share.Close()) })
	r.share = share
	r.group = r.server.AddGroup("Lab", omerotest.ReadOnly)
	r.ada = r.server.AddUser(omerotest.User{Name: "ada"})
	r.bob = r.server.AddUser(omerotest.User{Name: "bob"})
	for _, user := range []int64{r.ada, r.bob} {
		r.server.AddMember(omerotest.Member{User: user, Group: r.group})
	}
	r.dataset = r.server.AddDataset("Retina", r.ada, r.group, 0)
	r.screen = r.server.AddScreen("Drugs", r.ada, r.group)
	if by == overWeb {
		r.web = &web.Config{URL: r.server.Web(t).URL, User: "root", Password: r.password, Timeout: 5 * time.Second}
	}
	return r
}

// settings are those of a backend.
func (r *rig) settings() omero.Config {
	r.t.Helper()
	port, err := strconv.Atoi(r.server.Port)
	require.NoError(r.t, err)
	c := omero.Config{
		CLI: cli.Config{
			Path: r.server.CLI, Host: r.server.Host, Port: port, User: "root", Password: r.password, Idle: 10 * time.Minute,
		},
		Share: r.share, Web: r.web, Repository: r.server.Repository, Dir: filepath.Join(r.state, "omero"), Logs: filepath.Join(r.state, "logs"), Namespace: namespace,
	}
	if r.config != nil {
		r.config(&c)
	}
	return c
}

// open opens a backend, as a new process of the service does.
func (r *rig) open() *omero.Backend {
	r.t.Helper()
	b, err := omero.Open(r.t.Context(), r.settings(), logOf(r.t))
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, b.Close()) })
	return b
}

func logOf(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// file makes a file and returns its path.
func (r *rig) file(name string, content []byte) string {
	r.t.Helper()
	path := filepath.Join(r.data, name)
	require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(r.t, os.WriteFile(path, content, 0o644))
	return path
}

func (r *rig) order() importer.Order {
	return importer.Order{UUID: uuid.NewString(), Group: "Lab", User: "ada", Type: importer.Dataset, Container: r.dataset}
}

// request asks for files, whose annotation is the order and the path.
func (r *rig) request(o importer.Order, paths ...string) importer.Request {
	req := importer.Request{Order: o, Parent: r.data, Log: logOf(r.t)}
	for _, path := range paths {
		req.Files = append(req.Files, importer.File{Path: path})
	}
	req.Describe = func(i int) ([]importer.Pair, error) {
		return []importer.Pair{{Key: "UUID", Value: o.UUID}, {Key: "Filepath", Value: req.Files[i].Path}}, nil
	}
	return req
}

// prepare has an order prepared, and keeps its mark.
func (r *rig) prepare(b *omero.Backend, o *importer.Order) {
	r.t.Helper()
	mark, err := b.Prepare(r.t.Context(), *o)
	require.NoError(r.t, err)
	o.Mark = mark
}

// sound makes sure that of each path there is exactly one fileset with images, each of
// which, or its plate, has exactly one annotation of the order. The server may keep filesets
// that came to nothing.
func (r *rig) sound(order string, paths ...string) {
	r.t.Helper()
	s := r.server.State()
	full := map[int64]bool{}
	for _, image := range s.Images {
		full[image.Fileset] = true
	}
	var got []string
	for _, f := range s.Filesets {
		if !full[f.ID] {
			continue
		}
		for _, path := range f.ClientPaths {
			got = append(got, "/"+path)
		}
	}
	require.ElementsMatch(r.t, paths, got)
	annotated := map[int64]int{}
	for _, a := range s.Annotations {
		require.NotEmpty(r.t, append(a.Images, a.Plates...), "annotation %d hangs on nothing", a.ID)
		require.Equal(r.t, order, a.Value("UUID"))
		for _, id := range a.Images {
			annotated[id]++
		}
	}
	for _, image := range s.Images {
		require.Equal(r.t, 1, annotated[image.ID], "annotations of image %d", image.ID)
	}
}

// closed makes sure that no session is open.
func (r *rig) closed() {
	r.t.Helper()
	for _, s := range r.server.State().Sessions {
		require.True(r.t, s.Closed, "session of user %d", s.User)
	}
}
