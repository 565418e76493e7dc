package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"biomero-importer/importer/omero/omerotest/internal/argparse"
	"biomero-importer/importer/omero/omerotest/internal/server"
)

// Process is what a process of the command line is given.
type Process struct {
	Args       []string // without the program
	Environ    []string
	Stdin      io.Reader
	Stdout     io.Writer
	Stderr     io.Writer
	Store      *server.Store
	Repository string
	Home       string // for what has no other place

	parent int // of Java, the process that started it
}

// app is a process at work.
type app struct {
	Process
	values  argparse.Values
	quiet   bool
	options server.Options
	client  *client // nil before the login
}

// exit ends the process with a status. What there is to say was said.
type exit struct{ status int }

func (e *exit) Error() string { return fmt.Sprintf("exit %d", e.status) }

// uncaught is a Python exception that nobody catches: a traceback, and exit 1.
type uncaught struct{ exception string }

func (u *uncaught) Error() string { return u.exception }

// Run runs a process and returns its exit status. The process is on record before
// anything else happens.
func Run(p Process) int {
	if len(p.Args) > 2 && p.Args[0] == javaMark {
		return runJava(p)
	}
	call := server.Call{Argv: p.Args, Env: names(p.Environ), Exit: server.Running}
	call.Dir, _ = os.Getwd()
	a := &app{Process: p}
	err := p.Store.Update(func(tx *server.Tx) error {
		call = tx.PutCall(call)
		a.options = tx.Options()
		return nil
	})
	if err == nil {
		err = a.run()
	}
	status := a.status(err)
	call.Exit = status
	if err := p.Store.Update(func(tx *server.Tx) error { tx.PutCall(call); return nil }); err != nil {
		fmt.Fprintln(p.Stderr, "omerotest:", err)
		return 99
	}
	return status
}

func names(environ []string) []string {
	all := make([]string, 0, len(environ))
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// status says what there is to say about an error, and what the process ends with.
func (a *app) status(err error) int {
	var (
		end       *exit
		python    *uncaught
		refused   *argparse.Error
		help      *argparse.HelpError
		exception *server.Exception
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &end):
		return end.status & 0xff // all that the system keeps
	case errors.As(err, &help):
		a.out(help.Parser.Usage())
		return 0
	case errors.As(err, &refused):
		a.err("%s\n%s: error: %s", refused.Parser.Usage(), refused.Parser.Prog, refused.Message)
		return 2
	case errors.As(err, &python):
		a.err("Traceback (most recent call last):\n  File \"omero\", line 8, in <module>\n    sys.exit(main())\n%s", python.exception)
		return 1
	case errors.As(err, &exception):
		return a.status(&uncaught{exception.Class + ": " + exception.Message})
	default:
		a.err("omerotest: %v", err)
		return 99
	}
}

func (a *app) run() error {
	wait(a.options.PythonStart)
	if a.options.RefuseRoot && os.Geteuid() == 0 {
		a.out("FATAL: Running omero as root can corrupt your directory permissions.")
		return &exit{1}
	}
	values, commands, err := newParser().Parse(a.Args)
	if err != nil {
		return err
	}
	a.values = values
	a.quiet = values.Has("quiet")
	switch strings.Join(commands, " ") {
	case "login", "sessions login":
		return a.login()
	case "logout", "sessions logout":
		return a.logout()
	case "sessions key":
		return a.key()
	case "import":
		return a.importer()
	case "hql":
		return a.hql()
	case "obj":
		return a.obj()
	case "delete":
		return a.delete()
	case "zarr import":
		return a.zarr()
	case "version":
		a.out("OMERO.py version:\n5.22.0\nOMERO.server version:\n5.6.16-ice36")
		return nil
	default:
		return &exit{0}
	}
}

func (a *app) out(text string) { fmt.Fprintln(a.Stdout, text) }

func (a *app) err(format string, args ...any) { fmt.Fprintf(a.Stderr, format+"\n", args...) }

// die is how omero-py ends: a text on standard error, and a status of which the
// system keeps the last eight bits.
func (a *app) die(status int, format string, args ...any) error {
	a.err(format, args...)
	return &exit{status}
}

func (a *app) getenv(name string) string {
	for _, e := range a.Environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

func wait(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}
