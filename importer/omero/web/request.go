package web

import (
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
	body, kind, err := r.body()
	if err != nil {
		return nil, err
	}
	var payload any // of no type where there is none, or an empty one is sent in chunks
	if len(body) > 0 {
		payload = body
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, method, target, payload)
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "biomero-importer")
	// With https, Django takes no POST without it.
	req.Header.Set("Referer", base.String()+"/")
	return req, nil
}

// body is what is posted, and its type.
func (r request) body() (body []byte, kind string, err error) {
	if r.json != nil {
		body, err = json.Marshal(r.json)
		return body, "application/json", err
	}
	return []byte(r.form.Encode()), "application/x-www-form-urlencoded", nil
}

// size is that of the body, which was sent.
func (r request) size() int {
	body, _, _ := r.body()
	return len(body)
}

// unavailable says why a request cannot be answered.
func (r request) unavailable(why string) error {
	return fmt.Errorf("%s: %w: %s", r.what, model.ErrUnavailable, why)
}
