package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

func TestOrderList_filtersAndPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	good := s.insert(s.write("pixels", "good.tif"))
	s.ended(good, 1)
	bad := s.insert(s.path("data", "missing.tif"))
	s.ended(bad, 1)
	out, errs, status := s.run("order", "submit", "--group", "Other", "--user", "bob", "--to", "Dataset:7", s.write("pixels", "bobs.tif"))
	require.Zero(t, status, errs)
	bobs := strings.TrimSpace(out)
	s.ended(bobs, 1)
	a.stop()
	list := func(args ...string) (ids []string, next string) {
		out, errs, status := s.run(append([]string{"order", "list", "--json"}, args...)...)
		require.Zero(t, status, errs)
		var found []tracking.Status
		require.NoError(t, json.Unmarshal([]byte(out), &found))
		for _, st := range found {
			ids = append(ids, st.UUID)
		}
		_, next, _ = strings.Cut(strings.TrimSpace(errs), "--after ")
		return ids, next
	}
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{nil, []string{bobs, bad, good}},
		{[]string{"--stage", "failed"}, []string{bad}},
		{[]string{"--stage", "Import Completed,failed", "--user", "ada"}, []string{bad, good}},
		{[]string{"--group", "Other"}, []string{bobs}},
		{[]string{"--text", "GOOD"}, []string{good}},
		{[]string{"--since", "7d"}, []string{bobs, bad, good}},
		{[]string{"--since", "2999-01-01"}, nil},
		{[]string{"--stage", "pending"}, nil},
	} {
		ids, next := list(tc.args...)
		require.Equal(t, tc.want, ids, tc.args)
		require.Empty(t, next, tc.args)
	}
	var ids []string
	for after := ""; ; {
		page, next := list("-n", "1", "--after", after)
		if ids = append(ids, page...); next == "" {
			break
		}
		after = next
	}
	require.Equal(t, []string{bobs, bad, good}, ids)
	for _, args := range [][]string{{"--stage", "ready"}, {"--since", "yesterday"}, {"--after", "nonsense"}} {
		_, errs, status := s.run(append([]string{"order", "list"}, args...)...)
		require.Equal(t, 2, status, args)
		require.NotEmpty(t, errs)
	}
}

func TestOrderShow_tellsAllOfAnOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start()
	manifest := s.write(goodManifest, "Demo", "ada", "orders", "scan.order.yml")
	s.write("pixels", "Demo", "ada", "orders", "a.tif")
	id := s.orderOf("a.tif")
	require.Equal(t, order.Completed, s.ended(id, 1).Stage)
	require.NoError(t, s.store.Retry(t.Context(), id, false))
	s.ended(id, 2)
	type shown struct {
		tracking.Status

		Timeline []struct {
			Stage   order.Stage `json:"stage"`
			Attempt int         `json:"attempt"`
		} `json:"timeline"`
		Manifest string `json:"manifest"`
		Receipt  struct {
			Path    string  `json:"path"`
			Written *string `json:"written"`
		} `json:"receipt"`
		Log []string `json:"log"`
	}
	show := func() (d shown) {
		out, errs, status := s.run("order", "show", id, "--json")
		require.Zero(t, status, errs)
		require.NoError(t, json.Unmarshal([]byte(out), &d))
		return d
	}
	s.eventually(func() bool { return show().Receipt.Written != nil }, "the receipt")
	d := show()
	require.Equal(t, id, d.UUID, "what was there before is there still")
	require.NotEmpty(t, d.Files[0].Images)
	var stages []string
	var attempts []int
	for _, step := range d.Timeline {
		stages, attempts = append(stages, string(step.Stage)), append(attempts, step.Attempt)
	}
	require.Equal(t, append(append([]string{}, completed...), completed...), stages)
	require.Equal(t, []int{1, 1, 1, 2, 2, 2}, attempts)
	require.Equal(t, manifest, d.Manifest)
	require.Equal(t, manifest+".receipt.json", d.Receipt.Path)
	require.Contains(t, strings.Join(d.Log, "\n"), "INFO order completed attempt=2")
	a.stop()

	out, _, _ := s.run("order", "show", id)
	for _, text := range []string{"Import Started, attempt 2", "scan.order.yml.receipt.json, written ", "a.tif  fileset 1, image ", "INFO order completed"} {
		require.Contains(t, out, text)
	}
}

// What strangers wrote steers no terminal: neither as a stage in a row nor as a file's name.
func TestCommands_showWhatStrangersWroteAsText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const steer = "\x1b]0;pwned\x07"
	a := s.start()
	id := s.insert(s.write("pixels", "a.tif"))
	s.ended(id, 1)
	a.stop()
	_, err := s.store.Pool().Exec(t.Context(), `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', 'ada', '151', 'Dataset', $1, $2, '[]')`, "Import "+steer, id)
	require.NoError(t, err)
	good, bad := s.write(goodManifest, "Demo", "ada", "orders", steer+".order.yml"), s.write("group: x\n", steer+".order.yml")
	var shown strings.Builder
	for _, args := range [][]string{
		{"order", "list"},
		{"order", "show", id},
		{"validate", good, bad},
		{"order", "submit", "--manifest", s.path(steer + "away.order.yml")},
	} {
		out, errs, _ := s.run(args...)
		require.NotContains(t, out+errs, "\x1b", args)
		shown.WriteString(out + errs)
	}
	require.Equal(t, 5, strings.Count(shown.String(), "?]0;pwned?"), shown.String())
	_, errs, _ := s.run("order", "list", "--limit", "0")
	require.Contains(t, errs, "\nSee `biomero-importer order list --help`", "what has several lines keeps them")
}
