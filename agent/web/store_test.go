package web_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/agent/tracking/trackingtest"
)

// site is a database whose orders a test has come and go.
type site struct {
	*tracking.Store

	t *testing.T
}

func newSite(t *testing.T) site {
	t.Helper()
	s, err := tracking.Open(t.Context(), trackingtest.URL(t), 10)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return site{s, t}
}

func (s site) exec(sql string, args ...any) {
	s.t.Helper()
	_, err := s.Pool().Exec(s.t.Context(), sql, args...)
	require.NoError(s.t, err)
}

// place places an order of files as a client would.
func (s site) place(group, user string, files ...string) (id string) {
	s.t.Helper()
	id = uuid.NewString()
	s.exec(`INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, file_names)
		VALUES ($1, $2, '151', 'Dataset', 'Import Pending', $3, $4, $5)`, group, user, id, order.EncodePaths(files), order.ShortNames(files))
	return id
}

// begin has a worker begin with all that waits.
func (s site) begin() []*tracking.Work {
	s.t.Helper()
	agent := tracking.Agent{Name: "bench-7-0badcafe"}
	waiting, err := s.Waiting(s.t.Context(), agent, 1000)
	require.NoError(s.t, err)
	works, _, err := s.Take(s.t.Context(), agent, waiting.Due, waiting.Shares)
	require.NoError(s.t, err)
	for _, w := range works {
		require.NoError(s.t, s.Begin(s.t.Context(), w))
	}
	return works
}

// end ends all that is carried out, with images of each file; a reason is one to fail
// for, at the last of them.
func (s site) end(works []*tracking.Work, reason string) {
	s.t.Helper()
	for _, w := range works {
		stage := order.Completed
		var files []tracking.File
		for i, path := range w.Order.Files {
			files = append(files, tracking.File{
				Ordinal: i, Path: path, State: tracking.FileImported, Target: w.Target,
				Filesets: []int64{int64(10 + i)}, Images: []int64{int64(100 + i)},
			})
		}
		if reason != "" {
			stage = order.Failed
			last := &files[len(files)-1]
			last.State, last.Reason, last.Filesets, last.Images = tracking.FileFailed, reason, nil, nil
		}
		require.NoError(s.t, s.Finish(s.t.Context(), tracking.End{Job: w.Job, Stage: stage, Reason: reason, Files: files}))
	}
}

// ended is an order that ended; a reason is one that it failed for.
func (s site) ended(group, user, reason string, files ...string) (id string) {
	s.t.Helper()
	id = s.place(group, user, files...)
	s.end(s.begin(), reason)
	return id
}
