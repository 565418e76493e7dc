package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
)

// A client as sites have it: Python, SQLAlchemy models of the shared tables.
func TestSQLAlchemyClient_seesItsOrderComplete(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	paths := []string{s.write("pixels", "Größe µm.tif"), s.write("pixels", "b.tif"), s.write("pixels", "c.tif")}
	url := strings.Replace(s.url, "postgres://", "postgresql+psycopg2://", 1)
	// Debian's own interpreter has Debian's packages.
	cmd := exec.Command("/usr/bin/python3", append([]string{"testdata/sqlalchemy_client.py", url}, paths...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, errs.String())
	var saw struct {
		Stages []string `json:"stages"`
		Files  []string `json:"files"`
		Names  string   `json:"names"`
	}
	require.NoError(t, json.Unmarshal(out, &saw))
	require.Equal(t, completed, saw.Stages)
	require.Equal(t, paths, saw.Files)
	require.Equal(t, `["Gr\u00f6\u00dfe \u00b5m.tif", "...", "c.tif"]`, saw.Names)
	a.stop()
}

// foreignImages are image files of Debian's python3-skimage.
const foreignImages = "/usr/lib/python3/dist-packages/skimage/data"

func TestForeignImages_areImportedUntouched(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	found, err := filepath.Glob(foreignImages + "/*.tif")
	require.NoError(t, err)
	require.NotEmpty(t, found, "install python3-skimage")
	var files []string
	for _, f := range found {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		files = append(files, s.write(string(data), "Demo", "ada", "inbox", "skimage", filepath.Base(f)))
	}
	a := s.start()
	for _, f := range files {
		s.eventually(func() bool {
			return slices.Contains(s.links(), f)
		}, f+" is linked")
	}
	list, err := s.store.Recent(t.Context(), 100)
	require.NoError(t, err)
	for _, st := range list {
		require.Equal(t, order.Completed, s.ended(st.UUID, 1).Stage)
	}
	for i, f := range files {
		before, err := os.ReadFile(found[i])
		require.NoError(t, err)
		after, err := os.ReadFile(f)
		require.NoError(t, err)
		require.True(t, bytes.Equal(before, after), f)
	}
	a.stop()
}
