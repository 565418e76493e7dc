package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"biomero-importer/agent/notify/message"
	"biomero-importer/agent/tracking"
)

// Bounds on what a receiver can make of a request.
const (
	answerTime   = 30 * time.Second
	maxHeader    = 64 << 10
	maxDrained   = 4 << 10 // of an answer that nobody reads, so that the connection can be used again
	maxRedirects = 3
)

// webhook posts events to an address.
type webhook struct {
	Webhook
	client *http.Client
}

func newWebhook(w Webhook, roots *x509.CertPool) *webhook {
	return &webhook{Webhook: w, client: &http.Client{
		Timeout:       answerTime,
		CheckRedirect: followable,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: senders, IdleConnTimeout: 30 * time.Second,
			MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
		},
	}}
}

// followable lets a redirect be followed to the same server, as long as the request stays
// what it is. Others end as the answer that they are.
func followable(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	if r.Method != http.MethodPost || r.URL.Scheme != first.Scheme || r.URL.Host != first.Host || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// target names the address without what may be secret in it.
func (w *webhook) target() tracking.Target {
	host := ""
	if u, err := url.Parse(w.URL); err == nil {
		host = u.Host
	}
	sum := sha256.Sum256([]byte(w.URL))
	return tracking.Target{Name: host + " " + hex.EncodeToString(sum[:4]), Stages: w.Stages}
}

func (w *webhook) gathered() bool { return false }

func (w *webhook) close() { w.client.CloseIdleConnections() }

func (w *webhook) deliver(ctx context.Context, id string, events []message.Event, try int) error {
	body, err := events[0].Body()
	if w.Template != nil {
		body, err = w.Template.Body(&events[0])
	}
	if err != nil {
		return &failure{reason: "The template: " + err.Error(), final: true}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return &failure{reason: "The address is none.", final: true}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "biomero-importer")
	message.Sign(r.Header, w.Key, id, time.Now(), body)
	answer, err := w.client.Do(r)
	if err != nil {
		return &failure{reason: fault(err)}
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.CopyN(io.Discard, answer.Body, maxDrained)
	return judged(ctx, answer, try)
}

// fault is an error without the address, which may hold a secret.
func fault(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "It did not answer in time."
	}
	return "It cannot be reached: " + err.Error()
}

// judged tells answers that are final from those that another try may change.
func judged(ctx context.Context, answer *http.Response, try int) error {
	code := answer.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	f := &failure{reason: fmt.Sprintf("It answered %d %s.", code, http.StatusText(code))}
	if code >= 300 && code < 400 {
		f.reason = fmt.Sprintf("It answered %d, which leads elsewhere and is not followed: give the address that it leads to.", code)
	}
	again, _ := retryablehttp.DefaultRetryPolicy(context.WithoutCancel(ctx), answer, nil) // its error says the same
	f.final = !again && code != http.StatusRequestTimeout && code != http.StatusTooEarly
	if wait := retryablehttp.DefaultBackoff(firstWait, longestWait, try-1, answer); wait > 0 { // of a number that is too large it makes less
		f.wait = wait
	}
	return f
}
