package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"biomero-importer/importer/omero/omerotest/internal/hql"
)

// style writes rows as omero-py's util/text.py does; every value is text.
func style(name string, rows []hql.Row) string {
	headers := []string{"#"}
	if len(rows) > 0 {
		for i := range rows[0] {
			headers = append(headers, fmt.Sprintf("Col%d", i+1))
		}
	}
	all := make([][]string, 0, len(rows))
	for i, row := range rows {
		all = append(all, append([]string{strconv.Itoa(i)}, row...))
	}
	switch name {
	case "json":
		return styleJSON(headers, all)
	case "plain":
		return styleCSV(all)
	case "csv":
		return strings.TrimSuffix(strings.Join(headers, ",")+"\n"+styleCSV(all), "\n")
	default:
		return styleSQL(headers, all)
	}
}

func styleJSON(headers []string, rows [][]string) string {
	if len(rows) == 0 {
		return "[]"
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		pairs := make([]string, 0, len(row))
		for i, value := range row {
			pairs = append(pairs, pythonString(headers[i])+": "+pythonString(value))
		}
		lines = append(lines, "{"+strings.Join(pairs, ", ")+"}")
	}
	return "[" + strings.Join(lines, ",\n") + "]"
}

// pythonString is a text as Python's json.dumps writes it: ASCII only.
func pythonString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		case r < ' ' || r >= utf8.RuneSelf:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// styleCSV quotes what needs it, as Python's csv.writer does.
func styleCSV(rows [][]string) string {
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		fields := make([]string, 0, len(row))
		for _, value := range row {
			if strings.ContainsAny(value, ",\"\r\n") {
				value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
			}
			fields = append(fields, value)
		}
		lines = append(lines, strings.Join(fields, ","))
	}
	return strings.Join(lines, "\n")
}

func styleSQL(headers []string, rows [][]string) string {
	widths := make([]int, len(headers))
	for _, row := range append([][]string{headers}, rows...) {
		for i, value := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(value))
		}
	}
	line := func(row []string) string {
		cells := make([]string, 0, len(row))
		for i, value := range row {
			cells = append(cells, fmt.Sprintf(" %-*s ", widths[i], value))
		}
		return strings.Join(cells, "|")
	}
	rules := make([]string, 0, len(widths))
	for _, w := range widths {
		rules = append(rules, strings.Repeat("-", w+2))
	}
	lines := []string{line(headers), strings.Join(rules, "+")}
	for _, row := range rows {
		lines = append(lines, line(row))
	}
	unit := "rows"
	if len(rows) == 1 {
		unit = "row"
	}
	return strings.Join(append(lines, fmt.Sprintf("(%d %s)", len(rows), unit)), "\n")
}
