package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"regexp"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"biomero-importer/agent/notify/message"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// How a connection to a mail server is encrypted.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	NoTLS    = "none"
)

// ErrNoAddress is a user who cannot be written to.
var ErrNoAddress = errors.New("the user has no mail address")

// MailName is the target that stands for all mail.
const MailName = "mail"

// gather is how long a user's orders are waited for that go into one mail.
const gather = 5 * time.Minute

const (
	mailTime = 30 * time.Second
	maxReply = 1 << 20 // bytes that a mail server may send in one connection
)

// mailer writes to users.
type mailer struct {
	Mail
	roots *x509.CertPool
}

func (m *mailer) target() tracking.Target {
	return tracking.Target{Name: MailName, Stages: []order.Stage{order.Completed, order.Failed}, Gather: gather}
}

func (m *mailer) gathered() bool { return true }

func (m *mailer) close() {}

func (m *mailer) deliver(ctx context.Context, id string, events []message.Event, _ int) error {
	to, err := m.Address(ctx, events[0].User)
	if errors.Is(err, ErrNoAddress) {
		return &failure{reason: ErrNoAddress.Error(), final: true, cause: err}
	}
	if err != nil {
		return &failure{reason: "The user's mail address cannot be found out now: " + err.Error()}
	}
	return m.send(ctx, to, id, events)
}

// send writes to an address.
func (m *mailer) send(ctx context.Context, to, id string, events []message.Event) error {
	letter, err := m.letter(to, id, events)
	if err != nil {
		return &failure{reason: err.Error(), final: true}
	}
	client, err := m.client(ctx)
	if err != nil {
		return &failure{reason: "The mail server: " + err.Error()}
	}
	err = client.DialAndSendWithContext(ctx, letter)
	if letter.IsDelivered() { // what went wrong afterwards is of no matter
		return nil
	}
	// What a server says before it is given the mail is about us, and somebody mends it.
	sending, known := errors.AsType[*mail.SendError](err)
	return &failure{reason: "The mail server: " + err.Error(), final: known && sending.ErrorCode() >= 500}
}

// letter is plain text: subject and addresses are encoded or refused by the library.
func (m *mailer) letter(to, id string, events []message.Event) (*mail.Msg, error) {
	subject, text := message.Mail(events)
	letter := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := letter.From(m.From); err != nil {
		return nil, fmt.Errorf("notify.smtp.from: %w", err)
	}
	if err := letter.To(to); err != nil {
		return nil, fmt.Errorf("the user's mail address: %w", err)
	}
	_, host, _ := strings.Cut(letter.GetFrom()[0].Address, "@")
	letter.Subject(subject)
	letter.SetDate()
	letter.SetMessageIDWithValue(id + "@" + host)
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // nobody's holiday answers it
	letter.SetBodyString(mail.TypeTextPlain, text)
	return letter, nil
}

// client is for one connection.
func (m *mailer) client(ctx context.Context) (*mail.Client, error) {
	settings := &tls.Config{ServerName: m.Host, RootCAs: m.roots, MinVersion: tls.VersionTLS12}
	// Over a connection that is encrypted from the start, servers offer no STARTTLS.
	policy := map[string]mail.TLSPolicy{StartTLS: mail.TLSMandatory, TLS: mail.TLSOpportunistic, NoTLS: mail.NoTLS}[m.TLS]
	options := []mail.Option{
		mail.WithPort(m.Port), mail.WithTimeout(mailTime), mail.WithTLSConfig(settings), mail.WithTLSPolicy(policy), mail.WithoutNoop(),
		mail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(dialing, network, address)
			if err != nil {
				return nil, err
			}
			bound := newBound(ctx, conn)
			if m.TLS == TLS {
				return tls.Client(bound, settings), nil
			}
			return bound, nil
		}),
	}
	if m.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.User), mail.WithPassword(m.Password))
	}
	return mail.NewClient(m.Host, options...)
}

// ping connects to the server and logs in.
func (m *mailer) ping(ctx context.Context) error {
	client, err := m.client(ctx)
	if err != nil {
		return err
	}
	if err := client.DialWithContext(ctx); err != nil {
		return err
	}
	_ = client.Close() // how it says goodbye is of no matter
	return nil
}

// bound is a connection that ends with a context and at a time, whatever the library sets,
// and reads no more than it may.
type bound struct {
	net.Conn
	input io.Reader
	stop  func() bool
}

func newBound(ctx context.Context, conn net.Conn) *bound {
	_ = conn.SetDeadline(time.Now().Add(mailTime))
	return &bound{Conn: conn, input: io.LimitReader(conn, maxReply), stop: context.AfterFunc(ctx, func() { _ = conn.Close() })}
}

func (b *bound) Read(p []byte) (int, error) { return b.input.Read(p) }

// SetDeadline leaves the time as it is.
func (b *bound) SetDeadline(time.Time) error { return nil }

// Close implements net.Conn.
func (b *bound) Close() error {
	b.stop()
	return b.Conn.Close()
}

// Addresses finds the addresses of users by the settings.
type Addresses struct {
	Known   map[string]string // by user
	Pattern string            // with {user}; empty for none
	// Ask is for users whose address the settings do not give; nil: they have none.
	Ask func(ctx context.Context, user string) (string, error)
}

// accountName is what may be put into a pattern: users are whatever a client wrote.
var accountName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$`)

// Of returns the address of a user, or ErrNoAddress.
func (a *Addresses) Of(ctx context.Context, user string) (string, error) {
	address := a.Known[user]
	switch {
	case address != "":
	case a.Pattern != "":
		if !accountName.MatchString(user) {
			return "", ErrNoAddress
		}
		address = strings.ReplaceAll(a.Pattern, "{user}", user)
	case a.Ask != nil:
		var err error
		if address, err = a.Ask(ctx, user); err != nil {
			return "", err
		}
	}
	if !IsAddress(address) {
		return "", ErrNoAddress
	}
	return address, nil
}

// IsAddress reports whether a text is one mail address and nothing else.
func IsAddress(text string) bool {
	parsed, err := netmail.ParseAddress(text)
	return err == nil && parsed.Address == text
}
