package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hashicorp/go-retryablehttp"

	"biomero-importer/importer/omero/model"
)

// request is one request to OMERO.web.
type request struct {
	what   string // what is done to what, as in "annotate Image 5"
	method string // GET if empty
	path   string // below the address of OMERO.web, escaped
	query  url.Values
	form   url.Values // the body of a POST, unless it is JSON
	json   any
	repeat bool // it may be carried out twice
	object bool // a page with status 404 means that the object is missing
}

// build makes the request of HTTP.
func (r request) build(ctx context.Context, base *url.URL) (*retryablehttp.Request, error) {
	target := base.String() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	method := cmp.Or(r.method, http.MethodGet)
	var body any // of no type where there is none
	kind := ""
	switch {
	case r.json != nil:
		text, err := json.Marshal(r.json)
		if err != nil {
			return nil, err
		}
		body, kind = text, "application/json"
	case method == http.MethodPost:
		body, kind = []byte(r.form.Encode()), "application/x-www-form-urlencoded"
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "biomero-importer")
	// With https, Django takes no POST without it.
	req.Header.Set("Referer", base.String()+"/")
	return req, nil
}

// size is that of the body.
func (r request) size() int {
	if r.json != nil {
		var b bytes.Buffer
		_ = json.NewEncoder(&b).Encode(r.json) // it was sent, so it can be encoded
		return b.Len()
	}
	return len(r.form.Encode())
}

// unavailable says why a request cannot be answered.
func (r request) unavailable(why string) error {
	return fmt.Errorf("%s: %w: %s", r.what, model.ErrUnavailable, why)
}
