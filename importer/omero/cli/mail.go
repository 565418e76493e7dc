package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
)

// Mail is a user's mail address as OMERO has it, asked for by the importer's own account in a
// folder of its own; empty where there is none, or no such user.
func (c *CLI) Mail(ctx context.Context, dir, user string) (address string, err error) {
	if err := ownRefused(c.login(ctx, dir, "-u", c.config.User)); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Logout(context.WithoutCancel(ctx), dir)) }()
	key, err := storedKey(filepath.Join(dir, url.PathEscape(c.config.Host)))
	if err != nil {
		return "", fmt.Errorf("looking for the importer's own session: %w", err)
	}
	s := &Session{cli: c, dir: dir, key: key}
	rows, err := s.query(ctx, "looking for the user's mail address", "select e.email from Experimenter e where e.omeName="+literal(user), 1)
	if err != nil || len(rows) == 0 || rows[0][0] == null {
		return "", err
	}
	return rows[0][0], nil
}
