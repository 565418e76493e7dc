package repository

import (
	"path"
	"strconv"
	"strings"
	"unicode"
)

// sanitised is what OMERO's server makes of characters that some filesystems
// refuse (ome.services.blitz.repo, FilesetEntry.clientPath).
var sanitised = strings.NewReplacer(`"`, "'", "*", "x", ":", ";", "<", "[", ">", "]", "?", "%", `\`, "!", "|", "!", "/", "!")

// sanitise makes a path component of a name.
func sanitise(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '_'
		}
		return r
	}, sanitised.Replace(name))
	if name == "" || name == "." || name == ".." {
		return "_"
	}
	return name
}

// unique returns link, or link with a number before its extension when that is
// among taken, and adds it there.
func unique(taken map[string]bool, link string) string {
	free := link
	for n := 2; taken[free]; n++ {
		ext := path.Ext(link)
		free = strings.TrimSuffix(link, ext) + "_" + strconv.Itoa(n) + ext
	}
	taken[free] = true
	return free
}
