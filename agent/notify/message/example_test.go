package message_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"biomero-importer/agent/notify/message"
)

// receive is all that a receiver has to do. The libraries of https://www.standardwebhooks.com
// do the same in many languages.
func receive(secret string, w http.ResponseWriter, r *http.Request) (id string, body []byte) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		http.Error(w, "the secret is none", http.StatusInternalServerError)
		return "", nil
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		return "", nil // it is sent again
	}
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+at+"."+string(body))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	sent, err := strconv.ParseInt(at, 10, 64)
	if err != nil || time.Since(time.Unix(sent, 0)).Abs() > 5*time.Minute || !hmac.Equal([]byte(want), []byte(r.Header.Get("webhook-signature"))) {
		http.Error(w, "not signed, or recorded by somebody and sent anew", http.StatusUnauthorized)
		return "", nil
	}
	w.WriteHeader(http.StatusNoContent) // the same id may come again: remember it for two days
	return id, body
}

func Example() {
	const secret = "whsec_bm90IGEgc2VjcmV0LCBvbmx5IGFuIGV4YW1wbGU="
	key, err := message.ParseKey(secret)
	if err != nil {
		panic(err)
	}
	for _, body := range []string{`{"version":1}`, `{"version":2}`} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		message.Sign(r.Header, key, "3f1c2b8e", time.Now(), []byte(`{"version":1}`))
		answer := httptest.NewRecorder()
		id, got := receive(secret, answer, r)
		fmt.Printf("%d %q %q\n", answer.Code, id, got)
	}
	// Output:
	// 204 "3f1c2b8e" "{\"version\":1}"
	// 401 "" ""
}
