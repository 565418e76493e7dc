package omero

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/cli"
	"biomero-importer/importer/omero/model"
	"biomero-importer/importer/omero/web"
)

// hold is a session of an order's user, opened when it is needed.
type hold struct {
	backend *Backend
	order   importer.Order
	dir     string // for what the command line keeps

	busy chan struct{} // full while somebody uses it

	cli *cli.Session // nil while there is no session
	web *web.Session // the same session; nil without OMERO.web
	cut bool         // a command was cut off that may have opened one

	// resumed is set where something may have been imported that nobody knows of; found is
	// what that is, once it was asked for.
	resumed bool
	found   *[]*fileset
	// unfinished are the client paths of files that the server may have been at when found was
	// asked for.
	unfinished []string
	// given are the filesets, and registered the images without one, that files have got here.
	given, registered map[int64]bool
	shared            map[string]*fileset // those of several files, by their paths
}

// take has the hold be of an order as it is now: its client may have changed whose it is.
func (h *hold) take(ctx context.Context, o importer.Order) {
	if h.order.User != o.User || h.order.Group != o.Group {
		h.close(ctx)
	}
	h.order = o
}

// lock waits until nobody else uses the hold.
func (h *hold) lock(ctx context.Context) error {
	select {
	case h.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *hold) unlock() { <-h.busy }

// folderName is a name of a folder for something that parts identify, whatever clients put
// into these.
func folderName(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// withSession does something that needs a session, with another one if the first turns out
// to have ended.
func (h *hold) withSession(ctx context.Context, do func() error) error {
	for renewed := false; ; renewed = true {
		if h.cli == nil {
			if err := h.open(ctx); err != nil {
				return err
			}
		}
		err := do()
		if !errors.Is(err, model.ErrSessionGone) || renewed {
			return err
		}
		h.backend.log.WarnContext(ctx, "the OMERO session has ended; another is opened", slog.String("order", h.order.UUID), slog.Any("error", err))
		h.close(ctx)
	}
}

// open opens a session over OMERO.web, or by the command line where that does not do.
func (h *hold) open(ctx context.Context) error {
	b, o := h.backend, &h.order
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return fmt.Errorf("making a folder for a session: %w", err)
	}
	if b.web != nil {
		s, err := b.web.Login(ctx, o.User, o.Group)
		if err == nil && s.KeyGroup() != o.Group {
			h.web = s
			h.close(ctx)
			err = fmt.Errorf("OMERO.web opens it in the user's default group %q", s.KeyGroup())
		} else if err == nil {
			h.web, h.cli = s, b.cli.Join(h.dir, s.Key(), o.User)
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		b.log.DebugContext(ctx, "no session over OMERO.web", slog.String("order", o.UUID), slog.Any("error", err))
	}
	s, err := b.cli.Login(ctx, h.dir, o.User, o.Group)
	if _, refused := errors.AsType[*model.LoginError](err); refused {
		return h.whyRefused(ctx, err)
	}
	if err != nil {
		h.cut = true
		return err
	}
	h.cli = s
	return nil
}

// whyRefused finds out why there is no session for the user.
func (h *hold) whyRefused(ctx context.Context, refusal error) error {
	o := &h.order
	groups, known, err := h.backend.cli.Groups(ctx, h.dir, o.User)
	if err != nil {
		h.cut = true
		return err
	}
	h.backend.leave(ctx, h.dir)
	if !known {
		return &importer.Error{Reason: fmt.Sprintf("There is no user %q in OMERO.", o.User), Err: refusal}
	}
	if !slices.Contains(groups, o.Group) {
		return &importer.Error{Reason: fmt.Sprintf("The user %q is not in the group %q in OMERO.", o.User, o.Group), Err: refusal}
	}
	if refused, ok := errors.AsType[*model.LoginError](refusal); ok && refused.Vague {
		return fmt.Errorf("opening a session for a user who is in the group: %w", refusal)
	}
	return &importer.Error{
		Reason: fmt.Sprintf("The importer's account in OMERO may not act for the user %q: an administrator has to give it the privilege Sudo.", o.User), Err: refusal,
	}
}

// close ends the session. What cannot be ended now ends by itself when it is idle.
func (h *hold) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	var err error
	switch {
	case h.web != nil:
		err = h.web.Close(ctx)
	case h.cli != nil:
		err = h.cli.Close(ctx)
	}
	if h.cut {
		h.backend.leave(ctx, h.dir)
	}
	if err != nil {
		h.backend.log.WarnContext(ctx, "an OMERO session stays until it is idle", slog.String("order", h.order.UUID), slog.Any("error", err))
	}
	h.cli, h.web, h.cut = nil, nil, false
}

// try does something over OMERO.web, or by the command line where that does not do. What
// OMERO refuses is refused.
func (h *hold) try(ctx context.Context, what string, overWeb, byCLI func() error) error {
	if h.web == nil {
		return byCLI()
	}
	err := overWeb()
	_, refused := errors.AsType[*importer.Error](err)
	if err == nil || refused || ctx.Err() != nil || errors.Is(err, model.ErrSessionGone) || errors.Is(err, model.ErrNotFound) {
		return err
	}
	h.backend.log.WarnContext(ctx, "OMERO.web does not do; the command line is asked", slog.String("step", what), slog.Any("error", err))
	return byCLI()
}

// check makes sure that the user may put something into the order's container.
func (h *hold) check(ctx context.Context) (mark string, err error) {
	o := &h.order
	var c model.Container
	var highest cli.Mark
	err = h.try(ctx, "looking for the container", func() error {
		if c, err = h.web.Container(ctx, o.Type, o.Container); err == nil {
			highest, err = h.cli.Mark(ctx)
		}
		return err
	}, func() error {
		c, highest, err = h.cli.Container(ctx, o.Type, o.Container)
		return err
	})
	switch {
	case errors.Is(err, model.ErrNotFound), err == nil && c.Group != o.Group:
		return "", &importer.Error{Reason: fmt.Sprintf("There is no %s %d in the group %q in OMERO that %q can see.", o.Type, o.Container, o.Group, o.User), Err: err}
	case err != nil:
		return "", err
	case !c.CanLink:
		return "", &importer.Error{Reason: fmt.Sprintf(
			"The %s %d (%q) in OMERO belongs to %q, and in the group %q members may not add to what others own.", o.Type, o.Container, c.Name, c.Owner, o.Group)}
	}
	return fmt.Sprintf("%d,%d", highest.Fileset, highest.Image), nil
}

// mark is what there was before the order made anything.
func (h *hold) mark() (m cli.Mark, err error) {
	if _, err := fmt.Sscanf(h.order.Mark, "%d,%d", &m.Fileset, &m.Image); err != nil {
		return m, fmt.Errorf("the order's mark %q cannot be understood: %w", h.order.Mark, err)
	}
	return m, nil
}
