package omero_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/omerotest"
)

// run carries an order out in one go.
func (r *rig) run(o *importer.Order, paths ...string) []importer.Result {
	r.t.Helper()
	b := r.open()
	r.prepare(b, o)
	results, err := b.Import(r.t.Context(), r.request(*o, paths...))
	require.NoError(r.t, err)
	b.Done(r.t.Context(), o.UUID)
	r.closed()
	return results
}

// Names and what files hold make no difference: each file knows its own images.
func testNames(on trial) {
	t := on.t
	for name, files := range map[string][]string{
		"HQL's wildcards":      {"a_b.tif", "aXb.tif", "a%b.tif", "aYYb.tif"},
		"quotes":               {"it's.tif", `say "hi".tif`, "''.tif", "`id`.tif"},
		"one path for OMERO":   {"a:b.tif", "a;b.tif", "c*d.tif", "cxd.tif", "a|b.tif", "a!b.tif"},
		"in several folders":   {"one/a.tif", "two/a.tif", "a.tif", "one/two/a.tif"},
		"beginnings of others": {"a", "a.tif", "a.tif.tif", "a.t"},
		"other scripts":        {"日本.tif", "é.tif", "e\u0301.tif", "🔬.tif"},
		"blanks":               {" a.tif", "a .tif", "a  b.tif", "a\tb.tif", "#a.tif", "-a.tif", "--help"},
		"line breaks":          {"a\nb.tif", "a\rb.tif", "a_b.tif"},
		"for a shell":          {"$(reboot).tif", "a;b&c.tif", `a\b.tif`, "a b'c\"d.tif"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, on.by)
			o := r.order()
			var paths []string
			for i, file := range files {
				paths = append(paths, r.file(file, omerotest.ImagesFile(i+1)))
			}
			results := r.run(&o, paths...)
			described := map[int64]string{}
			for _, a := range r.server.State().Annotations {
				for _, id := range a.Images {
					require.NotContains(t, described, id)
					described[id] = a.Value("Filepath")
				}
			}
			for i, result := range results {
				require.NoError(t, result.Err, paths[i])
				require.Len(t, result.Filesets, 1, paths[i])
				require.Len(t, result.Images, i+1, paths[i])
				for _, id := range result.Images {
					require.Equal(t, strings.ReplaceAll(paths[i], "\x00", ""), described[id])
				}
			}
			links := r.server.State().Filesets
			require.Len(t, links, len(paths))
			var targets []string
			for _, f := range links {
				for _, file := range f.Files {
					target, err := os.Readlink(filepath.Join(r.server.Repository, file))
					require.NoError(t, err)
					targets = append(targets, target)
				}
			}
			require.ElementsMatch(t, paths, targets)
		})
	}
}

// One bad file does not stop the others, and says what is wrong.
func testBadFiles(on trial) {
	t := on.t
	for name, content := range map[string][]byte{
		"corrupt": omerotest.CorruptFile(), "of no format": omerotest.UnknownFile(), "not to be read": omerotest.UnreadableFile(), "failing": omerotest.FailingFile(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, on.by)
			o := r.order()
			results := r.run(&o, r.file("a.tif", omerotest.ImagesFile(1)), r.file("bad.tif", content), r.file("c.tif", omerotest.ImagesFile(1)))
			require.NoError(t, results[0].Err)
			require.NoError(t, results[2].Err)
			refused, ok := errors.AsType[*importer.Error](results[1].Err)
			require.True(t, ok, "%v", results[1].Err)
			require.Contains(t, refused.Reason, "bad.tif")
			o = r.order()
			results = r.run(&o, r.file("bad.tif", content))
			require.ErrorAs(t, results[0].Err, &refused)
		})
	}
}

func testPlates(on trial) {
	t := on.t
	r := newRig(t, on.by)
	o := r.order()
	o.Type, o.Container = importer.Screen, r.screen
	results := r.run(&o, r.file("p.xml", omerotest.PlatesFile(2, 3, 2)))
	require.NoError(t, results[0].Err)
	require.Len(t, results[0].Plates, 2)
	require.Empty(t, results[0].Images)
	annotated := map[int64]bool{}
	for _, a := range r.server.State().Annotations {
		require.Empty(t, a.Images)
		for _, id := range a.Plates {
			annotated[id] = true
		}
	}
	require.Len(t, annotated, 2)
}

// All files that OMERO finds in a folder are the order's, and one that fails is told of.
func testFolder(on trial) {
	t := on.t
	r := newRig(t, on.by)
	o := r.order()
	for name, content := range map[string][]byte{"d/a.tif": omerotest.ImagesFile(1), "d/sub/b.tif": omerotest.ImagesFile(2), "d/readme.txt": omerotest.UnknownFile()} {
		r.file(name, content)
	}
	results := r.run(&o, filepath.Join(r.data, "d"))
	require.NoError(t, results[0].Err)
	require.Len(t, results[0].Filesets, 2)
	require.Len(t, results[0].Images, 3)

	r.file("e/a.tif", omerotest.ImagesFile(1))
	r.file("e/fails.tif", omerotest.FailingFile())
	r.file("f/readme.txt", omerotest.UnknownFile())
	o = r.order()
	results = r.run(&o, filepath.Join(r.data, "e"), filepath.Join(r.data, "f"))
	require.ErrorContains(t, results[0].Err, "1 of 2 images and plates in the folder are not imported. OMERO made no image of")
	require.ErrorContains(t, results[1].Err, "OMERO finds nothing in the folder")
}

// Files that OMERO takes for one fileset have it in common.
func testFilesOfOneFileset(on trial) {
	t := on.t
	r := newRig(t, on.by)
	o := r.order()
	main, part := r.file("m.companion.ome", omerotest.MainFile("m_1.dat", "m_2.dat")), r.file("m_1.dat", []byte("part"))
	r.file("m_2.dat", []byte("part"))
	results := r.run(&o, main, part)
	require.NoError(t, results[0].Err)
	require.NoError(t, results[1].Err)
	require.Equal(t, results[0].Filesets, results[1].Filesets)
	require.Len(t, r.server.State().Filesets, 1)
	require.Len(t, r.server.State().Annotations, 1)
}

// What a user may not do is found out before anything is made, in one sentence.
func testPrepare(on trial) {
	t := on.t
	for name, c := range map[string]struct {
		change func(r *rig, o *importer.Order)
		reason string
	}{
		"no such user":  {func(_ *rig, o *importer.Order) { o.User = "eve" }, `There is no user "eve" in OMERO.`},
		"an option":     {func(_ *rig, o *importer.Order) { o.User = "--sudo" }, `There is no user "--sudo" in OMERO.`},
		"a quote":       {func(_ *rig, o *importer.Order) { o.User = "e'v'e" }, `There is no user "e'v'e" in OMERO.`},
		"no such group": {func(_ *rig, o *importer.Order) { o.Group = "Moon" }, `The user "ada" is not in the group "Moon" in OMERO.`},
		"not in the group": {func(r *rig, o *importer.Order) {
			r.server.AddGroup("Others", omerotest.ReadWrite)
			o.Group = "Others"
		}, `The user "ada" is not in the group "Others" in OMERO.`},
		"no such dataset": {func(_ *rig, o *importer.Order) { o.Container = 99_999 }, `There is no Dataset 99999 in the group "Lab" in OMERO that "ada" can see.`},
		"a screen's id":   {func(_ *rig, o *importer.Order) { o.Container, o.Type = 99_998, importer.Screen }, `There is no Screen 99998 in the group "Lab" in OMERO that "ada" can see.`},
		"another group's": {func(r *rig, o *importer.Order) {
			other := r.server.AddGroup("Others", omerotest.ReadWrite)
			r.server.AddMember(omerotest.Member{User: r.ada, Group: other})
			o.Container = r.server.AddDataset("Theirs", r.ada, other, 0)
		}, ` in the group "Lab" in OMERO that "ada" can see.`},
		"read-only": {func(r *rig, o *importer.Order) {
			o.Container = r.server.AddDataset("Bob's", r.bob, r.group, 0)
		}, `("Bob's") in OMERO belongs to "bob", and in the group "Lab" members may not add to what others own.`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, on.by)
			o := r.order()
			c.change(r, &o)
			b := r.open()
			_, err := b.Prepare(t.Context(), o)
			refused, ok := errors.AsType[*importer.Error](err)
			require.True(t, ok, "%v", err)
			require.Contains(t, refused.Reason, c.reason)
			b.Done(t.Context(), o.UUID)
			r.closed()
		})
	}
}

// In groups whose members may change each other's data, and for leaders, others' datasets will do.
func testPrepareOthersDatasets(on trial) {
	t := on.t
	r := newRig(t, on.by)
	shared := r.server.AddGroup("Shared", omerotest.ReadWrite)
	led := r.server.AddGroup("Led", omerotest.ReadOnly)
	for _, group := range []int64{shared, led} {
		r.server.AddMember(omerotest.Member{User: r.ada, Group: group, Leader: group == led})
		r.server.AddMember(omerotest.Member{User: r.bob, Group: group})
	}
	b := r.open()
	for name, group := range map[string]int64{"Shared": shared, "Led": led} {
		o := r.order()
		o.Group, o.Container = name, r.server.AddDataset("Bob's", r.bob, group, 0)
		r.prepare(b, &o)
		results, err := b.Import(t.Context(), r.request(o, r.file(name+".tif", omerotest.ImagesFile(1))))
		require.NoError(t, err)
		require.NoError(t, results[0].Err)
		b.Done(t.Context(), o.UUID)
	}
}

func testPing(on trial) {
	t := on.t
	r := newRig(t, on.by)
	require.NoError(t, r.open().Ping(t.Context()))
	r.server.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Refused, Times: 2})
	b := r.open()
	require.ErrorIs(t, b.Ping(t.Context()), importer.ErrUnavailable)
	require.NoError(t, b.Wait(t.Context()))
	r.password = "wrong"
	err := r.open().Wait(t.Context())
	refused, ok := errors.AsType[*importer.Error](err)
	require.True(t, ok, "%v", err)
	require.Contains(t, refused.Reason, "check omero.user and omero.password")
	require.NotContains(t, err.Error(), "wrong.")
}

// A container is found by its name, and otherwise made, once.
func testContainer(on trial) {
	t := on.t
	r := newRig(t, on.by)
	b := r.open()
	find := func(c importer.Container) int64 {
		c.Group, c.User = "Lab", "ada"
		id, err := b.Container(t.Context(), c)
		require.NoError(t, err)
		return id
	}
	require.Equal(t, r.dataset, find(importer.Container{Type: importer.Dataset, Name: "Retina"}))
	require.Equal(t, r.screen, find(importer.Container{Type: importer.Screen, Name: "Drugs"}))
	name := `it's a "new" one; 50% -- of`
	made := find(importer.Container{Type: importer.Dataset, Name: name})
	require.NotEqual(t, r.dataset, made)
	require.Equal(t, made, find(importer.Container{Type: importer.Dataset, Name: name}))
	inProject := find(importer.Container{Type: importer.Dataset, Name: name, Project: "Eyes"})
	require.NotEqual(t, made, inProject)
	require.Equal(t, inProject, find(importer.Container{Type: importer.Dataset, Name: name, Project: "Eyes"}))
	require.Len(t, r.server.State().Projects, 1)
	r.closed()
}

// Values of any kind arrive as they are.
func testDescribe(on trial) {
	t := on.t
	r := newRig(t, on.by)
	o := r.order()
	b := r.open()
	r.prepare(b, &o)
	req := r.request(o, r.file("a.tif", omerotest.ImagesFile(2)))
	req.Files[0].Name = "The 'left' eye"
	want := [][2]string{
		{"csv_plain", "DAPI"},
		{"csv_quotes", `it's "so"`},
		{"csv_lines", "one\ntwo\r\nthree"},
		{"csv_empty", ""},
		{"csv_option", "--help"},
		{"csv_#", "# no comment"},
		{"csv_long", strings.Repeat("é", 100_000)},
		{"csv_shell", `$(id) \ ` + "`id`"},
		{"csv_long lines", strings.Repeat("line of text\n", 5_000)},
	}
	req.Describe = func(int) ([]importer.Pair, error) {
		pairs := []importer.Pair{{Key: "UUID", Value: o.UUID}}
		for _, p := range want {
			pairs = append(pairs, importer.Pair{Key: p[0], Value: p[1]})
		}
		return append(pairs, importer.Pair{Key: "twice", Value: "1"}, importer.Pair{Key: "twice", Value: "2"}), nil
	}
	results, err := b.Import(t.Context(), req)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	s := r.server.State()
	annotated := map[int64]bool{}
	for _, a := range s.Annotations {
		for _, id := range a.Images {
			require.NotContains(t, annotated, id)
			annotated[id] = true
		}
		for _, p := range append(want, [2]string{"UUID", o.UUID}, [2]string{"twice", "1; 2"}) {
			require.Equal(t, p[1], a.Value(p[0]), p[0])
		}
	}
	require.Len(t, annotated, 2)
	require.ElementsMatch(t, []string{"The 'left' eye [0]", "The 'left' eye [1]"}, []string{s.Images[0].Name, s.Images[1].Name})
}

// Orders that are carried out at the same time have sessions of their own.
func testManyOrdersAtOnce(on trial) {
	t := on.t
	r := newRig(t, on.by)
	b := r.open()
	var group sync.WaitGroup
	for i := range 8 {
		path := r.file(string(rune('a'+i))+".tif", omerotest.ImagesFile(1))
		o := r.order()
		if i%2 == 1 {
			o.User, o.Container = "bob", r.server.AddDataset("Bob's", r.bob, r.group, 0)
		}
		group.Go(func() {
			mark, err := b.Prepare(t.Context(), o)
			if err == nil {
				o.Mark = mark
				var results []importer.Result
				if results, err = b.Import(t.Context(), r.request(o, path)); err == nil {
					err = results[0].Err
				}
			}
			b.Done(t.Context(), o.UUID)
			if err != nil {
				t.Errorf("order %d: %v", i, err)
			}
		})
	}
	group.Wait()
	r.closed()
	for _, f := range r.server.State().Filesets {
		require.Contains(t, []int64{r.ada, r.bob}, f.Owner)
	}
	require.Len(t, r.server.State().Filesets, 8)
}

// An order that is cancelled in the middle of an import leaves no process behind, and what it
// has imported is found.
func testCancel(on trial) {
	t := on.t
	r := newRig(t, on.by)
	r.server.Change(func(o *omerotest.Options) { o.FilesetTime = 50_000_000 })
	o := r.order()
	b := r.open()
	r.prepare(b, &o)
	var paths []string
	for i := range 100 {
		paths = append(paths, r.file(string(rune('a'+i/10))+string(rune('a'+i%10))+".tif", omerotest.ImagesFile(1)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	req := r.request(o, paths...)
	req.Progress = func(int) { cancel() }
	for i := range req.Files {
		req.Files[i].Copy, req.Files[i].Path = req.Files[i].Path, req.Files[i].Path+".kept"
	}
	_, err := b.Import(ctx, req)
	require.ErrorIs(t, err, context.Canceled)
	n := len(r.server.State().Filesets)
	require.Positive(t, n)
	folders, err := b.Folders(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, r.server.State().Filesets, n, "the import has ended")
	require.GreaterOrEqual(t, len(folders), 1)
	results := r.tries(&o, 2, paths...)
	for _, result := range results {
		require.NoError(t, result.Err)
	}
	r.sound(o.UUID, paths...)
}
