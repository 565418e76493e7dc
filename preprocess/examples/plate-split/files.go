package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"biomero-importer/preprocess/examples/internal/converter"
)

// file is one of the images.
type file struct {
	name string // in the folder or archive, with slashes
	path string // where it can be opened
}

// maxFiles bounds what one input may hold; a larger one is a mistake or an attack.
const maxFiles = 100_000

// findFiles lists the TIFF files of the input. Those of an archive are extracted.
func findFiles(ctx context.Context, job *converter.Job) ([]file, error) {
	info, err := os.Stat(job.Input)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return walk(job.Input)
	}
	dir, err := job.TempDir()
	if err != nil {
		return nil, err
	}
	return extract(ctx, job.Input, dir)
}

func walk(top string) ([]file, error) {
	var files []file
	entries := 0
	err := filepath.WalkDir(top, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, at)
		if err != nil {
			return err
		}
		if entries++; entries > maxFiles {
			return fmt.Errorf("it holds more than %d files", maxFiles)
		}
		switch {
		case entry.IsDir():
			if name != "." && hidden(name) {
				return fs.SkipDir
			}
		case !wanted(name):
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is no regular file", name)
		default:
			files = append(files, file{name: filepath.ToSlash(name), path: at})
		}
		return nil
	})
	return files, err
}

// wanted reports whether a name is that of a TIFF file which somebody put there.
func wanted(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".tif", ".tiff":
		return !hidden(name)
	default:
		return false
	}
}

// hidden reports whether a name is below a folder that programs keep to themselves.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" {
			return true
		}
	}
	return false
}
