package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"biomero-importer/importer"
)

// maxTail bounds how much of a log's end is read, in bytes.
const maxTail = 64 << 10

// Tail returns the last lines of an order's log as people read them, up to so many, without
// secrets. Where there is no such log there are none.
func Tail(dir, uuid string, lines int) ([]string, error) {
	data, err := readEnd(dir, FileName(uuid))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the log of order %s: %w", uuid, err)
	}
	var list []string
	for line := range bytes.Lines(data) {
		list = append(list, readable(line))
	}
	return list[max(len(list)-lines, 0):], nil
}

// readEnd reads the last lines of a regular file in a folder.
func readEnd(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	f, info, err := importer.OpenRegular(root, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	at := max(info.Size()-maxTail, 0)
	data, err := io.ReadAll(io.NewSectionReader(f, at, maxTail))
	if at > 0 { // in the middle of a line
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return data, err
}

// readable is a line of JSON in words.
func readable(line []byte) string {
	var fields map[string]any
	in := json.NewDecoder(bytes.NewReader(line))
	in.UseNumber() // as they are written
	if in.Decode(&fields) != nil {
		return Mask(strings.ToValidUTF8(strings.TrimRight(string(line), "\r\n"), "\uFFFD"))
	}
	parts := []string{fmt.Sprintf("%.19v %v %v", fields["time"], fields["level"], fields["msg"])}
	for name, value := range fields {
		if name != "time" && name != "level" && name != "msg" {
			parts = append(parts, fmt.Sprintf("%s=%v", name, value))
		}
	}
	slices.Sort(parts[1:])
	return Mask(strings.ReplaceAll(strings.Join(parts, " "), "\n", " "))
}
