package omero_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/omerotest"
)

func TestAddress_isWhatOMEROHas(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCLI)
	r.server.AddUser(omerotest.User{Name: "it's", Password: "secret", Email: "it@example.org"})
	b := r.open()
	for user, want := range map[string]string{"it's": "it@example.org", r.order().User: "", "nobody": "", "x' or '1'='1": ""} {
		address, err := b.Address(t.Context(), user)
		require.NoError(t, err)
		require.Equal(t, want, address, user)
	}
	r.closed()
	for _, call := range r.server.State().Calls {
		require.NotContains(t, call.Argv, omerotest.RootPassword)
	}
	r.server.Fail(omerotest.Fault{At: omerotest.AtLogin, Kind: omerotest.Refused, Times: -1})
	_, err := b.Address(t.Context(), "it's")
	require.ErrorIs(t, err, importer.ErrUnavailable)
}
