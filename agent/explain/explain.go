package explain

import (
	"cmp"
	"context"
	"fmt"

	"biomero-importer/agent/intake"
	"biomero-importer/agent/order"
	"biomero-importer/importer"
	"biomero-importer/preprocess"
	"biomero-importer/watcher"
)

// Path explains an absolute path.
func (e *Explainer) Path(ctx context.Context, path string) (*Explanation, error) {
	s, err := e.Watch.Explain(ctx, path)
	if err != nil {
		return nil, err
	}
	if s.Standing == watcher.IsPart && s.Unit != s.Path {
		return e.part(ctx, &s)
	}
	x := e.start(&s)
	if s.Standing != watcher.IsSettling && s.Standing != watcher.IsSettled {
		return x, nil
	}
	known, err := e.Intake.Records(ctx, []string{s.Path})
	if err != nil {
		return nil, err
	}
	x.Size = s.Drop.Size
	prev := known[s.Path]
	if s.Drop.Control {
		out := e.Intake.ForeseeManifest(ctx, s.Drop, prev)
		x.decide(&s, &out)
		return x, e.named(ctx, x, out.Named)
	}
	if err := e.claim(ctx, &s); err != nil {
		return nil, err
	}
	list, err := e.Intake.Foresee(ctx, []watcher.Drop{s.Drop}, known, true)
	if err != nil {
		return nil, err
	}
	x.decide(&s, &list[0])
	x.Import = e.importable(s.Path, list[0].Order)
	if x.State == Ready && !x.Import.OK {
		x.Reason = "it is taken, but its import will fail"
	}
	return x, nil
}

// part explains a part by what it is part of.
func (e *Explainer) part(ctx context.Context, s *watcher.Sight) (*Explanation, error) {
	whole, err := e.Path(ctx, s.Unit)
	if err != nil {
		return nil, err
	}
	x := *whole
	x.Path, x.Unit, x.Kind, x.State = s.Path, s.Unit, s.Kind, Part
	x.Reason = fmt.Sprintf("part of the drop %s, which is %s", s.Unit, whole.State)
	if whole.Reason != "" {
		x.Reason += " (" + whole.Reason + ")"
	}
	return &x, nil
}

// start says what the watcher alone can say.
func (e *Explainer) start(s *watcher.Sight) *Explanation {
	x := &Explanation{
		Path: s.Path, Kind: s.Kind, Unit: s.Unit, Filesystem: s.Filesystem, Events: s.Events, Rule: s.Rule + 1, Captures: s.Captures,
		Rules: []Rule{}, Files: []Named{},
	}
	if x.Captures == nil {
		x.Captures = map[string]string{}
	}
	if !s.Changed.IsZero() {
		x.Changed = &s.Changed
	}
	x.State, x.Reason, x.LeftSeconds = sighted(s)
	x.Kind = kind(s)
	for _, r := range e.Watch.Reaches(s.Path, s.Standing == watcher.IsFolder) {
		x.Rules = append(x.Rules, Rule{Number: r.Rule + 1, Path: r.Path, Matches: r.Matches, Reason: r.Why})
	}
	return x
}

func kind(s *watcher.Sight) string {
	switch {
	case s.Drop.Control:
		return "manifest"
	case s.Kind == "" && s.Drop.Path != "":
		return "file"
	default:
		return s.Kind
	}
}

// decide adds what the intake says.
func (x *Explanation) decide(s *watcher.Sight, out *intake.Outlook) {
	x.State, x.Reason = fate(s, out)
	if x.State != Settling {
		x.LeftSeconds = 0
	}
	x.DuplicateOf = out.DuplicateOf
	if r := &out.Record; r.Version > 0 {
		x.Record = &Record{State: string(r.State), Reason: r.Reason, Order: r.UUID, Holder: r.Holder, Changed: r.Changed, FirstSeen: r.FirstSeen}
		x.DuplicateOf = cmp.Or(x.DuplicateOf, r.DuplicateOf)
	}
	if o := &out.Order; o.User != "" || o.Group != "" {
		x.Order = &Order{
			Group: o.Group, User: o.User, Type: string(o.Destination.Type), ID: o.Destination.ID, Name: o.Destination.Name,
			Project: o.Destination.Project, Priority: o.Priority, Description: o.Description,
		}
		if o.Converter != nil {
			x.Order.Converter = o.Converter.Container
		}
	}
}

// importable asks the share, and for the converter.
func (e *Explainer) importable(path string, o order.Order) *Import {
	_, _, err := e.Share.Check(path)
	if err == nil && o.Converter != nil {
		var image string
		if image, err = preprocess.ImageName(o.Converter.Container); err == nil {
			err = e.Images.Check(image)
		}
	}
	if err == nil && o.Converter == nil && o.Destination.Type != "" && importer.IsZarr(path) {
		_, err = e.Share.Zarr(path, importer.ContainerType(o.Destination.Type))
	}
	if err != nil {
		return &Import{Reason: err.Error()}
	}
	return &Import{OK: true}
}
