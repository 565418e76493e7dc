package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"biomero-importer/agent/config"
	"biomero-importer/agent/order"
	"biomero-importer/agent/sample"
	"biomero-importer/agent/terminal"
	"biomero-importer/agent/tracking"
)

// demo places sample orders with a running service and shows what becomes of
// them.
type demo struct {
	out    io.Writer
	dir    string
	config *config.Config
	// leftOut is why no file is converted; nil where one is.
	leftOut error
	running
	run string // makes this run's names its own
}

// sampleOrder is one of the ways to order an import.
type sampleOrder struct {
	title string
	place func(ctx context.Context) error
	// mark is a part of the name of one of its files, by which it is known.
	mark string
}

// demoPatience is how long a sample order may take.
const demoPatience = 45 * time.Second

func (d *demo) show(ctx context.Context) error {
	d.run = time.Now().Format("20060102-150405")
	samples := []sampleOrder{
		{"hands-free drop", d.drop, "drop-" + d.run},
		{"order manifest", d.manifest, "stack-" + d.run},
		{"legacy order file", d.legacy, "legacy-" + d.run},
		{"SQL insert", d.insert, "sql-" + d.run},
	}
	if d.leftOut == nil {
		samples = append(samples, sampleOrder{"converted drop", d.convert, "convert-" + d.run})
	}
	for _, s := range samples {
		if err := s.place(ctx); err != nil {
			return fmt.Errorf("placing the sample %q: %w", s.title, err)
		}
	}
	done, err := d.follow(ctx, samples)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(d.out)
	if err := writeOrders(d.out, done); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(d.out, "\nSymlinks in the repository %s:\n", d.config.Repository.Dir)
	if err := writeLinks(d.out, d.config.Repository.Dir, d.run); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(d.out, "\nStatus page  %s\nDatabase     psql '%s'\nSettings     %s\nLog          %s\n", d.page, d.url,
		filepath.Join(d.dir, "settings.yml"), d.config.Log.File)
	for _, s := range done {
		if s.Stage != order.Completed {
			return fmt.Errorf("the sample order %s ended as %q: %s", s.UUID, s.Stage, s.Description)
		}
	}
	_, _ = fmt.Fprintf(d.out, "\nAll %d sample orders were imported.\n", len(done))
	if d.leftOut != nil {
		_, _ = fmt.Fprintf(d.out, "A converted image was left out: %s.\n", whyNotConverted(d.leftOut))
	}
	return nil
}

func (d *demo) path(parts ...string) string {
	return filepath.Join(append([]string{d.config.BaseDir}, parts...)...)
}

// write makes sample images; those whose name ends in .ome.zarr are OME-Zarr.
func (d *demo) write(names ...string) error {
	for i, name := range names {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // no secret in it
			return fmt.Errorf("making the folder of %s: %w", name, err)
		}
		stack := sample.Stack{Name: filepath.Base(name), Width: 512, Height: 512, Planes: 5, Channels: 2, Seed: uint64(i + 1)}
		write := sample.WriteTIFF
		if strings.HasSuffix(name, ".ome.zarr") {
			write = sample.WriteOMEZarr
		}
		if err := write(name, stack); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) drop(context.Context) error {
	return d.write(d.path("Demo", "researcher", "inbox", "Retina", "drop-"+d.run+".ome.tif"))
}

func (d *demo) convert(context.Context) error {
	return d.write(d.path("Demo", "researcher", "convert", "Retina", "convert-"+d.run+".ome.tif"))
}

func (d *demo) manifest(context.Context) error {
	dir := d.path("Demo", "researcher", "orders")
	if err := d.write(filepath.Join(dir, "stack-"+d.run+".ome.tif"), filepath.Join(dir, "stack-"+d.run+".ome.zarr")); err != nil {
		return err
	}
	text := fmt.Sprintf(`group: Demo
user: researcher
destination: {type: Dataset, name: Manifests, project: Demo}
files: ["stack-%[1]s.*"]
description: The demo's manifest
metadata: {stain: DAPI, magnification: 63x}
`, d.run)
	return publish(filepath.Join(dir, d.run+".order.yml"), text)
}

func (d *demo) legacy(context.Context) error {
	image := d.path("Demo", "archive", "legacy-"+d.run+".ome.tif")
	folder := d.path("Demo", d.config.Legacy.Folder)
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // no secret in it
		return fmt.Errorf("making the legacy folder: %w", err)
	}
	if err := d.write(image); err != nil {
		return err
	}
	text := fmt.Sprintf("Version: 2.0\nUUID: %s\nUsername: \"researcher\"\nGroup: \"Demo\"\nUserID: 2\nGroupID: 3\nDatasetID: 807\nFiles: [%q]\n",
		uuid.NewString(), image)
	return publish(filepath.Join(folder, time.Now().Format("2006_01_02_15-04-05")+".txt"), text)
}

func (d *demo) insert(ctx context.Context) error {
	image := d.path("Demo", "archive", "sql-"+d.run+".ome.tif")
	if err := d.write(image); err != nil {
		return err
	}
	return d.store.Submit(ctx, tracking.NewOrder{Order: order.Order{
		UUID: uuid.NewString(), Group: "Demo", User: "researcher", Files: []string{image},
		Destination: order.Destination{Type: order.Dataset, ID: 151},
	}})
}

// publish writes a file beside its place and moves it there, as a careful
// client does.
func publish(name, text string) error {
	temporary := name + ".tmp"
	if err := os.WriteFile(temporary, []byte(text), 0o644); err != nil { //nolint:gosec // no secret in it
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := os.Rename(temporary, name); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// follow shows each order's progress until all have ended.
func (d *demo) follow(ctx context.Context, samples []sampleOrder) ([]tracking.Status, error) {
	late := time.NewTimer(demoPatience)
	defer late.Stop()
	show := newProgress(d.out, samples)
	defer show.close()
	ended := make([]tracking.Status, len(samples))
	for {
		recent, err := d.store.Recent(ctx, 100)
		if err != nil {
			return nil, err
		}
		open := 0
		for i, s := range samples {
			st := find(recent, s.mark)
			if st == nil {
				open++
				continue
			}
			show.set(i, st.Stage)
			ended[i] = *st
			if !st.Stage.Ended() {
				open++
			}
		}
		if open == 0 {
			return ended, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late.C:
			return nil, fmt.Errorf("%d of the sample orders did not end within %s; the log is %s", open, demoPatience, d.config.Log.File)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// find looks for an order by a part of a file's name.
func find(list []tracking.Status, mark string) *tracking.Status {
	for i := range list {
		if strings.Contains(list[i].FileNames, mark) {
			return &list[i]
		}
	}
	return nil
}

// progress shows stages: bars on a terminal, lines elsewhere.
type progress struct {
	out     io.Writer
	samples []sampleOrder
	bars    *mpb.Progress
	bar     []*mpb.Bar

	mu    sync.Mutex // the bars draw from a goroutine of their own
	stage []order.Stage
}

func newProgress(out io.Writer, samples []sampleOrder) *progress {
	p := &progress{out: out, samples: samples, stage: make([]order.Stage, len(samples))}
	if !terminal.Is(out) {
		return p
	}
	p.bars = mpb.New(mpb.WithOutput(out), mpb.WithWidth(30))
	for i, s := range samples {
		p.bar = append(p.bar, p.bars.AddBar(3,
			mpb.PrependDecorators(decor.Name(s.title, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return string(p.at(i)) }))))
	}
	return p
}

func (p *progress) at(i int) order.Stage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stage[i]
}

func (p *progress) set(i int, stage order.Stage) {
	if p.at(i) == stage {
		return
	}
	p.mu.Lock()
	p.stage[i] = stage
	p.mu.Unlock()
	if p.bars == nil {
		_, _ = fmt.Fprintf(p.out, "%-18s %s\n", p.samples[i].title, stage)
		return
	}
	steps := map[order.Stage]int64{order.Pending: 1, order.Started: 2, order.Preprocessing: 2, order.Completed: 3, order.Failed: 3}
	p.bar[i].SetCurrent(steps[stage])
}

func (p *progress) close() {
	if p.bars == nil {
		return
	}
	for _, b := range p.bar {
		b.Abort(false)
	}
	p.bars.Wait()
}

// writeLinks prints the symlinks below dir whose name contains run, as a tree.
func writeLinks(w io.Writer, dir, run string) error {
	shown := ""
	return filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.Type() != os.ModeSymlink || !strings.Contains(entry.Name(), run) {
			return err
		}
		target, err := os.Readlink(path)
		if err != nil {
			return fmt.Errorf("reading a link: %w", err)
		}
		if folder := strings.TrimPrefix(filepath.Dir(path), dir+"/"); folder != shown {
			shown = folder
			_, _ = fmt.Fprintf(w, "  %s/\n", folder)
		}
		_, err = fmt.Fprintf(w, "    %s -> %s\n", entry.Name(), target)
		return err
	})
}
