package preprocess

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Resume is the result of a container that has ended before: what is not published yet
// is. Without one it is nil.
func (w *Work) Resume(ctx context.Context) (*Result, error) {
	var record resultRecord
	if err := load(w.temp, resultFile, &record); err != nil {
		return nil, err
	}
	if record.Request != w.print || w.run.Request != w.print {
		return nil, nil //nolint:nilnil // there is none
	}
	return w.publish(ctx, &record)
}

// Finish accepts the answer of the run's container, which has ended well, and publishes
// what it made. An *Error says what is wrong with it.
func (w *Work) Finish(ctx context.Context, image, digest string, output *Output) (*Result, error) {
	record := &resultRecord{Request: w.print, Image: image, Digest: digest}
	err := w.inspect(ctx, record, output.Answer())
	if wrong, ok := errors.AsType[*refusal](err); ok {
		return nil, &Error{Reason: fmt.Sprintf("The container %s ended with exit status 0, but %s. %s", image, wrong, output.Ending()), Err: err}
	}
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for i := range record.Units {
		if err := w.name(&record.Units[i], taken); err != nil {
			return nil, err
		}
	}
	if err := save(w.temp, resultFile, record); err != nil {
		return nil, err
	}
	return w.publish(ctx, record)
}

func (w *Work) inspect(ctx context.Context, record *resultRecord, answer []byte) error {
	replies, err := decodeAnswer(answer)
	if err != nil {
		return refuse(err, "its answer %v", err)
	}
	return (&inspection{work: w, record: record, known: map[string]int{}, above: map[string]bool{}, seen: map[string]bool{}}).all(ctx, replies)
}

// publish renames what is still in the partial folder.
func (w *Work) publish(ctx context.Context, record *resultRecord) (*Result, error) {
	partial, err := enter(w.processed, w.run.Partial)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, folderError("opening the partial folder", err)
	}
	if partial != nil {
		defer func() { _ = partial.Close() }()
	}
	for i := range record.Units {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := w.publishUnit(partial, record, i); err != nil {
			return nil, err
		}
	}
	syncFolder(w.processed, ".")
	result := record.result(w.processedFolder(), filepath.Join(w.req.Temp, outFolder(w.run.Run)))
	return &result, nil
}

func (w *Work) publishUnit(partial *os.Root, record *resultRecord, i int) error {
	u := &record.Units[i]
	for {
		to, err := makeAll(w.processed, path.Dir(u.To))
		if err != nil {
			return folderError("making a folder to publish into", err)
		}
		err = publishInto(partial, to, *u, w.run.Partial+"/"+u.From)
		if err == nil {
			syncFolder(to, ".") // also of what was renamed before
		}
		_ = to.Close()
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		// Somebody took the name since it was chosen.
		if err := w.name(u, nil); err != nil {
			return err
		}
		if err := save(w.temp, resultFile, record); err != nil {
			return err
		}
	}
}

// publishInto renames a file, or finds that this was done before.
func publishInto(partial, to *os.Root, u unit, mark string) error {
	if partial != nil {
		from, err := enterAll(partial, path.Dir(u.From))
		if err == nil {
			defer func() { _ = from.Close() }()
			err = moveNew(from, path.Base(u.From), to, path.Base(u.To), mark)
		}
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return fmt.Errorf("publishing: %w", err)
			}
			return nil
		}
	}
	if _, err := to.Lstat(path.Base(u.To)); err != nil {
		return &Error{Reason: fmt.Sprintf("The converted file %q is gone from the processed folder.", u.To), Err: err}
	}
	return nil
}

const (
	maxNames = 1000 // files of one name
	maxName  = 255  // bytes of a name
)

// name chooses a name that is free: x.ome.tiff, else x.<short uuid>.ome.tiff, else
// x.<short uuid>-2.ome.tiff and so on.
func (w *Work) name(u *unit, taken map[string]bool) error {
	stem, suffix := splitName(path.Base(u.From))
	dir, err := enterAll(w.processed, path.Dir(u.From))
	switch {
	case err == nil:
		defer func() { _ = dir.Close() }()
	case !errors.Is(err, fs.ErrNotExist):
		return folderError("looking for a free name", err)
	}
	for n := range maxNames {
		mark := ""
		switch {
		case n == 1:
			mark = fmt.Sprintf(".%.8s", w.req.Order)
		case n > 1:
			mark = fmt.Sprintf(".%.8s-%d", w.req.Order, n)
		}
		room := max(maxName-len(mark)-len(suffix), 0)
		name := strings.ToValidUTF8(stem[:min(len(stem), room)], "") + mark + suffix
		u.To = path.Join(path.Dir(u.From), name)
		if taken[u.To] {
			continue
		}
		if dir != nil {
			if _, err := dir.Lstat(name); err == nil {
				continue
			} else if !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("looking for a free name for %s: %w", name, err)
			}
		}
		if taken != nil {
			taken[u.To] = true
		}
		return nil
	}
	return &Error{Reason: fmt.Sprintf("There are %d files named after %s in the processed folder already: tidy it up.", maxNames, u.From)}
}

// splitName splits a name before what says its format, as in x and .ome.tiff.
func splitName(name string) (stem, suffix string) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 {
		return name, ""
	}
	for _, inner := range []string{".ome", ".companion", ".tar"} {
		if before, ok := strings.CutSuffix(name[:i], inner); ok && before != "" {
			return before, name[len(before):]
		}
	}
	return name[:i], name[i:]
}
