package order

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// What is put behind the name of a manifest to name our answers to it.
const (
	ReceiptSuffix   = ".receipt.json"
	RejectionSuffix = ".rejected.txt"
)

// ReceiptName is the name of the receipt beside a manifest.
func ReceiptName(manifest string) string { return manifest + ReceiptSuffix }

// RejectionName is the name of the rejection beside a manifest.
func RejectionName(manifest string) string { return manifest + RejectionSuffix }

// Receipt is what a manifest's author reads about its order.
type Receipt struct {
	UUID            string        `json:"uuid"`
	Stage           Stage         `json:"stage"`
	Attempt         int           `json:"attempt"` // from 1; 0 before the first
	Manifest        string        `json:"manifest"`
	Group           string        `json:"group"`
	User            string        `json:"user"`
	DestinationType string        `json:"destination_type"`
	DestinationID   string        `json:"destination_id"`
	Description     string        `json:"description,omitempty"`
	Reason          string        `json:"reason,omitempty"` // why the order failed
	Queued          *time.Time    `json:"queued,omitempty"`
	Started         *time.Time    `json:"started,omitempty"`
	Ended           *time.Time    `json:"ended,omitempty"`
	Files           []FileReceipt `json:"files"`
}

// The states of a file in a receipt.
const (
	FilePending  = "pending"
	FileImported = "imported"
	FileFailed   = "failed"
)

// FileReceipt is what became of one file or folder of an order. Ids are
// OMERO's.
type FileReceipt struct {
	Path     string  `json:"path"`
	State    string  `json:"state"`
	Filesets []int64 `json:"filesets,omitempty"`
	Images   []int64 `json:"images,omitempty"`
	Plates   []int64 `json:"plates,omitempty"`
	Reason   string  `json:"reason,omitempty"`
}

// receiptPath keeps the bytes of a path that are no UTF-8, as EncodePaths does.
type receiptPath string

// MarshalJSON implements json.Marshaler.
func (p receiptPath) MarshalJSON() ([]byte, error) {
	if text := string(p); strings.ToValidUTF8(text, "") != text {
		var b strings.Builder
		quoteASCII(&b, text)
		return []byte(b.String()), nil
	}
	return plainJSON(string(p))
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *receiptPath) UnmarshalJSON(data []byte) error {
	s := pathScanner{rest: string(data)}
	text, ok := s.text()
	if !ok {
		return fmt.Errorf("the path %s is no text", quote(string(data)))
	}
	*p = receiptPath(text)
	return nil
}

// plainJSON is json.Marshal without the escapes that are for HTML.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

type fileReceipt FileReceipt

type fileReceiptJSON struct {
	Path receiptPath `json:"path"`
	*fileReceipt
}

// MarshalJSON implements json.Marshaler.
func (f FileReceipt) MarshalJSON() ([]byte, error) {
	rest := fileReceipt(f)
	return plainJSON(fileReceiptJSON{receiptPath(f.Path), &rest})
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *FileReceipt) UnmarshalJSON(data []byte) error {
	var rest fileReceipt
	in := fileReceiptJSON{fileReceipt: &rest}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decoding a file's receipt: %w", err)
	}
	*f = FileReceipt(rest)
	f.Path = string(in.Path)
	return nil
}

// Encode writes the receipt as indented JSON that ends in a newline, with the
// same bytes for the same receipt. Times are written in UTC.
func (r Receipt) Encode() ([]byte, error) {
	for _, t := range []**time.Time{&r.Queued, &r.Started, &r.Ended} {
		if *t != nil {
			utc := (*t).UTC()
			*t = &utc
		}
	}
	if r.Files == nil {
		r.Files = []FileReceipt{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("encoding the receipt of %s: %w", r.Manifest, err)
	}
	return b.Bytes(), nil
}

// DecodeReceipt reads what Encode wrote. Keys that it does not know, from a
// later version, are passed over. Errors are Invalid.
func DecodeReceipt(data []byte) (*Receipt, error) {
	var r Receipt
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, Errorf(Invalid, "the receipt cannot be read: %w", err)
	}
	return &r, nil
}

// placed is how a decoder's errors begin.
var placed = regexp.MustCompile(`^(?s:(.{1,300}?):([0-9]+):([0-9]+): )`)

// Rejection is the text that lies beside a refused manifest: the reason's
// sentence, the place, if the reason begins with one, and what was expected
// there, if it ends with that.
func Rejection(reason string) []byte {
	var b strings.Builder
	sentence, where := reason, ""
	if m := placed.FindStringSubmatch(reason); m != nil {
		sentence = reason[len(m[0]):]
		where = fmt.Sprintf("Where:    %s, line %s, column %s\n", m[1], m[2], m[3])
	}
	// The last one: a value that the sentence quotes may hold the word too.
	if i := strings.LastIndex(sentence, expectedMark); i >= 0 {
		where += "Expected: " + sentence[i+len(expectedMark):] + "\n"
		sentence = sentence[:i]
	}
	b.WriteString(sentence + "\n\n" + where)
	b.WriteString("Correct the file and save it: that is enough to try again.\n")
	return []byte(b.String())
}
