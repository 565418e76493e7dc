package terminal

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// Is reports whether what is written goes to a terminal.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Printable keeps what strangers wrote from steering the terminal, and from showing a line
// in another order than it has.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return '?'
		}
		return r
	}, text)
}

// Bars is a bar for each thing that is under way, below lines of what was.
type Bars struct {
	progress *mpb.Progress
	bars     map[string]*bar
}

type bar struct {
	*mpb.Bar

	mu         sync.Mutex // it is drawn from a goroutine of its own
	name, note string
}

// NewBars draws on a terminal.
func NewBars(w io.Writer) *Bars {
	return &Bars{progress: mpb.New(mpb.WithOutput(w), mpb.WithWidth(24), mpb.WithRefreshRate(refresh)), bars: map[string]*bar{}}
}

const refresh = 150 * time.Millisecond

// Set draws how far the thing with this key has come: its name stands before the bar,
// and the note behind it.
func (b *Bars) Set(key, name, note string, done, total int64) {
	at := b.bars[key]
	if at == nil {
		at = &bar{}
		say := func(text *string) decor.DecorFunc {
			return func(decor.Statistics) string {
				at.mu.Lock()
				defer at.mu.Unlock()
				return *text
			}
		}
		at.Bar = b.progress.AddBar(0, // of a total that changes
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Any(say(&at.name), decor.WCSyncSpaceR)), mpb.AppendDecorators(decor.Any(say(&at.note))))
		b.bars[key] = at
	}
	at.mu.Lock()
	at.name, at.note = Printable(name), Printable(note)
	at.mu.Unlock()
	// One that is full would be taken away.
	at.SetTotal(max(total, 1)*1000+1, false)
	at.SetCurrent(min(done, max(total, 1)) * 1000)
}

// End takes a bar away.
func (b *Bars) End(key string) {
	if at := b.bars[key]; at != nil {
		at.Abort(true)
		delete(b.bars, key)
	}
}

// Line writes a line above the bars.
func (b *Bars) Line(text string) {
	_, _ = b.progress.Write([]byte(Printable(text) + "\n"))
}

// Close takes all bars away.
func (b *Bars) Close() {
	for key := range b.bars {
		b.End(key)
	}
	b.progress.Wait()
}
