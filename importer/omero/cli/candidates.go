package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Candidates are the files in folders that OMERO would read, one for each fileset. Nothing is
// imported, and no session needed.
func (c *CLI) Candidates(ctx context.Context, dir string, folders []string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder for a session: %w", err)
	}
	args := []string{"-q", "import", "-f", "--output", "yaml", "--depth", strconv.Itoa(maxDepth), "-"}
	stdout, _, err := c.run(ctx, call{dir: dir, args: args, stdin: strings.Join(folders, "\n") + "\n", most: longTime})
	if f, ended := errors.AsType[*failure](err); ended && f.exit == 1 && !siteFault(f.errors) {
		return nil, nil // it found nothing that it knows
	}
	if err != nil {
		return nil, classed("looking into folders", err)
	}
	return decodeCandidates(stdout, folders)
}

// decodeCandidates reads the line `- group: PATH` of each candidate. Names in folders are
// anybody's: what is no path below one of the folders is refused.
func decodeCandidates(stdout string, folders []string) (paths []string, err error) {
	for line := range strings.Lines(stdout) {
		path, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "- group: ")
		if !ok {
			continue
		}
		var text string
		if quoted := strings.HasPrefix(path, `"`) || strings.HasPrefix(path, "'"); quoted && yaml.Unmarshal([]byte(path), &text) == nil {
			path = text
		}
		path = filepath.Clean(path)
		below := false
		for _, folder := range folders {
			below = below || strings.HasPrefix(path, folder+"/")
		}
		if !below {
			return nil, fmt.Errorf("looking into folders: OMERO names %q, which is in none of them", path)
		}
		paths = append(paths, path)
	}
	return paths, nil
}
