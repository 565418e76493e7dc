package omero

import (
	"context"

	"biomero-importer/importer/omero/model"
)

// Repositories are the folders in which the server has repositories. Its errors
// are as Address's.
func (b *Backend) Repositories(ctx context.Context) (found []model.Repository, err error) {
	err = b.ask(ctx, func(ctx context.Context, dir string) (err error) {
		found, err = b.cli.Repositories(ctx, dir)
		return err
	})
	return found, b.outward(err)
}
