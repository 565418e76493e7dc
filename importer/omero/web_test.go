package omero_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/omerotest"
)

// What is too much for OMERO.web to read goes to OMERO by the command line.
func TestImport_TooMuchForWeb(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, overWeb)
			to, err := url.Parse(r.web.URL)
			require.NoError(t, err)
			proxy := httputil.NewSingleHostReverseProxy(to)
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				if q.ContentLength > 2621440 { // Django's limit
					w.WriteHeader(status)
					return
				}
				q.Host = to.Host
				proxy.ServeHTTP(w, q)
			}))
			t.Cleanup(front.Close)
			r.web.URL = front.URL
			o := r.order()
			path := r.file("a.tif", omerotest.ImagesFile(1))
			long := strings.Repeat("long ", 600_000)
			req := r.request(o, path)
			req.Describe = func(int) ([]importer.Pair, error) {
				return []importer.Pair{{Key: "UUID", Value: o.UUID}, {Key: "csv_notes", Value: long}}, nil
			}
			b := r.open()
			r.prepare(b, &o)
			req.Order = o
			results, err := b.Import(t.Context(), req)
			require.NoError(t, err)
			require.NoError(t, results[0].Err)
			r.sound(o.UUID, path)
			require.Equal(t, long, r.server.State().Annotations[0].Value("csv_notes"))
		})
	}
}
