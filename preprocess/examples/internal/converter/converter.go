package converter

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"biomero-importer/preprocess/examples/internal/pyramid"
)

// Program is a converter.
type Program struct {
	Name, Version string
	Flags         func(flags *flag.FlagSet) // adds its own; may be nil
	Convert       func(ctx context.Context, job *Job) ([]Item, error)
}

// Software is what it calls itself in files.
func (p Program) Software() string { return p.Name + " " + p.Version }

// Facts are those that every converter tells of what came out.
func (p Program) Facts(channels []pyramid.Range) map[string]any {
	mins, maxs := make([]int, len(channels)), make([]int, len(channels))
	for i, c := range channels {
		mins[i], maxs[i] = int(c.Min), int(c.Max)
	}
	return map[string]any{
		"channel_mins": mins, "channel_maxs": maxs, "software": p.Name, "software_version": p.Version,
	}
}

// Item is an image or a plate that came out.
type Item struct {
	Name      string           `json:"name"`
	FullPath  string           `json:"full_path"`
	AltPath   string           `json:"alt_path,omitempty"`
	Keyvalues []map[string]any `json:"keyvalues"`
}

// Job is what a converter was called for.
type Job struct {
	Program

	Input string // a file or a folder
	progress
	outputs
}

// Main runs the program as its command line says, until it is told to stop, and
// returns its exit status.
func (p Program) Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := p.Run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Run parses the command line, converts, and says what came out. Where it fails
// nothing stays behind.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	job := &Job{Program: p}
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&job.Input, "inputfile", "", "what is to be converted")
	flags.StringVar(&job.full, "outputfolder", "", "the folder for what comes out")
	flags.StringVar(&job.alt, "altoutputfolder", "", "the folder for a copy of it, if any")
	show := flags.Bool("show_progress", false, "print percentages on standard error")
	if p.Flags != nil {
		p.Flags(flags)
	}
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the command line: %w", err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("the command line has %q, which belongs to no parameter", flags.Arg(0))
	}
	if job.Input == "" || job.full == "" {
		return errors.New("the command line needs --inputfile and --outputfolder")
	}
	if filepath.Clean(job.full) == filepath.Clean(job.alt) {
		return errors.New("--outputfolder and --altoutputfolder are the same folder")
	}
	if *show {
		job.out = stderr
	}
	defer job.discard()
	items, err := p.Convert(ctx, job)
	if err != nil {
		return fmt.Errorf("converting %s: %w", filepath.Base(job.Input), err)
	}
	answer, err := json.Marshal(items)
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	if err := job.publish(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\n", answer)
	return err
}

// Stem is a file's name without what says its format.
func Stem(name string) string {
	base := filepath.Base(name)
	lower := strings.ToLower(base)
	for _, suffix := range []string{".ome.tiff", ".ome.tif", ".tiff", ".tif", ".tar.gz", ".tgz", ".tar", ".zip"} {
		if strings.HasSuffix(lower, suffix) && len(base) > len(suffix) {
			return base[:len(base)-len(suffix)]
		}
	}
	return base
}

// Open opens a regular file. Opening a pipe would wait for its writer.
func Open(name string) (*os.File, int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is no regular file")
	}
	f, err := os.Open(name) //nolint:gosec // the file that it was called for
	return f, info.Size(), err
}
