package order

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the most bytes that a file system accepts in one component.
const maxName = 255

// CheckName refuses what cannot be the name of a group or a user: names become
// components of paths. What says whose it is; the error is Invalid.
func CheckName(what, name string) error {
	if wrong := nameFault(name); wrong != "" {
		return Errorf(Invalid, "The %s %s.", what, wrong)
	}
	return nil
}

// CheckTitle refuses what cannot be the name of an object in OMERO. What says
// whose it is; the error is Invalid.
func CheckTitle(what, name string) error {
	if wrong := titleFault(name); wrong != "" {
		return Errorf(Invalid, "The %s %s.", what, wrong)
	}
	return nil
}

// nameFault says what is wrong with a group's or user's name.
func nameFault(name string) string {
	switch {
	case name == "." || name == "..", strings.Contains(name, "/"):
		return quote(name) + " is no name: it would lead to another folder"
	}
	return titleFault(name)
}

// titleFault says what is wrong with the name of an object in OMERO.
func titleFault(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "is empty"
	case len(name) > maxName:
		return fmt.Sprintf("is longer than %d bytes", maxName)
	case !utf8.ValidString(name):
		return quote(name) + " is not valid UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return quote(name) + " holds a control character"
	}
	return ""
}

// proseFault says what is wrong with text of several lines.
func proseFault(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) }) {
		return "holds a control character"
	}
	return ""
}

var canonicalUUID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// IsUUID reports whether s is a UUID of any version, written with its four
// hyphens and nothing around it.
func IsUUID(s string) bool { return canonicalUUID.MatchString(s) }
