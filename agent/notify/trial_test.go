package notify_test

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/notify"
	"biomero-importer/agent/notify/message"
)

func TestTry_saysWhatCameOfASample(t *testing.T) {
	t.Parallel()
	good, got := receiver(t, answered(http.StatusOK))
	good.Start()
	bad, _ := receiver(t, answered(http.StatusForbidden))
	bad.Start()
	m := &mailServer{}
	address, _ := m.serve(t, notify.NoTLS)
	n := notify.New(notify.Config{
		Webhooks: []notify.Webhook{{URL: good.URL, Key: key(t), Stages: bothStages}, {URL: bad.URL + "/hunter2", Stages: bothStages}},
		Mail:     mailOver(address, notify.NoTLS),
	}, nil, slog.New(slog.DiscardHandler))

	trials := n.Try(t.Context(), "")
	require.Len(t, trials, 3)
	require.True(t, trials[0].OK)
	require.Equal(t, "It answered 403 Forbidden.", trials[1].Fault)
	require.NotContains(t, trials[1].Target, "hunter2")
	require.Equal(t, notify.Trial{Target: "mail", To: "OMERO imports <omero@example.org>", OK: true}, trials[2])
	sample := <-got
	require.NotEmpty(t, sample.header.Get(message.HeaderSignature))
	require.Contains(t, sample.body, "This is a trial")
	letter := <-m.got
	require.Equal(t, "omero@example.org", letter.to)
	require.Contains(t, letter.text, "This is a trial")

	require.Equal(t, "ada@example.org", n.Try(t.Context(), "ada")[2].To)
	require.Equal(t, notify.Trial{Target: "mail", Fault: "the user has no mail address"}, n.Try(t.Context(), "no body")[2])
	require.ErrorIs(t, notify.New(notify.Config{}, nil, nil).Ping(t.Context()), notify.ErrNoMail)
}
