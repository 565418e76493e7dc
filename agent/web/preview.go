package web

import (
	"net/http"
	"path"
	"strconv"
	"strings"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// pictured reports whether there may be a picture of a file, by its name.
func pictured(name string) bool {
	switch strings.ToLower(path.Ext(strings.TrimRight(name, "/"))) {
	case ".tif", ".tiff", ".btf", ".tf8", ".zarr":
		return true
	}
	return false
}

// preview answers with a picture of an imported file, or with one that says that there is
// none: what is no picture would be an error in every browser.
func (s *server) preview(w http.ResponseWriter, r *http.Request) {
	ordinal, err := strconv.ParseInt(r.PathValue("ordinal"), 10, 32)
	if err != nil || s.Previews == nil {
		http.NotFound(w, r)
		return
	}
	f, err := s.orders.File(r.Context(), r.PathValue("uuid"), int(ordinal))
	if err == nil && (f.State != tracking.FileImported || !pictured(f.Path)) {
		err = order.Errorf(order.Invalid, "There is no picture of what was not imported.")
	}
	var picture []byte
	var tag string
	if err == nil {
		picture, tag, err = s.Previews.Get(r.Context(), f.Path)
	}
	if err != nil {
		code, sentence := s.fault(r, err)
		http.Error(w, sentence, code)
		return
	}
	if picture == nil { // for now, maybe: the tag is of the file
		tag = "none"
	}
	w.Header().Set("Cache-Control", "private, max-age=300")
	w.Header().Set("Etag", `"`+tag+`"`)
	if r.Header.Get("If-None-Match") == `"`+tag+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	if picture == nil {
		w.Header().Set("Content-Type", types[".svg"])
		picture = assets["none.svg"].content
	}
	_, _ = w.Write(picture)
}
