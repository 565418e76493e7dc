package web

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
	"biomero-importer/importer"
)

// maxRead is how much of a receipt is shown, in bytes.
const maxRead = 64 << 10

// orderLog answers with the end of an order's own log, as text.
func (s *server) orderLog(w http.ResponseWriter, r *http.Request) {
	st, err := s.orders.Brief(r.Context(), r.PathValue("uuid"))
	if err != nil {
		s.text(w, r, "", err)
		return
	}
	text, err := logTail(s.Logs, st.UUID)
	s.text(w, r, text, err)
}

// maxLines is how many lines of a log are shown, of the end that is read of it.
const maxLines = 1000

// logTail is the end of the log of an order that there is.
func logTail(dir, uuid string) (string, error) {
	var lines []string
	var err error
	if dir != "" {
		lines, err = logging.Tail(dir, uuid, maxLines)
	}
	if len(lines) == 0 {
		return "There is no log of this order here. Another agent may have it.\n", err
	}
	return strings.Join(lines, "\n") + "\n", err
}

// receipt answers with the receipt beside an order's manifest, as far as it is shown.
func (s *server) receipt(w http.ResponseWriter, r *http.Request) {
	manifest, err := s.orders.Origin(r.Context(), r.PathValue("uuid"))
	text := ""
	if err == nil {
		text, err = s.readReceipt(manifest)
	}
	s.text(w, r, text, err)
}

func (s *server) readReceipt(manifest string) (string, error) {
	const none = "There is no receipt here yet.\n"
	if manifest == "" || s.Share == nil {
		return none, nil
	}
	folder, _, err := s.Share.Resolve(filepath.Dir(manifest))
	if _, ok := errors.AsType[*importer.Error](err); ok {
		return none, nil
	}
	if err != nil {
		return "", err
	}
	rel, err := s.Share.Rel(filepath.Join(folder, order.ReceiptName(filepath.Base(manifest))))
	if err != nil {
		return none, nil // it is none that was written here
	}
	f, err := openRegular(s.Share.Root(), rel)
	if f == nil && err == nil || errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the receipt: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxRead))
	if err != nil {
		return "", fmt.Errorf("reading the receipt: %w", err)
	}
	if len(data) == maxRead {
		data = append(data, "\n…"...)
	}
	return strings.ToValidUTF8(string(data), "\uFFFD"), nil
}

// openRegular opens a regular file, and nothing else: it is nil where a link has that name,
// which somebody may have put there who may not read what it leads to.
func openRegular(root *os.Root, name string) (*os.File, error) {
	named, err := root.Lstat(name)
	if err != nil || !named.Mode().IsRegular() {
		return nil, err
	}
	// Whatever has that name now: opening a pipe would never end, and a link is followed.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if opened, err := f.Stat(); err != nil || !os.SameFile(named, opened) {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// text answers with text that a script puts into a page as text: htmx takes it for HTML.
func (s *server) text(w http.ResponseWriter, r *http.Request, text string, err error) {
	s.show(w, r, "order", "text", frame{Page: text}, err)
}
