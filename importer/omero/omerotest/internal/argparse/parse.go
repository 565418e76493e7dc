package argparse

import (
	"slices"
	"strconv"
	"strings"
)

// run is one parser's way through its arguments.
type run struct {
	*Parser
	args     []string
	options  []bool // by argument: it is an option
	rest     int    // of the arguments that follow "--", the first; len(args) without
	v        Values
	left     []Arg // positional arguments still to come
	extras   []string
	commands []string
}

func (p *Parser) parse(args []string, v Values) (commands, extras []string, err error) {
	r := &run{Parser: p, args: args, options: make([]bool, len(args)), rest: len(args), v: v}
	for i, arg := range args {
		if arg == "--" {
			r.rest = i
			break
		}
		_, _, _, is, err := p.option(arg)
		if err != nil {
			return nil, nil, err
		}
		r.options[i] = is
	}
	for _, a := range p.Args {
		if len(a.Names) == 0 {
			r.left = append(r.left, a)
		}
	}
	if err := r.all(); err != nil {
		return nil, nil, err
	}
	return r.commands, r.extras, nil
}

// all goes from option to option, and takes what is between two as positional
// arguments as far as any are left.
func (r *run) all() error {
	at := 0
	for {
		next := slices.Index(r.options[at:], true)
		if next < 0 {
			break
		}
		next += at
		if next != at {
			end, done, err := r.positionals(at)
			if err != nil || done {
				return err
			}
			if end > at {
				at = end
				continue
			}
			r.extras = append(r.extras, r.args[at:next]...)
			at = next
		}
		end, err := r.optional(at)
		if err != nil {
			return err
		}
		at = end
	}
	end, done, err := r.positionals(at)
	if err != nil || done {
		return err
	}
	for _, arg := range r.args[end:] {
		if arg != "--" {
			r.extras = append(r.extras, arg)
		}
	}
	if slices.ContainsFunc(r.left, func(a Arg) bool { return a.Nargs == One }) || r.Subs != nil && r.commands == nil {
		return r.fail("too few arguments") // the words of the older argparse that omero-py brings along
	}
	return nil
}

// optional reads the option at a place, with its values, and returns where the
// next argument is.
func (r *run) optional(at int) (int, error) {
	arg := r.args[at]
	a, known, value, _, err := r.option(arg)
	if err != nil {
		return 0, err
	}
	if !known {
		r.extras = append(r.extras, arg)
		return at + 1, nil
	}
	for a.Nargs == Flag && value != nil {
		// -qC is -q -C, and --quiet=x an error.
		if strings.HasPrefix(arg, "--") || *value == "" {
			return 0, r.fail("argument %s: ignored explicit argument '%s'", strings.Join(a.Names, "/"), *value)
		}
		if err := r.store(a, ""); err != nil {
			return 0, err
		}
		arg = "-" + *value
		a, known, value, _, err = r.option(arg)
		if err != nil {
			return 0, err
		}
		if !known {
			return 0, r.fail("argument %s: ignored explicit argument '%s'", arg, arg[1:])
		}
	}
	switch {
	case a.Nargs == Flag:
		return at + 1, r.store(a, "")
	case value != nil:
		return at + 1, r.store(a, *value)
	case at+1 < len(r.args) && !r.options[at+1] && at+1 != r.rest:
		return at + 2, r.store(a, r.args[at+1])
	case a.Nargs == Optional:
		return at + 1, nil // its default
	default:
		return 0, r.fail("argument %s: expected one argument", strings.Join(a.Names, "/"))
	}
}

// positionals gives the arguments from a place up to the next option to all
// positional arguments that are left. Those that may be empty are then done
// with, even if more comes after the next option. A sub-command takes all there
// is, and then all is done.
func (r *run) positionals(at int) (end int, done bool, err error) {
	end = at
	for end < len(r.args) && !r.options[end] {
		end++
	}
	given := slices.Clone(r.args[at:end])
	if r.rest >= at && r.rest < end {
		given = slices.Delete(given, r.rest-at, r.rest-at+1)
	}
	if r.Subs != nil && r.commands == nil {
		if len(given) == 0 {
			return at, false, nil
		}
		return len(r.args), true, r.command(given[0], r.args[at+1:])
	}
	if len(r.left) == 0 {
		return at, false, nil
	}
	for len(r.left) > 0 {
		a := r.left[0]
		n := min(1, len(given))
		if a.Nargs == One && n == 0 {
			return end, false, nil
		}
		if a.Nargs == Any {
			n = len(given)
		}
		for _, value := range given[:n] {
			if err := r.store(a, value); err != nil {
				return 0, false, err
			}
		}
		given = given[n:]
		r.left = r.left[1:]
	}
	r.extras = append(r.extras, given...)
	return end, false, nil
}

func (r *run) command(name string, args []string) error {
	sub, ok := r.Subs[name]
	if !ok {
		names := make([]string, 0, len(r.Subs))
		for n := range r.Subs {
			names = append(names, n)
		}
		slices.Sort(names)
		return r.fail("argument <subcommand>: invalid choice: '%s'\n\nchoose from:\n\t%s", name, strings.Join(names, ", "))
	}
	commands, extras, err := sub.parse(args, r.v)
	if err != nil {
		return err
	}
	r.commands = append([]string{name}, commands...)
	r.extras = append(r.extras, extras...)
	return nil
}

func (r *run) store(a Arg, value string) error {
	name := strings.Join(a.Names, "/")
	if name == "" {
		name = a.Dest
	}
	if a.Dest == "help" {
		return &HelpError{Parser: r.Parser}
	}
	if a.Int {
		if _, err := strconv.Atoi(value); err != nil {
			return r.fail("argument %s: invalid int value: '%s'", name, value)
		}
	}
	if a.Choices != nil && !slices.Contains(a.Choices, value) {
		return r.fail("argument %s: invalid choice: '%s'\n\nchoose from:\n\t%s", name, value, strings.Join(a.Choices, ", "))
	}
	if a.Nargs == Any || a.Append || a.Nargs == Flag {
		r.v[a.Dest] = append(r.v[a.Dest], value)
	} else {
		r.v[a.Dest] = []string{value}
	}
	return nil
}
