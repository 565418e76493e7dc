package engine

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"biomero-importer/preprocess"
)

// converting is what the converters of an order do at the moment.
type converting struct {
	parts map[int]int64 // how many bytes of a file, by its place, are converted
	tail  []string      // the last lines that were written
	fresh bool          // some of them are not saved
}

// tailLines is how many lines of an order's converters are shown.
const tailLines = 200

// tailWidth is how many bytes of each are.
const tailWidth = 500

func (c *converting) add(line string) {
	if len(line) > tailWidth {
		line = line[:tailWidth]
	}
	if len(c.tail) == tailLines {
		c.tail = slices.Delete(c.tail, 0, 1)
	}
	c.tail, c.fresh = append(c.tail, line), true
}

func (c *converting) done(ordinal int) { delete(c.parts, ordinal) }

func (c *converting) bytes() (sum int64) {
	for _, part := range c.parts {
		sum += part
	}
	return sum
}

// note takes note of what a converter does.
func (r *run) note(do func(*converting)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do(&r.converting)
}

// showConverting shows now and then, and at last when it is stopped, what converters do.
func (r *run) showConverting(ctx context.Context) (stop func()) {
	ended, shown := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(shown)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				r.saveOutput(context.WithoutCancel(ctx))
				return
			case <-ticker.C:
				r.mu.Lock()
				r.progress(ctx, "converting")
				r.mu.Unlock()
				r.saveOutput(ctx)
			}
		}
	}()
	return func() {
		close(ended)
		<-shown
	}
}

// outputTime bounds what showing output may take.
const outputTime = 3 * time.Second

// saveOutput shows the last of what converters wrote, if there is more of it.
func (r *run) saveOutput(ctx context.Context) {
	r.mu.Lock()
	fresh, tail := r.converting.fresh, slices.Clone(r.converting.tail)
	r.converting.fresh = false
	r.mu.Unlock()
	if !fresh {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, outputTime)
	defer cancel()
	if err := r.engine.store.SaveOutput(ctx, r.work.Job, tail); err != nil {
		r.note(func(c *converting) { c.fresh = true })
		r.log.DebugContext(ctx, "no output shown", slog.Any("error", err))
	}
}

// budget is how much of what an order's converters write is logged as it comes, so that
// none fills a disk.
type budget struct {
	mu    sync.Mutex
	bytes int
}

const (
	loggedBytes = 2 << 20 // of an order
	endLines    = 20      // of each converter that writes when no more is logged
)

// spend reports whether so many bytes may be logged.
func (b *budget) spend(bytes int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += bytes
	return b.bytes <= loggedBytes
}

// lineLog writes what a converter writes into the order's log, and of more than is
// logged the end.
type lineLog struct {
	log    *slog.Logger
	budget *budget
	left   int
	end    []line
}

type line struct {
	from preprocess.Stream
	text string
}

func (l *lineLog) add(ctx context.Context, from preprocess.Stream, text string) {
	const around = 100 // bytes of an entry beside its text
	if l.left == 0 && l.budget.spend(len(text)+around) {
		l.write(ctx, line{from, text})
		return
	}
	if l.left++; len(l.end) == endLines {
		l.end = slices.Delete(l.end, 0, 1)
	}
	l.end = append(l.end, line{from, text[:min(len(text), tailWidth)]})
}

func (l *lineLog) write(ctx context.Context, line line) {
	l.log.InfoContext(ctx, "converter", slog.String("stream", string(line.from)), slog.String("line", line.text))
}

func (l *lineLog) close(ctx context.Context) {
	if left := l.left - len(l.end); left > 0 {
		l.log.WarnContext(ctx, "the converter wrote more than is logged", slog.Int("lines", left))
	}
	for _, line := range l.end {
		l.write(ctx, line)
	}
}
