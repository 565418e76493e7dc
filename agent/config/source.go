package config

import (
	"regexp"
	"strconv"
	"strings"

	"biomero-importer/agent/order"
)

// source remembers where each setting was given, for the place in its errors.
// A setting is named by its path, such as "watch[0].order.group".
type source struct {
	file      string            // empty without one
	lines     map[string]int    // of settings in the file
	variables map[string]string // environment variables that settings are from
}

func newSource(file string) *source {
	return &source{file: file, lines: map[string]int{}, variables: map[string]string{}}
}

// bad is an Invalid error about a setting: where it was given, its name, and
// the sentence that says the rest.
func (s *source) bad(path, format string, args ...any) error {
	if name, ok := s.variables[path]; ok {
		return order.Errorf(order.Invalid, "the environment variable "+name+" "+format, args...)
	}
	return s.fault(s.line(path), title(path)+" "+format, args...)
}

// fault is an Invalid error at a line; 0 is for what no line is to blame for.
func (s *source) fault(line int, format string, args ...any) error {
	place := strings.ReplaceAll(s.file, "%", "%%")
	if line > 0 {
		place += ":" + strconv.Itoa(line)
	}
	if place != "" {
		place += ": "
	}
	return order.Errorf(order.Invalid, place+format, args...)
}

// line is that of the setting, or of what it should have been inside. A
// default that does not fit is blamed on the first line.
func (s *source) line(path string) int {
	if s.file == "" {
		return 0
	}
	for path != "" {
		if line := s.lines[path]; line > 0 {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1
}

var ruleItem = regexp.MustCompile(`^watch\[(\d+)\]\.?(.*)$`)

// title is how people know a setting: rules have numbers from 1.
func title(path string) string {
	m := ruleItem.FindStringSubmatch(path)
	if m == nil {
		return strings.ReplaceAll(path, "%", "%%")
	}
	n, _ := strconv.Atoi(m[1]) // digits, and few
	name := "watch rule " + strconv.Itoa(n+1)
	if m[2] != "" {
		name += ": " + strings.ReplaceAll(m[2], "%", "%%")
	}
	return name
}
