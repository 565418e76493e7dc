package podman_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
)

// What a container costs here, against podman's own command with the same image.
func BenchmarkRun(b *testing.B) {
	needPodman(b)
	b.Run("client", func(b *testing.B) {
		client := newClient(b, nil)
		req := newRequest(b, "convert", nil)
		temp := req.Temp
		for i := 0; b.Loop(); i++ {
			req.Input, req.Temp = i, filepath.Join(filepath.Dir(temp), strconv.Itoa(i))
			_, err := client.Run(b.Context(), req, preprocess.Watch{})
			require.NoError(b, err)
		}
	})
	b.Run("command", func(b *testing.B) {
		dir := b.TempDir()
		require.NoError(b, os.MkdirAll(filepath.Join(dir, "in/.processed"), 0o755))
		require.NoError(b, os.Mkdir(filepath.Join(dir, "out"), 0o755))
		require.NoError(b, os.WriteFile(filepath.Join(dir, "in/x.tif"), []byte("input"), 0o644))
		for b.Loop() {
			require.NoError(b, shared.Run("run", "--rm", "--network=none", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges",
				"--memory=256m", "--pids-limit=200", "--volume="+dir+"/in:/data:ro", "--volume="+dir+"/in/.processed:/data/.processed",
				"--volume="+dir+"/out:/out", converterImage,
				"--inputfile", "/data/x.tif", "--do", "convert", "--outputfolder", "/data/.processed", "--altoutputfolder", "/out"))
		}
	})
}
