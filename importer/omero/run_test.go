package omero_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero"
	"biomero-importer/importer/omero/omerotest"
)

// wrapped has the omero command run by a script, which ends with the command itself.
func (r *rig) wrapped(script string) {
	r.t.Helper()
	wrapper := filepath.Join(r.t.TempDir(), "omero")
	require.NoError(r.t, os.WriteFile(wrapper, []byte("#!/bin/bash\nomero="+r.server.CLI+"\n"+script+"\nexec $omero \"$@\"\n"), 0o755))
	r.config = func(c *omero.Config) { c.CLI.Path = wrapper }
}

// A name that ends in a blank is not taken for the one without it.
func TestImport_NameEndsInBlank(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	o := r.order()
	r.file("a.tif", omerotest.ImagesFile(1)) // not ordered
	paths := []string{
		r.file("a.tif ", omerotest.ImagesFile(1)), r.file("a.tif\t", omerotest.ImagesFile(1)), r.file(" b.tif", omerotest.ImagesFile(1)),
	}
	b := r.open()
	r.prepare(b, &o)
	var clean []string
	for i, result := range r.imp(b, o, paths...) {
		require.NoError(t, result.Err)
		require.Len(t, result.Filesets, 1)
		clean = append(clean, []string{paths[0], filepath.Join(r.data, "a.tif_"), paths[2]}[i])
	}
	r.sound(o.UUID, clean...)
}

// However an import ends: where its output is cut off, nobody knows what it made.
func TestImport_OutputIsCut(t *testing.T) {
	t.Parallel()
	for _, exit := range []string{"0", "1", "2"} {
		t.Run(exit, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, byCLI)
			once := filepath.Join(t.TempDir(), "once")
			r.wrapped(`case " $* " in *' import '*) [ -e ` + once + ` ] && exec $omero "$@"
				touch ` + once + `; $omero "$@"; while [ "$1" != --file ]; do shift; done; truncate -s -12 "$2"; exit ` + exit + `;; esac`)
			o := r.order()
			path := r.file("a.tif", omerotest.ImagesFile(1))
			b := r.open()
			r.prepare(b, &o)
			result := r.imp(b, o, path)[0]
			require.Error(t, result.Err)
			_, refused := errors.AsType[*importer.Error](result.Err)
			require.False(t, refused, "%v", result.Err)
			require.NoError(t, r.imp(b, o, path)[0].Err)
			r.sound(o.UUID, path)
		})
	}
}

// What OMERO says of a file tells nothing by the file's name.
func TestImport_NameIsThatOfAFault(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Ice.ObjectNotExistException", "SecurityViolation", "Ice.ConnectionLostException", "java.lang.OutOfMemoryError"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, byCLI)
			o := r.order()
			good := r.file("good.tif", omerotest.ImagesFile(1))
			b := r.open()
			r.prepare(b, &o)
			results := r.imp(b, o, r.file(name, omerotest.CorruptFile()), good, r.file("bad.tif", omerotest.CorruptFile()), r.file(name+".tif", omerotest.CorruptFile()))
			require.NoError(t, results[1].Err)
			for _, n := range []int{0, 2, 3} {
				refused, ok := errors.AsType[*importer.Error](results[n].Err)
				require.True(t, ok, "%v", results[n].Err)
				require.Contains(t, refused.Reason, "it may be damaged")
			}
			r.sound(o.UUID, good)
		})
	}
}

// Nor does what it says of an OME-Zarr that it does not register.
func TestImport_NameOfZarrIsThatOfAFault(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	r.wrapped(`case " $* " in *' zarr import '*) while [ "$1" != import ]; do shift; done; echo "FileNotFoundError: $2/0/.zarray" >&2; exit 1;; esac`)
	wrapped := r.config
	r.config = func(c *omero.Config) { wrapped(c); c.RegisterZarr = true }
	o := r.order()
	good := r.file("good.tif", omerotest.ImagesFile(1))
	b := r.open()
	r.prepare(b, &o)
	results := r.imp(b, o, r.zarr("Ice.ObjectNotExistException.ome.zarr"), good)
	require.Error(t, results[0].Err)
	require.NoError(t, results[1].Err)
	r.sound(o.UUID, good)
}
