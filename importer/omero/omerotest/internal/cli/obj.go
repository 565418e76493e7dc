package cli

import (
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"biomero-importer/importer/omero/omerotest/internal/server"
	"biomero-importer/importer/omero/omerotest/internal/shlex"
)

// command is one line of obj.
type command struct {
	dest string // the variable that it sets
	args []string
}

func (c command) action() string { return c.args[0] }

// kind and id are those of Class:ID; id is 0 without one.
func (c command) object() (kind string, id int64) {
	kind, number, _ := strings.Cut(c.args[1], ":")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		id = 0
	}
	return strings.TrimSuffix(kind, "I"), id
}

// objState is what the lines of one process know of each other.
type objState struct {
	rows []string // what each line printed
	vars map[string]string
}

// actions are those that obj knows; of them get, map-get, list-get and null are
// not made, as nobody needs them.
var actions = map[string]bool{"new": true, "update": true, "map-set": true}

// obj makes and changes objects (omero-py, plugins/obj.py): it reads all lines,
// then carries out one after the other, and dies at the first that fails. What
// was done by then stays.
func (a *app) obj() error {
	commands, err := a.commands()
	if err != nil {
		return err
	}
	state := &objState{vars: map[string]string{}}
	for i, c := range commands {
		if _, err := a.conn(); err != nil {
			return err
		}
		if f, struck := a.strike(server.AtObj, i); struck {
			if done, err := a.commandFault(f); done || err != nil {
				return err
			}
		}
		state.rows = append(state.rows, "")
		proxy, err := a.execute(c, state)
		if err != nil {
			return err
		}
		a.out(proxy)
		state.rows[i] = proxy
		if c.dest != "" {
			state.vars[c.dest] = proxy
		}
	}
	return nil
}

// commands reads the one that was given as arguments, or those of a file.
func (a *app) commands() ([]command, error) {
	file := a.values.Get("file")
	if name := a.values.Get("command"); name != "" {
		if file != "" {
			a.err("Ignoring %s", file)
		}
		args := append([]string{name, a.values.Get("Class")}, a.values["fields"]...)
		c, err := a.checked(command{args: args})
		return []command{c}, err
	}
	if file == "" {
		return nil, a.die(100, "No command provided")
	}
	text, err := a.read(file)
	if err != nil {
		return nil, a.die(337, "Cannot read file")
	}
	if !utf8.Valid(text) {
		return nil, &uncaught{"UnicodeDecodeError: 'utf-8' codec can't decode byte: invalid start byte"}
	}
	var all []command
	for _, line := range lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		c, err := a.parse(line)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (a *app) read(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(a.Stdin)
	}
	return os.ReadFile(file) //nolint:gosec // what the test asked for
}

// lines splits as Python's universal newlines do: a carriage return ends a line
// too.
func lines(text string) []string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Split(strings.ReplaceAll(text, "\r", "\n"), "\n")
}

var assignment = regexp.MustCompile(`^\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s(.*)$`)

func (a *app) parse(line string) (command, error) {
	var c command
	if m := assignment.FindStringSubmatch(line); m != nil {
		c.dest, line = m[1], m[2]
	}
	args, err := shlex.Split(line)
	if err != nil {
		return c, &uncaught{"ValueError: " + err.Error()}
	}
	if len(args) == 0 {
		return c, &uncaught{"IndexError: list index out of range"}
	}
	c.args = args
	return a.checked(c)
}

func (a *app) checked(c command) (command, error) {
	if !actions[c.action()] {
		return c, a.die(100, "Unknown command: %s", strings.Join(c.args, " "))
	}
	return c, nil
}

func (a *app) execute(c command, state *objState) (string, error) {
	if len(c.args) < 2 || c.args[1] == "" {
		return "", a.die(102, "No object argument provided. Use e.g. 'Image:123'")
	}
	kind, _ := c.object()
	if models[kind] == nil {
		return "", a.die(102, "No class named '%sI'", kind)
	}
	switch c.action() {
	case "new":
		return a.objNew(c, state)
	case "update":
		return a.objUpdate(c, state)
	default:
		return a.objMapSet(c)
	}
}

// failure ends obj because the server refused to save.
func (a *app) failure(err error, what string) error {
	if e, ok := errors.AsType[*server.Exception](err); ok {
		return a.die(336, "Failed to %s - %s", what, e.Message)
	}
	return err
}
