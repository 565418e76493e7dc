package tracking_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

func TestLackedRights(t *testing.T) {
	t.Parallel()
	s, err := tracking.Open(t.Context(), trackingtest.URL(t), 1) // one connection, whose role is known
	require.NoError(t, err)
	t.Cleanup(s.Close)
	f := fixture{Store: s, t: t}
	lacked, err := f.LackedRights(t.Context())
	require.NoError(t, err)
	require.Empty(t, lacked)

	role := pgx.Identifier{"lacking-" + uuid.NewString()}.Sanitize()
	f.exec(`CREATE ROLE ` + role)
	f.exec(`GRANT SELECT, INSERT, UPDATE ON public.imports TO ` + role)
	f.exec(`GRANT SELECT, INSERT ON public.imports_preprocessing TO ` + role)
	f.exec(`SET ROLE ` + role)
	lacked, err = f.LackedRights(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"UPDATE on imports_preprocessing"}, lacked)
	f.exec(`RESET ROLE`)
	f.exec(`DROP OWNED BY ` + role)
	f.exec(`DROP ROLE ` + role)
}
