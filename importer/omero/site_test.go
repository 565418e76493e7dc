package omero_test

import (
	"cmp"
	"encoding/binary"
	"errors"
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
	"biomero-importer/importer/omero/web"
)

// site is an OMERO server of which nothing is known but what it answers: a pretended one,
// or a real one that OMERO_TEST_HOST names. See CONTRIBUTING.md.
type site struct {
	t      *testing.T
	config omero.Config
	user   string
	group  string
	data   string // a folder that the server has at the same path
}

// sites are those that the tests below are to hold on.
func sites() map[string]func(t *testing.T) *site {
	all := map[string]func(t *testing.T) *site{
		string(byCLI):   func(t *testing.T) *site { return newRig(t, byCLI).site() },   //nolint:thelper // makes a site
		string(overWeb): func(t *testing.T) *site { return newRig(t, overWeb).site() }, //nolint:thelper // makes a site
	}
	if os.Getenv("OMERO_TEST_HOST") != "" {
		all["real"] = realSite
	}
	return all
}

func (r *rig) site() *site {
	r.t.Helper()
	return &site{t: r.t, config: r.settings(), user: "ada", group: "Lab", data: r.data}
}

// realSite is what the environment names.
func realSite(t *testing.T) *site {
	t.Helper()
	env := func(name, usual string) string { return cmp.Or(os.Getenv("OMERO_TEST_"+name), usual) }
	port, err := strconv.Atoi(env("PORT", "4064"))
	require.NoError(t, err)
	data, err := os.MkdirTemp(env("DATA", ""), "biomero-importer-") //nolint:usetesting // on the server's share
	require.NoError(t, err)
	require.NoError(t, os.Chmod(data, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(data)) })
	share, err := importer.OpenShare(data)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, share.Close()) })
	state := t.TempDir()
	s := &site{t: t, user: env("MEMBER", ""), group: env("GROUP", ""), data: data, config: omero.Config{
		CLI: cli.Config{
			Path: env("CLI", "omero"), Host: env("HOST", ""), Port: port, User: env("USER", "root"), Password: env("PASSWORD", ""),
			Dir: os.Getenv("OMERODIR"), Idle: 10 * time.Minute,
		},
		Share: share, Repository: env("REPOSITORY", "/OMERO/ManagedRepository"), Dir: filepath.Join(state, "omero"), Logs: filepath.Join(state, "logs"), Namespace: namespace,
	}}
	if url := env("WEB_URL", ""); url != "" {
		s.config.Web = &web.Config{URL: url, CAFile: env("CA_FILE", ""), User: s.config.CLI.User, Password: s.config.CLI.Password, Timeout: time.Minute}
	}
	return s
}

func (s *site) open() *omero.Backend {
	s.t.Helper()
	b, err := omero.Open(s.t.Context(), s.config, logOf(s.t))
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, b.Close()) })
	return b
}

// image writes a grey TIFF of one page.
func (s *site) image(name string) string {
	s.t.Helper()
	const side, strip = 8, 8 + 2 + 9*12 + 4
	b := []byte("II*\x00\x08\x00\x00\x00")
	b = binary.LittleEndian.AppendUint16(b, 9)
	for _, tag := range [][3]uint32{
		{256, 3, side}, {257, 3, side}, {258, 3, 8}, {259, 3, 1}, {262, 3, 1}, {273, 4, strip}, {277, 3, 1}, {278, 3, side}, {279, 4, side * side},
	} {
		b = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(b, uint16(tag[0])), uint16(tag[1]))
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, 1), tag[2])
	}
	b = binary.LittleEndian.AppendUint32(b, 0)
	for i := range side * side {
		b = append(b, byte(i))
	}
	return s.write(name, b)
}

func (s *site) write(name string, content []byte) string {
	s.t.Helper()
	path := filepath.Join(s.data, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.t, os.WriteFile(path, content, 0o644))
	return path
}

// order is one of the member's, for a dataset that is made where it is missing.
func (s *site) order(b *omero.Backend) importer.Order {
	s.t.Helper()
	id, err := b.Container(s.t.Context(), importer.Container{Type: importer.Dataset, Group: s.group, User: s.user, Name: "Tests of biomero-importer"})
	require.NoError(s.t, err)
	o := importer.Order{UUID: uuid.NewString(), Group: s.group, User: s.user, Type: importer.Dataset, Container: id}
	o.Mark, err = b.Prepare(s.t.Context(), o)
	require.NoError(s.t, err)
	return o
}

// run imports paths, and deletes what came of them when the test ends.
func (s *site) run(b *omero.Backend, o importer.Order, paths ...string) []importer.Result {
	s.t.Helper()
	req := importer.Request{Order: o, Parent: s.data, Log: logOf(s.t)}
	for _, path := range paths {
		req.Files = append(req.Files, importer.File{Path: path})
	}
	req.Describe = func(i int) ([]importer.Pair, error) {
		return []importer.Pair{{Key: "UUID", Value: o.UUID}, {Key: "Filepath", Value: paths[i]}}, nil
	}
	results, err := b.Import(s.t.Context(), req)
	require.NoError(s.t, err)
	b.Done(s.t.Context(), o.UUID)
	return results
}

// asked asks the server about what an order made, and deletes it.
func (s *site) asked(results []importer.Result, ask func(session *cli.Session, filesets []int64)) {
	s.t.Helper()
	c := cli.New(s.config.CLI, logOf(s.t))
	session, err := c.Login(s.t.Context(), s.t.TempDir(), s.user, s.group)
	require.NoError(s.t, err)
	var filesets []int64
	for _, result := range results {
		filesets = append(filesets, result.Filesets...)
	}
	ask(session, filesets)
	if len(filesets) > 0 {
		require.NoError(s.t, session.Delete(s.t.Context(), filesets))
	}
	require.NoError(s.t, session.Close(s.t.Context()))
}

// annotated makes sure that images have one annotation each, of an order.
func (s *site) annotated(session *cli.Session, order string, images []int64) {
	s.t.Helper()
	found, err := session.Annotations(s.t.Context(), namespace, "Image", images)
	require.NoError(s.t, err)
	require.Len(s.t, found, len(images))
	for _, a := range found {
		require.Equal(s.t, order, a.Order)
	}
}

// onSites are what holds on every server.
var onSites = map[string]func(s *site){
	"Files": func(s *site) {
		b := s.open()
		o := s.order(b)
		paths := []string{s.image("a.tif"), s.image("sub/a.tif"), s.image("a_b.tif"), s.image("a%b.tif"), s.image("it's (1).tif"), s.image("é 日本.tif"), s.image("a:b.tif"), s.image("a;b.tif")}
		results := s.run(b, o, paths...)
		s.asked(results, func(session *cli.Session, filesets []int64) {
			require.Len(s.t, filesets, len(paths))
			entries, err := session.Entries(s.t.Context(), filesets)
			require.NoError(s.t, err)
			for i, result := range results {
				require.NoError(s.t, result.Err, paths[i])
				require.Len(s.t, result.Images, 1)
				s.annotated(session, o.UUID, result.Images)
				for _, e := range entries {
					if e.Fileset == result.Filesets[0] {
						require.Equal(s.t, cli.ClientPath(paths[i]), e.ClientPath)
						link, err := os.Readlink(filepath.Join(s.config.Repository, e.Prefix, filepath.Base(e.ClientPath)))
						if err == nil { // below a prefix OMERO keeps a part of the path too
							require.Equal(s.t, paths[i], link)
						}
					}
				}
			}
		})
	},
	"BadFiles": func(s *site) {
		b := s.open()
		o := s.order(b)
		results := s.run(b, o, s.write("cut.tif", []byte("II*\x00\xff\xff\xff\x7f")), s.image("good.tif"), s.write("words.unknown", []byte("no image")))
		require.NoError(s.t, results[1].Err)
		for _, i := range []int{0, 2} {
			_, refused := errors.AsType[*importer.Error](results[i].Err)
			require.True(s.t, refused, "%v", results[i].Err)
		}
		s.asked(results, func(*cli.Session, []int64) {})
	},
	"Folder": func(s *site) {
		b := s.open()
		o := s.order(b)
		s.image("d/a.tif")
		s.image("d/e/b.tif")
		s.write("d/words.unknown", []byte("no image"))
		results := s.run(b, o, filepath.Join(s.data, "d"))
		require.NoError(s.t, results[0].Err)
		require.Len(s.t, results[0].Images, 2)
		s.asked(results, func(session *cli.Session, _ []int64) { s.annotated(session, o.UUID, results[0].Images) })
	},
	"GoingOn": func(s *site) {
		first := s.open()
		o := s.order(first)
		paths := []string{s.image("a.tif"), s.image("b.tif")}
		before := s.run(first, o, paths...)
		later := s.open()
		mark, err := later.Prepare(s.t.Context(), o)
		require.NoError(s.t, err)
		require.Equal(s.t, o.Mark, mark)
		after := s.run(later, o, append(paths, s.image("c.tif"))...)
		require.Equal(s.t, before, after[:2])
		s.asked(after, func(session *cli.Session, filesets []int64) {
			require.Len(s.t, filesets, 3)
			for _, result := range after {
				s.annotated(session, o.UUID, result.Images)
			}
		})
	},
	"Refusals": func(s *site) {
		b := s.open()
		o := s.order(b)
		for reason, change := range map[string]func(o *importer.Order){
			"There is no user":                     func(o *importer.Order) { o.User = "nobody-of-this-name" },
			"is not in the group":                  func(o *importer.Order) { o.Group = "no group of this name" },
			"There is no Dataset 9007199254740991": func(o *importer.Order) { o.Container = 9007199254740991 },
		} {
			wrong := o
			wrong.UUID, wrong.Mark = uuid.NewString(), ""
			change(&wrong)
			_, err := b.Prepare(s.t.Context(), wrong)
			require.ErrorContains(s.t, err, reason)
			b.Done(s.t.Context(), wrong.UUID)
		}
	},
	"SelfTest": func(s *site) {
		b := s.open()
		o := s.order(b)
		o.UUID, o.Mark = uuid.NewString(), ""
		require.NoError(s.t, b.SelfTest(s.t.Context(), o, s.image("selftest.tif"), func(step string) { s.t.Log(step) }))
	},
}

func TestSites(t *testing.T) {
	t.Parallel()
	for way, open := range sites() {
		for name, test := range onSites {
			t.Run(way+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(open(t))
			})
		}
	}
}
