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

// unique returns link, or link with a number before its extension when it was
// asked for before. taken counts how often each was.
func unique(taken map[string]int, link string) string {
	free := link
	for taken[free] > 0 {
		taken[link]++
		ext := path.Ext(link)
		free = strings.TrimSuffix(link, ext) + "_" + strconv.Itoa(taken[link]) + ext
	}
	taken[free]++
	return free
}
