package omero

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// SelfTest imports an image as an order would, makes sure that it is there as it should be,
// and removes it. It tells of each step that held.
func (b *Backend) SelfTest(ctx context.Context, o importer.Order, image string, say func(step string)) (err error) {
	mark, err := b.Prepare(ctx, o)
	if err != nil {
		return err
	}
	defer b.Done(context.WithoutCancel(ctx), o.UUID)
	o.Mark = mark
	say(fmt.Sprintf("%s of %s may import into the %s %d", o.User, o.Group, o.Type, o.Container))
	results, err := b.Import(ctx, importer.Request{
		Order: o, Files: []importer.File{{Path: image, Name: "Self-test of biomero-importer"}}, Parent: filepath.Dir(image), Log: b.log,
		Describe: func(int) ([]importer.Pair, error) {
			return []importer.Pair{{Key: "UUID", Value: o.UUID}, {Key: "Filepath", Value: image}, {Key: "Purpose", Value: "self-test"}}, nil
		},
	})
	if err != nil {
		return err
	}
	made := results[0]
	if len(made.Filesets) > 0 {
		defer func() { err = errors.Join(err, b.remove(context.WithoutCancel(ctx), o, made.Filesets, say)) }()
	}
	if made.Err != nil {
		return made.Err
	}
	if len(made.Images) != 1 {
		return &importer.Error{Reason: fmt.Sprintf("OMERO made %d images of one.", len(made.Images))}
	}
	say(fmt.Sprintf("OMERO made the image %d of the fileset %d, named and annotated", made.Images[0], made.Filesets[0]))
	return b.inspect(ctx, o, image, made, say)
}

// inspect looks at what an import has made.
func (b *Backend) inspect(ctx context.Context, o importer.Order, image string, made importer.Result, say func(step string)) error {
	h := b.hold(o.UUID, o)
	if err := h.lock(ctx); err != nil {
		return err
	}
	defer h.unlock()
	return b.outward(h.withSession(ctx, func() error {
		found, err := h.earlier(ctx)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(found, func(f *fileset) bool { return f.id == made.Filesets[0] })
		if at < 0 {
			return &importer.Error{Reason: fmt.Sprintf("OMERO does not find the fileset %d again by its container, its user and its age.", made.Filesets[0])}
		}
		has, err := h.annotations(ctx, found[at].objects)
		if err != nil {
			return err
		}
		if o := (model.Object{Type: model.Image, ID: made.Images[0]}); len(has[o]) != 1 || has[o][0].Order != h.order.UUID {
			return &importer.Error{Reason: fmt.Sprintf("The image %d has not one annotation with the order's UUID.", o.ID)}
		}
		say("OMERO finds it again by its path, and by the order's UUID")
		links := b.links(found[at].prefix)
		if err := leadsTo(links, image); err != nil {
			return &importer.Error{
				Reason: fmt.Sprintf("There is no link to %s in %s: is omero.managed_repository the server's managed repository?", image, links), Err: err,
			}
		}
		say("its link is in " + links)
		return nil
	}))
}

// errNoLink says that no link leads where it should.
var errNoLink = errors.New("no link leads to the image")

// leadsTo makes sure that a link in a folder leads to a file.
func leadsTo(dir, file string) error {
	found := errNoLink
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeSymlink != 0 {
			if target, err := os.Readlink(path); err == nil && target == file {
				found = nil
			}
		}
		return err
	})
	return errors.Join(err, found)
}

// remove deletes filesets.
func (b *Backend) remove(ctx context.Context, o importer.Order, filesets []int64, say func(step string)) error {
	h := b.hold(o.UUID, o)
	if err := h.lock(ctx); err != nil {
		return err
	}
	defer h.unlock()
	err := h.withSession(ctx, func() error { return h.cli.Delete(ctx, filesets) })
	if err == nil {
		say("it is removed again")
	}
	return b.outward(err)
}
