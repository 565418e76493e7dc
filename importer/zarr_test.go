package importer_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
)

const (
	imageAttributes = `{"multiscales": [{"version": "0.4"}]}`
	plateAttributes = `{"plate": {"wells": [{"path": "A/1"}, {"path": "A/2"}]}}`
	wellAttributes  = `{"well": {"images": [{"path": "0"}, {"path": "1"}]}}`
)

func tree(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func TestReadZarr(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		files map[string]string
		want  importer.Zarr
	}{
		"image 0.4": {map[string]string{".zattrs": imageAttributes}, importer.Zarr{Images: 1}},
		"image 0.5": {map[string]string{"zarr.json": `{"attributes": {"ome": ` + imageAttributes + `}}`}, importer.Zarr{Images: 1}},
		"plate": {
			map[string]string{".zattrs": plateAttributes, "A/1/.zattrs": wellAttributes, "A/2/.zattrs": wellAttributes},
			importer.Zarr{Plate: true, Images: 4},
		},
		"bioformats2raw": {
			map[string]string{".zattrs": `{"bioformats2raw.layout": 3}`, "0/.zattrs": imageAttributes, "1/.zattrs": imageAttributes},
			importer.Zarr{Images: 2},
		},
	} {
		got, err := importer.ReadZarr(tree(tc.files))
		require.NoError(t, err, name)
		require.Equal(t, tc.want, got, name)
	}
}

func TestReadZarr_refuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no metadata":           {map[string]string{"0/0": "x"}, "lacks metadata"},
		"no JSON":               {map[string]string{".zattrs": "{"}, "not readable"},
		"neither":               {map[string]string{".zattrs": "{}"}, `neither "multiscales" nor "plate"`},
		"a well outside":        {map[string]string{".zattrs": `{"plate": {"wells": [{"path": "../../etc"}]}}`}, "no path inside"},
		"a well that is absent": {map[string]string{".zattrs": plateAttributes}, "lacks metadata"},
		"a well twice":          {map[string]string{".zattrs": `{"plate": {"wells": [{"path": "A/1"}, {"path": "A/1"}]}}`, "A/1/.zattrs": wellAttributes}, "twice"},
		"no field":              {map[string]string{".zattrs": `{"plate": {"wells": []}}`}, "names no image"},
		"empty layout":          {map[string]string{".zattrs": `{"bioformats2raw.layout": 3}`}, "without an image"},
	} {
		_, err := importer.ReadZarr(tree(tc.files))
		var fault *importer.Error
		require.ErrorAs(t, err, &fault, name)
		require.Contains(t, fault.Reason, tc.want, name)
	}
}

func FuzzReadZarr(f *testing.F) {
	f.Add(imageAttributes, wellAttributes)
	f.Add(plateAttributes, wellAttributes)
	f.Add(`{"bioformats2raw.layout": 3}`, "")
	f.Fuzz(func(t *testing.T, top, well string) {
		got, err := importer.ReadZarr(tree(map[string]string{".zattrs": top, "A/1/.zattrs": well, "0/.zattrs": well}))
		if err == nil {
			require.Positive(t, got.Images)
		}
	})
}

func TestImageName(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/data/home.ome.zarr": "home", "/data/x.zarr": "x", "/data/X.OME.ZARR": "X", "/data/a.tif": "a.tif", "/data/.zarr": ".zarr",
	} {
		require.Equal(t, want, importer.ImageName(path))
	}
}
