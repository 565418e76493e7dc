package web

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"

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
	f, _, err := importer.OpenRegular(s.Share.Root(), rel)
	// Of a link, somebody may have made it who may not read what it leads to.
	if errors.Is(err, importer.ErrIrregular) || errors.Is(err, fs.ErrNotExist) {
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

// text answers with text that a script puts into a page as text: htmx takes it for HTML.
func (s *server) text(w http.ResponseWriter, r *http.Request, text string, err error) {
	s.show(w, r, "order", "text", frame{Page: text}, err)
}
