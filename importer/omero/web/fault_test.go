package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

const read = "GET /api/v0/m/datasets/7/"

// What an answer is taken for, whether something is read or made.
func TestFaults(t *testing.T) {
	t.Parallel()
	const (
		page = "<!DOCTYPE html><html><body>Server Error with csrftoken</body></html>"
		json = "application/json"
	)
	gone, unavailable, refused := model.ErrSessionGone, model.ErrUnavailable, errors.New("refused for good")
	for name, tc := range map[string]struct {
		then handler
		want error
		text string
	}{
		"page for 500":       {says(500, "text/html; charset=utf-8", page), unavailable, "(status 500, text/html)"},
		"page for 502":       {says(502, "text/html", page), unavailable, "(status 502, text/html)"},
		"page for 200":       {says(200, "text/html", page), unavailable, "not the JSON"},
		"page for 403":       {says(403, "text/html", page), unavailable, "(status 403, text/html)"},
		"page for 404":       {says(404, "text/html", page), unavailable, "is its address right?"},
		"page for 400":       {says(400, "text/html", page), unavailable, "(status 400, text/html)"},
		"nothing":            {says(200, "", ""), unavailable, "not the JSON"},
		"half the JSON":      {says(200, json, `{"data":{"@id":7,"Na`), unavailable, "not the JSON"},
		"other JSON":         {says(200, json, `[1,2]`), unavailable, "not the JSON"},
		"message for 500":    {says(500, json, `{"message":"exception ::omero::ResourceError\n{\n  message = no room\n}","stacktrace":"…"}`), unavailable, "status 500: no room"},
		"busy":               {says(429, "text/html", page), unavailable, "too many requests"},
		"very busy":          {says(429, "text/html", page, "Retry-After", "3600"), unavailable, "too many requests"},
		"starting":           {says(503, "text/html", page), unavailable, "status 503"},
		"cut":                {cut, unavailable, "EOF"},
		"cut within":         {cutWithin, unavailable, "EOF"},
		"too long":           {long, unavailable, "longer than 16 MiB"},
		"to the login":       {says(302, "text/html", "", "Location", "/webclient/login/?url=%2Fwebclient%2F"), gone, ""},
		"to another login":   {says(302, "text/html", "", "Location", "https://sso.example.org/login"), gone, ""},
		"elsewhere":          {says(302, "text/html", "", "Location", "https://example.org/x?key=1#y"), unavailable, "it sends on to https://example.org/x;"},
		"unauthorized":       {says(401, "text/html", page), gone, ""},
		"not logged in":      {says(403, json, `{"message":"Not logged in"}`), gone, ""},
		"forbidden, no word": {says(403, "text/html", ""), gone, ""},
		"ended under it":     {says(500, "text/html", "exception ::omero::RemovedSessionException"), gone, ""},
		"forbidden":          {says(403, json, `{"message":"exception ::omero::SecurityViolation\n{\n serverStackTrace = x\n message = Cannot read it.\n}"}`), refused, "for alice: Cannot read it."},
		"bad request":        {says(400, json, `{"message":"invalid literal for int()"}`), refused, "for alice: invalid literal for int()."},
		"not allowed":        {says(405, json, `{"message":"Creation of Image not supported"}`), refused, "for alice: Creation of Image not supported."},
		"forbidden page":     {says(500, "text/html", "exception ::omero::ReadOnlyGroupSecurityViolation"), refused, "the user may not do that."},
		"wrong use":          {says(500, json, `{"message":"exception ::omero::ApiUsageException\n{\n    message = no\n}"}`), refused, "for alice: no."},
		"too large":          {says(413, "text/html", page), unavailable, "bytes are too much for it"},
		"long message":       {says(400, json, `{"message":"`+strings.Repeat("ü", 1000)+`"}`), refused, strings.Repeat("ü", 300) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			s := f.session()
			f.always(read, tc.then)
			f.always(annotate, tc.then)
			_, reading := s.Container(t.Context(), importer.Dataset, 7)
			making := s.Annotate(t.Context(), oneAnnotation())
			require.ErrorContains(t, reading, "ead Dataset 7")
			require.ErrorContains(t, making, "nnotate Image 5")
			for _, err := range []error{reading, making} {
				e := (*importer.Error)(nil)
				require.Equal(t, errors.Is(tc.want, refused), errors.As(err, &e), err)
				for _, class := range []error{gone, unavailable} {
					require.Equal(t, errors.Is(tc.want, class), errors.Is(err, class), err)
				}
				if tc.text != "" {
					require.ErrorContains(t, err, tc.text)
				}
				require.NotContains(t, err.Error(), "DOCTYPE")
				require.NotContains(t, err.Error(), "\n")
			}
			require.Equal(t, 1, f.count(annotate), "it may have been carried out")
			require.NoError(t, s.Close(t.Context()))
		})
	}
}

// cutWithin drops the connection within the answer.
func cutWithin(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Content-Length", "1000")
	return says(200, "application/json", `{"data":{"@id":7`)(w, r) && cut(w, r)
}

// long sends more than fits.
func long(w http.ResponseWriter, _ *http.Request) bool {
	chunk := []byte(strings.Repeat(" ", 1<<20))
	for range 20 {
		if _, err := w.Write(chunk); err != nil {
			return true
		}
	}
	return true
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}
	for name, tc := range map[string]struct {
		timeout, limit time.Duration
		cancel         bool
		want           error
		text           string
	}{
		"of a request":   {timeout: 100 * time.Millisecond, want: model.ErrUnavailable, text: "no answer within 100ms"},
		"of the context": {limit: 100 * time.Millisecond, want: model.ErrUnavailable, text: "deadline exceeded"},
		"cancelled":      {cancel: true, want: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			config := f.config()
			s, err := newClient(t, config).Login(t.Context(), "alice", "lab")
			require.NoError(t, err)
			require.NoError(t, s.Close(t.Context()))
			config.Timeout = tc.timeout
			c := newClient(t, config)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tc.limit != 0 {
				ctx, cancel = context.WithTimeout(ctx, tc.limit)
				defer cancel()
			}
			f.on("GET /api/v0/token/", func(w http.ResponseWriter, r *http.Request) bool {
				if tc.cancel {
					cancel()
				}
				return hang(w, r)
			})
			_, err = c.Login(ctx, "alice", "lab")
			require.ErrorIs(t, err, tc.want)
			require.ErrorContains(t, err, tc.text)
			require.Equal(t, tc.cancel, !errors.Is(err, model.ErrUnavailable))
			require.Equal(t, 2, f.count("GET /api/v0/token/"), "the first session's, and one")
		})
	}
}

// Redirects are not followed: whoever they lead to gets nothing.
func TestCredentialsStay(t *testing.T) {
	t.Parallel()
	other := newFake(t).start()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			s := f.session()
			there := func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, other.server.URL+r.URL.Path, status)
				return true
			}
			f.always(annotate, there)
			f.always("POST /api/v0/login/", there)
			require.ErrorIs(t, s.Annotate(t.Context(), oneAnnotation()), model.ErrUnavailable)
			require.Error(t, f.client().Ping(t.Context()))
			require.NoError(t, s.Close(t.Context()))
		})
	}
	t.Cleanup(func() { require.Empty(t, other.requests) })
}
