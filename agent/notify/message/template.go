package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"text/template"
	"time"
)

// maxBody bounds what a template may make, in bytes.
const maxBody = 64 << 10

// Template makes the JSON that some other receiver wants of an event.
type Template struct{ parsed *template.Template }

// ParseTemplate reads a text/template over the fields of Event, with the function json, which
// writes a value as JSON. It has to make JSON of any event.
func ParseTemplate(text string) (*Template, error) {
	parsed, err := template.New("template").Funcs(template.FuncMap{"json": asJSON}).Parse(text)
	if err != nil {
		return nil, err
	}
	t := &Template{parsed}
	sample := Sample("00000000-0000-0000-0000-000000000000", time.Unix(0, 0).UTC())
	if _, err := t.Body(&sample); err != nil {
		return nil, err
	}
	return t, nil
}

// Body is what the template makes of an event.
func (t *Template) Body(e *Event) ([]byte, error) {
	out := &bounded{}
	if err := t.parsed.Execute(out, e); err != nil {
		return nil, err
	}
	if !json.Valid(out.Bytes()) {
		return nil, errors.New("what it makes is not JSON: write texts as {{json .Reason}}, without quotes around it")
	}
	return out.Bytes(), nil
}

func asJSON(v any) (string, error) {
	data, err := json.Marshal(v)
	return string(data), err
}

// bounded keeps what fits.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxBody {
		return 0, fmt.Errorf("it makes more than %d bytes", maxBody)
	}
	return b.Buffer.Write(p)
}
