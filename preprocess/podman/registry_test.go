package podman_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
	"biomero-importer/preprocess/podman"
)

// registry serves an image under any name that begins with "lab/", to whoever has the
// password.
type registry struct {
	*httptest.Server

	pulls atomic.Int32
	begun chan struct{} // gets a value with each pull
	hold  chan struct{} // is closed when pulls may go on
}

func newRegistry(t *testing.T, image string) *registry {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "image")
	require.NoError(t, shared.Run("save", "--quiet", "--format=oci-dir", "--output="+dir, image))
	var index struct {
		Manifests []struct {
			Digest string `json:"digest"`
		} `json:"manifests"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "index.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &index))
	r := &registry{begun: make(chan struct{}, 100), hold: make(chan struct{})}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, password, _ := req.BasicAuth(); password != "secret" {
			w.Header().Set("WWW-Authenticate", "Basic realm=lab")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		parts := strings.Split(strings.TrimPrefix(req.URL.Path, "/v2/"), "/")
		switch {
		case len(parts) < 4:
		case parts[0] != "lab":
			http.Error(w, `{"errors": [{"code": "NAME_UNKNOWN", "message": "repository name not known"}]}`, http.StatusNotFound)
		case parts[2] == "manifests":
			if !strings.HasPrefix(parts[3], "sha256:") {
				r.pulls.Add(1)
				r.begun <- struct{}{}
				<-r.hold
				parts[3] = index.Manifests[0].Digest
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", parts[3])
			fallthrough
		default:
			http.ServeFile(w, req, filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(filepath.Base(parts[3]), "sha256:")))
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *registry) image(name string) string {
	return strings.TrimPrefix(r.URL, "http://") + "/" + name
}

func (r *registry) authFile(t *testing.T, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.json")
	text := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, strings.TrimPrefix(r.URL, "http://"), base64.StdEncoding.EncodeToString([]byte("user:"+password)))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestRun_pullsOnceForMany(t *testing.T) {
	t.Parallel()
	needPodman(t)
	registry := newRegistry(t, converterImage)
	authFile := registry.authFile(t, "secret")
	client := newClient(t, func(o *podman.Options) { o.AuthFile = authFile })
	var told atomic.Int32
	var runs sync.WaitGroup
	asked := make(chan struct{}, 4)
	results := make([]preprocess.Result, 4)
	for i := range results {
		req := newRequest(t, "convert", nil)
		req.Input, req.Image = i, registry.image("lab/converter:v1")
		runs.Go(func() {
			var first sync.Once
			result, err := client.Run(t.Context(), req, preprocess.Watch{Pulling: func(string) {
				told.Add(1)
				first.Do(func() { asked <- struct{}{} })
			}})
			if err != nil {
				t.Error(err)
			}
			results[i] = result
		})
	}
	<-registry.begun
	for range results {
		<-asked // each has joined
	}
	close(registry.hold)
	runs.Wait()
	require.EqualValues(t, 1, registry.pulls.Load())
	require.GreaterOrEqual(t, told.Load(), int32(4))
	for _, result := range results {
		require.Equal(t, registry.image("lab/converter:v1"), result.Image)
		require.Equal(t, results[0].Digest, result.Digest)
		require.Regexp(t, "^sha256:", result.Digest)
	}

	always := newClient(t, func(o *podman.Options) { o.AuthFile, o.Pull = authFile, podman.PullAlways })
	req := newRequest(t, "convert", nil)
	req.Image = registry.image("lab/converter:v1")
	_, err := always.Run(t.Context(), req, preprocess.Watch{})
	require.NoError(t, err)
	require.EqualValues(t, 2, registry.pulls.Load())
}

func TestRun_saysWhatCannotBePulled(t *testing.T) {
	t.Parallel()
	needPodman(t)
	registry := newRegistry(t, converterImage)
	close(registry.hold)
	for name, tc := range map[string]struct{ image, password string }{
		"another name":     {"other/converter:v1", "secret"},
		"a wrong password": {"lab/converter:v1", "wrong"},
	} {
		client := newClient(t, func(o *podman.Options) { o.AuthFile = registry.authFile(t, tc.password) })
		req := newRequest(t, "convert", nil)
		req.Image = registry.image(tc.image)
		_, err := client.Run(t.Context(), req, preprocess.Watch{})
		var fault *preprocess.Error
		require.ErrorAs(t, err, &fault, name)
		require.Contains(t, fault.Reason, registry.image(tc.image)+" cannot be pulled")
	}
	registry.Close()
	client := newClient(t, nil)
	req := newRequest(t, "convert", nil)
	req.Image = registry.image("lab/converter:v1")
	_, err := client.Run(t.Context(), req, preprocess.Watch{})
	require.ErrorContains(t, err, "pulling the image")
	var fault *preprocess.Error
	require.NotErrorAs(t, err, &fault, "the registry may come back")
}

// The digest says what runs, whatever the tag is.
func TestRun_takesADigest(t *testing.T) {
	t.Parallel()
	needPodman(t)
	registry := newRegistry(t, pyramidImage)
	close(registry.hold)
	client := newClient(t, func(o *podman.Options) { o.AuthFile = registry.authFile(t, "secret") })
	req := newRequest(t, "", nil)
	req.Params = nil
	tiff, err := os.ReadFile("../tiff/testdata/strips-lzw-grey16.tif")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(req.Path, tiff, 0o644))
	req.Image = registry.image("lab/pyramid:v1")
	first, err := client.Run(t.Context(), req, preprocess.Watch{})
	require.NoError(t, err)
	for i, name := range []string{"lab/pyramid@", "lab/pyramid:another@", "lab/elsewhere:v1@"} {
		req.Input, req.Temp = i+1, filepath.Join(filepath.Dir(req.Temp), strconv.Itoa(i+1))
		req.Image = registry.image(name) + first.Digest
		result, err := client.Run(t.Context(), req, preprocess.Watch{})
		require.NoError(t, err)
		require.Equal(t, first.Digest, result.Digest)
		require.Equal(t, req.Image, result.Image)
	}
	require.EqualValues(t, 1, registry.pulls.Load())
}
