package importer

import (
	"fmt"
	"strings"
)

const (
	// maxPairs bounds what a table is taken into; one of ordinary rows never has as many.
	maxPairs = 1 << 20
	// maxWarnings bounds what is told of rows that are not taken; one more says how many
	// there are besides.
	maxWarnings = 20
)

// decodeTable reads the rows of a table.
func decodeTable(text string) (pairs []Pair, warnings []string) {
	skipped := 0
	skip := func(r row, reason string, of ...any) {
		if skipped++; skipped <= maxWarnings {
			warnings = append(warnings, fmt.Sprintf("Line %d %s: it was left out.", r.line, fmt.Sprintf(reason, of...)))
		}
	}
	first := true
	for rows := newRows(text, separator(text)); ; {
		r, ok := rows.next()
		if !ok {
			break
		}
		if r.blank() {
			continue
		}
		header := first && r.isHeader()
		first = false
		if header {
			continue
		}
		key := strings.TrimSpace(withoutControls(r.key))
		switch {
		case r.unclosed:
			skip(r, "has a quote that is not closed")
		case r.columns == 1:
			skip(r, "has only one column, instead of a key and a value")
		case r.columns > 2:
			skip(r, "has %d columns, instead of a key and a value", r.columns)
		case key == "":
			skip(r, "has no key")
		case len(pairs) == maxPairs:
			skip(r, "comes after %d others, which are the most that are taken", maxPairs)
		default:
			if pairs == nil {
				pairs = make([]Pair, 0, min(strings.Count(text, "\n")+1, maxPairs))
			}
			pairs = append(pairs, Pair{Key: key, Value: strings.Trim(withoutControls(r.value), " \t")})
		}
	}
	if more := skipped - maxWarnings; more > 0 {
		warnings = append(warnings, fmt.Sprintf("%d more lines were left out.", more))
	}
	return pairs, warnings
}

// separators are what may stand between key and value; the first of equals is taken.
const separators = ",;\t"

// separator finds out what separates the cells of a table: what its first rows say, and
// else what makes most rows such that they have two cells, and none of the other
// separators in the first one. In "a;1,5" that is the semicolon.
func separator(text string) byte {
	if named, ok := namedSeparator(text); ok {
		return named
	}
	sample := text
	if len(sample) > 64<<10 {
		sample = sample[:64<<10]
		sample = sample[:strings.LastIndexByte(sample, '\n')+1]
	}
	best, most := separators[0], 0
	for _, candidate := range []byte(separators) {
		score, first := 0, true
		for rows := newRows(sample, candidate); ; {
			r, ok := rows.next()
			if !ok {
				break
			}
			if r.blank() || r.unclosed {
				continue
			}
			if first && r.isHeader() {
				return candidate
			}
			first = false
			if r.columns == 2 {
				score++
			}
			if r.columns > 1 && (r.quoted || !strings.ContainsAny(strings.TrimSpace(r.key), separators+`"`)) {
				score++
			}
		}
		if score > most {
			best, most = candidate, score
		}
	}
	return best
}

// namedSeparator is what a first line "sep=;" says, by which spreadsheets tell each other.
func namedSeparator(text string) (named byte, ok bool) {
	line, _, _ := strings.Cut(text, "\n")
	rest, ok := strings.CutPrefix(line, "sep=")
	if !ok || len(rest) != 1 || !strings.Contains(separators, rest) {
		return 0, false
	}
	return rest[0], true
}
