package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// largest is how long an answer may be.
const largest = 16 << 20

// formLimit is what Django reads of a form, unless it is told otherwise.
const formLimit = 2621440

var errTooLarge = fmt.Errorf("the answer is longer than %d MiB", largest>>20)

// answer is what came back.
type answer struct {
	talk    *talk
	status  int
	header  http.Header
	body    []byte
	message string // of an answer in JSON
}

// readAll reads the body of a response and closes it.
func readAll(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, largest+1))
	if closing := resp.Body.Close(); err == nil {
		err = closing
	}
	if err == nil && len(body) > largest {
		err = errTooLarge
	}
	return body, err
}

// message returns what an answer in JSON says of an error.
func message(body []byte) string {
	if body = bytes.TrimSpace(body); len(body) == 0 || body[0] != '{' {
		return ""
	}
	var said struct {
		Message string `json:"message"`
		Error   string `json:"error"` // of the webclient's own API
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	return said.Message + said.Error
}

// decode reads JSON.
func (a answer) decode(r request, out any) error {
	if err := json.Unmarshal(a.body, out); err != nil {
		return r.unavailable("its answer " + a.shape() + " is not the JSON that was expected")
	}
	return nil
}

// shape describes an answer without quoting it.
func (a answer) shape() string {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if kind == "" {
		kind = "of no type"
	}
	return fmt.Sprintf("(status %d, %s)", a.status, a.talk.clean(kind))
}

// badToken tells whether the CSRF token was refused, so that nothing was done.
func (a answer) badToken() bool {
	return a.status == http.StatusForbidden && strings.HasPrefix(a.message, "CSRF")
}

// judge classes an answer that is no success.
func (a answer) judge(r request) error {
	switch {
	case a.status/100 == 2:
		return nil
	case a.status/100 == 3:
		return a.redirected(r)
	case a.badToken():
		return r.unavailable("it refuses its own CSRF tokens: with https the address must be one of its trusted origins, " +
			"with http it must not restrict its cookies to https")
	case a.loggedOut():
		return fmt.Errorf("%s: %w", r.what, model.ErrSessionGone)
	}
	if kind := exception(a.body); kind != "" || a.permanent(r) {
		return a.refused(r, kind)
	}
	switch {
	case a.tooMuch(r):
		return r.unavailable(fmt.Sprintf("%d bytes are too much for it", r.size()))
	case a.status == http.StatusNotFound:
		return r.unavailable("there is no such page; is its address right?")
	case a.status == http.StatusTooManyRequests:
		return r.unavailable("it has too many requests")
	}
	if a.message != "" {
		return r.unavailable(fmt.Sprintf("status %d: %s", a.status, a.talk.quote(a.message)))
	}
	return r.unavailable("its answer is an error " + a.shape())
}

// loggedOut tells whether the session has ended. Views for scripts of pages say so with an
// empty answer.
func (a answer) loggedOut() bool {
	return a.status == http.StatusUnauthorized ||
		a.status == http.StatusForbidden && (a.message == "Not logged in" || len(bytes.TrimSpace(a.body)) == 0) ||
		endings.Match(a.body)
}

// endings are what OMERO.web passes on of the server when a session ends under a request.
var endings = regexp.MustCompile(`::omero::(?:RemovedSession|SessionTimeout)Exception\b`)

// permanent tells whether the same request will always be answered like this.
func (a answer) permanent(r request) bool {
	switch a.status {
	case http.StatusNotFound:
		return r.object || a.message != ""
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed:
		return a.message != ""
	}
	return false
}

// tooMuch tells whether OMERO.web, or what is before it, does not read so long a request.
// OMERO itself takes the same by another way.
func (a answer) tooMuch(r request) bool {
	return a.status == http.StatusRequestEntityTooLarge || a.status == http.StatusBadRequest && r.size() > formLimit
}

// refused is the error for what OMERO will not do.
func (a answer) refused(r request, kind string) error {
	e := &importer.Error{Err: fmt.Errorf("%s: its answer is an error %s %s", r.what, a.shape(), kind)}
	why := a.talk.quote(a.message)
	switch {
	case a.status == http.StatusNotFound:
		e.Err = fmt.Errorf("%s: %w", r.what, model.ErrNotFound)
		if why == "" {
			why = "it does not exist, or the user may not see it"
		}
	case why != "":
	case strings.Contains(kind, "SecurityViolation"):
		why = "the user may not do that"
	case kind != "":
		why = "it does not accept what it was given (" + kind + ")"
	default:
		why = "it does not say why"
	}
	e.Reason = fmt.Sprintf("OMERO refused to %s for %s: %s.", r.what, a.talk.user, strings.TrimRight(why, "."))
	return e
}

// exceptions are the refusals of the server that OMERO.web passes on as they are, in pages
// and in messages.
var exceptions = regexp.MustCompile(`::omero::((?:ReadOnlyGroup)?SecurityViolation|ValidationException|ApiUsageException)\b`)

// exception names the refusal of the server in an answer.
func exception(body []byte) string {
	if found := exceptions.FindSubmatch(body); found != nil {
		return string(found[1])
	}
	return ""
}

// redirected classes a redirect, which is never followed.
func (a answer) redirected(r request) error {
	target, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		return r.unavailable("it sends elsewhere, to nowhere")
	}
	if toLogin(target) {
		return fmt.Errorf("%s: %w", r.what, model.ErrSessionGone)
	}
	target.RawQuery, target.Fragment, target.User = "", "", nil
	return r.unavailable("it sends on to " + a.talk.clean(target.String()) + "; is its address right?")
}

// toLogin tells whether a redirect asks for a login: it leads to a page of that name, or to
// one that is to lead back.
func toLogin(target *url.URL) bool {
	return path.Base(target.Path) == "login" || target.Query().Has("url")
}

// said matches where an exception of the server has its message.
var said = regexp.MustCompile(`(?m)^\s*message = (.+)$`)

// sentence makes one line of a message, which may be a whole stack trace of the server.
func sentence(message string) string {
	const longest = 300
	if found := said.FindStringSubmatch(message); found != nil {
		message = found[1]
	} else {
		message, _, _ = strings.Cut(strings.TrimSpace(message), "\n")
	}
	line := []rune(strings.Join(strings.Fields(message), " "))
	if len(line) > longest {
		return string(line[:longest]) + "…"
	}
	return string(line)
}

// quote makes one line of a message, without secrets. What is cut off may be the rest of one.
func (t *talk) quote(message string) string { return sentence(t.clean(message)) }

// clean removes secrets from a text of the server.
func (t *talk) clean(text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, secret := range t.hidden {
		text = strings.ReplaceAll(text, secret, "[hidden]")
	}
	return text
}

// hide has texts left out of what errors quote.
func (t *talk) hide(secrets ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret)} {
			if form != "" && !slices.Contains(t.hidden, form) {
				t.hidden = append(t.hidden, form)
			}
		}
	}
	// One may be a part of another.
	slices.SortFunc(t.hidden, func(a, b string) int { return len(b) - len(a) })
}
