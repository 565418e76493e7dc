package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// models are the classes that obj knows, with their fields; a field that has to be
// there is true.
var models = map[string]map[string]bool{
	server.Project: {"name": true, "description": false},
	server.Dataset: {"name": true, "description": false},
	server.Screen:  {"name": true, "description": false},
	"Image":        {"name": true, "description": false},
	"Plate":        {"name": true, "description": false},

	"MapAnnotation": {"ns": false, "description": false},

	server.ProjectDatasetLink:  {"parent": true, "child": true},
	server.DatasetImageLink:    {"parent": true, "child": true},
	server.ScreenPlateLink:     {"parent": true, "child": true},
	server.ImageAnnotationLink: {"parent": true, "child": true},
	server.PlateAnnotationLink: {"parent": true, "child": true},
}

// assigned is field=value, or field@=variable.
var assigned = regexp.MustCompile(`(?s)^([a-zA-Z][a-zA-Z0-9]*)(@)?=(.*)`)

var (
	digits   = regexp.MustCompile(`^\d+$`)
	variable = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]*$`)
)

// fields reads the assignments of a line. Whatever is wrong with them ends the
// process with a traceback.
func (c command) fields(state *objState) (map[string]string, []string, error) {
	fields, order := map[string]string{}, []string{}
	for _, arg := range c.args[2:] {
		m := assigned.FindStringSubmatch(arg)
		if m == nil {
			return nil, nil, &uncaught{"Exception: Unparseable argument: " + arg}
		}
		name, value := m[1], m[3]
		if m[2] == "@" {
			v, err := state.lookup(value)
			if err != nil {
				return nil, nil, err
			}
			value = v
		}
		fields[name] = value
		order = append(order, name)
	}
	return fields, order, nil
}

func (s *objState) lookup(name string) (string, error) {
	if digits.MatchString(name) {
		row, err := strconv.Atoi(name)
		if err != nil || row >= len(s.rows) {
			return "", &uncaught{"IndexError: list index out of range"}
		}
		return s.rows[row], nil
	}
	if !variable.MatchString(name) {
		return "", &uncaught{"Exception: Invalid reference: " + name}
	}
	value, ok := s.vars[name]
	if !ok {
		return "", &uncaught{"KeyError: '" + name + "'"}
	}
	return value, nil
}

// known checks that a class has the fields.
func known(kind string, order []string) error {
	for _, name := range order {
		if _, ok := models[kind][name]; !ok {
			setter := "set" + strings.ToUpper(name[:1]) + name[1:]
			return &uncaught{fmt.Sprintf("AttributeError: 'omero.model.%sI' object has no attribute '%s'", kind, setter)}
		}
	}
	return nil
}

func (a *app) objNew(c command, state *objState) (string, error) {
	kind, _ := c.object()
	fields, order, err := c.fields(state)
	if err != nil {
		return "", err
	}
	if err := known(kind, order); err != nil {
		return "", err
	}
	var missing []string
	for _, name := range []string{"child", "parent", "name"} {
		if _, given := fields[name]; models[kind][name] && !given {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return "", a.die(103, "required arguments: %s", strings.Join(missing, ", "))
	}
	var id int64
	save := a.maker(kind, fields)
	err = a.Store.Update(func(tx *server.Tx) (err error) {
		id, err = save(tx)
		return err
	})
	if err != nil {
		return "", a.failure(err, "create "+kind)
	}
	return fmt.Sprintf("%s:%d", kind, id), nil
}

// maker makes an object, within a change.
func (a *app) maker(kind string, fields map[string]string) func(*server.Tx) (int64, error) {
	actor := a.client.actor
	if parent, child, isLink := server.Ends(kind); isLink {
		return func(tx *server.Tx) (int64, error) {
			p, err := proxy(fields["parent"], parent)
			if err != nil {
				return 0, err
			}
			c, err := proxy(fields["child"], child)
			if err != nil {
				return 0, err
			}
			l, err := tx.NewLink(actor, server.Link{Type: kind, Parent: p, Child: c})
			return l.ID, err
		}
	}
	return func(tx *server.Tx) (int64, error) {
		switch kind {
		case "MapAnnotation":
			return tx.NewAnnotation(actor, server.Annotation{NS: fields["ns"], Description: fields["description"]}).ID, nil
		case server.Project, server.Dataset, server.Screen:
			return tx.NewContainer(actor, server.Container{Type: kind, Name: fields["name"], Description: fields["description"]}).ID, nil
		default:
			return 0, &uncaught{"NotImplementedError: the test double makes no " + kind}
		}
	}
}

// proxy reads the number of Class:ID, whose class has to be the one that is
// wanted.
func proxy(value, kind string) (int64, error) {
	is, number, _ := strings.Cut(value, ":")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, &uncaught{"omero.ClientError: Invalid proxy string: " + value}
	}
	if strings.TrimSuffix(is, "I") != kind {
		return 0, &uncaught{fmt.Sprintf("Ice.UnmarshalOutOfBoundsException: %s is no %s", value, kind)}
	}
	return id, nil
}

// found checks that a line names an object that there is.
func (a *app) found(c command) (kind string, id int64, err error) {
	kind, id = c.object()
	if id == 0 {
		return kind, 0, a.die(334, "No id given for %s. Use e.g. '%s:123'", kind, kind)
	}
	exists := false
	if err := a.Store.View(func(w *server.World) { exists = w.Exists(a.client.actor, kind, id) }); err != nil {
		return kind, id, err
	}
	if !exists {
		return kind, id, a.die(334, "No object found: %s:%d", kind, id)
	}
	return kind, id, nil
}

func (a *app) objUpdate(c command, state *objState) (string, error) {
	kind, id, err := a.found(c)
	if err != nil {
		return "", err
	}
	fields, order, err := c.fields(state)
	if err != nil {
		return "", err
	}
	if err := known(kind, order); err != nil {
		return "", err
	}
	given := func(name string) *string {
		if value, ok := fields[name]; ok {
			return &value
		}
		return nil
	}
	err = a.Store.Update(func(tx *server.Tx) error {
		if err := tx.Editable(a.client.actor, kind, id); err != nil {
			return err
		}
		if kind == "MapAnnotation" {
			tx.EditAnnotation(id, func(n *server.Annotation) {
				if ns := given("ns"); ns != nil {
					n.NS = *ns
				}
			})
		}
		tx.Edit(kind, id, given("name"), given("description"))
		return nil
	})
	if err != nil {
		return "", a.failure(err, fmt.Sprintf("update %s:%d", kind, id))
	}
	return fmt.Sprintf("%s:%d", kind, id), nil
}

func (a *app) objMapSet(c command) (string, error) {
	kind, id, err := a.found(c)
	if err != nil {
		return "", err
	}
	if n := len(c.args); n != 4 && n != 5 {
		return "", a.die(335, "usage: map-set OBJ FIELD KEY [VALUE]")
	}
	if kind != "MapAnnotation" || c.args[2] != "mapValue" {
		return "", &uncaught{fmt.Sprintf("AttributeError: object has no attribute '%s'", c.args[2])}
	}
	err = a.Store.Update(func(tx *server.Tx) error {
		if err := tx.Editable(a.client.actor, kind, id); err != nil {
			return err
		}
		tx.EditAnnotation(id, func(n *server.Annotation) {
			if len(c.args) == 4 {
				server.MapUnset(n, c.args[3])
			} else {
				server.MapSet(n, c.args[3], c.args[4])
			}
		})
		return nil
	})
	if err != nil {
		return "", a.failure(err, fmt.Sprintf("update %s:%d", kind, id))
	}
	return fmt.Sprintf("%s:%d", kind, id), nil
}
