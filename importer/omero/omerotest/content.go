package omerotest

import (
	"fmt"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/bioformats"
)

func content(format string, args ...any) []byte {
	return []byte(bioformats.Mark + " " + fmt.Sprintf(format, args...) + "\n")
}

// ImagesFile is the content of a file that holds a number of images.
func ImagesFile(n int) []byte { return content("images=%d", n) }

// PlatesFile is the content of a file that holds plates of a number of wells, with
// so many fields each.
func PlatesFile(plates, wells, fields int) []byte {
	return content("plates=%d wells=%d fields=%d", plates, wells, fields)
}

// MainFile is the content of a file of one image that has other files besides,
// named relative to its folder.
func MainFile(parts ...string) []byte { return content("parts=%s", strings.Join(parts, ",")) }

// CorruptFile is the content of a file that is of a format, but cannot be read.
func CorruptFile() []byte { return content("corrupt") }

// UnknownFile is the content of a file of no format.
func UnknownFile() []byte { return content("unknown") }

// UnreadableFile is the content of a file that the importer may not read.
func UnreadableFile() []byte { return content("unreadable") }

// FailingFile is the content of a file that the server fails to import.
func FailingFile() []byte { return content("fails") }
