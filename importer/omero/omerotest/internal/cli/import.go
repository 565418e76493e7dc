package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// importer is omero-py's plugins/import.py: it logs in, and starts Java.
func (a *app) importer() error {
	v := a.values
	if v.Has("bulk") || v.Has("fetch_jars") || v.Has("javahelp") || v.Has("advanced_help") {
		return a.die(99, "omerotest: --bulk, --fetch-jars and help of Java are not there")
	}
	if err := a.jars(); err != nil {
		return err
	}
	key := ""
	if !v.Has("f") {
		c, err := a.conn()
		if err != nil {
			return err
		}
		key = c.actor.Session.UUID
	}
	out, closeOut, err := a.redirect("file", a.Stdout)
	if err != nil {
		return err
	}
	defer closeOut()
	errs, closeErrs, err := a.redirect("errs", a.Stderr)
	if err != nil {
		return err
	}
	defer closeErrs()
	return a.java(key, out, errs)
}

// jars checks that Java has what it needs; without a folder for it, the cache is
// taken to be filled.
func (a *app) jars() error {
	dir := a.values.Get("clientdir")
	if dir == "" {
		if lib := filepath.Join(a.getenv("OMERODIR"), "lib", "client"); a.getenv("OMERODIR") != "" && isDir(lib) {
			dir = lib
		}
	}
	if dir == "" {
		a.err("Using OMERO.java-5.8.0-ice36")
		return nil
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*.jar")); len(found) == 0 {
		return a.die(103, "No JAR files found under '%s'", dir)
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// redirect opens the file that a stream of Java's goes to, and empties it. A file
// without a folder before its name fails, as it does in omero-py.
func (a *app) redirect(option string, other io.Writer) (io.Writer, func(), error) {
	file := a.values.Get(option)
	if file == "" {
		return other, func() {}, nil
	}
	if prefix := a.values.Get("logprefix"); prefix != "" {
		file = prefix + "/" + file
	}
	dir, _ := filepath.Split(file)
	if dir == "" {
		return nil, nil, &uncaught{"FileNotFoundError: [Errno 2] No such file or directory: ''"}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // as omero-py makes it
		return nil, nil, &uncaught{"OSError: " + err.Error()}
	}
	f, err := os.Create(file) //nolint:gosec // what the test asked for
	if err != nil {
		return nil, nil, &uncaught{"OSError: " + err.Error()}
	}
	return f, func() { _ = f.Close() }, nil
}

// settings are what Java was told, by omero-py's options and by what stood after
// "--".
type settings struct {
	target      string
	transfer    string
	exclude     []string
	name        string
	description string
	output      string
	encrypted   bool
	goOn        bool
	list        bool
	depth       int
	paths       []string

	once map[string]bool // what may be set only once, and was
}

// fromPython takes over omero-py's options, in the order in which it hands them to
// Java.
func (j *jvm) fromPython() error {
	v := j.values
	j.depth = v.Int("depth", 4)
	skip := v["skip"]
	if slices.Contains(skip, "all") || slices.Contains(skip, "checksum") {
		if err := j.set("--checksum-algorithm", "File-Size-64"); err != nil {
			return err
		}
	}
	for _, o := range []struct{ dest, option string }{
		{"c", "-c"},
		{"f", "-f"},
		{"dataset", "-d"},
		{"screen", "-r"},
		{"target", "-T"},
		{"name", "-n"},
		{"description", "-x"},
		{"transfer", "--transfer"},
		{"exclude", "--exclude"},
		{"checksum_algorithm", "--checksum-algorithm"},
		{"output", "--output"},
		{"encrypted", "--encrypted"},
		{"parallel_upload", "--parallel-upload"},
		{"parallel_fileset", "--parallel-fileset"},
	} {
		if v.Has(o.dest) {
			if err := j.set(o.option, v.Get(o.dest)); err != nil {
				return err
			}
		}
	}
	return j.getopt(v["path"])
}

// usage ends Java because of its arguments.
func (j *jvm) usage(format string, args ...any) error {
	if format != "" {
		fmt.Fprintf(j.stderr, format+"\n", args...)
	}
	fmt.Fprint(j.stderr, "\n Usage:  importer-cli [OPTION]... [path [path ...]]... \n"+
		"   or:   importer-cli [OPTION]... - \n\nImport any number of files into an OMERO instance.\n")
	return &exit{1}
}
