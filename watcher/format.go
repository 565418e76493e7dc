package watcher

import (
	"iter"
	"path/filepath"
	"slices"
	"strings"
)

// format is a file format of several files: a main file, and its companions
// beside it or in folders beside it. All names are given in lower case. The
// formats and their layouts are those that Bio-Formats describes.
type format struct {
	name string
	// stem is the main file's name without what makes it one; ok is false for
	// other files.
	stem func(base string) (stem string, ok bool)
	// file and folder tell the companions in the main file's own folder; nil for
	// none. Of such a folder, everything is part.
	file, folder func(stem, base string) bool
	// only names the one companion, a folder, as it is usually spelt.
	only func(main string) string
	// loose: names of companions do not have the stem in them.
	loose bool
	// inside narrows down which folders are companions, by a file found there.
	inside func(base string) bool
	// listed: the main file names its companions.
	listed bool
}

var formats = []*format{
	{ // Olympus cellSens VSI: name.vsi, _name_/stack1/frame_t.ets
		name: "vsi", stem: extension(".vsi"), folder: func(stem, base string) bool { return base == "_"+stem+"_" },
		only: func(main string) string { return "_" + strings.TrimSuffix(main, filepath.Ext(main)) + "_" },
	},
	{ // MIRAX: name.mrxs, name/Slidedat.ini, name/Data0000.dat
		name: "mrxs", stem: extension(".mrxs"), folder: func(stem, base string) bool { return base == stem },
		only: func(main string) string { return strings.TrimSuffix(main, filepath.Ext(main)) },
	},
	{ // Leica LAS X: name.xlef with .xlcf, .xlif and .lof files beside and below
		name: "xlef", stem: extension(".xlef"), loose: true,
		file: func(_, base string) bool { return isLeica(base) }, folder: func(_, _ string) bool { return true }, inside: isLeica,
	},
	{ // MetaMorph: name.nd, name_w1DAPI_s1_t1.TIF or .stk
		name: "nd", stem: extension(".nd"),
		file: func(stem, base string) bool {
			return isPlane(base) && (strings.HasPrefix(base, stem+"_") || strings.HasPrefix(base, stem+"."))
		},
	},
	{ // MetaXpress: name.htd, name_A01_s1_w1.TIF, TimePoint_1/
		name: "htd", stem: extension(".htd"), loose: true,
		file:   func(stem, base string) bool { return isPlane(base) && strings.HasPrefix(base, stem+"_") },
		folder: func(_, base string) bool { return strings.HasPrefix(base, "timepoint_") },
	},
	{ // PerkinElmer Operetta and Opera Phenix: Index.idx.xml among its TIFFs
		name: "index", stem: named("index.idx.xml"), file: all, folder: all, loose: true,
	},
	{ // CellReporterXpress: experiment.db among images-0.db and others
		name: "experiment", stem: named("experiment.db"), file: all, folder: all, loose: true,
	},
	{ // OME-TIFF with its metadata apart: name.companion.ome names the TIFFs
		name: "companion", stem: extension(".companion.ome"), file: func(_, base string) bool { return isOMETIFF(base) }, listed: true, loose: true,
	},
}

func extension(ext string) func(string) (string, bool) {
	return func(base string) (string, bool) {
		stem, ok := strings.CutSuffix(base, ext)
		return stem, ok && stem != ""
	}
}

func named(name string) func(string) (string, bool) {
	return func(base string) (string, bool) { return name, base == name }
}

func all(_, _ string) bool { return true }

func hasExtension(base string, list ...string) bool {
	i := strings.LastIndexByte(base, '.')
	return i > 0 && slices.Contains(list, base[i:])
}

func isLeica(base string) bool { return hasExtension(base, ".lof", ".xlif", ".xlcf", ".xllf") }
func isPlane(base string) bool { return hasExtension(base, ".tif", ".tiff", ".stk") }
func isOMETIFF(base string) bool {
	return strings.HasSuffix(base, ".ome.tif") || strings.HasSuffix(base, ".ome.tiff")
}

// isMeta tells files that are only ever companions.
func isMeta(base string) bool { return hasExtension(base, ".ets", ".xlif", ".xlcf", ".xllf") }

// slideIndex is in the folder of each MIRAX slide, whose parts may be there
// before the main file beside the folder is.
const slideIndex = "slidedat.ini"

func isSlidePart(base string) bool { return hasExtension(base, ".dat") }

// formatOf returns the format that has a main file of this name, if any.
func formatOf(base string) (f *format, stem string) {
	for _, f := range formats {
		if stem, ok := f.stem(base); ok {
			return f, stem
		}
	}
	return nil, ""
}

// stems yields what can be the stem in the name of a companion.
func stems(low string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(low) {
			return
		}
		if last := len(low) - 1; last > 1 && low[0] == '_' && low[last] == '_' && !yield(low[1:last]) {
			return
		}
		for i := range len(low) {
			if (low[i] == '_' || low[i] == '.') && !yield(low[:i]) {
				return
			}
		}
	}
}

// exact reports whether names alone tell the companions.
func (f *format) exact() bool { return f.inside == nil && !f.listed }
