package argparse

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// How many values an option or a positional argument takes.
const (
	Flag     = ""  // none
	One      = "1" // exactly one
	Optional = "?" // one or none
	Any      = "*" // any number
)

// Arg is an option, if it has Names, or else a positional argument.
type Arg struct {
	Names   []string // "-s", "--server"
	Dest    string
	Nargs   string
	Choices []string
	Int     bool
	Append  bool // keeps every value, not only the last
}

// Parser is a command. Its options come before the sub-command's.
type Parser struct {
	Prog string
	Args []Arg
	Subs map[string]*Parser
}

// Values are what was given, by Dest. An option without a value has the value
// "".
type Values map[string][]string

// Has reports whether an option was given.
func (v Values) Has(dest string) bool { return len(v[dest]) > 0 }

// Get is the last value, or "".
func (v Values) Get(dest string) string {
	if all := v[dest]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// Int is the last value as a number, or another.
func (v Values) Int(dest string, other int) int {
	n, err := strconv.Atoi(v.Get(dest))
	if err != nil {
		return other
	}
	return n
}

// Error is a refusal; Parser is the one that refused.
type Error struct {
	Parser  *Parser
	Message string
}

func (e *Error) Error() string { return e.Message }

// HelpError says that help was asked for.
type HelpError struct{ Parser *Parser }

func (h *HelpError) Error() string { return "help" }

var negative = regexp.MustCompile(`^-\d+$|^-\d*\.\d+$`)

func (p *Parser) fail(format string, args ...any) error {
	return &Error{Parser: p, Message: fmt.Sprintf(format, args...)}
}

// Usage is the first line of the help.
func (p *Parser) Usage() string {
	var b strings.Builder
	b.WriteString("usage: " + p.Prog + " [-h]")
	for _, a := range p.Args {
		switch {
		case len(a.Names) == 0 && a.Nargs == Any:
			fmt.Fprintf(&b, " [%s ...]", a.Dest)
		case len(a.Names) == 0:
			fmt.Fprintf(&b, " [%s]", a.Dest)
		case a.Nargs == Flag:
			fmt.Fprintf(&b, " [%s]", a.Names[0])
		default:
			fmt.Fprintf(&b, " [%s %s]", a.Names[0], strings.ToUpper(a.Dest))
		}
	}
	if p.Subs != nil {
		b.WriteString(" <subcommand> ...")
	}
	return b.String()
}

// Parse reads arguments, and returns the names of the sub-commands besides.
func (p *Parser) Parse(args []string) (Values, []string, error) {
	v := Values{}
	commands, extras, err := p.parse(args, v)
	if err != nil {
		return nil, nil, err
	}
	if len(extras) > 0 {
		return nil, nil, p.fail("unrecognized arguments: %s", strings.Join(extras, " "))
	}
	return v, commands, nil
}

// option finds the option of an argument. Known is false if it looks like one
// but is none; ok is false if it is no option at all.
func (p *Parser) option(arg string) (a Arg, known bool, value *string, ok bool, err error) {
	if arg == "" || arg[0] != '-' {
		return Arg{}, false, nil, false, nil
	}
	if a, found := p.named(arg); found {
		return a, true, nil, true, nil
	}
	if len(arg) == 1 {
		return Arg{}, false, nil, false, nil
	}
	name, given, equals := strings.Cut(arg, "=")
	if equals {
		if a, found := p.named(name); found {
			return a, true, &given, true, nil
		}
	}
	matches := p.abbreviated(arg)
	if len(matches) > 1 {
		return Arg{}, false, nil, false, p.ambiguous(arg, matches)
	}
	if len(matches) == 1 {
		return matches[0].arg, true, matches[0].value, true, nil
	}
	if negative.MatchString(arg) {
		return Arg{}, false, nil, false, nil
	}
	if strings.Contains(arg, " ") {
		return Arg{}, false, nil, false, nil
	}
	return Arg{}, false, nil, true, nil
}

func (p *Parser) named(name string) (Arg, bool) {
	if name == "-h" || name == "--help" {
		return Arg{Names: []string{"-h", "--help"}, Dest: "help"}, true
	}
	for _, a := range p.Args {
		if slices.Contains(a.Names, name) {
			return a, true
		}
	}
	return Arg{}, false
}

type match struct {
	arg   Arg
	name  string
	value *string
}

// abbreviated finds options that an argument may be short for: a long one's
// beginning, or a short one with its value.
func (p *Parser) abbreviated(arg string) []match {
	args := append([]Arg{{Names: []string{"-h", "--help"}, Dest: "help"}}, p.Args...)
	prefix, given, equals := strings.Cut(arg, "=")
	var value *string
	if equals {
		value = &given
	}
	var all []match
	for _, a := range args {
		for _, name := range a.Names {
			switch {
			case strings.HasPrefix(arg, "--"):
				if strings.HasPrefix(name, prefix) {
					all = append(all, match{a, name, value})
				}
			case name == arg[:2]:
				rest := arg[2:]
				all = append(all, match{a, name, &rest})
			case strings.HasPrefix(name, prefix) && len(prefix) > 2:
				all = append(all, match{a, name, value})
			}
		}
	}
	return all
}

func (p *Parser) ambiguous(arg string, matches []match) error {
	names := make([]string, 0, len(matches))
	for _, m := range matches {
		names = append(names, m.name)
	}
	return p.fail("ambiguous option: %s could match %s", arg, strings.Join(names, ", "))
}
