package cli

import (
	"slices"
	"strconv"
	"strings"
)

// The keys of a record. OMERO may name other classes of objects too.
const (
	filesetKey = "Fileset"
	imageKey   = "Image"
	plateKey   = "Plate"
)

var recordKeys = []string{filesetKey, imageKey, plateKey}

// finding is what lines turned out to be.
type finding int

const (
	none       finding = iota // nothing of a record
	whole                     // a record, or an entry of one
	unfinished                // one, if the right lines would follow
	spoilt                    // none any more
)

// parseDocument reads a record of the lines that follow three dashes. The rest is what is
// no part of it.
func parseDocument(lines []string) (record Record, rest []string, found finding) {
	entries := map[string][]int64{}
	for len(lines) > 0 {
		prefix := "  "
		if len(entries) == 0 {
			prefix = "- "
		}
		key, ids, more, found := parseEntry(lines, prefix)
		if found == none {
			break
		}
		if _, twice := entries[key]; twice {
			found = spoilt
		}
		if found != whole {
			return Record{}, more, found
		}
		entries[key], lines = ids, more
	}
	fileset, named := entries[filesetKey]
	images, listed := entries[imageKey]
	plates, listedPlates := entries[plateKey]
	switch {
	case len(entries) == 0:
		return Record{}, lines, none
	case !named || !listed && !listedPlates:
		return Record{}, lines, unfinished
	}
	return Record{Fileset: fileset[0], Images: images, Plates: plates}, lines, whole
}

// isPartOfRecord reports a line that is an entry of a record.
func isPartOfRecord(line string) bool {
	for _, prefix := range []string{"- ", "  "} {
		if key, _, _, found := parseEntry([]string{line}, prefix); found == whole && slices.Contains(recordKeys, key) {
			return true
		}
	}
	return false
}

// parseEntry reads a key and its ids. The first line has the prefix; the rest is what is
// not read.
func parseEntry(lines []string, prefix string) (key string, ids []int64, rest []string, found finding) {
	text, ok := strings.CutPrefix(lines[0], prefix)
	if !ok {
		return "", nil, lines, none
	}
	key, value, ok := strings.Cut(text, ":")
	if !ok || !isWord(key) || value != "" && value[0] != ' ' {
		return "", nil, lines, none
	}
	value = strings.TrimSpace(value)
	if key == filesetKey {
		id, ok := parseID(value)
		if !ok {
			return key, nil, lines[1:], spoilt
		}
		return key, []int64{id}, lines[1:], whole
	}
	ids, rest, found = parseList(value, lines[1:])
	if found != whole && !slices.Contains(recordKeys, key) {
		return "", nil, lines, none // such as a log line may be
	}
	return key, ids, rest, found
}

// parseList reads the ids of a key: what stands behind it, and what belongs to that of the
// lines below.
func parseList(value string, lines []string) (ids []int64, rest []string, found finding) {
	switch {
	case value == "":
		return parseDashes(lines)
	case value[0] == '[':
		return parseBrackets(value, lines)
	}
	return nil, lines, spoilt
}

// parseDashes reads a list of an id a line.
func parseDashes(lines []string) (ids []int64, rest []string, found finding) {
	if len(lines) == 0 {
		return nil, nil, unfinished
	}
	var items []string
	for _, line := range lines {
		item, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "- ")
		if !ok || !strings.HasPrefix(line, "  ") {
			break
		}
		items = append(items, item)
	}
	if items == nil {
		return nil, lines, spoilt
	}
	ids, found = parseIDs(items)
	return ids, lines[len(items):], found
}

// parseBrackets reads a list that may go on below.
func parseBrackets(first string, lines []string) (ids []int64, rest []string, found finding) {
	var list strings.Builder
	list.WriteString(first)
	closed := strings.HasSuffix(first, "]")
	for !closed {
		if len(lines) == 0 {
			return nil, nil, unfinished
		}
		if strings.Trim(lines[0], " ,0123456789]") != "" {
			return nil, lines, spoilt
		}
		list.WriteString(lines[0]) // with the blanks before it
		closed = strings.HasSuffix(lines[0], "]")
		lines = lines[1:]
	}
	text := list.String()
	text = strings.TrimSpace(text[1 : len(text)-1])
	if text == "" {
		return []int64{}, lines, whole
	}
	ids, found = parseIDs(strings.Split(text, ","))
	return ids, lines, found
}

func parseIDs(items []string) (ids []int64, found finding) {
	if len(items) > maxObjects {
		return nil, spoilt
	}
	ids = make([]int64, len(items))
	for i, item := range items {
		id, ok := parseID(strings.TrimSpace(item))
		if !ok {
			return nil, spoilt
		}
		ids[i] = id
	}
	return ids, whole
}

// parseID reads an id as OMERO prints it; those begin at 1.
func parseID(text string) (id int64, ok bool) {
	if text == "" || text[0] < '1' || text[0] > '9' {
		return 0, false
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil
}

func isWord(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) < 0
}
