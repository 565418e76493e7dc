package cli

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"biomero-importer/importer/omero/omerotest/internal/bioformats"
	"biomero-importer/importer/omero/omerotest/internal/server"
)

// jvm is the Java importer: CommandLineImporter and ImportLibrary of omero-blitz.
type jvm struct {
	*app
	settings
	client *client
	stdout io.Writer
	stderr io.Writer
	start  time.Time

	fault   *server.Fault // the one that is due
	pending bool          // there are faults yet to strike
	broken  error         // the connection is of no use any more
	folder  string        // the last one that was made
	errors  int
	files   int
	images  int
	plates  int
	done    int  // filesets
	left    bool // the client is gone
}

func newJVM(a *app) *jvm {
	return &jvm{
		app: a, client: a.client, stdout: a.Stdout, stderr: a.Stderr, start: time.Now(),
		settings: settings{output: "ids", transfer: "upload", once: map[string]bool{}},
	}
}

func (j *jvm) run() error {
	wait(j.options.JVMStart)
	if err := j.fromPython(); err != nil {
		return err
	}
	found := bioformats.Find(j.paths, j.depth)
	j.report(found)
	if j.list {
		return j.printUsed(found.Candidates)
	}
	if done, err := j.begin(len(j.paths) > 0); done || err != nil {
		return err
	}
	if len(found.Candidates) == 0 {
		if j.errors > 0 {
			j.errln("No imports due to errors!")
			j.summary()
			return nil
		}
		j.errln("No imports found")
		return j.usage("")
	}
	successful := j.importAll(found.Candidates)
	defer j.summary()
	if j.fault != nil && j.fault.Kind == server.Cleanup {
		j.logErr("ERROR", "ome.formats.importer.cli.CommandLineImporter", "Failed to cleanup 1 files")
		return &exit{3}
	}
	if err := j.afterTransfer(found.Candidates); err != nil {
		return err
	}
	if !successful {
		return &exit{2}
	}
	return nil
}

// report says which paths are no candidates. Unknown formats are passed over
// without a word.
func (j *jvm) report(found *bioformats.Found) {
	for _, p := range found.Problems {
		switch {
		case p.Counts():
			j.errors++
			j.logErr("ERROR", "ome.formats.importer.cli.ErrorHandler", "FILE_EXCEPTION: "+p.Path)
			j.errln(p.Err.Error())
		case errors.Is(p.Err, bioformats.ErrUnreadable):
			j.logErr("ERROR", "ome.formats.importer.cli.ErrorHandler", "UNREADABLE_FILE: "+p.Path)
			j.errln("java.io.FileNotFoundException: " + p.Path)
		}
	}
	j.logErr("INFO", "ome.formats.importer.ImportCandidates", fmt.Sprintf(
		"%d file(s) parsed into %d group(s) with %d call(s) to setId in 10ms. (11ms total) [0 unknowns]",
		len(found.Candidates)+len(found.Problems), len(found.Candidates), len(found.Candidates)+len(found.Problems)))
}

// begin connects, and takes the fault of the whole run, if there is one.
func (j *jvm) begin(paths bool) (done bool, err error) {
	if !paths {
		return false, nil
	}
	if !j.encrypted && !j.options.PlainPort {
		return true, j.uncaught(ice(server.Refused))
	}
	f, struck := j.strike(server.AtImport, 0)
	j.pending = true // until it is known better
	if !struck {
		return false, nil
	}
	switch f.Kind {
	case server.Refused, server.NoSuchHost:
		return true, j.uncaught(ice(f.Kind))
	case server.NoOutput:
		return true, nil
	default:
		j.fault = &f
	}
	return false, nil
}

// uncaught is an error outside of any fileset.
func (j *jvm) uncaught(e *server.Exception) error {
	if e.Class == server.DNS {
		j.logErr("ERROR", "ome.formats.importer.cli.CommandLineImporter", "Failed to look up domain name: "+j.client.host)
		return &exit{2}
	}
	j.logErr("ERROR", "ome.formats.importer.cli.CommandLineImporter", "Error during import process.")
	j.errln(e.Error())
	return &exit{2}
}

func (j *jvm) logErr(level, logger, text string) { j.line(j.stderr, level, logger, text) }

func (j *jvm) line(w io.Writer, level, logger, text string) {
	now := time.Now()
	fmt.Fprintf(w, "%s %-10d [      main] %-6s %s - %s\n", now.Format("2006-01-02 15:04:05,000"),
		now.Sub(j.start).Milliseconds(), level, logger, text)
}

func (j *jvm) errln(text string) { fmt.Fprintln(j.stderr, text) }

func (j *jvm) summary() {
	plates := ""
	if j.plates > 0 {
		plates = ", " + count(j.plates, "plate")
	}
	fmt.Fprintf(j.stderr, "\n==> Summary\n%s uploaded, %s%s created, %s imported, %s in 0:00:%06.3f\n",
		count(j.files, "file"), count(j.done, "fileset"), plates, count(j.images, "image"), count(j.errors, "error"),
		time.Since(j.start).Seconds())
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// shuffled are texts in an order that nobody can count on.
func shuffled(all []string) []string {
	rand.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] }) //nolint:gosec // not a secret
	return all
}
