package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"biomero-importer/agent/access"
)

//go:embed pages/*.html
var files embed.FS

var helpers = template.FuncMap{
	"asset": asset,
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"next":  func(i int) int { return i + 1 },
}

// pages are, by name, what all of them share and each its own file.
var pages = readPages()

func readPages() map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(helpers).ParseFS(files, "pages/base.html", "pages/row.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"list", "order", "drops", "service", "fault"} {
		all[name] = template.Must(template.Must(shared.Clone()).ParseFS(files, "pages/"+name+".html"))
	}
	return all
}

// frame is what every page has around its own.
type frame struct {
	Nav     string // the address of the page, among those in the head
	Mark    string // where its events go on from
	Trouble string
	Who     access.Identity
	Page    any
}

// SignsOut reports whether who asks has signed in here, by a token.
func (f frame) SignsOut() bool { return f.Who.Name == f.Who.Role.String() }

// show answers with a page, or only with a part of it for a script that asks for that.
func (s *server) show(w http.ResponseWriter, r *http.Request, name, part string, f frame, err error) {
	code := http.StatusOK
	if err != nil {
		var sentence string
		code, sentence = s.fault(r, err)
		name, part, f.Page = "fault", "", sentence
	}
	f.Trouble, f.Who = s.Trouble(), access.From(r.Context())
	if part == "" {
		part = "base"
	}
	text, err := render(name, part, f)
	if err != nil {
		code, sentence := s.fault(r, err)
		http.Error(w, sentence, code)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "HX-Request")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text)
}

// render makes a part of a page.
func render(name, part string, data any) (string, error) {
	var out bytes.Buffer
	if err := pages[name].ExecuteTemplate(&out, part, data); err != nil {
		return "", fmt.Errorf("showing %s of the page %s: %w", part, name, err)
	}
	return straight(out.String()), nil
}

// straight shows as what they are the signs that turn text around: in a name they would turn
// the words behind it too. Marks of a direction stay, as honest names have them.
func straight(text string) string {
	return strings.Map(func(r rune) rune {
		if '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' {
			return utf8.RuneError
		}
		return r
	}, text)
}

// wanted is a part of a page where a script asks for it, and else the whole page.
func wanted(r *http.Request, part string) string {
	if r.Header.Get("Hx-Request") == "true" && r.Header.Get("Hx-History-Restore-Request") != "true" {
		return part
	}
	return ""
}
