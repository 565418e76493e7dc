package message_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/notify/message"
)

var moment = time.Date(2026, 11, 28, 13, 4, 5, 0, time.UTC)

func event(stage, reason string) message.Event {
	e := message.Sample("3f1c2b8e-0000-4000-8000-000000000000", moment)
	e.Stage, e.Reason, e.User, e.Group, e.DestinationID = stage, reason, "ada", "Demo", "151"
	return e
}

// Receivers rely on these names.
func TestBody_isStable(t *testing.T) {
	t.Parallel()
	e := event("Import Failed", `a "b" is empty.`)
	body, err := e.Body()
	require.NoError(t, err)
	require.JSONEq(t, `{
		"version": 1, "id": "3f1c2b8e-0000-4000-8000-000000000000", "stage": "Import Failed", "uuid": "00000000-0000-0000-0000-000000000000", "attempt": 1,
		"group": "Demo", "user": "ada", "destination_type": "Dataset", "destination_id": "151", "reason": "a \"b\" is empty.",
		"files_imported": 2, "files_failed": 1, "queued": "2026-11-28T12:04:05Z", "started": "2026-11-28T13:03:05Z", "ended": "2026-11-28T13:04:05Z", "url": ""
	}`, string(body))
}

// The documented message has every field, and no other.
func TestBody_isDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, shown, _ := strings.Cut(string(text), "```json\n")
	shown, _, _ = strings.Cut(shown, "```")
	var e message.Event
	require.NoError(t, json.Unmarshal([]byte(shown), &e))
	body, err := e.Body()
	require.NoError(t, err)
	require.JSONEq(t, shown, string(body))
	for f := range reflect.TypeFor[message.Event]().Fields() {
		require.Contains(t, string(text), "`."+f.Name+"`")
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want, fault string }{
		"one text":       {`{"text": {{json (printf "%s: %s" .Stage .Reason)}}}`, `{"text": "Import Failed: \"<x>\"\n\u001b\\"}`, ""},
		"a choice":       {`{"ok": {{if eq .Stage "Import Completed"}}true{{else}}false{{end}}}`, `{"ok": false}`, ""},
		"all":            {`{{json .}}`, "", ""},
		"quotes":         {`{"text": "{{.Reason}}"}`, "", "is not JSON: write texts as {{json .Reason}}"},
		"no such field":  {`{{json .Raeson}}`, "", "Raeson"},
		"no template":    {`{{`, "", "template"},
		"nothing":        {``, "", "is not JSON"},
		"without an end": {`[{{range $i, $x := .Reason}}1,{{end}}{{range 100000000}}"x",{{end}}1]`, "", "template"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed, err := message.ParseTemplate(tc.text)
			if tc.fault != "" {
				require.ErrorContains(t, err, tc.fault)
				return
			}
			require.NoError(t, err)
			e := event("Import Failed", "\"<x>\"\n\x1b\\")
			body, err := parsed.Body(&e)
			require.NoError(t, err)
			if tc.want != "" {
				require.JSONEq(t, tc.want, string(body))
			}
			e.Reason = strings.Repeat("x", 70_000)
			if _, err := parsed.Body(&e); name != "a choice" {
				require.ErrorContains(t, err, "more than 65536 bytes")
			}
		})
	}
}

// The example is the one of the specification's own libraries.
func TestSign_asStandardWebhooksHaveIt(t *testing.T) {
	t.Parallel()
	key, err := message.ParseKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.NoError(t, err)
	header := http.Header{}
	message.Sign(header, key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	require.Equal(t, http.Header{
		"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}, header)
	unsigned := http.Header{}
	message.Sign(unsigned, nil, "x", moment, nil)
	require.Len(t, unsigned, 2)
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	encoded := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for text, good := range map[string]bool{
		"": false, "whsec_": false, "whsec_?": false, encoded(32): false, "whsec_" + encoded(23): false, "whsec_" + encoded(65): false,
		"whsec_" + encoded(24): true, "whsec_" + encoded(64): true,
	} {
		key, err := message.ParseKey(text)
		require.Equal(t, good, err == nil, text)
		if !good {
			require.Nil(t, key)
			require.ErrorContains(t, err, "openssl rand")
		}
	}
}

func TestMail(t *testing.T) {
	t.Parallel()
	linked := event("Import Completed", "")
	linked.FilesFailed, linked.URL = 0, "https://importer.example.org/orders/1"
	subject, text := message.Mail([]message.Event{linked})
	require.Equal(t, "OMERO import completed: 2 files", subject)
	require.Equal(t, `Orders completed: 1, failed: 0.

Import Completed: Dataset 151 of Demo, 2 files imported, 2026-11-28 13:04 UTC
  Order 00000000-0000-0000-0000-000000000000, attempt 1
  https://importer.example.org/orders/1
`, text)

	subject, _ = message.Mail([]message.Event{event("Import Failed", "x")})
	require.Equal(t, "OMERO import failed", subject)
	subject, text = message.Mail([]message.Event{linked, event("Import Failed", "scan7.tif is empty."), linked})
	require.Equal(t, "OMERO imports: 2 completed, 1 failed", subject)
	require.Contains(t, text, "Import Failed: Dataset 151 of Demo, 2 files imported, 1 failed, 2026-11-28 13:04 UTC\n  scan7.tif is empty.\n")
	require.Less(t, strings.Index(text, "Import Failed"), strings.Index(text, "Import Completed"), "what somebody has to act on comes first")
}

func TestMail_isBounded(t *testing.T) {
	t.Parallel()
	hostile := event("Import Failed", strings.Repeat("ж", 1<<20))
	hostile.Group, hostile.DestinationType, hostile.DestinationID, hostile.UUID = hostile.Reason, hostile.Reason, hostile.Reason, hostile.Reason
	subject, text := message.Mail(make([]message.Event, 10_000))
	require.Equal(t, "OMERO imports: 10000 completed, 0 failed", subject)
	require.Contains(t, text, "\nand 9950 more\n")
	events := make([]message.Event, 10_000)
	for i := range events {
		events[i] = hostile
	}
	_, text = message.Mail(events)
	require.Less(t, len(text), 100<<10)
}

func FuzzPlain(f *testing.F) {
	f.Add("a\r\nBcc: eve@example.org", 100)
	f.Add("\x1b[31m\u202egnp.exe\u2028\xff", 5)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = max(most%1000, 0)
		line := message.Plain(text, most)
		require.True(t, utf8.ValidString(line))
		require.LessOrEqual(t, utf8.RuneCountInString(line), most+1)
		for _, r := range line {
			require.False(t, unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp), "%q", line)
		}
	})
}
