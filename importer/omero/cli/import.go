package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// Options are what every import is told.
type Options struct {
	ParallelUpload, ParallelFilesets int // 0: as OMERO does by default
	// SkipAll stands for all of the others, and for more.
	SkipAll, SkipChecksum, SkipMinmax, SkipThumbnails, SkipUpgrade bool
}

// Import asks for paths to be imported into a container.
type Import struct {
	Type      importer.ContainerType
	Container int64
	Paths     []string // files and folders
	Folders   bool     // some are folders
	Out, Errs string   // files for what the importer writes; what they held before is gone
	Progress  func(filesets int)
}

// Imported is what an import made, and how it ended.
type Imported struct {
	Records []Record
	// Doubtful is set where the records may tell of wrong images and plates: filesets that
	// are imported side by side write into each other's, and a name that spans lines can hold
	// anything.
	Doubtful bool
	Log      string // the end of what the importer wrote of errors
	// Err says why not all was imported, where the records do not tell: a fault that may
	// pass, model.ErrSessionGone, or an *importer.Error that is about all paths.
	Err error
}

// longTime is for commands whose callers bound them.
const longTime = 1000 * time.Hour

// maxDepth is how deep a folder is looked into, as the original service has it.
const maxDepth = 10

// exitCleanUp says that everything is imported, and something is left of the transfer.
const exitCleanUp = 3

// Import runs one import. What it made is told also where it then failed.
func (s *Session) Import(ctx context.Context, i Import) Imported {
	for _, file := range []string{i.Out, i.Errs} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return Imported{Err: fmt.Errorf("making room for the importer's log: %w", err)}
		}
	}
	args, stdin := s.importArgs(&i)
	watched, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch(watched, i.Out, i.Progress)
	}()
	_, stderr, err := s.cli.run(ctx, call{dir: s.dir, args: args, stdin: stdin, most: longTime})
	stop()
	<-done
	made := Imported{Log: stderr}
	if end, read := readEnd(i.Errs); read == nil {
		made.Log += s.cli.masked(call{args: args}, end)
	}
	records, cut := readRecords(i.Out)
	made.Records = records
	made.Doubtful = s.cli.config.Import.ParallelFilesets > 1 || slices.ContainsFunc(i.Paths, IsNoLine)
	made.Err = importError(err, cut, made.Log, i.Paths)
	return made
}

// nameless is a text without paths: who chose these could have put anything into them.
func nameless(text string, paths []string) string {
	longest := slices.SortedFunc(slices.Values(paths), func(a, b string) int { return len(b) - len(a) })
	words := make([]string, 0, 2*len(paths))
	for _, path := range longest { // one may begin with another
		words = append(words, path, "…")
	}
	return strings.NewReplacer(words...).Replace(text)
}

func (s *Session) importArgs(i *Import) (args []string, stdin string) {
	args = append([]string{"-q", "import"}, s.cli.server()...)
	args = append(args, "-k", s.key, "--transfer", "ln_s")
	if i.Type == importer.Screen {
		args = append(args, "-r")
	} else {
		args = append(args, "-d")
	}
	args = append(args, strconv.FormatInt(i.Container, 10))
	if i.Folders || i.Type == importer.Screen {
		args = append(args, "--depth", strconv.Itoa(maxDepth))
	}
	o := &s.cli.config.Import
	if o.ParallelUpload > 0 {
		args = append(args, "--parallel-upload", strconv.Itoa(o.ParallelUpload))
	}
	if o.ParallelFilesets > 0 {
		args = append(args, "--parallel-fileset", strconv.Itoa(o.ParallelFilesets))
	}
	if o.SkipAll {
		args = append(args, "--skip", "all")
	} else {
		for _, skip := range []struct {
			set  bool
			what string
		}{{o.SkipChecksum, "checksum"}, {o.SkipMinmax, "minmax"}, {o.SkipThumbnails, "thumbnails"}, {o.SkipUpgrade, "upgrade"}} {
			if skip.set {
				args = append(args, "--skip", skip.what)
			}
		}
	}
	args = append(args, "--no-upgrade-check", "--output", "yaml", "--encrypted", "true", "-c", "--file", i.Out, "--errs", i.Errs)
	if slices.ContainsFunc(i.Paths, IsNoLine) {
		return append(args, i.Paths...), "" // they are few: see IsNoLine
	}
	return append(args, "-"), strings.Join(i.Paths, "\n") + "\n"
}

// IsNoLine reports whether a path cannot be one line of a list of many: the importer cuts
// blanks and control characters off a line's end (omero-blitz, CommandLineImporter.stdin),
// and would take another file.
func IsNoLine(path string) bool {
	return strings.ContainsAny(path, lineEnds) || path != "" && path[len(path)-1] <= ' '
}

// violation is in what a server says of what its user may not do.
const violation = "SecurityViolation"

// importError says why an import did not make all it should have, if that is known.
func importError(err, cut error, log string, paths []string) error {
	f, ended := errors.AsType[*failure](err)
	log = nameless(log, paths)
	switch {
	case err == nil && (siteFault(log) || sessionGone(log) || strings.Contains(log, violation)):
		// It went on after errors, and says that all is well.
		err = errors.New(firstWith(log, slices.Concat(passing, siteFaults, goneTexts, []string{violation})))
	case err == nil, ended && f.exit == exitCleanUp:
		return cut
	case !ended:
		return err
	}
	text := log
	if ended {
		text += nameless(f.errors, paths)
	}
	switch {
	case ended && f.exit == exitBadKey, sessionGone(text):
		return fmt.Errorf("importing: %w: %w", model.ErrSessionGone, err)
	case ended && (f.exit == exitRefused || f.exit == exitDNS):
		return fmt.Errorf("importing: %w: %w", model.ErrUnavailable, err)
	case siteFault(text), ended && f.exit < 0:
		return fmt.Errorf("importing: %w", err)
	case ended && f.exit == exitViolation, strings.Contains(text, violation):
		return &importer.Error{Reason: "OMERO does not allow its user this import: " + firstWith(text, []string{violation}) + ".", Err: err}
	case ended && f.exit <= 2:
		return cut // if nil the records tell which files were not imported
	default:
		return fmt.Errorf("importing: %w", err)
	}
}

// firstWith is the first line of a text that holds one of several words.
func firstWith(text string, words []string) string {
	for line := range strings.Lines(text) {
		for _, word := range words {
			if holdsAny(line, []string{word}) {
				return strings.TrimSpace(line)
			}
		}
	}
	return lastLine(text)
}

// readRecords reads what an import says that it made.
func readRecords(path string) ([]Record, error) {
	f, err := os.Open(path) //nolint:gosec // ours
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what the importer wrote: %w", err)
	}
	defer func() { _ = f.Close() }()
	records, err := decodeRecords(f)
	if err != nil {
		return records, fmt.Errorf("reading what the importer wrote: %w", err)
	}
	return records, nil
}

// readEnd is the end of a file.
func readEnd(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // ours
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	end := tail{most: maxErrors}
	_, err = io.Copy(&end, f)
	return end.String(), err
}

// watchEvery is the time between two looks at how far an import has come.
const watchEvery = time.Second

// watch tells, until ctx ends, how many filesets an import says it has made.
func watch(ctx context.Context, path string, progress func(int)) {
	if progress == nil {
		return
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var offset int64
	made := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		n, read := countRecords(path, offset)
		if offset += read; n > 0 {
			made += n
			progress(made)
		}
	}
}

// countRecords counts the records in the lines that a file has behind an offset, and how
// many bytes these are.
func countRecords(path string, offset int64) (records int, read int64) {
	f, err := os.Open(path) //nolint:gosec // ours
	if err != nil {
		return 0, 0
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, offset, maxOutput), maxOutput))
	if err != nil {
		return 0, 0
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	return bytes.Count(text, []byte("Fileset:")), int64(len(text))
}
