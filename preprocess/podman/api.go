package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/bindings"
	"github.com/containers/podman/v5/pkg/errorhandling"

	"biomero-importer/preprocess"
)

// The bindings' packages for the single endpoints would bring ten times as much code,
// and build tags with them; of what these endpoints say, only this little is used. It is
// the same in podman 4 and 5.

// ask sends a request and decodes the reply into a value, if that is not nil. It does not
// wait for ever for a service that hangs.
func (s *service) ask(ctx context.Context, method, endpoint string, query url.Values, body, into any, path ...string) error {
	bound := slowTime
	if method == http.MethodGet {
		bound = briefTime
	}
	ctx, cancel := within(ctx, bound)
	defer cancel()
	response, err := s.open(ctx, method, endpoint, query, nil, body, path...)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if err := response.Process(into); err != nil {
		return failed(ctx, request(method, endpoint), err)
	}
	return nil
}

// open sends a request and returns a successful reply, to be read and closed.
func (s *service) open(ctx context.Context, method, endpoint string, query url.Values, headers http.Header, body any, path ...string) (*bindings.APIResponse, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing a request to podman: %w", err)
		}
		reader = bytes.NewReader(text)
		headers = http.Header{"Content-Type": {"application/json"}}
	}
	response, err := s.conn.DoRequest(ctx, reader, method, endpoint, query, headers, path...)
	if err != nil {
		return nil, failed(ctx, request(method, endpoint), err)
	}
	// It was not modified where it is started or stopped already.
	if response.IsSuccess() || response.IsInformational() || response.StatusCode == http.StatusNotModified {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	return nil, failed(ctx, request(method, endpoint), response.Process(nil))
}

// request names one, without what it is about.
func request(method, endpoint string) string {
	return method + " " + strings.ReplaceAll(endpoint, "/%s", "")
}

// failed tells what podman said from its saying nothing.
func failed(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, said := errors.AsType[*errorhandling.ErrorModel](err); said {
		return fmt.Errorf("podman: %s: %w", doing, err)
	}
	return fmt.Errorf("%w: it broke off at %s: %w", preprocess.ErrUnavailable, doing, err)
}

// says reports whether podman answered with an error of this status, or of these words:
// its statuses vary between versions.
func says(err error, status int, words ...string) bool {
	said, ok := errors.AsType[*errorhandling.ErrorModel](err)
	if !ok {
		return false
	}
	if status != 0 && said.ResponseCode == status {
		return true
	}
	for _, word := range words {
		if strings.Contains(strings.ToLower(said.Message+" "+said.Because), word) {
			return true
		}
	}
	return false
}

func isGone(err error) bool { return says(err, http.StatusNotFound, "no such container") }

func (s *service) ping(ctx context.Context) error {
	return s.ask(ctx, http.MethodGet, "/_ping", nil, nil, nil)
}

// within bounds the wait for a service that accepts connections and says nothing.
func within(ctx context.Context, bound time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, bound, unanswered(bound))
}

func unanswered(bound time.Duration) error {
	return fmt.Errorf("%w: it does not answer within %v", preprocess.ErrUnavailable, bound)
}

const (
	briefTime = 20 * time.Second // to say something
	slowTime  = 10 * time.Minute // to do something: storage may be slow
)

// hostInfo is what is to be known of a service and its host.
type hostInfo struct {
	version     string
	rootless    bool
	controllers []string
}

func (s *service) hostInfo(ctx context.Context) (hostInfo, error) {
	var info struct {
		Host struct {
			CgroupControllers []string `json:"cgroupControllers"` //nolint:tagliatelle // podman's name
			Security          struct {
				Rootless bool `json:"rootless"`
			} `json:"security"`
		} `json:"host"`
		Version struct {
			Version string
		} `json:"version"`
	}
	if err := s.ask(ctx, http.MethodGet, "/info", nil, nil, &info); err != nil {
		return hostInfo{}, err
	}
	return hostInfo{version: info.Version.Version, rootless: info.Host.Security.Rootless, controllers: info.Host.CgroupControllers}, nil
}

// container is what podman says of one.
type container struct {
	ID     string `json:"Id"` //nolint:tagliatelle // podman's name
	Config struct {
		Labels map[string]string
	}
	State struct {
		Status     string
		ExitCode   int
		OOMKilled  bool
		StartedAt  time.Time
		FinishedAt time.Time
	}
	Image string // its id
}

// started reports whether it ever ran.
func (c *container) started() bool { return c.State.StartedAt.Year() > 1 }

// over reports whether it has ended.
func (c *container) over() bool { return c.State.Status == "exited" || c.State.Status == "stopped" }

// lost reports whether it began and nobody saw how it ended, as when its host was started
// anew: podman may say then that it exited with status 0.
func (c *container) lost() bool {
	if c.over() {
		return c.State.FinishedAt.Year() <= 1 || c.State.ExitCode < 0
	}
	return c.started() && !slices.Contains([]string{"running", "paused", "stopping"}, c.State.Status)
}

// find looks for a container; without one it is nil.
func (s *service) find(ctx context.Context, name string) (*container, error) {
	for try := 1; ; try++ {
		found := &container{}
		err := s.ask(ctx, http.MethodGet, "/containers/%s/json", nil, nil, found, name)
		switch {
		case err == nil:
			return found, nil
		case isGone(err):
			return nil, nil //nolint:nilnil // there is none
		case try == maxFinds || !says(err, 0, "no such process"):
			return nil, err
		}
		// Its process ended while podman looked at it.
	}
}

const maxFinds = 5

func (s *service) create(ctx context.Context, spec any) (id string, err error) {
	var created struct {
		ID string `json:"Id"` //nolint:tagliatelle // podman's name
	}
	err = s.ask(ctx, http.MethodPost, "/containers/create", nil, spec, &created)
	return created.ID, err
}

func (s *service) start(ctx context.Context, id string) error {
	return s.ask(ctx, http.MethodPost, "/containers/%s/start", nil, nil, nil, id)
}

// stop ends a container, with SIGTERM and then, after a while, SIGKILL.
func (s *service) stop(ctx context.Context, id string) error {
	return s.ask(ctx, http.MethodPost, "/containers/%s/stop", url.Values{"timeout": {stopTime}}, nil, nil, id)
}

// remove does the same where it is still running. One that is gone is no error.
func (s *service) remove(ctx context.Context, id string) error {
	err := s.ask(ctx, http.MethodDelete, "/containers/%s", url.Values{"force": {"true"}, "timeout": {stopTime}, "v": {"true"}}, nil, nil, id)
	if isGone(err) {
		return nil
	}
	return err
}

// stopTime is how many seconds a container has to end by itself.
const stopTime = "3"

// attach returns what a container writes from now on.
func (s *service) attach(ctx context.Context, id string) (io.ReadCloser, error) {
	query := url.Values{"stream": {"true"}, "stdout": {"true"}, "stderr": {"true"}}
	headers := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"tcp"}}
	response, err := s.open(ctx, http.MethodPost, "/containers/%s/attach", query, headers, nil, id)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// logs returns what a container has written, less the beginning of very much.
func (s *service) logs(ctx context.Context, id string) (io.ReadCloser, error) {
	return s.readLogs(ctx, id, "false")
}

// followLogs goes on with what it writes from now on.
func (s *service) followLogs(ctx context.Context, id string) (io.ReadCloser, error) {
	return s.readLogs(ctx, id, "true")
}

func (s *service) readLogs(ctx context.Context, id, follow string) (io.ReadCloser, error) {
	response, err := s.open(ctx, http.MethodGet, "/containers/%s/logs", url.Values{"stdout": {"true"}, "stderr": {"true"}, "follow": {follow}}, nil, nil, id)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// list finds all containers with these labels.
func (s *service) list(ctx context.Context, labels ...string) ([]listed, error) {
	filters, err := json.Marshal(map[string][]string{"label": labels})
	if err != nil {
		return nil, fmt.Errorf("writing a request to podman: %w", err)
	}
	var found []listed
	err = s.ask(ctx, http.MethodGet, "/containers/json", url.Values{"all": {"true"}, "filters": {string(filters)}}, nil, &found)
	return found, err
}

type listed struct {
	ID     string `json:"Id"` //nolint:tagliatelle // podman's name
	Labels map[string]string
}
