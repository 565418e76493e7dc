package config

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
)

// Secret is a text that shows in no output, whatever the verb or the encoding.
type Secret string

const masked = "***"

// String implements fmt.Stringer.
func (Secret) String() string { return masked }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return masked }

// Format implements fmt.Formatter: a verb that is wrong for a text, such as
// %d, would print the text all the same.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, masked) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

var (
	// A password may hold any sign but a space or a quote: the last @ ends it.
	urlPassword = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s:/?#@]*):[^\s"']*@`)
	keyPassword = regexp.MustCompile(`(?i)(pass(?:word|file|wd)\s*=\s*)('(?:\\.|[^'\\])*'?|(?:\\.|[^\s&\\])*)`)
)

// MaskURL hides the passwords of a database address, in the form of a URL or
// of key=value words. What else the text says stays.
func MaskURL(text string) string {
	text = urlPassword.ReplaceAllString(text, "${1}:"+masked+"@")
	return keyPassword.ReplaceAllString(text, "${1}"+masked)
}
