package config

import (
	"slices"
	"strconv"
	"strings"

	"biomero-importer/agent/order"
)

// OrderTemplate is an order's head with {captures} of its rule's path.
type OrderTemplate struct {
	Group, User, Description string
	Type                     order.DestinationType
	ID, Name, Project        string
	Priority                 int
}

func (t *template) template(src *source, at string, names []string) (*OrderTemplate, error) {
	d := t.Destination
	to := at + ".destination"
	for _, field := range []struct{ path, text string }{
		{at + ".group", t.Group},
		{at + ".user", t.User},
		{at + ".description", t.Description},
		{to + ".id", d.ID},
		{to + ".name", d.Name},
		{to + ".project", d.Project},
	} {
		if err := knownCaptures(src, field.path, field.text, names); err != nil {
			return nil, err
		}
	}
	for _, field := range []struct{ key, text string }{{"group", t.Group}, {"user", t.User}} {
		if field.text == "" {
			return nil, src.bad(at, "has no %s: it has to give group and user", field.key)
		}
		if err := order.CheckName(field.key, field.text); err != nil {
			return nil, src.bad(at+"."+field.key, "is %s, which cannot be a name", quote(field.text))
		}
	}
	made := &OrderTemplate{
		Group: t.Group, User: t.User, Description: t.Description,
		Type: order.DestinationType(d.Type), ID: d.ID, Name: d.Name, Project: d.Project, Priority: int(t.Priority),
	}
	switch {
	case made.Type != order.Dataset && made.Type != order.Screen:
		return nil, src.bad(to+".type", "is %s: allowed are Dataset and Screen", quote(d.Type))
	case (d.ID == "") == (d.Name == ""):
		return nil, src.bad(to, "has to give either id or name")
	case d.ID != "" && !capture.MatchString(d.ID) && positive(d.ID) == 0:
		return nil, src.bad(to+".id", "is %s: give a positive whole number", quote(d.ID))
	case d.Project != "" && (made.Type != order.Dataset || d.Name == ""):
		return nil, src.bad(to+".project", "is only for a Dataset given by name")
	}
	return made, nil
}

// knownCaptures refuses a template that the rule's path cannot fill.
func knownCaptures(src *source, path, text string, names []string) error {
	for _, m := range capture.FindAllStringSubmatch(text, -1) {
		switch {
		case slices.Contains(names, m[1]):
		case len(names) == 0:
			return src.bad(path, "uses {%s}, but the rule's path captures nothing", m[1])
		default:
			return src.bad(path, "uses {%s}: the rule's path captures {%s}", m[1], strings.Join(names, "}, {"))
		}
	}
	if unpaired(text) {
		return src.bad(path, "is %s, which has an unpaired brace", quote(text))
	}
	return nil
}

// positive is the number that a text says, or 0.
func positive(text string) int64 {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0
	}
	return int64(n)
}

// Expand puts the captured parts of a path into the template. What does not
// fit is an Invalid error.
func (t *OrderTemplate) Expand(captured map[string]string) (order.Order, error) {
	fill := func(text string) string {
		return capture.ReplaceAllStringFunc(text, func(m string) string { return captured[m[1:len(m)-1]] })
	}
	o := order.Order{
		Group: fill(t.Group), User: fill(t.User), Description: fill(t.Description), Priority: t.Priority,
		Destination: order.Destination{Type: t.Type, ID: positive(fill(t.ID)), Name: fill(t.Name), Project: fill(t.Project)},
	}
	if err := order.CheckName("group", o.Group); err != nil {
		return order.Order{}, err
	}
	if err := order.CheckName("user", o.User); err != nil {
		return order.Order{}, err
	}
	d := o.Destination
	if t.ID != "" && d.ID == 0 {
		return order.Order{}, order.Errorf(order.Invalid, "The folder gives %s as the id of the %s, which is no positive whole number.", quote(fill(t.ID)), t.Type)
	}
	if t.Name != "" {
		if err := order.CheckTitle("name of the "+string(t.Type), d.Name); err != nil {
			return order.Order{}, err
		}
	}
	if t.Project != "" {
		if err := order.CheckTitle("name of the project", d.Project); err != nil {
			return order.Order{}, err
		}
	}
	return o, nil
}
