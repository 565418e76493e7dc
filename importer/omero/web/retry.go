package web

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// pace says how often and how fast requests are tried again.
type pace struct {
	times     int
	min, max  time.Duration // between attempts, when the server does not say
	longestBy time.Duration // a server that asks for more patience is not waited for
}

var usual = pace{times: 3, min: 500 * time.Millisecond, max: 5 * time.Second, longestBy: time.Minute}

// client returns one that tries again what may be tried again.
func (p pace) client(inner *http.Client, repeat bool, log *slog.Logger) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient:   inner,
		RetryMax:     p.times,
		RetryWaitMin: p.min,
		RetryWaitMax: p.max,
		Backoff:      retryablehttp.DefaultBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			if ctx.Err() != nil {
				return false, nil //nolint:nilerr // the caller looks at the context itself
			}
			return p.again(ctx, repeat, resp, err), nil
		},
		RequestLogHook: func(_ retryablehttp.Logger, req *http.Request, n int) {
			if n > 0 {
				log.DebugContext(req.Context(), "asking OMERO.web again", slog.String("method", req.Method),
					slog.String("path", req.URL.Path), slog.Int("attempt", n+1))
			}
		},
	}
}

// again tells whether another attempt is to be made. What must not be carried out twice is
// sent again only if it certainly was not carried out.
func (p pace) again(ctx context.Context, repeat bool, resp *http.Response, err error) bool {
	if err != nil {
		if timedOut(err) || untrusted(err) || errors.Is(err, errTooLarge) {
			return false
		}
		return repeat || unsent(err)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if resp.Header.Get("Retry-After") == "" {
			return repeat
		}
		wait := retryablehttp.DefaultBackoff(p.min, p.max, 0, resp)
		end, limited := ctx.Deadline()
		return wait >= 0 && wait <= p.longestBy && (!limited || time.Until(end) > wait)
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return repeat
	}
	return false
}

// unsent tells whether there was not even a connection.
func unsent(err error) bool {
	op := (*net.OpError)(nil)
	return errors.As(err, &op) && op.Op == "dial"
}

// timedOut tells whether the time was up.
func timedOut(err error) bool {
	slow := net.Error(nil)
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout()
}

// untrusted tells whether the server could not prove who it is.
func untrusted(err error) bool {
	cert := (*tls.CertificateVerificationError)(nil)
	return errors.As(err, &cert)
}
