package config

import (
	"maps"
	netmail "net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"biomero-importer/agent/notify/message"
	"biomero-importer/agent/order"
)

// Notify is who is told of orders that end.
type Notify struct {
	Webhooks       []Webhook
	SMTP           MailServer
	Addresses      map[string]string // by user
	AddressPattern string            // with {user}; empty for none
}

// Webhook is an address that is told of orders. Both it and what it is signed with may be
// secret.
type Webhook struct {
	URL      Secret
	Secret   Secret // empty: not signed
	Stages   []order.Stage
	Template string // empty: the event as JSON
}

// MailServer is what sends mail.
type MailServer struct {
	Host     string // empty for none
	Port     int
	TLS      string // starttls, tls or none
	User     string
	Password Secret
	From     string
}

type notifyBlock struct {
	Webhooks       []webhook         `yaml:"webhooks"`
	SMTP           smtpBlock         `yaml:"smtp"`
	Addresses      map[string]string `yaml:"addresses"`
	AddressPattern string            `yaml:"address_pattern"`
}

type webhook struct {
	URL      Secret   `yaml:"url"`
	Secret   Secret   `yaml:"secret"`
	Stages   []string `yaml:"stages"`
	Template string   `yaml:"template"`
}

type smtpBlock struct {
	Host     string `yaml:"host"`
	Port     port   `yaml:"port"`
	TLS      string `yaml:"tls"`
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
	From     string `yaml:"from"`
}

const (
	startTLS = "starttls"
	noTLS    = "none"
)

// maxWebhooks bounds what an agent does at a time.
const maxWebhooks = 20

func (f *file) notify(src *source, c *Config) error {
	n, s := &f.Notify, &f.Notify.SMTP
	c.Notify = Notify{
		SMTP:      MailServer{Host: s.Host, Port: int(s.Port), TLS: s.TLS, User: s.User, Password: s.Password, From: s.From},
		Addresses: n.Addresses, AddressPattern: n.AddressPattern,
	}
	if len(n.Webhooks) > maxWebhooks {
		return src.bad("notify.webhooks", "has %d entries: at most %d are told", len(n.Webhooks), maxWebhooks)
	}
	for i := range n.Webhooks {
		at := "notify.webhooks[" + strconv.Itoa(i) + "]"
		made, err := n.Webhooks[i].webhook(src, at)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(c.Notify.Webhooks, func(other Webhook) bool { return other.URL == made.URL }) {
			return src.bad(at+".url", "is there twice")
		}
		c.Notify.Webhooks = append(c.Notify.Webhooks, made)
	}
	if err := s.check(src); err != nil {
		return err
	}
	for _, user := range slices.Sorted(maps.Keys(n.Addresses)) {
		if !isAddress(n.Addresses[user]) {
			return src.bad("notify.addresses."+user, "is %s, which is no mail address", quote(n.Addresses[user]))
		}
	}
	if p := n.AddressPattern; p != "" && (!strings.Contains(p, "{user}") || !isAddress(strings.ReplaceAll(p, "{user}", "ada"))) {
		return src.bad("notify.address_pattern", "is %s: give an address such as {user}@example.org", quote(p))
	}
	if s.Host != "" && len(n.Addresses) == 0 && n.AddressPattern == "" && c.Backend != OMERO {
		return src.bad("notify.smtp", "is given, and no user's address: give notify.addresses or notify.address_pattern")
	}
	return nil
}

func (w *webhook) webhook(src *source, at string) (Webhook, error) {
	made := Webhook{URL: w.URL, Secret: w.Secret, Template: w.Template, Stages: []order.Stage{order.Completed, order.Failed}}
	if !isWebAddress(string(w.URL)) {
		return made, src.bad(at+".url", "is no address such as https://hooks.example.org/importer")
	}
	switch {
	case w.Secret != "":
		if _, err := message.ParseKey(string(w.Secret)); err != nil {
			return made, src.bad(at+".secret", "%s", err)
		}
	case w.Template == "":
		return made, src.bad(at, "has no secret, by which the receiver tells who sends: make one with echo \"whsec_$(openssl rand -base64 32)\"")
	}
	if w.Template != "" {
		if _, err := message.ParseTemplate(w.Template); err != nil {
			return made, src.bad(at+".template", "cannot be used: %s", err)
		}
	}
	if w.Stages != nil {
		made.Stages = nil
	}
	for i, s := range w.Stages {
		stage := order.Stage(s)
		if stage != order.Completed && stage != order.Failed || slices.Contains(made.Stages, stage) {
			return made, src.bad(at+".stages["+strconv.Itoa(i)+"]", "is %s: allowed are %s and %s, once each", quote(s), order.Completed, order.Failed)
		}
		made.Stages = append(made.Stages, stage)
	}
	if len(made.Stages) == 0 {
		return made, src.bad(at+".stages", "is empty: name %s, %s or both", order.Completed, order.Failed)
	}
	return made, nil
}

func (s *smtpBlock) check(src *source) error {
	if !slices.Contains([]string{startTLS, "tls", noTLS}, s.TLS) {
		return src.bad("notify.smtp.tls", "is %s: allowed are starttls, tls and none", quote(s.TLS))
	}
	if s.Host == "" {
		return nil
	}
	switch _, err := netmail.ParseAddress(s.From); {
	case strings.ContainsAny(s.Host, "/:@ \t\r\n\x00"):
		return src.bad("notify.smtp.host", "is %s: give a host's name only", quote(s.Host))
	case err != nil:
		return src.bad("notify.smtp.from", "is %s: give the address that mail is from", quote(s.From))
	case (s.User == "") != (s.Password == ""):
		return src.bad("notify.smtp", "has to give both user and password, or neither")
	case s.User != "" && s.TLS == noTLS:
		return src.bad("notify.smtp.tls", "is none: the password would be sent for all to read")
	}
	return nil
}

// isAddress reports whether a text is one mail address and nothing else.
func isAddress(text string) bool {
	parsed, err := netmail.ParseAddress(text)
	return err == nil && parsed.Address == text
}

// isWebAddress reports whether a text is the address of something on the web.
func isWebAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.Fragment == ""
}
