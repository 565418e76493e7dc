package web

import "net/http"

// refuse answers that something is not done, and why.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, code int, sentence string) {
	s.show(&coded{w, code}, r, "fault", "", frame{Page: sentence}, nil)
}

// coded answers with a status of its own.
type coded struct {
	http.ResponseWriter

	code int
}

func (c *coded) WriteHeader(int) { c.ResponseWriter.WriteHeader(c.code) }
