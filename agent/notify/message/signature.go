package message

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Headers of a signed request, as https://www.standardwebhooks.com has them.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp" // seconds since 1970, of this try
	HeaderSignature = "webhook-signature" // "v1," and the base64 of the HMAC-SHA256 of "id.timestamp.body"
)

const (
	secretPrefix = "whsec_"
	leastKey     = 24 // bytes
	longestKey   = 64
)

// ParseKey reads a secret that a receiver shares: whsec_ and the base64 of 24 to 64 bytes.
// Its error does not show it.
func ParseKey(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < leastKey || len(key) > longestKey {
		return nil, errors.New(`is not whsec_ and the base64 of 24 to 64 bytes: make one with echo "whsec_$(openssl rand -base64 32)"`)
	}
	return key, nil
}

// Sign gives a request the headers that a receiver checks; without a key, all but the
// signature.
func Sign(h http.Header, key []byte, id string, now time.Time, body []byte) {
	at := strconv.FormatInt(now.Unix(), 10)
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, at)
	if key == nil {
		return
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + at + "."))
	_, _ = mac.Write(body)
	h.Set(HeaderSignature, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
