package omero

import (
	"context"
	"fmt"
	"os"
)

// Address is a user's mail address as OMERO has it; empty where there is none.
func (b *Backend) Address(ctx context.Context, user string) (string, error) {
	dir, err := os.MkdirTemp(b.folder.path, "mail-")
	if err != nil {
		return "", fmt.Errorf("making a folder for a session: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	address, err := b.cli.Mail(ctx, dir, user)
	return address, b.outward(err)
}
