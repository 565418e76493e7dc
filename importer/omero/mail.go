package omero

import "context"

// Address is a user's mail address as OMERO has it; empty where there is none. The error
// is importer.ErrUnavailable where the server does not answer, or refuses the importer's own
// account.
func (b *Backend) Address(ctx context.Context, user string) (address string, err error) {
	err = b.ask(ctx, func(ctx context.Context, dir string) (err error) {
		address, err = b.cli.Mail(ctx, dir, user)
		return err
	})
	return address, b.outward(err)
}
