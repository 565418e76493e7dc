package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"biomero-importer/importer"
)

// importedImage is a line for each image; those of a folder of several are said to be created.
var importedImage = regexp.MustCompile(`(?m)^(?:Imported Image:|Created Image) (\d+)\s*$`)

// Register registers an OME-Zarr image where it is, and returns the images that OMERO made.
// The command ends well also where it did nothing: what it printed tells.
func (s *Session) Register(ctx context.Context, path, name string, typ importer.ContainerType, container int64) ([]int64, error) {
	// This plugin's subcommand knows no login arguments: they come before.
	args := append([]string{"-q"}, s.cli.server()...)
	args = append(args, "-k", s.key, "zarr", "import", path, "--name="+name, "--target", fmt.Sprintf("%s:%d", typ, container))
	stdout, stderr, err := s.cli.run(ctx, call{dir: s.dir, args: args, most: longTime})
	if f, ended := errors.AsType[*failure](err); ended {
		f.errors = nameless(f.errors, []string{path})
	}
	if err != nil {
		return nil, classed("registering an OME-Zarr", err)
	}
	var images []int64
	for _, found := range importedImage.FindAllStringSubmatch(stdout, -1) {
		id, err := strconv.ParseInt(found[1], 10, 64)
		if err != nil {
			return images, fmt.Errorf("registering an OME-Zarr: OMERO's number of an image: %w", err)
		}
		images = append(images, id)
	}
	said := lastLine(stdout + "\n" + stderr)
	switch {
	case strings.Contains(stdout, "Target not found"):
		return images, &importer.Error{Reason: fmt.Sprintf("OMERO did not find the %s %d when it registered %q.", typ, container, path), Err: errors.New(said)}
	case len(images) == 0:
		return nil, &importer.Error{Reason: fmt.Sprintf("OMERO registered nothing of %q: %s.", path, said), Err: errors.New(said)}
	default:
		return images, nil
	}
}
