package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"

	"biomero-importer/agent/logging"
	"biomero-importer/agent/order"
	"biomero-importer/importer"
)

// maxRead is how much of a log, or of a receipt, is shown, in bytes.
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

// logTail is the end of the log of an order that there is.
func logTail(dir, uuid string) (string, error) {
	const none = "There is no log of this order here. Another agent may have it.\n"
	if dir == "" {
		return none, nil
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return "", fmt.Errorf("opening the folder of logs: %w", err)
	}
	defer func() { _ = root.Close() }()
	data, cut, err := readEnd(root, logging.FileName(uuid))
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the log of order %s: %w", uuid, err)
	}
	if cut { // in the middle of a line
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	var out strings.Builder
	for line := range bytes.Lines(data) {
		out.WriteString(logLine(line))
	}
	return out.String(), nil
}

// readEnd reads the last bytes of a regular file, and whether there are more.
func readEnd(root *os.Root, name string) (data []byte, cut bool, err error) {
	// Whatever has that name: opening a pipe would never end.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("%s is no regular file", name)
	}
	at := max(info.Size()-maxRead, 0)
	data, err = io.ReadAll(io.NewSectionReader(f, at, maxRead))
	return data, at > 0, err
}

// logLine is a line of JSON as people read it, without secrets.
func logLine(line []byte) string {
	var fields map[string]any
	in := json.NewDecoder(bytes.NewReader(line))
	in.UseNumber() // as they are written
	if in.Decode(&fields) != nil {
		return logging.Mask(strings.ToValidUTF8(strings.TrimRight(string(line), "\r\n"), "\uFFFD")) + "\n"
	}
	text := fmt.Sprintf("%.19v %v %v", fields["time"], fields["level"], fields["msg"])
	var rest []string
	for name, value := range fields {
		if name != "time" && name != "level" && name != "msg" {
			rest = append(rest, fmt.Sprintf("%s=%v", name, value))
		}
	}
	slices.Sort(rest)
	return logging.Mask(strings.ReplaceAll(strings.Join(append([]string{text}, rest...), " "), "\n", " ")) + "\n"
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
	path, info, err := s.Share.Resolve(order.ReceiptName(manifest))
	if _, ok := errors.AsType[*importer.Error](err); ok {
		return none, nil
	}
	if err != nil {
		return "", err
	}
	rel, err := s.Share.Rel(path)
	if err != nil || !info.Mode().IsRegular() {
		return none, nil
	}
	f, err := s.Share.Root().OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
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
