package logging

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/lmittmann/tint"
)

// Terminal logs for people, in colour.
func Terminal(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, ReplaceAttr: mask}))
}

// JSON logs one object per line.
func JSON(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: maskText}))
}

// OpenFile opens a log file to append to, and makes its folder.
func OpenFile(path string) (*os.File, error) {
	return openFile(path, 0)
}

func openFile(path string, flags int) (*os.File, error) {
	f, err := openToAppend(path, flags)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return nil, fmt.Errorf("making the folder of the log %s: %w", path, err)
		}
		f, err = openToAppend(path, flags)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	return f, nil
}

func openToAppend(path string, flags int) (*os.File, error) {
	return os.OpenFile(path, flags|os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640) //nolint:gosec // the site's own setting
}

// Orders opens the logs of single orders.
type Orders struct {
	Dir  string       // made when absent
	Main *slog.Logger // gets every record as well
}

// Open appends to the order's log, "import.<uuid>.log". The UUID is whatever a
// client wrote, so what could not be part of a file's name is replaced.
func (o Orders) Open(uuid string) (log *slog.Logger, closeLog func() error, err error) {
	// Non-blocking: opening waits for nobody at the other end of a pipe, and spares the calls
	// that would make it so.
	f, err := openFile(filepath.Join(o.Dir, FileName(uuid)), syscall.O_NONBLOCK)
	if err != nil {
		return nil, nil, err
	}
	return slog.New(slog.NewMultiHandler(o.Main.Handler(), JSON(f, slog.LevelDebug).Handler())), f.Close, nil
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// FileName is the name of an order's log.
func FileName(uuid string) string { return "import." + unfit.ReplaceAllString(uuid, "_") + ".log" }

var (
	urlPassword = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@]*):\S*@`)
	keyPassword = regexp.MustCompile(`(?i)(password\s*=\s*)('(?:\\.|[^'\\])*'|(?:\\.|[^\s&])+)`)
)

// Mask hides the passwords of addresses in a text.
func Mask(text string) string {
	if strings.Contains(text, "://") {
		text = urlPassword.ReplaceAllString(text, "$1:***@")
	}
	if strings.Contains(text, "=") {
		text = keyPassword.ReplaceAllString(text, "$1***")
	}
	return text
}

// maskText also makes a text of a level, which else is encoded by way of its JSON.
func maskText(groups []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindAny {
		if level, ok := a.Value.Any().(slog.Level); ok {
			a.Value = slog.StringValue(level.String())
			return a
		}
	}
	return mask(groups, a)
}

func mask(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Mask(a.Value.String()))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(Mask(err.Error()))
		}
	default:
	}
	return a
}
