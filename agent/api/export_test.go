package api

import (
	"net/http"

	"biomero-importer/agent/tracking"
)

// Routes are "METHOD path" of all that is answered.
func Routes() (list []string) {
	s := &server{}
	s.Operator = func(h http.Handler) http.Handler { return h }
	for _, r := range s.routes() {
		for method := range r.methods {
			list = append(list, method+" /"+r.path)
		}
	}
	return list
}

// ReadFilter reads the query of a list.
func ReadFilter(query string) (tracking.Filter, error) { return filter(query) }
