package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"biomero-importer/importer/omero/model"
)

// inFlight is how many requests of a session are under way at most. OMERO.web has few
// workers, and each request occupies one.
const inFlight = 4

// talk is a conversation with OMERO.web: its cookies, its CSRF token, and its connections.
type talk struct {
	base    *url.URL
	user    string // whom it acts as
	timeout time.Duration
	log     *slog.Logger
	http    *http.Client
	careful *retryablehttp.Client // for what must not be carried out twice
	free    *retryablehttp.Client // for what may be

	mu     sync.Mutex
	token  string
	hidden []string // what no error may quote
}

// talk starts a conversation of the importer's own account.
func (c *Client) talk() *talk {
	jar, _ := cookiejar.New(nil) // it never fails
	t := &talk{
		base: c.base, user: c.config.User, timeout: c.config.Timeout, log: c.log,
		http: &http.Client{
			Jar:     jar,
			Timeout: c.config.Timeout,
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: min(c.config.Timeout, 10*time.Second)}).DialContext,
				TLSClientConfig:     &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout: min(c.config.Timeout, 10*time.Second),
				ForceAttemptHTTP2:   true,
				MaxIdleConnsPerHost: inFlight,
				// A connection that the server gives up just when it is used again fails a
				// request that must not be repeated.
				IdleConnTimeout: 2 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	t.hide(c.config.Password)
	t.careful, t.free = c.pace.client(t.http, false, t.log), c.pace.client(t.http, true, t.log)
	return t
}

// do sends a request and reads the JSON of its answer into out, unless that is nil.
func (t *talk) do(ctx context.Context, r request, out any) error {
	a, err := t.send(ctx, r)
	if err != nil {
		return err
	}
	if err := a.judge(r); err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	return a.decode(r, out)
}

// send sends a request and returns whatever answer came. A refused CSRF token is replaced
// once; the request was not carried out then.
func (t *talk) send(ctx context.Context, r request) (answer, error) {
	a, err := t.exchange(ctx, r)
	if err != nil || !a.badToken() {
		return a, err
	}
	if err := t.renew(ctx); err != nil {
		return answer{}, fmt.Errorf("%s: %w", r.what, err)
	}
	return t.exchange(ctx, r)
}

// renew asks for a CSRF token.
func (t *talk) renew(ctx context.Context) error {
	r := request{what: "get a CSRF token", path: "/api/v0/token/", repeat: true}
	a, err := t.exchange(ctx, r)
	if err != nil {
		return err
	}
	if err := a.judge(r); err != nil {
		return err
	}
	var token struct {
		Data string `json:"data"`
	}
	if err := a.decode(r, &token); err != nil {
		return err
	}
	if token.Data == "" {
		return r.unavailable("there is none in the answer")
	}
	t.mu.Lock()
	t.token = token.Data
	t.mu.Unlock()
	t.hide(token.Data)
	return nil
}

// exchange sends a request, as often as may be, and reads the answer.
func (t *talk) exchange(ctx context.Context, r request) (answer, error) {
	req, err := r.build(ctx, t.base)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", r.what, err)
	}
	t.mu.Lock()
	req.Header.Set("X-CSRFToken", t.token)
	t.mu.Unlock()
	var body []byte
	read := false
	req.SetResponseHandler(func(resp *http.Response) (err error) {
		read = true
		body, err = readAll(resp)
		return err
	})
	client := t.careful
	if r.repeat {
		client = t.free
	}
	began := time.Now()
	resp, err := client.Do(req)
	if err == nil && !read { // attempts are used up
		body, err = readAll(resp)
	}
	if err != nil {
		return answer{}, t.failed(ctx, r, err)
	}
	for _, cookie := range resp.Cookies() {
		t.hide(cookie.Value)
	}
	t.log.DebugContext(ctx, "OMERO.web answered", slog.String("method", req.Method), slog.String("path", r.path),
		slog.Int("status", resp.StatusCode), slog.Duration("took", time.Since(began)))
	return answer{talk: t, status: resp.StatusCode, header: resp.Header, body: body, message: message(body)}, nil
}

// failed classes what came instead of an answer.
func (t *talk) failed(ctx context.Context, r request, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s: %w", r.what, ctx.Err())
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w: %w", r.what, model.ErrUnavailable, ctx.Err())
	}
	if timedOut(err) {
		return r.unavailable(fmt.Sprintf("no answer within %s", t.timeout))
	}
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err // what and where is known
	}
	if text := err.Error(); t.clean(text) != text {
		err = errors.New(t.clean(text))
	}
	if untrusted(err) {
		return fmt.Errorf("%s: %w: its certificate is not trusted; name the authority's certificates in the settings: %w",
			r.what, model.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w: %w", r.what, model.ErrUnavailable, err)
}

// leave ends the session, if any, and the connections.
func (t *talk) leave(ctx context.Context) error {
	r := request{what: "log out", method: http.MethodPost, path: "/webclient/logout/", repeat: true}
	a, err := t.send(ctx, r)
	t.http.CloseIdleConnections()
	if err != nil {
		return err
	}
	// It leads to the login page whether there was a session or not.
	if a.status/100 == 3 {
		return nil
	}
	err = a.judge(r)
	if errors.Is(err, model.ErrSessionGone) {
		return nil
	}
	return err
}

// abandon ends a session that nobody waits for.
func (t *talk) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := t.leave(ctx); err != nil {
		t.log.DebugContext(ctx, "a session of OMERO.web is left to end by itself", slog.Any("error", err))
	}
}
