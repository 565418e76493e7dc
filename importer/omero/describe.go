package omero

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/cli"
	"biomero-importer/importer/omero/model"
)

// annotations are those that objects have in the backend's namespace.
type annotations map[model.Object][]cli.Annotated

func (h *hold) annotations(ctx context.Context, objects []model.Object) (annotations, error) {
	ids := map[model.ObjectType][]int64{}
	for _, o := range objects {
		ids[o.Type] = append(ids[o.Type], o.ID)
	}
	found := annotations{}
	for _, typ := range []model.ObjectType{model.Image, model.Plate} {
		more, err := h.cli.Annotations(ctx, h.backend.config.Namespace, typ, ids[typ])
		if err != nil {
			return nil, err
		}
		for _, a := range more {
			found[a.Object] = append(found[a.Object], a)
		}
	}
	return found, nil
}

// byOthers reports whether some of the objects belong to another order, and none to this.
func (a annotations) byOthers(objects []model.Object, order string) bool {
	others := false
	for _, o := range objects {
		for _, has := range a[o] {
			if has.Order == order {
				return false
			}
			others = others || has.Order != ""
		}
	}
	return others
}

// describeAll annotates and names what the batch has made, and what an earlier run had made
// and did not get to. What fails there is told of the files; an error says nothing of these.
func (r *batch) describeAll(ctx context.Context) error {
	var adopted []model.Object
	for i := range r.made {
		if r.made[i].adopted {
			adopted = append(adopted, r.made[i].objects...)
		}
	}
	has, err := r.annotations(ctx, adopted)
	if err != nil {
		return err
	}
	var fresh []model.Annotation
	var fills []cli.Fill
	var names []model.Naming
	for i := range r.made {
		m := &r.made[i]
		pairs, err := r.pairs(m.file)
		if err != nil {
			return err
		}
		bare := model.Annotation{Namespace: r.backend.config.Namespace, Order: r.order.UUID, Pairs: pairs}
		for _, o := range m.objects {
			switch mine := has[o]; {
			case slices.ContainsFunc(mine, func(a cli.Annotated) bool { return a.Order == r.order.UUID }):
			case len(mine) > 0:
				if id := mine[0].Annotation; !slices.ContainsFunc(fills, func(f cli.Fill) bool { return f.Annotation == id }) {
					fills = append(fills, cli.Fill{Annotation: id, Pairs: pairs})
				}
			default:
				bare.Objects = append(bare.Objects, o)
			}
		}
		if len(bare.Objects) > 0 {
			fresh = append(fresh, bare)
		}
		names = append(names, r.names(m)...)
	}
	err = r.cli.Fill(ctx, fills)
	if err == nil {
		err = r.annotate(ctx, fresh, len(adopted) > 0)
	}
	if err == nil {
		err = r.try(ctx, "naming images", func() error { return r.web.Rename(ctx, names) }, func() error { return r.cli.Rename(ctx, names) })
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, model.ErrSessionGone) || errors.Is(err, model.ErrUnavailable) {
		if err != nil {
			r.adoptAll()
		}
		return err
	}
	for i := range r.results {
		if result := &r.results[i]; result.Err == nil {
			result.Err = fmt.Errorf("the file is imported, and what is known of it could not be attached: %w", err)
		}
	}
	r.resumed, r.found = true, nil
	return nil
}

// cutShort reports whether a batch ended in such a way that nobody may come back for it. One
// that was merely stopped is gone on with, maybe by another process already.
func cutShort(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return cause != nil && !errors.Is(cause, context.Canceled)
}

// describeTime bounds what is done with images after their order was cut short.
const describeTime = 2 * time.Minute

// describeLastly annotates what was made before a batch was cut short.
func (r *batch) describeLastly(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), describeTime)
	defer cancel()
	r.found = nil
	err := r.withSession(ctx, func() error {
		if err := r.adopt(ctx); err != nil {
			return err
		}
		return r.describeAll(ctx)
	})
	if err != nil {
		r.req.Log.WarnContext(ctx, "what was imported is not described", slog.Any("error", err))
	}
}

// adoptAll has what was made looked at anew: nobody knows how far its annotations came.
func (r *batch) adoptAll() {
	for i := range r.made {
		r.made[i].adopted = true
	}
}

// annotate makes annotations. Where something was begun before, what there is of them is
// found and used.
func (r *batch) annotate(ctx context.Context, fresh []model.Annotation, begun bool) error {
	if len(fresh) == 0 {
		return nil
	}
	if begun {
		loose, err := r.cli.Loose(ctx, r.backend.config.Namespace, r.order.UUID)
		if err != nil {
			return err
		}
		n := min(len(loose), len(fresh))
		if err := r.cli.Annotate(ctx, fresh[:n], loose[:n]); err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	return r.try(ctx, "annotating", func() error { return r.web.Annotate(ctx, fresh) }, func() error {
		if r.web == nil {
			return r.cli.Annotate(ctx, fresh, nil)
		}
		left, err := r.bare(ctx, fresh) // OMERO.web may have made some
		if err != nil {
			return err
		}
		return r.cli.Annotate(ctx, left, nil)
	})
}

// bare is what is left of annotations without the objects that have one.
func (h *hold) bare(ctx context.Context, annotations []model.Annotation) (left []model.Annotation, err error) {
	var objects []model.Object
	for i := range annotations {
		objects = append(objects, annotations[i].Objects...)
	}
	has, err := h.annotations(ctx, objects)
	if err != nil {
		return nil, err
	}
	for _, a := range annotations {
		a.Objects = slices.DeleteFunc(slices.Clone(a.Objects), func(o model.Object) bool { return len(has[o]) > 0 })
		if len(a.Objects) > 0 {
			left = append(left, a)
		}
	}
	return left, nil
}

// names are those that the objects are to have, if they are not to keep theirs.
func (r *batch) names(m *made) (names []model.Naming) {
	name := clean(r.req.Files[m.file].Name)
	if name == "" {
		return nil
	}
	for n, o := range m.objects {
		numbered := cut(name, maxName)
		if suffix := fmt.Sprintf(" [%d]", n); len(m.objects) > 1 {
			numbered = cut(name, maxName-len(suffix)) + suffix
		}
		names = append(names, model.Naming{Object: o, Name: numbered})
	}
	return names
}

// Bounds of what OMERO and OMERO.web hold, in characters, and of what one annotation is to:
// the rest of a longer table is told of in the log.
const (
	maxKey   = 255
	maxName  = 250
	maxPairs = 10_000
)

// pairs are what is attached to what comes of a file. Neither way of asking OMERO takes the
// same key twice, so values of one are joined.
func (r *batch) pairs(file int) ([]importer.Pair, error) {
	all, err := r.req.Describe(file)
	if err != nil {
		return nil, err
	}
	var keys []string
	values := map[string][]string{}
	for _, p := range all {
		key := cut(clean(p.Key), maxKey)
		if _, twice := values[key]; key != "" && !twice {
			if len(keys) == maxPairs {
				r.req.Log.Warn("more metadata than an annotation holds", slog.String("path", r.req.Files[file].Path), slog.Int("keys", maxPairs))
				break
			}
			keys = append(keys, key)
		}
		values[key] = append(values[key], clean(p.Value))
	}
	pairs := make([]importer.Pair, len(keys))
	for i, key := range keys {
		pairs[i] = importer.Pair{Key: key, Value: strings.Join(values[key], "; ")}
	}
	return pairs, nil
}

// clean is a text without what OMERO cannot hold.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}
