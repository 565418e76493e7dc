package omerotest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer/omero/omerotest"
)

// zarrImage writes an image of OME-Zarr 0.4, whose chunk is eight levels down.
func (s *site) zarrImage(name string) string {
	s.file(name+"/.zgroup", []byte("{}"))
	s.file(name+"/.zattrs", []byte(`{"multiscales": [{"datasets": [{"path": "0"}]}]}`))
	s.file(name+"/0/.zarray", []byte("{}"))
	s.file(name+"/0/0/0/0/0/0", []byte("chunk"))
	return filepath.Join(s.dir, name)
}

// zarrPlate writes a plate of two wells with two fields each.
func (s *site) zarrPlate(name string) string {
	s.file(name+"/.zattrs", []byte(`{"plate": {"wells": [{"path": "A/1"}, {"path": "A/2"}]}}`))
	for _, well := range []string{"A/1", "A/2"} {
		s.file(name+"/"+well+"/.zattrs", []byte(`{"well": {"images": [{"path": "0"}, {"path": "1"}]}}`))
		for _, field := range []string{"0", "1"} {
			s.zarrImage(name + "/" + well + "/" + field)
		}
	}
	return filepath.Join(s.dir, name)
}

func (s *site) zarrArgs(key string, more ...string) []string {
	return append([]string{"zarr", "-q", "-s", s.Host, "-k", key, "import"}, more...)
}

func TestRegisterZarr(t *testing.T) {
	s := newSite(t)
	key := s.login()
	path := s.zarrImage("home.ome.zarr")
	r := s.run(s.zarrArgs(key, path, "--name", "home", "--target", "Dataset:51")...)
	require.Zero(t, r.exit, r.errors)
	require.Equal(t, "Importing: Image\nlsid: "+path+"\nImported Image: 5001\nLinked to Dataset 51\n", r.out)
	state := s.State()
	require.Empty(t, state.Filesets)
	require.Equal(t, "home", state.Images[0].Name)
	require.Equal(t, path, state.Images[0].URI)
	require.Equal(t, []int64{s.dataset}, state.Images[0].Datasets)

	r = s.run(s.zarrArgs(key, path, "--target", "Dataset:99")...)
	require.Zero(t, r.exit)
	require.Contains(t, r.out, "Imported Image: 5002\nTarget not found\n")
	require.Equal(t, "home.ome.zarr", s.State().Images[1].Name)
	r = s.run(s.zarrArgs(key, path, "--target", "Screen:51")...)
	require.Contains(t, r.out, "Linked to Dataset 51", "whatever the class")
}

func TestZarrThatIsNotRegistered(t *testing.T) {
	s := newSite(t)
	key := s.login()
	r := s.run(s.zarrArgs(key, s.zarrPlate("plate.zarr"))...)
	require.Zero(t, r.exit)
	require.Equal(t, "Plate import not yet supported\n", r.out)
	r = s.run(s.zarrArgs(key, filepath.Join(s.dir, "nothing.zarr"))...)
	require.Equal(t, 1, r.exit)
	require.Contains(t, r.errors, "GroupNotFoundError")
	s.Change(func(o *omerotest.Options) { o.PixelBuffer = false })
	require.Equal(t, 1, s.run(s.zarrArgs(key, s.zarrImage("i.zarr"))...).exit)
	require.Empty(t, s.State().Images)
}

func TestRegisterSeries(t *testing.T) {
	s := newSite(t)
	key := s.login()
	s.file("many.zarr/.zattrs", []byte(`{"bioformats2raw.layout": 3}`))
	s.zarrImage("many.zarr/0")
	s.zarrImage("many.zarr/1")
	r := s.run(s.zarrArgs(key, filepath.Join(s.dir, "many.zarr"), "--target", "51")...)
	require.Zero(t, r.exit, r.errors)
	require.Contains(t, r.out, "Created Image 5001\n")
	require.Contains(t, r.out, "Created Image 5002\n")
	require.Equal(t, 2, strings.Count(r.out, "Linked to Dataset 51"))
}

func TestImportZarr(t *testing.T) {
	s := newSite(t)
	key := s.login()
	image, plate := s.zarrImage("image.ome.zarr"), s.zarrPlate("plate.zarr")
	r := s.run(s.importArgs(key, "-d", "51", image)...)
	require.Equal(t, 1, r.exit, "no chunk within four levels")
	r = s.run(s.importArgs(key, "-d", "51", "--depth", "10", image)...)
	require.Zero(t, r.exit, r.errors)
	fs := s.State().Filesets[0]
	require.Len(t, fs.Files, 4)
	require.Equal(t, fs.TemplatePrefix+"image.ome.zarr/.zattrs", fs.Files[0])
	target, err := os.Readlink(filepath.Join(s.Repository, fs.Files[3]))
	require.NoError(t, err)
	require.Equal(t, image+"/0/0/0/0/0/0", target)

	r = s.run(s.importArgs(key, "-r", "51", "--depth", "10", "--output", "yaml", plate)...)
	require.Zero(t, r.exit, r.errors)
	all := records(t, r.out)
	require.Len(t, all, 1)
	require.Len(t, all[0]["Image"], 4)
	require.Equal(t, []int64{s.screen}, s.State().Plates[0].Screens)
}
