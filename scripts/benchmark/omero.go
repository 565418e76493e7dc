package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"biomero-importer/importer/omero/omerotest"
)

// What a pretended OMERO's commands take to start: Python, and Java besides.
const (
	pythonStart = 500 * time.Millisecond
	javaStart   = 3 * time.Second
)

// filesByHand is how many files are imported with a process each, to know what one takes.
const filesByHand = 5

// omero has orders of several sizes imported into a pretended OMERO, by command line and over
// OMERO.web, and counts the processes that each takes.
func (m *machine) omero(ctx context.Context, most int) error {
	var took time.Duration
	for _, web := range []bool{false, true} {
		way := map[bool]string{false: "by command line", true: "over OMERO.web"}[web]
		for _, n := range slices.Compact([]int{1, min(100, most), most}) {
			order, err := m.omeroOrder(ctx, n, web)
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stdout, "an OMERO order of %d files %s: %d processes (wanted at most %s), %d requests, %.1f s\n",
				n, way, order.processes, map[bool]string{false: "7", true: "2 and one a batch"}[web], order.requests, order.took.Seconds())
			if !web {
				took = order.took
			}
		}
	}
	one, err := m.omeroByHand(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "  one process a file takes %.2f s each (Java %.0f s): %d files %.0f s, against %.1f s by command line, ratio %.0f (wanted 50)\n",
		one.Seconds(), javaStart.Seconds(), most, one.Seconds()*float64(most), took.Seconds(), one.Seconds()*float64(most)/took.Seconds())
	return nil
}

// omeroOrder is what an order took.
type omeroOrder struct {
	took                time.Duration
	processes, requests int
}

func (m *machine) omeroOrder(ctx context.Context, n int, web bool) (made omeroOrder, err error) {
	err = m.onSite(ctx, func(s *site) error {
		return withOMERO(s, func(o *pretended) error {
			files := tree{s.data(), n}
			if err := files.write(ctx, omerotest.ImagesFile(1)); err != nil {
				return err
			}
			return s.run(ctx, "roles: [work]\nlog_level: warning\n"+o.settings(web), func(ctx context.Context, _ process) error {
				ping := 2 // processes of the service's start
				if err := until(ctx, 20*time.Millisecond, time.Minute, func() (bool, error) { return len(o.State().Calls) >= ping && !o.busy(), nil }); err != nil {
					return err
				}
				before := o.State()
				began := time.Now()
				if err := s.order(ctx, o.dataset, files.paths()); err != nil {
					return err
				}
				if err := s.ended(ctx, 1, 10*time.Millisecond); err != nil {
					return err
				}
				made.took = time.Since(began)
				// The session is closed behind the order's end.
				if err := until(ctx, 20*time.Millisecond, time.Minute, func() (bool, error) { return o.closed(), nil }); err != nil {
					return err
				}
				after := o.State()
				made.processes, made.requests = len(after.Calls)-len(before.Calls), len(after.Requests)-len(before.Requests)
				if len(after.Images) != n || len(after.Annotations) != n {
					return fmt.Errorf("%d files made %d images and %d annotations", n, len(after.Images), len(after.Annotations))
				}
				return nil
			})
		})
	})
	return made, err
}

// order inserts one order of ada's for a dataset.
func (s *site) order(ctx context.Context, dataset int64, paths []string) error {
	list, err := json.Marshal(paths)
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, `INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', 'ada', $1, 'Dataset', 'Import Pending', $2, $3)`, strconv.FormatInt(dataset, 10), uuid.NewString(), string(list))
	return err
}

// omeroByHand imports files with a process each, as the original service did, and tells
// what one takes.
func (m *machine) omeroByHand(ctx context.Context) (one time.Duration, err error) {
	err = m.onSite(ctx, func(s *site) error {
		return withOMERO(s, func(o *pretended) error {
			files := tree{s.data(), filesByHand}
			if err := files.write(ctx, omerotest.ImagesFile(1)); err != nil {
				return err
			}
			run := func(args ...string) error {
				cmd := exec.CommandContext(ctx, o.CLI, args...) //nolint:gosec // the test double
				cmd.Env = append(os.Environ(), "OMERO_PASSWORD="+omerotest.RootPassword, "OMERO_SESSIONDIR="+filepath.Join(s.dir, "sessions"))
				if out, err := cmd.CombinedOutput(); err != nil {
					return fmt.Errorf("omero %s: %w: %s", args[1], err, out)
				}
				return nil
			}
			if err := run("-q", "login", "-s", o.Host, "-p", o.Port, "-u", "ada", "-g", "Demo", "--sudo", "root"); err != nil {
				return err
			}
			began := time.Now()
			for _, path := range files.paths() {
				if err := run("-q", "import", "--encrypted", "true", "--transfer", "ln_s", "-d", strconv.FormatInt(o.dataset, 10), path); err != nil {
					return err
				}
			}
			one = time.Since(began) / filesByHand
			return nil
		})
	})
	return one, err
}

// pretended is a pretended OMERO server with ada in the group Demo.
type pretended struct {
	*omerotest.Omero

	dataset int64
	web     string
}

func withOMERO(s *site, do func(o *pretended) error) (err error) {
	tb := &program{dir: filepath.Join(s.dir, "omero")}
	defer func() {
		if p := recover(); p != nil {
			fault, ok := p.(programError)
			if !ok {
				panic(p)
			}
			err = errors.Join(err, fault)
		}
		tb.end()
	}()
	o := &pretended{Omero: omerotest.New(tb)}
	group, ada := o.AddGroup("Demo", omerotest.ReadOnly), o.AddUser(omerotest.User{Name: "ada"})
	o.AddMember(omerotest.Member{User: ada, Group: group})
	o.dataset = o.AddDataset("bench", ada, group, 0)
	o.Change(func(options *omerotest.Options) { options.PythonStart, options.JVMStart = pythonStart, javaStart })
	o.web = o.Web(tb).URL
	return do(o)
}

func (o *pretended) settings(web bool) string {
	url := ""
	if web {
		url = o.web
	}
	return fmt.Sprintf("backend: omero\nomero: {host: %s, port: %s, user: root, password: %q, cli: %q, managed_repository: %q, web_url: %q}\n",
		o.Host, o.Port, omerotest.RootPassword, o.CLI, o.Repository, url)
}

// busy reports whether a process runs.
func (o *pretended) busy() bool {
	return slices.ContainsFunc(o.State().Calls, func(c omerotest.Call) bool { return c.Exit == omerotest.Running })
}

// closed reports whether nothing runs and no session is open.
func (o *pretended) closed() bool {
	return !o.busy() && !slices.ContainsFunc(o.State().Sessions, func(s omerotest.Session) bool { return !s.Closed && s.By != "" })
}

// program stands in for a test, for what is made for tests.
type program struct {
	testing.TB

	dir     string
	serial  int
	cleanup []func()
}

type programError struct{ text string }

func (f programError) Error() string { return f.text }

func (p *program) Helper() {}

func (p *program) Cleanup(f func()) { p.cleanup = append(p.cleanup, f) }

func (p *program) TempDir() string {
	p.serial++
	dir := filepath.Join(p.dir, strconv.Itoa(p.serial))
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // for any user
		p.Fatal(err)
	}
	return dir
}

func (p *program) Error(args ...any) { fmt.Fprintln(os.Stderr, args...) }

func (p *program) Fatal(args ...any) { panic(programError{strings.TrimSpace(fmt.Sprintln(args...))}) }

func (p *program) end() {
	for _, f := range slices.Backward(p.cleanup) {
		f()
	}
}
