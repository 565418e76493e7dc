package converter

import (
	"fmt"
	"io"
)

// progress prints percentages as they change.
type progress struct {
	out         io.Writer // nil prints nothing
	total, done int64
	shown       int64
}

// Expect says how much there is to do.
func (p *progress) Expect(total int64) { p.total = total }

// Did says how much more is done.
func (p *progress) Did(n int) {
	p.done += int64(n)
	if percent := p.done * 100 / p.total; p.out != nil && percent > p.shown {
		p.shown = percent
		_, _ = fmt.Fprintf(p.out, "%d%%\n", percent)
	}
}
