package doctor

import (
	"errors"
	"fmt"
	"os"
	"time"

	"biomero-importer/agent/order"
)

// Clocks that differ by less are as good as the same, and by more are wrong.
const (
	fineSkew  = 2 * time.Second
	wrongSkew = time.Minute
)

// Clock compares a clock that was read between two moments of ours.
func Clock(name, whose string, theirs, before, after time.Time) Finding {
	skew := time.Duration(0)
	switch {
	case theirs.Before(before):
		skew = theirs.Sub(before)
	case theirs.After(after):
		skew = theirs.Sub(after)
	}
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	detail := fmt.Sprintf("that of %s is %s %s ours", whose, skew.Abs().Round(time.Millisecond), way)
	fix := "Have both machines set their clocks by NTP."
	switch {
	case skew.Abs() > wrongSkew:
		return Of(name, "", &order.Error{Class: order.Invalid, Reason: detail}, fix)
	case skew.Abs() > fineSkew:
		return notice(name, Look, detail, fix)
	}
	return Well(name, fmt.Sprintf("that of %s is ours within %s", whose, fineSkew))
}

// ShareClock compares the clock that the times of files in a folder are of. It makes a
// file there, and removes it.
func ShareClock(dir string, now func() time.Time) Finding {
	const name = "share clock"
	before := now().Add(-granule)
	f, err := os.CreateTemp(dir, ".biomero-importer-*.tmp")
	if err != nil {
		return notice(name, Unknown, "it shows in files that are made, and none can be: "+err.Error(), "")
	}
	_, err = f.WriteString("x")
	info, fault := f.Stat()
	err = errors.Join(err, fault, f.Close(), os.Remove(f.Name()))
	if err != nil {
		return notice(name, Unknown, "a file could not be made: "+err.Error(), "")
	}
	return Clock(name, dir, info.ModTime(), before, now())
}

// granule is more than the unit of a filesystem's times.
const granule = time.Second
