package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/config"
	"biomero-importer/agent/notify"
)

// mailbox is a mail server that notes whom it was given mail for.
type mailbox struct{ to chan string }

func (m mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return m, nil }
func (m mailbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (m mailbox) Reset()                                      {}
func (m mailbox) Logout() error                               { return nil }

func (m mailbox) Rcpt(to string, _ *smtp.RcptOptions) error {
	m.to <- to
	return nil
}

func (m mailbox) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// errAway is what asked says of ann.
var errAway = errors.New("the backend is away")

// asked is a backend that knows the address of bob.
type asked struct{ backend }

func (asked) Address(_ context.Context, user string) (string, error) {
	if user == "ann" {
		return "", errAway
	}
	return map[string]string{"bob": "bob@omero.example.org"}[user], nil
}

func TestNotifier_findsTheAddressesOfUsers(t *testing.T) {
	t.Parallel()
	m := mailbox{make(chan string, 1)}
	server := smtp.NewServer(m)
	server.Domain, server.ErrorLog = "mail.example.org", slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	at, ok := listener.Addr().(*net.TCPAddr)
	require.True(t, ok)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		_ = listener.Close() // which it closes only if it has begun to serve
		<-served
	})
	for name, tc := range map[string]struct {
		user, pattern string
		images        backend
		to            string
		fault         error // why there is none
	}{
		"the settings' address":     {"ada", "{user}@example.org", asked{}, "lovelace@example.org", nil},
		"by the settings' pattern":  {"bob", "{user}@example.org", asked{}, "bob@example.org", nil},
		"by the backend":            {"bob", "", asked{}, "bob@omero.example.org", nil},
		"the backend knows none":    {"eve", "", asked{}, "", notify.ErrNoAddress},
		"the backend does not say":  {"ann", "", asked{}, "", errAway},
		"a backend without any":     {"bob", "", struct{ backend }{}, "", notify.ErrNoAddress},
		"without a backend":         {"bob", "", nil, "", notify.ErrNoAddress},
		"the settings', without it": {"ada", "", nil, "lovelace@example.org", nil},
	} {
		c := &config.Config{}
		c.Notify.SMTP.Host, c.Notify.SMTP.Port = "127.0.0.1", at.Port
		c.Notify.SMTP.TLS, c.Notify.SMTP.From = notify.NoTLS, "omero@example.org"
		c.Notify.Addresses, c.Notify.AddressPattern = map[string]string{"ada": "lovelace@example.org"}, tc.pattern
		n, err := notifier(c, nil, tc.images, nil, slog.New(slog.DiscardHandler))
		require.NoError(t, err, name)
		trials := n.Try(t.Context(), tc.user)
		require.Len(t, trials, 1, name)
		require.Equal(t, tc.to, trials[0].To, name)
		if tc.fault != nil {
			require.Equal(t, tc.fault.Error(), trials[0].Fault, name)
			continue
		}
		require.True(t, trials[0].OK, "%s: %s", name, trials[0].Fault)
		require.Equal(t, tc.to, <-m.to, name)
	}
	require.Empty(t, m.to)
}
