package notify_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"biomero-importer/agent/notify"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// mailOver tells users of example.org through a server.
func mailOver(address, encrypted string) *notify.Mail {
	host, number, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(number)
	addresses := &notify.Addresses{Known: map[string]string{"robot": "core-facility@example.org"}, Pattern: "{user}@example.org"}
	return &notify.Mail{Host: host, Port: port, TLS: encrypted, From: "OMERO imports <omero@example.org>", Address: addresses.Of}
}

// letter is what a mail server got.
type letter struct {
	from, to string
	header   netmail.Header
	text     string
}

// mailServer is a real one. It refuses by what refuse returns for a recipient, and logs "importer" in.
type mailServer struct {
	refuse  func(to string) error
	got     chan letter
	arrived func() // before the sender hears of it
}

func (m *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{server: m, conn: c}, nil
}

type mailSession struct {
	server   *mailServer
	conn     *smtp.Conn
	loggedIn bool
	letter   letter
}

func (*mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "importer" || password != "hunter2" {
			return smtp.ErrAuthFailed
		}
		s.loggedIn = true
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if _, encrypted := s.conn.TLSConnectionState(); encrypted && !s.loggedIn {
		return smtp.ErrAuthRequired
	}
	s.letter.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.letter.to = to
	if s.server.refuse != nil {
		return s.server.refuse(to)
	}
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	parsed, err := netmail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(decoded(parsed))
	if err != nil {
		return err
	}
	s.letter.header, s.letter.text = parsed.Header, strings.ReplaceAll(string(text), "\r\n", "\n")
	s.server.got <- s.letter
	if s.server.arrived != nil {
		s.server.arrived()
	}
	return nil
}

// decoded is the text of a mail, as its transfer encoding has it.
func decoded(m *netmail.Message) io.Reader {
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		return quotedprintable.NewReader(m.Body)
	}
	return m.Body
}

func (*mailSession) Reset()        {}
func (*mailSession) Logout() error { return nil }

// serve starts the server; with a certificate it offers STARTTLS, or speaks TLS at once.
func (m *mailServer) serve(t *testing.T, encrypted string) (address string, certificate *httptest.Server) {
	t.Helper()
	m.got = make(chan letter, 100)
	lent := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(lent.Close)
	server := smtp.NewServer(m)
	server.Domain, server.ErrorLog = "mail.example.org", slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	switch encrypted {
	case notify.StartTLS:
		server.TLSConfig = lent.TLS
	case notify.TLS:
		listener = tls.NewListener(listener, lent.TLS)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return listener.Addr().String(), lent
}

func TestMail_isSentOverTLSByWhoLogsIn(t *testing.T) {
	t.Parallel()
	for _, encrypted := range []string{notify.StartTLS, notify.TLS} {
		t.Run(encrypted, func(t *testing.T) {
			t.Parallel()
			m := &mailServer{}
			address, lent := m.serve(t, encrypted)
			s := newSite(t)
			c := notify.Config{Mail: mailOver(address, encrypted), RootCAs: pool(lent.Certificate()), PageURL: "https://importer.example.org/"}
			c.Mail.User, c.Mail.Password = "importer", "hunter2"
			require.NoError(t, notify.New(c, nil, slog.New(slog.DiscardHandler)).Ping(t.Context()))
			s.run(c)
			id := s.end("ada", order.Failed, "scan7.tif is empty.\r\nBcc: eve@example.org")
			s.pass(5 * time.Minute)
			got := <-m.got
			require.Equal(t, []string{"omero@example.org", "ada@example.org"}, []string{got.from, got.to})
			require.Equal(t, `"OMERO imports" <omero@example.org>`, got.header.Get("From"))
			require.Equal(t, "<ada@example.org>", got.header.Get("To"))
			require.Equal(t, "OMERO import failed", got.header.Get("Subject"))
			require.Equal(t, "auto-generated", got.header.Get("Auto-Submitted"))
			require.Empty(t, got.header.Get("Bcc"))
			require.Contains(t, got.text, "\n  scan7.tif is empty.  Bcc: eve@example.org\n  Order "+id+", attempt 1\n  https://importer.example.org/orders/"+id+"\n")
			s.delivered(id, 1)
			require.Equal(t, "<"+s.delivery(id).Message.String()+"@example.org>", got.header.Get("Message-Id"))

			c.Mail.Password = "wrong"
			require.ErrorContains(t, notify.New(c, nil, slog.New(slog.DiscardHandler)).Ping(t.Context()), "535")
			c.RootCAs = nil
			require.ErrorContains(t, notify.New(c, nil, slog.New(slog.DiscardHandler)).Ping(t.Context()), "certificate")
		})
	}
}

func TestMail_gathersWhatOneUserIsTold(t *testing.T) {
	t.Parallel()
	m := &mailServer{}
	address, _ := m.serve(t, notify.NoTLS)
	s := newSite(t)
	s.run(notify.Config{Mail: mailOver(address, notify.NoTLS)})
	for range 3 {
		s.end("ada", order.Completed, "")
	}
	s.end("ada", order.Failed, "No.")
	s.end("robot", order.Completed, "")
	require.Empty(t, m.got, "more may end")
	s.pass(5 * time.Minute)
	subjects := map[string]string{}
	for range 2 {
		got := <-m.got
		subjects[got.to] = got.header.Get("Subject")
	}
	require.Equal(t, map[string]string{"ada@example.org": "OMERO imports: 3 completed, 1 failed", "core-facility@example.org": "OMERO import completed: 1 file"}, subjects)
	s.eventually(func() bool {
		return s.number(`SELECT count(*) FROM importer.deliveries WHERE state = 'delivered' AND tries = 1`) == 5
	})
	s.stop()
	require.Empty(t, m.got)
}

func TestMail_faults(t *testing.T) {
	t.Parallel()
	refusal := func(code int) func(string) error {
		return func(string) error {
			return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "not you"}
		}
	}
	for name, tc := range map[string]struct {
		user   string
		server mailServer
		change func(*notify.Mail)
		state  tracking.DeliveryState
		fault  string
	}{
		"later":            {"ada", mailServer{refuse: refusal(451)}, nil, tracking.DeliveryDue, `451 "4.1.1 not you"`},
		"never":            {"ada", mailServer{refuse: refusal(550)}, nil, tracking.DeliveryGivenUp, `550 "5.1.1 not you"`},
		"no address":       {"eve@evil.example,ada", mailServer{}, nil, tracking.DeliveryGivenUp, "the user has no mail address"},
		"no name":          {"ada\r\nBcc: x", mailServer{}, nil, tracking.DeliveryGivenUp, "the user has no mail address"},
		"no user":          {"", mailServer{}, nil, tracking.DeliveryGivenUp, "the user has no mail address"},
		"address not now":  {"ada", mailServer{}, func(m *notify.Mail) { m.Address = (&notify.Addresses{Ask: away}).Of }, tracking.DeliveryDue, "The user's mail address cannot be found out now: OMERO is away"},
		"no STARTTLS":      {"ada", mailServer{}, func(m *notify.Mail) { m.TLS = notify.StartTLS }, tracking.DeliveryDue, "does not support STARTTLS"},
		"no server":        {"ada", mailServer{}, func(m *notify.Mail) { m.Port = 1 }, tracking.DeliveryDue, "The mail server: "},
		"no password here": {"ada", mailServer{}, func(m *notify.Mail) { m.User, m.Password = "importer", "hunter2" }, tracking.DeliveryDue, "The mail server: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &tc.server
			address, _ := m.serve(t, notify.NoTLS)
			s := newSite(t)
			told := make(chan tracking.DeliveryState, 10)
			c := notify.Config{Mail: mailOver(address, notify.NoTLS), Settled: func(state tracking.DeliveryState, n int) {
				for range n {
					told <- state
				}
			}}
			if tc.change != nil {
				tc.change(c.Mail)
			}
			s.run(c)
			id := s.end(tc.user, order.Completed, "")
			s.pass(5 * time.Minute)
			d := s.settled(id)
			require.Equal(t, tc.state, d.State)
			require.Contains(t, d.Error, tc.fault)
			require.NotContains(t, d.Error, "hunter2")
			require.Empty(t, m.got)
			s.stop()
			if strings.Contains(tc.fault, "no mail address") {
				require.Empty(t, told, "nobody is to be alarmed")
				return
			}
			require.Len(t, told, 1)
			require.Equal(t, tc.state, <-told)
		})
	}
}

func away(context.Context, string) (string, error) { return "", errors.New("OMERO is away") }

// What was sent, but not recorded, is sent again as it was: mail programs know it by its
// Message-ID. What ended since comes in another mail.
func TestMail_isSentAgainAfterAKill(t *testing.T) {
	t.Parallel()
	killed := make(chan struct{})
	m := &mailServer{arrived: func() { <-killed }}
	address, _ := m.serve(t, notify.NoTLS)
	s := newSite(t)
	agent := s.launch(childMail + "=" + address)
	s.eventually(func() bool { return s.number(`SELECT count(*) FROM importer.notify_targets`) == 1 })
	id := s.end("ada", order.Completed, "")
	s.end("ada", order.Completed, "")
	s.pass(5 * time.Minute)
	first := <-m.got
	require.NoError(t, agent.Process.Kill())
	_ = agent.Wait()
	close(killed)
	later := s.end("ada", order.Failed, "No.")
	s.pass(5 * time.Minute)
	s.run(notify.Config{Mail: mailOver(address, notify.NoTLS)})
	bySubject := map[string]letter{}
	for range 2 {
		got := <-m.got
		bySubject[got.header.Get("Subject")] = got
	}
	again := bySubject[first.header.Get("Subject")]
	require.Equal(t, "OMERO imports: 2 completed, 0 failed", first.header.Get("Subject"))
	require.Equal(t, first.header.Get("Message-Id"), again.header.Get("Message-Id"))
	require.Equal(t, first.text, again.text)
	require.Contains(t, bySubject["OMERO import failed"].text, later)
	s.delivered(id, 2)
	s.delivered(later, 1)
}

// A server that never ends a line, or never begins one, is given up with.
func TestMail_boundsWhatAServerSays(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	sent := make(chan int64, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		n, _ := io.Copy(bufio.NewWriter(conn), io.LimitReader(endless{}, 1<<30))
		sent <- n
	}()
	defer listener.Close()
	n := notify.New(notify.Config{Mail: mailOver(listener.Addr().String(), notify.NoTLS)}, nil, slog.New(slog.DiscardHandler))
	require.Error(t, n.Ping(t.Context()))
	require.Less(t, <-sent, int64(64<<20))
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '2'
	}
	return len(p), nil
}

func TestMail_endsWithTheService(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	s := newSite(t)
	s.run(notify.Config{Mail: mailOver(listener.Addr().String(), notify.NoTLS)})
	id := s.end("ada", order.Completed, "")
	s.pass(5 * time.Minute)
	conn, err := listener.Accept() // and says nothing
	require.NoError(t, err)
	defer conn.Close()
	s.stop()
	d := s.delivery(id)
	require.Equal(t, []any{tracking.DeliveryDue, "The service was stopped meanwhile."}, []any{d.State, d.Error})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	ask := func(_ context.Context, user string) (string, error) {
		return map[string]string{"ada": "ada@omero.example", "eve": "a@x.org, b@x.org", "bob": ""}[user], nil
	}
	known := map[string]string{"bob": "bob.b@example.org"}
	for name, tc := range map[string]struct {
		book       notify.Addresses
		user, want string // empty: none
	}{
		"known":              {notify.Addresses{Known: known, Pattern: "{user}@x.org", Ask: ask}, "bob", "bob.b@example.org"},
		"pattern":            {notify.Addresses{Known: known, Pattern: "{user}@x.org", Ask: ask}, "ada", "ada@x.org"},
		"OMERO's":            {notify.Addresses{Known: known, Ask: ask}, "ada", "ada@omero.example"},
		"OMERO has none":     {notify.Addresses{Ask: ask}, "bob", ""},
		"OMERO's is several": {notify.Addresses{Ask: ask}, "eve", ""},
		"nobody knows":       {notify.Addresses{Known: known}, "ada", ""},
		"no name":            {notify.Addresses{Pattern: "{user}@x.org"}, "ada@evil.example,x", ""},
		"a long name":        {notify.Addresses{Pattern: "{user}@x.org"}, strings.Repeat("a", 65), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tc.book.Of(t.Context(), tc.user)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.want == "", errors.Is(err, notify.ErrNoAddress))
		})
	}
}
