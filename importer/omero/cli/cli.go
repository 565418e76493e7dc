package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"biomero-importer/importer/omero/model"
)

// Config is how the command line is called.
type Config struct {
	Path     string // of the executable
	Host     string
	Port     int
	User     string // an account that may act for others
	Password string
	Dir      string        // OMERODIR; empty leaves it to the environment
	Idle     time.Duration // after which a session ends that nobody uses
	Guard    []string      // runs Guard with the arguments that follow; empty for none
	Import   Options
}

// CLI calls the omero executable. Its methods may be called concurrently, each with a
// folder of its own for what the command line keeps of sessions.
type CLI struct {
	config Config
	log    *slog.Logger
}

// New makes a CLI.
func New(c Config, log *slog.Logger) *CLI { return &CLI{config: c, log: log} }

// call is one run of the executable.
type call struct {
	dir      string // OMERO_SESSIONDIR
	args     []string
	stdin    string
	stdout   io.Writer     // gets the standard output, of which run then returns only the beginning
	password bool          // the importer's own account logs in
	most     time.Duration // that it may take; 0 for shortTime
}

// shortTime bounds what a command may take that neither imports nor writes much.
const shortTime = 10 * time.Minute

// errLate ends a command that takes too long.
var errLate = errors.New("it did not end in time")

// maxOutput bounds what is kept of a run's output: of the standard output the beginning,
// of the errors the end.
const (
	maxOutput = 64 << 20
	maxErrors = 64 << 10
)

// killTime is how long output may still come from a run that was killed.
const killTime = 5 * time.Second

// failure is a run that did not end well.
type failure struct {
	command string
	exit    int    // -1: by a signal
	errors  string // the end of what it wrote
}

// Error has the last line that the command wrote.
func (f *failure) Error() string {
	return fmt.Sprintf("omero %s ended with status %d: %s", f.command, f.exit, lastLine(f.errors))
}

// run calls the executable and returns what it wrote. An error that is a *failure tells how
// it ended. When ctx ends it is killed with all that it started.
func (c *CLI) run(ctx context.Context, call call) (stdout, stderr string, err error) {
	if call.most == 0 {
		call.most = shortTime
	}
	bound, cancel := context.WithTimeoutCause(ctx, call.most, errLate)
	defer cancel()
	words := append(append(slices.Clone(c.config.Guard), c.config.Path), call.args...)
	cmd := exec.CommandContext(bound, words[0], words[1:]...) //nolint:gosec // the site's own executable
	alive, ours, err := os.Pipe()
	if err != nil {
		return "", "", fmt.Errorf("running omero: %w", err)
	}
	defer func() { _ = errors.Join(alive.Close(), ours.Close()) }()
	cmd.ExtraFiles = []*os.File{alive} // see Guard
	cmd.Env = c.environment(call)
	cmd.Dir = call.dir
	cmd.Stdin = strings.NewReader(call.stdin)
	out, errs := head{left: maxOutput}, tail{most: maxErrors}
	if call.stdout != nil {
		out.left = maxErrors
	}
	cmd.Stdout, cmd.Stderr = &out, &errs
	if call.stdout != nil {
		cmd.Stdout = io.MultiWriter(&out, call.stdout)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killTime
	err = cmd.Run()
	stdout, stderr = out.String(), c.masked(call, errs.String())
	command := subcommand(call.args)
	switch exit, ended := errors.AsType[*exec.ExitError](err); {
	case err == nil && out.left < 0 && call.stdout == nil:
		return "", stderr, fmt.Errorf("omero %s wrote more than %d bytes", command, maxOutput)
	case err == nil:
		return stdout, stderr, nil
	case ctx.Err() != nil:
		return stdout, stderr, fmt.Errorf("running omero %s: %w", command, context.Cause(ctx))
	case bound.Err() != nil:
		return stdout, stderr, fmt.Errorf("running omero %s: %w: %w", command, errLate, model.ErrUnavailable)
	case ended:
		return stdout, stderr, &failure{command: command, exit: exit.ExitCode(), errors: stderr + "\n" + c.masked(call, lastLine(stdout))}
	default:
		return stdout, stderr, fmt.Errorf("running %s: %w: %w", c.config.Path, err, model.ErrUnavailable)
	}
}

// secrets are variables of this process that are nobody else's business.
var secrets = []string{"OMERO_PASSWORD", "INGEST_TRACKING_DB_URL"}

func (c *CLI) environment(call call) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(secrets, name) || strings.HasPrefix(name, "PG") || name == "OMERO_SESSIONDIR" || name == "OMERO_SESSION_DIR"
	})
	// Names of files are UTF-8, whatever this process's locale is.
	env = append(env, "OMERO_SESSIONDIR="+call.dir, "LC_ALL=C.UTF-8", "PYTHONIOENCODING=utf-8", "PYTHONUNBUFFERED=1")
	if c.config.Dir != "" {
		env = append(env, "OMERODIR="+c.config.Dir)
	}
	if call.password {
		env = append(env, "OMERO_PASSWORD="+c.config.Password)
	}
	return env
}

// masked hides the password and the session's key, should OMERO repeat them.
func (c *CLI) masked(call call, text string) string {
	if c.config.Password != "" {
		text = strings.ReplaceAll(text, c.config.Password, "***")
	}
	if at := slices.Index(call.args, "-k"); at >= 0 && at+1 < len(call.args) {
		text = strings.ReplaceAll(text, call.args[at+1], "***")
	}
	return text
}

// server names the server to a command.
func (c *CLI) server() []string {
	return []string{"-s", c.config.Host, "-p", strconv.Itoa(c.config.Port)}
}

// commands are those that are called.
var commands = []string{"login", "logout", "hql", "obj", "import", "zarr", "delete"}

// subcommand is the first argument that is a command.
func subcommand(args []string) string {
	if at := slices.IndexFunc(args, func(arg string) bool { return slices.Contains(commands, arg) }); at >= 0 {
		return args[at]
	}
	return ""
}

// lastLine is the last line of a text. Of an exception of Ice, which writes each of its
// fields on a line and closes a brace, it is the message.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	last := text[strings.LastIndexByte(text, '\n')+1:]
	const message = "message = "
	if at := strings.LastIndex(text, message); at >= 0 && last == "}" {
		last, _, _ = strings.Cut(text[at+len(message):], "\n")
	}
	return strings.TrimSpace(last)
}

// head keeps the beginning of what is written. Less than nothing is left once something
// was dropped.
type head struct {
	bytes.Buffer

	left int
}

func (h *head) Write(p []byte) (int, error) {
	if h.left >= 0 {
		_, _ = h.Buffer.Write(p[:min(len(p), h.left)]) // never fails
		h.left -= len(p)
	}
	return len(p), nil
}

// ReadFrom hides the buffer's, which has no bound.
func (h *head) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{h}, r) }

// tail keeps the end of what is written.
type tail struct {
	kept []byte
	most int
}

func (t *tail) Write(p []byte) (int, error) {
	if t.kept = append(t.kept, p...); len(t.kept) > 2*t.most {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-t.most:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	return strings.ToValidUTF8(string(t.kept[max(0, len(t.kept)-t.most):]), "�")
}
