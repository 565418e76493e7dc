package podman_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess"
	"biomero-importer/preprocess/podman"
)

// between puts something between a client and the service: before is asked of each
// request, and answers it itself if it returns true; after may change a reply.
func between(t *testing.T, before func(w http.ResponseWriter, r *http.Request) bool, after func(r *http.Response) error) string {
	t.Helper()
	needPodman(t)
	dir, err := os.MkdirTemp("", "proxy") //nolint:usetesting // the path of its socket has to be short
	require.NoError(t, err)
	socket := filepath.Join(dir, "socket")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "d"})
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", shared.Socket)
	}}
	proxy.Transport, proxy.ModifyResponse, proxy.FlushInterval = transport, after, -1
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before == nil || !before(w, r) {
			proxy.ServeHTTP(w, r)
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
		transport.CloseIdleConnections()
		require.NoError(t, os.RemoveAll(dir))
	})
	return socket
}

func TestRun_triesBusyMountsAgain(t *testing.T) {
	t.Parallel()
	for _, attempts := range []int{2, 3} {
		req := newRequest(t, "convert", nil)
		var creates atomic.Int32
		client := newClient(t, func(o *podman.Options) {
			o.BindAttempts, o.BindDelay = attempts, time.Millisecond
			o.Socket = between(t, func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/containers/create") || creates.Add(1) > 2 {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusInternalServerError)
				_ = json.NewEncoder(w).Encode(map[string]any{"message": "statfs " + filepath.Dir(req.Path) + ": no such file or directory", "response": 500})
				return true
			}, nil)
		})
		_, err := client.Run(t.Context(), req, preprocess.Watch{})
		if attempts == 3 {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "statfs")
		var fault *preprocess.Error
		require.NotErrorAs(t, err, &fault, "it may pass")
	}
}

// withoutControllers makes the service say that its host has no cgroup controllers but one.
func withoutControllers(r *http.Response) error {
	if !strings.HasSuffix(r.Request.URL.Path, "/info") {
		return nil
	}
	var info map[string]any
	if err := json.NewDecoder(r.Body).Decode(&info); err != nil {
		return err
	}
	if host, ok := info["host"].(map[string]any); ok {
		host["cgroupControllers"] = []string{"pids"}
	}
	text, err := json.Marshal(info)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	r.Header.Del("Content-Length")
	return err
}

func TestRun_withoutSomeLimits(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		var log bytes.Buffer
		client, err := podman.New(podman.Options{
			Socket: between(t, nil, withoutControllers), Installation: t.Name(), Strict: strict,
			Limits: podman.Limits{Memory: 64 << 20, CPUs: 1.5, Pids: 50},
		}, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		status, err := client.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"memory", "cpu"}, status.Missing)
		for range 2 {
			_, err = client.Run(t.Context(), newRequest(t, "convert", nil), preprocess.Watch{})
			if strict {
				require.ErrorIs(t, err, preprocess.ErrUnavailable)
				require.ErrorContains(t, err, "cannot limit memory, cpu, which podman.strict asks for")
			} else {
				require.NoError(t, err)
			}
		}
		require.Equal(t, 1, strings.Count(log.String(), "cannot limit converters"), "it is reported once: %s", log.String())
		require.NoError(t, client.Close())
	}
}

// The connection breaks at each request in turn, before podman gets it and after, and
// what is asked for again comes out right, from one container that is left in the end.
func TestRun_brokenConnections(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after"} {
		for _, at := range []string{"/info", "/json", "/create", "/attach", "/start", "/logs", "DELETE"} {
			t.Run(when+strings.ReplaceAll(at, "/", " "), func(t *testing.T) {
				t.Parallel()
				broken := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, at) || r.Method == at }
				var breaks atomic.Int32
				breaks.Store(3) // the bindings try a request three times, unless it has a body
				before := func(_ http.ResponseWriter, r *http.Request) bool {
					if when == "before" && broken(r) && breaks.Add(-1) >= 0 {
						panic(http.ErrAbortHandler)
					}
					return false
				}
				after := func(r *http.Response) error { //nolint:unparam // the proxy wants it so
					if when == "after" && broken(r.Request) && breaks.Add(-1) >= 0 {
						panic(http.ErrAbortHandler)
					}
					return nil
				}
				client := newClient(t, func(o *podman.Options) { o.Socket = between(t, before, after) })
				req := newRequest(t, "convert", nil)
				var err error
				var result preprocess.Result
				for range 4 {
					if result, err = client.Run(t.Context(), req, preprocess.Watch{}); err == nil {
						break
					}
					var fault *preprocess.Error
					require.NotErrorAs(t, err, &fault)
				}
				require.NoError(t, err)
				require.Equal(t, filepath.Join(req.Share, "in/.processed/x.ome.tiff"), result.Items[0].Published)
				if at != "DELETE" {
					require.Empty(t, left(t, shared))
				}
				require.NoError(t, client.RemoveLeftovers(t.Context(), func(context.Context, string) (bool, error) { return false, nil }))
				require.Empty(t, left(t, shared))
				require.NoError(t, preprocess.CleanUp(t.Context(), req))
				require.Equal(t, map[string]string{"x.ome.tiff": "pixels"}, tree(t, filepath.Join(req.Share, "in/.processed")))
			})
		}
	}
}

// changing is a socket where podman says other things of containers.
func changing(t *testing.T, change func(state map[string]any)) string {
	t.Helper()
	return between(t, nil, func(r *http.Response) error {
		if !strings.Contains(r.Request.URL.Path, "/containers/") || !strings.HasSuffix(r.Request.URL.Path, "/json") || r.StatusCode != http.StatusOK {
			return nil
		}
		var container map[string]any
		if err := json.NewDecoder(r.Body).Decode(&container); err != nil {
			return err
		}
		if state, ok := container["State"].(map[string]any); ok {
			change(state)
		}
		text, err := json.Marshal(container)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		r.Header.Del("Content-Length")
		return err
	})
}

// After its host was started anew, podman says of a container that was running that it
// exited with status 0, or -1.
func TestRun_startsAnewWhereNobodySawTheEnd(t *testing.T) {
	t.Parallel()
	for name, ended := range map[string]map[string]any{
		"the host was started anew": {"Status": "exited", "ExitCode": 0, "FinishedAt": "0001-01-01T00:00:00Z"},
		"its monitor died":          {"Status": "exited", "ExitCode": -1, "FinishedAt": time.Now()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, req, seen := newClient(t, nil), newRequest(t, "wait", nil), &begins{}
			untilReady(t, client, req, seen)
			var once sync.Once
			client = newClient(t, func(o *podman.Options) {
				o.Socket = changing(t, func(state map[string]any) { once.Do(func() { maps.Copy(state, ended) }) })
			})
			result, err := client.Run(t.Context(), req, seen.watch(func() { release(t, req) }))
			require.NoError(t, err)
			require.Len(t, seen.lines, 2)
			require.FileExists(t, result.Items[0].Import)
			require.Empty(t, left(t, shared))
		})
	}
}

func TestRun_startsAnewAfterItsContainerIsLost(t *testing.T) {
	t.Parallel()
	var lost atomic.Bool
	client := newClient(t, func(o *podman.Options) {
		o.Socket = changing(t, func(state map[string]any) {
			if lost.Load() {
				maps.Copy(state, map[string]any{"Status": "exited", "ExitCode": 0, "FinishedAt": "0001-01-01T00:00:00Z"})
			}
		})
	})
	req, seen := newRequest(t, "wait", nil), &begins{}
	_, err := client.Run(t.Context(), req, seen.watch(func() { lost.Store(true) }))
	var fault *preprocess.Error
	require.NotErrorAs(t, err, &fault)
	require.ErrorContains(t, err, "is not known")
	require.Empty(t, left(t, shared))
	lost.Store(false)
	_, err = client.Run(t.Context(), req, seen.watch(func() { release(t, req) }))
	require.NoError(t, err)
	require.Len(t, seen.lines, 2)
}

// The bindings repeat a request whose reply is lost; podman did it already then.
func TestRun_acceptsWhatIsDoneAlready(t *testing.T) {
	t.Parallel()
	for at, do := range map[string]string{"/start": "convert", "/stop": "stubborn"} {
		t.Run(at[1:], func(t *testing.T) {
			t.Parallel()
			var once sync.Once
			client := newClient(t, func(o *podman.Options) {
				o.Limits.Time = 2 * time.Second
				o.Socket = between(t, nil, func(r *http.Response) error {
					if strings.HasSuffix(r.Request.URL.Path, at) {
						once.Do(func() { panic(http.ErrAbortHandler) })
					}
					return nil
				})
			})
			_, err := client.Run(t.Context(), newRequest(t, do, nil), preprocess.Watch{})
			if do == "convert" {
				require.NoError(t, err)
				return
			}
			var fault *preprocess.Error
			require.ErrorAs(t, err, &fault)
			require.Contains(t, fault.Reason, "ran for longer than 2s")
		})
	}
}

func TestRun_doesNotWaitForAServiceThatHangs(t *testing.T) {
	t.Parallel()
	client := newClient(t, func(o *podman.Options) {
		o.Socket = between(t, func(_ http.ResponseWriter, r *http.Request) bool {
			hangs := strings.Contains(r.URL.Path, "/containers/")
			if hangs {
				<-r.Context().Done()
			}
			return hangs
		}, nil)
	})
	_, err := client.Run(t.Context(), newRequest(t, "convert", nil), preprocess.Watch{})
	require.ErrorIs(t, err, preprocess.ErrUnavailable)
	require.ErrorContains(t, err, "does not answer within")
}

// cutBody ends a stream after its first piece.
type cutBody struct {
	io.ReadWriteCloser

	read bool
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.read {
		return 0, io.EOF
	}
	b.read = true
	return b.ReadWriteCloser.Read(p)
}

// What a container writes after the service was gone for a moment comes when it has ended.
func TestRun_tellsWhatItMissed(t *testing.T) {
	t.Parallel()
	client := newClient(t, func(o *podman.Options) {
		o.Socket = between(t, nil, func(r *http.Response) error {
			if body, ok := r.Body.(io.ReadWriteCloser); ok && strings.HasSuffix(r.Request.URL.Path, "/attach") {
				r.Body = &cutBody{ReadWriteCloser: body}
			}
			return nil
		})
	})
	req := newRequest(t, "wait", nil)
	var lines []string
	_, err := client.Run(t.Context(), req, preprocess.Watch{Line: func(from preprocess.Stream, line string) {
		if len(lines) == 0 {
			time.AfterFunc(6*time.Second, func() { release(t, req) }) // longer than the end of a container may take
		}
		lines = append(lines, string(from)+" "+line)
	}})
	require.NoError(t, err)
	require.Contains(t, lines, "stderr a warning that is late")
}

// A service that understands the filter for labels otherwise gives all containers.
func TestRemove_ofNoOther(t *testing.T) {
	t.Parallel()
	client, req, seen := newClient(t, nil), newRequest(t, "wait", nil), &begins{}
	untilReady(t, client, req, seen)
	unfiltered := func(o *podman.Options) {
		o.Socket = between(t, func(_ http.ResponseWriter, r *http.Request) bool {
			query := r.URL.Query()
			query.Del("filters")
			r.URL.RawQuery = query.Encode()
			return false
		}, nil)
	}
	other := newClient(t, func(o *podman.Options) { unfiltered(o); o.Installation = "another" + t.Name() })
	require.NoError(t, other.Remove(t.Context(), req.Order))
	require.NoError(t, newClient(t, unfiltered).Remove(t.Context(), "6f1d3a52-94a4-4d0c-9d5e-0c6b1f6f8a02"))
	require.NotEmpty(t, left(t, shared))
	require.NoError(t, client.Remove(t.Context(), req.Order))
	require.Empty(t, left(t, shared))
}

// Why a container was not started counts, also where podman cannot be told to remove it.
func TestRun_saysWhyItDidNotStart(t *testing.T) {
	t.Parallel()
	client := newClient(t, func(o *podman.Options) {
		o.Socket = between(t, func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodDelete {
				panic(http.ErrAbortHandler)
			}
			return false
		}, nil)
	})
	req := newRequest(t, "convert", nil)
	why := &preprocess.Error{Reason: "nobody wants it"}
	_, err := client.Run(t.Context(), req, preprocess.Watch{Starting: func() error { return why }})
	require.ErrorIs(t, err, why)
	require.NotErrorIs(t, err, preprocess.ErrUnavailable)
	require.NoError(t, newClient(t, nil).Remove(t.Context(), req.Order))
	require.Empty(t, left(t, shared))
}

// Where no agent was there to stop it, podman did, and gave it no exit status.
func TestRun_saysThatPodmanStoppedIt(t *testing.T) {
	t.Parallel()
	client, req, seen := newClient(t, nil), newRequest(t, "wait", nil), &begins{}
	untilReady(t, client, req, seen)
	ended := map[string]any{"Status": "exited", "ExitCode": -1, "FinishedAt": time.Now().Add(3 * time.Minute)}
	client = newClient(t, func(o *podman.Options) {
		o.Socket = changing(t, func(state map[string]any) { maps.Copy(state, ended) })
	})
	_, err := client.Run(t.Context(), req, preprocess.Watch{})
	var fault *preprocess.Error
	require.ErrorAs(t, err, &fault)
	require.Contains(t, fault.Reason, "ran for longer than 2m0s")
	require.Empty(t, left(t, shared))
}
