package omero

import (
	"context"
	"errors"
	"fmt"
	"slices"

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

// byOthers reports whether some of the objects belong to another order.
func (a annotations) byOthers(objects []model.Object, order string) bool {
	return slices.ContainsFunc(objects, func(o model.Object) bool {
		return slices.ContainsFunc(a[o], func(has cli.Annotated) bool { return has.Order != "" && has.Order != order })
	})
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
				fills = append(fills, cli.Fill{Annotation: mine[0].Annotation, Pairs: pairs})
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
	if err == nil || ctx.Err() != nil || errors.Is(err, model.ErrSessionGone) {
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
	name := r.req.Files[m.file].Name
	if name == "" {
		return nil
	}
	for n, o := range m.objects {
		numbered := name
		if len(m.objects) > 1 {
			numbered = fmt.Sprintf("%s [%d]", name, n)
		}
		names = append(names, model.Naming{Object: o, Name: numbered})
	}
	return names
}

// maxKey is how long OMERO lets a key be, in characters.
const maxKey = 255

// pairs are what is attached to what comes of a file. Neither way of asking OMERO takes the
// same key twice, so values of one are joined.
func (r *batch) pairs(file int) (pairs []importer.Pair, err error) {
	all, err := r.req.Describe(file)
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for _, p := range all {
		if runes := []rune(p.Key); len(runes) > maxKey {
			p.Key = string(runes[:maxKey])
		}
		if p.Key == "" {
			continue
		}
		if n, twice := at[p.Key]; twice {
			pairs[n].Value += "; " + p.Value
			continue
		}
		at[p.Key] = len(pairs)
		pairs = append(pairs, p)
	}
	return pairs, nil
}
