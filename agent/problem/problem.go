package problem

import (
	"encoding/json"
	"net/http"
)

// Problem is the body of such an answer.
type Problem struct {
	Type   string `json:"type"` // about:blank: the status says it all
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// Write answers with a status and a sentence that says what is wrong and what to do.
func Write(w http.ResponseWriter, status int, sentence string) {
	data, err := json.Marshal(Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: sentence})
	if err != nil { // not of texts and a number
		http.Error(w, sentence, status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}
