package omero

import "context"

// Address is a user's mail address as OMERO has it; empty where there is none. Its errors are
// as Ping's.
func (b *Backend) Address(ctx context.Context, user string) (address string, err error) {
	err = b.ask(ctx, func(ctx context.Context, dir string) (err error) {
		address, err = b.cli.Mail(ctx, dir, user)
		return err
	})
	return address, b.outward(err)
}
