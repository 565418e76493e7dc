package web

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"
)

// Config says where OMERO.web is and who asks it.
type Config struct {
	URL      string // of OMERO.web, with its prefix if any
	CAFile   string // PEM; empty for the system's
	User     string // an account that may act for others
	Password string
	// Server is the host or name by which OMERO.web knows the OMERO server. It matters only
	// where OMERO.web knows several: without it the first one is taken.
	Server  string
	Timeout time.Duration // of one request; 30 seconds if 0
}

// timeout is how long a request may take unless the configuration says otherwise.
const timeout = 30 * time.Second

// New returns a client. It does not ask the server anything yet.
func New(c Config, log *slog.Logger) (*Client, error) {
	base, err := address(c.URL)
	if err != nil {
		return nil, err
	}
	roots, err := authorities(c.CAFile)
	if err != nil {
		return nil, err
	}
	if c.User == "" || c.Password == "" {
		return nil, errors.New("OMERO.web needs the name and the password of an account that may act for others")
	}
	c.Timeout = cmp.Or(c.Timeout, timeout)
	if c.Timeout < 0 {
		return nil, fmt.Errorf("the time-out for OMERO.web is %s: give a positive one", c.Timeout)
	}
	return &Client{config: c, base: base, roots: roots, log: log, pace: usual, making: make(chan struct{}, 1)}, nil
}

// address checks the URL of OMERO.web. The result has no slash at its end.
func address(text string) (*url.URL, error) {
	const example = "give one like https://omero.example.org or https://example.org/omero"
	u, err := url.Parse(text)
	if err != nil {
		// url.Parse quotes all of it, also a password.
		return nil, errors.New("the address of OMERO.web is not a URL: " + example)
	}
	switch {
	case u.User != nil:
		return nil, errors.New("the address of OMERO.web holds a user or a password: they have settings of their own")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, fmt.Errorf("the address of OMERO.web, %q, is not a http or https URL with a host: %s", text, example)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the address of OMERO.web, %q, has more than a path: %s", text, example)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	for _, page := range []string{"/webclient", "/webclient/login", "/api", "/api/v0"} {
		if rest, found := strings.CutSuffix(u.Path, page); found {
			u.Path, u.RawPath = rest, ""
			return nil, fmt.Errorf("the address of OMERO.web, %q, is that of a page: give %s", text, u)
		}
	}
	return u, nil
}

// authorities reads who may certify the server; nil stands for the system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file) //nolint:gosec // named by the site
	if err != nil {
		return nil, fmt.Errorf("the certificates for OMERO.web cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate: name a PEM file with that of the authority (BEGIN CERTIFICATE)", file)
	}
	return pool, nil
}
