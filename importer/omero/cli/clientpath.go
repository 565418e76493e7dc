package cli

import (
	"strings"
	"unicode"
)

// ClientPath is a file's absolute path as OMERO keeps it in FilesetEntry.clientPath: without
// the leading "/", and each component such that every system could have it. Different
// paths can become the same one.
//
// It does what the import client does, whatever the server's own rules are (omero-blitz,
// ImportLibrary.createImport: "Windows required" and "UNIX required").
func ClientPath(path string) string {
	var safe strings.Builder
	for component := range strings.SplitSeq(path, "/") {
		if component == "" {
			continue
		}
		if safe.Len() > 0 {
			safe.WriteByte('/')
		}
		safe.WriteString(safeComponent(component))
	}
	return safe.String()
}

// safeComponent changes names that Windows keeps for itself first, and characters then. So
// "au*" becomes "aux" although "aux" becomes "aux_".
func safeComponent(name string) string {
	stem, _, dotted := strings.Cut(name, ".")
	switch {
	case strings.HasPrefix(name, "$"), dotted && isReserved(stem):
		name = "_" + name
	case isReserved(stem):
		name += "_"
	}
	return strings.Map(safeRune, name)
}

// isReserved reports the names of devices, which Windows knows in any case.
func isReserved(name string) bool {
	name = strings.ToUpper(name)
	switch name {
	case "AUX", "CLOCK$", "CON", "NUL", "PRN":
		return true
	}
	device, number := name[:min(3, len(name))], name[min(3, len(name)):]
	return (device == "COM" || device == "LPT") && len(number) == 1 && number >= "1" && number <= "9"
}

func safeRune(r rune) rune {
	switch r {
	case '"':
		return '\''
	case '*':
		return 'x'
	case ':':
		return ';'
	case '<':
		return '['
	case '>':
		return ']'
	case '?':
		return '%'
	case '\\', '|':
		return '!'
	}
	if unicode.IsControl(r) {
		return '_'
	}
	return r
}
