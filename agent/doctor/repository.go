package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"biomero-importer/agent/order"
	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// maxMark bounds what is read of a file that holds a UUID, in bytes.
const maxMark = 1 << 10

// Mounted checks that a folder is a repository of the server, which has it at the same path.
// The server writes into each, at .omero/repository/*/repo_uuid, which one it is: see
// omero-blitz's AbstractRepositoryI and FileMaker.
func Mounted(name, folder string, known []model.Repository) Finding {
	const fix = "Mount the server's managed repository at the path that it has there, and name that in omero.managed_repository."
	wrong := func(format string, args ...any) Finding {
		return Of(name, "", order.Errorf(order.Invalid, format, args...), fix)
	}
	if len(known) == 0 {
		return Unseen(name, "whether "+folder+" is the server's cannot be seen: it names none of its repositories")
	}
	marks, err := marksIn(folder)
	if errors.Is(err, fs.ErrPermission) {
		return Unseen(name, "whether it is the server's cannot be seen: "+err.Error())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Of(name, "", err, fix)
	}
	var paths []string
	for _, r := range known {
		paths = append(paths, r.Path)
		switch {
		case !slices.ContainsFunc(marks, func(mark []byte) bool { return r.UUID != "" && bytes.Contains(mark, []byte(r.UUID)) }):
		case r.Path == filepath.Clean(folder):
			return Well(name, "the server has the same folder at the same path")
		default:
			return wrong("the server has this folder at %s, and not at %s: links that lead to it would be broken there", r.Path, folder)
		}
	}
	all := strings.Join(paths, ", ")
	if len(marks) == 0 {
		return Noticed(name, fmt.Sprintf("%s lacks .omero/repository/*/repo_uuid, which the server writes: its repositories are at %s", folder, all), fix)
	}
	return wrong("%s is a repository of another server: this one has %s", folder, all)
}

// marksIn reads which repository a folder is.
func marksIn(folder string) (marks [][]byte, err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("opening the repository: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	const dir = ".omero/repository"
	databases, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the path
	}
	for _, d := range databases {
		f, _, err := importer.OpenRegular(root, path.Join(dir, d.Name(), "repo_uuid"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading which repository %s is: %w", folder, err)
		}
		mark, err := io.ReadAll(io.LimitReader(f, maxMark))
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("reading which repository %s is: %w", folder, err)
		}
		marks = append(marks, mark)
	}
	return marks, nil
}
