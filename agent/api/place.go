package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/google/uuid"

	"biomero-importer/agent/order"
	"biomero-importer/agent/problem"
	"biomero-importer/agent/tracking"
)

// placed says which order was placed.
type placed struct {
	UUID string `json:"uuid"`
}

// place places the order of a manifest. One that was placed before, by its uuid or the
// header Idempotency-Key, is told again and not placed again.
func (s *server) place(w http.ResponseWriter, r *http.Request) {
	m, status, err := manifest(w, r)
	if err != nil {
		problem.Write(w, status, err.Error())
		return
	}
	o, err := s.Placer.Find(r.Context(), m, "/")
	if err == nil {
		err = s.Placer.Place(r.Context(), &o)
	}
	if order.ClassOf(err) == order.Invalid && m.UUID != "" && s.isPlaced(r.Context(), m.UUID) {
		w.Header().Set("Location", Root+"orders/"+m.UUID)
		problem.Write(w, http.StatusConflict, "An order with this uuid or Idempotency-Key was placed before, and whether this is the same cannot be said any more: "+err.Error())
		return
	}
	status = http.StatusCreated
	if errors.Is(err, tracking.ErrUUIDTaken) {
		status = http.StatusOK
		if err = s.repeated(r.Context(), &o); order.ClassOf(err) == order.Invalid {
			w.Header().Set("Location", Root+"orders/"+o.UUID)
			problem.Write(w, http.StatusConflict, err.Error())
			return
		}
	}
	if err == nil {
		w.Header().Set("Location", Root+"orders/"+o.UUID)
		if status == http.StatusCreated {
			s.note(r, "order", o.UUID)
		}
	}
	s.reply(w, r, status, placed{o.UUID}, err)
}

// isPlaced reports whether there is an order with a uuid, as far as can be said.
func (s *server) isPlaced(ctx context.Context, uuid string) bool {
	_, err := s.Orders.Placed(ctx, uuid)
	return err == nil || order.ClassOf(err) == order.Invalid && !errors.Is(err, tracking.ErrUnknown)
}

// repeated is an Invalid error where the order that has the uuid of another is not the same.
func (s *server) repeated(ctx context.Context, o *order.Order) error {
	known, err := s.Orders.Placed(ctx, o.UUID)
	if err != nil && order.ClassOf(err) != order.Invalid {
		return err
	}
	if err != nil || known.Group != o.Group || known.User != o.User || known.Destination.Type != o.Destination.Type ||
		known.Destination.ID != o.Destination.ID || !slices.Equal(known.Files, o.Files) || !sameConverter(known.Converter, o.Converter) {
		return order.Errorf(order.Invalid, "Another order has the uuid %s, or had this Idempotency-Key: its files, destination, user or converter are others.", o.UUID)
	}
	return nil
}

func sameConverter(a, b *order.Converter) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, err := json.Marshal(a.Params)
	y, wrong := json.Marshal(b.Params)
	return a.Container == b.Container && err == nil && wrong == nil && bytes.Equal(x, y)
}

// types are those that a body may have, and how errors name it.
var types = map[string]string{
	"application/json": "order.json", "application/yaml": "order.yml", "application/x-yaml": "order.yml", "text/yaml": "order.yml",
}

// keys of idempotency are none that a log or a header could be misread by.
var idempotencyKey = regexp.MustCompile(`^[!-~]{1,200}$`)

// keySpace keeps the uuids of keys apart from those made otherwise.
var keySpace = uuid.MustParse("5f1ec3d2-7c5b-4a50-9a5e-0c6a8c1f8a11")

// manifest reads the order that a request asks for; status is for the error.
func manifest(w http.ResponseWriter, r *http.Request) (m *order.Manifest, status int, err error) {
	if _, err := parameters(r.URL.RawQuery); err != nil {
		return nil, http.StatusBadRequest, order.Errorf(order.Invalid, "This path has no parameters.")
	}
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	name := types[typ]
	if err != nil || name == "" {
		return nil, http.StatusUnsupportedMediaType, order.Errorf(order.Invalid, "Send a manifest as application/json or application/yaml.")
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, order.MaxManifestBytes))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, http.StatusRequestEntityTooLarge, order.Errorf(order.Invalid, "A manifest has no more than %d bytes: name files by patterns.", order.MaxManifestBytes)
	}
	if err != nil {
		return nil, http.StatusBadRequest, order.Errorf(order.Invalid, "The manifest did not arrive whole.")
	}
	if typ == "application/json" && !json.Valid(data) {
		return nil, http.StatusUnprocessableEntity, order.Errorf(order.Invalid, "The manifest is not JSON; send YAML as application/yaml.")
	}
	if m, err = order.DecodeManifest(name, data); err != nil {
		return nil, http.StatusUnprocessableEntity, err
	}
	for _, path := range m.Files {
		if !filepath.IsAbs(path) {
			return nil, http.StatusUnprocessableEntity, order.Errorf(order.Invalid, "The path %.200q is relative, and to nothing here: give it from the root on, as the service sees it.", path)
		}
	}
	if keys := r.Header.Values("Idempotency-Key"); len(keys) > 0 && m.UUID == "" {
		if len(keys) > 1 || !idempotencyKey.MatchString(keys[0]) {
			return nil, http.StatusBadRequest, order.Errorf(order.Invalid, "An Idempotency-Key is one word of up to 200 letters, digits and signs.")
		}
		m.UUID = uuid.NewSHA1(keySpace, []byte(keys[0])).String()
	}
	return m, 0, nil
}
