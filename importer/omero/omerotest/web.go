package omerotest

import (
	"net/http/httptest"
	"testing"

	"biomero-importer/importer/omero/omerotest/internal/web"
)

// Web starts an OMERO.web for the server, which lasts as long as the test.
func (o *Omero) Web(tb testing.TB) *httptest.Server {
	tb.Helper()
	s := httptest.NewServer(web.New(o.store, o.Host, o.Port))
	tb.Cleanup(s.Close)
	return s
}

// WebTLS starts an OMERO.web on https. The client of the server that it returns
// trusts its certificate.
func (o *Omero) WebTLS(tb testing.TB) *httptest.Server {
	tb.Helper()
	s := httptest.NewTLSServer(web.New(o.store, o.Host, o.Port))
	tb.Cleanup(s.Close)
	return s
}
