package cli

import (
	"context"
	"errors"
)

// Mail is a user's mail address as OMERO has it, asked for by the importer's own account in a
// folder of its own; empty where there is none, or no such user.
func (c *CLI) Mail(ctx context.Context, dir, user string) (address string, err error) {
	s, err := c.open(ctx, dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Logout(ctx, dir)) }()
	rows, err := s.query(ctx, "looking for the user's mail address", "select e.email from Experimenter e where e.omeName="+literal(user), 1)
	if err != nil || len(rows) == 0 || rows[0][0] == null {
		return "", err
	}
	return rows[0][0], nil
}
