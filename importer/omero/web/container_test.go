package web_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

func TestContainer(t *testing.T) {
	t.Parallel()
	f := newFake(t).start()
	f.containers = []container{
		{kind: "Dataset", id: 7, name: "day 1", owner: 7, group: 3, canLink: true},
		{kind: "Screen", id: 7, name: "screen", owner: 8, group: 4},
	}
	s := f.session()
	got, err := s.Container(t.Context(), importer.Dataset, 7)
	require.NoError(t, err)
	require.Equal(t, model.Container{Type: importer.Dataset, ID: 7, Name: "day 1", Owner: "alice", Group: "lab", CanLink: true}, got)
	got, err = s.Container(t.Context(), importer.Screen, 7)
	require.NoError(t, err)
	require.Equal(t, model.Container{Type: importer.Screen, ID: 7, Name: "screen", Owner: "bob", Group: "team"}, got)
	_, err = s.Container(t.Context(), importer.Dataset, 8)
	require.ErrorIs(t, err, model.ErrNotFound)
	require.ErrorContains(t, err, "read Dataset 8")
	require.NoError(t, s.Close(t.Context()))
}

// A site may let everybody read: after the end of a session, its public user does not find
// what the user would.
func TestContainerAfterSession(t *testing.T) {
	t.Parallel()
	const missing = `{"message":"Dataset 7 not found"}`
	for name, tc := range map[string]struct{ then, who handler }{
		"missing":       {says(404, "application/json", missing), nil},
		"not writable":  {says(200, "application/json", `{"data":{"@id":7,"Name":"n","omero:details":{"permissions":{"canLink":false}}}}`), nil},
		"another's now": {says(404, "application/json", missing), says(200, "application/json", `{"eventContext":{"sessionUuid":"x"}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t).start()
			s := f.session()
			f.end()
			f.on("GET /api/v0/m/datasets/7/", tc.then)
			if tc.who != nil {
				f.on("POST /api/v0/login/", tc.who)
			}
			_, err := s.Container(t.Context(), importer.Dataset, 7)
			require.ErrorIs(t, err, model.ErrSessionGone)
			require.NotErrorIs(t, err, model.ErrNotFound)
		})
	}
}
