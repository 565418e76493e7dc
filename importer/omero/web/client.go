package web

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/model"
)

// Client opens sessions. It may be used by several at once.
type Client struct {
	config Config
	base   *url.URL
	roots  *x509.CertPool
	log    *slog.Logger
	pace   pace
	making chan struct{} // held while a container is made, so that none is made twice
}

// Ping tells whether the server answers and the importer's own account can log in and may
// act for others.
func (c *Client) Ping(ctx context.Context) error {
	t, err := c.enter(ctx)
	if err != nil {
		return err
	}
	t.abandon(ctx)
	return nil
}

// enter logs the importer's own account in.
func (c *Client) enter(ctx context.Context) (*talk, error) {
	t := c.talk()
	own, err := c.login(ctx, t)
	if err == nil && own.IsAdmin != nil && !*own.IsAdmin {
		err = &model.LoginError{Own: true, Detail: "it is not an administrator, so it cannot act for others"}
		t.abandon(ctx)
	}
	if err != nil {
		t.http.CloseIdleConnections()
		return nil, fmt.Errorf("log in to OMERO.web as %s: %w", c.config.User, needed(err))
	}
	return t, nil
}

// login logs in with the password.
func (c *Client) login(ctx context.Context, t *talk) (identity, error) {
	if err := t.renew(ctx); err != nil {
		return identity{}, err
	}
	server, err := c.server(ctx, t)
	if err != nil {
		return identity{}, err
	}
	r := request{
		what: "send the password", method: http.MethodPost, path: "/api/v0/login/",
		form: url.Values{
			"server":   {strconv.FormatInt(server, 10)},
			"username": {c.config.User},
			"password": {c.config.Password},
		},
	}
	a, err := t.send(ctx, r)
	if err != nil {
		return identity{}, err
	}
	if a.status == http.StatusForbidden && a.message != "" && !a.badToken() {
		detail := t.quote(a.message)
		// The same status says that OMERO.web has no server to ask.
		if strings.HasPrefix(detail, "Server is not responding") || strings.HasPrefix(detail, "Client version does not match") {
			return identity{}, r.unavailable(detail)
		}
		return identity{}, &model.LoginError{Own: true, Detail: detail}
	}
	own, err := t.identity(r, a)
	if err != nil {
		t.abandon(ctx) // of which there may be one
	}
	return own, err
}

// server returns OMERO.web's number of the OMERO server.
func (c *Client) server(ctx context.Context, t *talk) (int64, error) {
	r := request{what: "list the OMERO servers", path: "/api/v0/servers/", repeat: true}
	var list struct {
		Data []struct {
			ID     int64  `json:"id"`
			Host   string `json:"host"`
			Server string `json:"server"`
		} `json:"data"`
	}
	if err := t.do(ctx, r, &list); err != nil {
		return 0, err
	}
	var names []string
	for _, s := range list.Data {
		if c.config.Server != "" && (strings.EqualFold(s.Host, c.config.Server) || s.Server == c.config.Server) {
			return s.ID, nil
		}
		names = append(names, s.Host)
	}
	switch {
	case len(list.Data) == 0:
		return 0, r.unavailable("it knows none")
	case len(list.Data) > 1 && c.config.Server != "":
		return 0, r.unavailable(fmt.Sprintf("none is called %s; name one of these: %s",
			c.config.Server, t.clean(strings.Join(names, ", "))))
	}
	return list.Data[0].ID, nil
}

// needed turns the end of a session into an unavailable server, where a session is about to
// begin.
func needed(err error) error {
	if !errors.Is(err, model.ErrSessionGone) {
		return err
	}
	return fmt.Errorf("%w: it asks for a login before or after one; with http it must not restrict its cookies to https", model.ErrUnavailable)
}
