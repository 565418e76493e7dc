package web_test

import (
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/stretchr/testify/require"
)

// startTLS serves over HTTPS and returns the file of the authority.
func (f *fake) startTLS() string {
	f.t.Helper()
	f.server = httptest.NewUnstartedServer(f)
	f.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	f.server.EnableHTTP2 = true
	f.server.StartTLS()
	f.t.Cleanup(f.server.Close)
	file := filepath.Join(f.t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	require.NoError(f.t, os.WriteFile(file, text, 0o600))
	return file
}
