package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/model"
)

// identity is whom a session belongs to.
type identity struct {
	SessionUUID    string  `json:"sessionUuid"`    //nolint:tagliatelle // OMERO's name
	UserID         int64   `json:"userId"`         //nolint:tagliatelle // OMERO's name
	UserName       string  `json:"userName"`       //nolint:tagliatelle // OMERO's name
	GroupID        int64   `json:"groupId"`        //nolint:tagliatelle // OMERO's name
	GroupName      string  `json:"groupName"`      //nolint:tagliatelle // OMERO's name
	IsAdmin        *bool   `json:"isAdmin"`        //nolint:tagliatelle // OMERO's name
	MemberOfGroups []int64 `json:"memberOfGroups"` //nolint:tagliatelle // OMERO's name
}

// Login opens a session as a user, to work in one of the user's groups. A *model.LoginError
// does not always say what is wrong: OMERO.web answers an unknown user with an internal
// error. It is the importer's own account that is refused when that is no administrator.
func (c *Client) Login(ctx context.Context, user, group string) (*Session, error) {
	t, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.become(ctx, t, user, group)
	if err != nil {
		t.abandon(ctx)
		return nil, fmt.Errorf("open a session of OMERO.web as %s in %s: %w", user, group, needed(err))
	}
	return s, nil
}

// become turns the session of the importer's own account into one of the user.
func (c *Client) become(ctx context.Context, t *talk, user, group string) (*Session, error) {
	if user != c.config.User {
		if err := t.su(ctx, user); err != nil {
			return nil, err
		}
	}
	t.user = user
	who, err := t.who(ctx)
	if err != nil {
		return nil, err
	}
	if who.UserName != user {
		return nil, &model.LoginError{Detail: fmt.Sprintf("the session is one of %q", t.clean(who.UserName))}
	}
	s := &Session{talk: t, making: c.making, key: who.SessionUUID, userID: who.UserID, keyGroup: who.GroupName}
	if s.groupID, err = s.member(ctx, who, group); err != nil {
		return nil, err
	}
	if s.groupID != who.GroupID {
		return s, t.activate(ctx, s.groupID)
	}
	return s, nil
}

// su has OMERO.web replace its session by one of the user.
func (t *talk) su(ctx context.Context, user string) error {
	if user == "" || user == "." || user == ".." || strings.ContainsAny(user, "/\\\x00") {
		return &model.LoginError{Detail: fmt.Sprintf("a user called %q cannot be named in an address", user)}
	}
	r := request{what: "become " + user, method: http.MethodPost, path: "/webgateway/su/" + url.PathEscape(user) + "/"}
	a, err := t.send(ctx, r)
	if err != nil {
		return err
	}
	detail := t.quote(a.message)
	switch {
	case a.status == http.StatusNotFound:
		// The page hides from all but administrators.
		return &model.LoginError{Own: true, Detail: "it may not act for others"}
	case a.badToken() || a.loggedOut() || strings.Contains(a.message, "::Ice::"):
		return a.judge(r)
	case a.message != "":
		return &model.LoginError{Detail: detail}
	case a.status/100 == 2 && bytes.Equal(bytes.TrimSpace(a.body), []byte("false")):
		return &model.LoginError{Detail: "OMERO.web did not become that user"}
	case a.status/100 == 2 && !bytes.Equal(bytes.TrimSpace(a.body), []byte("true")):
		return a.decode(r, new(bool))
	}
	return a.judge(r)
}

// who asks whom the session belongs to.
func (t *talk) who(ctx context.Context) (identity, error) {
	r := request{what: "ask whose session it is", method: http.MethodPost, path: "/api/v0/login/", repeat: true}
	a, err := t.send(ctx, r)
	if err != nil {
		return identity{}, err
	}
	if a.status == http.StatusForbidden && a.message != "" && !a.badToken() {
		return identity{}, fmt.Errorf("%s: %w", r.what, model.ErrSessionGone)
	}
	return t.identity(r, a)
}

// identity reads the answer to a login.
func (t *talk) identity(r request, a answer) (identity, error) {
	if err := a.judge(r); err != nil {
		return identity{}, err
	}
	var said struct {
		Context identity `json:"eventContext"` //nolint:tagliatelle // OMERO's name
	}
	if err := a.decode(r, &said); err != nil {
		return identity{}, err
	}
	if said.Context.SessionUUID == "" {
		return identity{}, r.unavailable("there is no session in its answer " + a.shape())
	}
	t.hide(said.Context.SessionUUID)
	return said.Context, nil
}

// member returns the id of a group of the user.
func (s *Session) member(ctx context.Context, who identity, group string) (int64, error) {
	if who.GroupName == group {
		return who.GroupID, nil
	}
	groups, err := s.list(ctx, "list the groups",
		fmt.Sprintf("/api/v0/m/experimenters/%d/experimentergroups/", who.UserID), nil)
	if err != nil {
		return 0, err
	}
	for _, g := range groups.objects {
		if g.ID == who.GroupID {
			s.keyGroup = g.Name
		}
	}
	for _, g := range groups.objects {
		if g.Name == group && (len(who.MemberOfGroups) == 0 || slices.Contains(who.MemberOfGroups, g.ID)) {
			return g.ID, nil
		}
	}
	return 0, &model.LoginError{Detail: fmt.Sprintf("%s is not a member of %s", s.talk.user, group)}
}

// activate has OMERO.web work in a group.
func (t *talk) activate(ctx context.Context, group int64) error {
	r := request{
		what: "choose the group", path: "/webclient/active_group/", repeat: true,
		query: url.Values{"active_group": {strconv.FormatInt(group, 10)}},
	}
	a, err := t.send(ctx, r)
	if err != nil {
		return err
	}
	// It leads to the start page.
	if target, err := url.Parse(a.header.Get("Location")); a.status/100 == 3 && err == nil && !toLogin(target) {
		return nil
	}
	return a.judge(r)
}
