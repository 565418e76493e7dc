package podman_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
	"biomero-importer/preprocess/podman"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	status, err := newClient(t, nil).Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "unix://"+shared.Socket, status.Socket)
	require.NotEmpty(t, status.Version)
}

func TestStatus_unavailable(t *testing.T) {
	t.Parallel()
	dead := filepath.Join(t.TempDir(), "dead.sock")
	require.NoError(t, os.WriteFile(dead, nil, 0o600))
	for _, socket := range []string{filepath.Join(t.TempDir(), "none.sock"), dead, "tcp://user:secret@127.0.0.1:1", "tcp://user:secret@127.0.0.1:x"} {
		client, err := podman.New(podman.Options{Socket: socket, Installation: "test"}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		_, err = client.Status(t.Context())
		require.ErrorIs(t, err, preprocess.ErrUnavailable)
		require.ErrorContains(t, err, "podman.socket")
		require.NotContains(t, err.Error(), "secret")
		_, err = client.Run(t.Context(), newRequest(t, "convert", nil), preprocess.Watch{})
		require.ErrorIs(t, err, preprocess.ErrUnavailable)
		require.NoError(t, client.Close())
	}
}

func TestNew_refuses(t *testing.T) {
	t.Parallel()
	for want, options := range map[string]podman.Options{
		"no policy":   {Installation: "a", Pull: "sometimes"},
		"has no name": {},
		"negative":    {Installation: "a", Limits: podman.Limits{Memory: -1}},
		"no pattern":  {Installation: "a", Allowed: []string{"a b"}},
	} {
		_, err := podman.New(options, slog.New(slog.DiscardHandler))
		if want == "no pattern" {
			want = "not a pattern"
		}
		require.ErrorContains(t, err, want)
	}
}

func TestRun_refusesImages(t *testing.T) {
	t.Parallel()
	for want, options := range map[string]podman.Options{
		"may not run here: this site allows ghcr.io/lab/*": {Allowed: []string{"ghcr.io/lab/*"}},
		"this site pulls none":                             {Pull: podman.PullNever},
	} {
		client := newClient(t, func(o *podman.Options) { o.Allowed, o.Pull = options.Allowed, options.Pull })
		req := newRequest(t, "convert", nil)
		req.Image = "localhost/none"
		_, err := client.Run(t.Context(), req, preprocess.Watch{})
		var fault *preprocess.Error
		require.ErrorAs(t, err, &fault)
		require.Contains(t, fault.Reason, want)
	}
}
