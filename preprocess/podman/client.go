package podman

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/containers/podman/v5/pkg/bindings"

	"biomero-importer/preprocess"
)

// Pull says when an image is pulled.
type Pull string

// The policies: when it is not there, before each container, or not at all.
const (
	PullMissing Pull = "missing"
	PullAlways  Pull = "always"
	PullNever   Pull = "never"
)

// Options are a client's settings.
type Options struct {
	// Socket is the service's URI or the path of its socket. If empty, it is
	// $CONTAINER_HOST, or else the first of the usual places that answers.
	Socket string
	// Installation tells the containers of this database from those of others.
	Installation string
	Allowed      []string // patterns of images, see preprocess.NewAllowlist
	Pull         Pull     // PullMissing if empty
	AuthFile     string   // with credentials for registries; the usual places if empty
	Network      bool     // whether converters have a network
	UserNS       string   // podman's mode, such as "keep-id"; the service's default if empty
	Limits       Limits
	Strict       bool          // refuse to run where the host cannot apply a limit
	BindAttempts int           // how often a busy mount is tried; at least once
	BindDelay    time.Duration // the pause before the next try
}

// Limits bound a container. Zero does not limit.
type Limits struct {
	Memory int64         // bytes, with swap
	CPUs   float64       // as many as that, of all there are
	Pids   int64         // processes and threads
	Time   time.Duration // since it started
}

// Client runs converters. It connects as it is used, and again after a failure.
type Client struct {
	options Options
	allowed preprocess.Allowlist
	log     *slog.Logger

	mu      sync.Mutex
	service *service // nil before it answered

	pulls pulls
}

// New checks the options. The service need not be there.
func New(options Options, log *slog.Logger) (*Client, error) {
	allowed, err := preprocess.NewAllowlist(options.Allowed)
	if err != nil {
		return nil, err
	}
	if options.Pull == "" {
		options.Pull = PullMissing
	}
	limits := options.Limits
	switch {
	case !slices.Contains([]Pull{PullMissing, PullAlways, PullNever}, options.Pull):
		return nil, fmt.Errorf("%q is no policy for pulling images: it is missing, always or never", options.Pull)
	case options.Installation == "":
		return nil, errors.New("containers cannot be told from those of others: the installation has no name")
	case limits.Memory < 0 || limits.CPUs < 0 || limits.Pids < 0 || limits.Time < 0:
		return nil, errors.New("a limit of containers is negative")
	}
	options.BindAttempts = max(options.BindAttempts, 1)
	return &Client{options: options, allowed: allowed, log: log, pulls: pulls{running: map[string]*pull{}}}, nil
}

// Close releases connections. Containers go on.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.service != nil {
		c.service.conn.Client.CloseIdleConnections()
		c.service = nil
	}
	return nil
}

// Status tells about the service.
type Status struct {
	Socket  string
	Version string
	Missing []string // the limits that its host cannot apply, such as "memory"
}

// Status asks the service. Without it the error is an ErrUnavailable.
func (c *Client) Status(ctx context.Context) (Status, error) {
	s, err := c.connect(ctx)
	if err != nil {
		return Status{}, err
	}
	return Status{Socket: s.conn.URI.Redacted(), Version: s.info.version, Missing: s.missing}, nil
}

// Check returns the *preprocess.Error for which the request would be refused, without
// asking the service.
func (c *Client) Check(req preprocess.Request) error {
	_, err := c.check(&req)
	return err
}

// check also returns the full name of the image.
func (c *Client) check(req *preprocess.Request) (image string, err error) {
	if image, err = preprocess.ImageName(req.Image); err != nil {
		return "", err
	}
	if err := c.allowed.Check(image); err != nil {
		return "", err
	}
	_, err = req.Command()
	return image, err
}

// owns reports whether a container of these labels is of this installation.
func (c *Client) owns(labels map[string]string) bool {
	return labels[labelInstallation] == c.options.Installation
}

// service is a podman service that answered.
type service struct {
	conn    *bindings.Connection
	info    hostInfo
	missing []string
}

// limits reports whether its host can apply a limit.
func (s *service) limits(name string) bool { return !slices.Contains(s.missing, name) }

// connect finds the service, or makes sure that it is still there.
func (c *Client) connect(ctx context.Context) (*service, error) {
	c.mu.Lock()
	known := c.service
	c.mu.Unlock()
	if known != nil {
		if err := known.ping(ctx); err == nil {
			return known, nil
		}
	}
	conn, err := dial(ctx, c.options.Socket)
	if err != nil {
		return nil, err
	}
	found := &service{conn: conn}
	if found.info, err = found.hostInfo(ctx); err != nil {
		conn.Client.CloseIdleConnections()
		return nil, err
	}
	found.missing = missingLimits(c.options.Limits, found.info)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.service == nil || !slices.Equal(c.service.missing, found.missing) {
		c.report(ctx, found)
	}
	if c.service != nil {
		c.service.conn.Client.CloseIdleConnections()
	}
	c.service = found
	return found, nil
}

// report says once what the host cannot do.
func (c *Client) report(ctx context.Context, s *service) {
	attrs := []any{slog.String("socket", s.conn.URI.Redacted()), slog.String("version", s.info.version)}
	if len(s.missing) == 0 {
		c.log.InfoContext(ctx, "converters run with podman", attrs...)
		return
	}
	attrs = append(attrs, slog.Any("limits", s.missing))
	if c.options.Strict {
		c.log.ErrorContext(ctx, "podman's host cannot limit converters, and the settings are strict: none runs", attrs...)
		return
	}
	c.log.WarnContext(ctx, "podman's host cannot limit converters: they run without these limits", attrs...)
}
