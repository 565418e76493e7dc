package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"biomero-importer/agent/order"
)

// unused are keys of the Python service that have no effect any more. A block
// named preprocessing is a slip: it belongs into a rule.
func unused(key string, value ast.Node) bool {
	switch key {
	case "group_list", "data_dir_name", "sample_image", "sample_parent_id", "sample_parent_type",
		"upload_orders_dir_name", "completed_orders_dir_name", "failed_uploads_directory_name":
		return true
	case "preprocessing":
		_, scalar := value.(ast.ScalarNode)
		return scalar
	}
	return strings.HasPrefix(key, "sample_pre_")
}

// decoder gives settings their values from the syntax tree. The standard one
// would name Go's types in its errors, round numbers off, and empty the
// defaults for a document without keys.
type decoder struct {
	src    *source
	unused []string
}

// decode gives v the value of a node.
func (d *decoder) decode(n ast.Node, v reflect.Value, path string) error {
	if _, null := n.(*ast.NullNode); null {
		switch v.Kind() { //nolint:exhaustive // the others are scalars
		case reflect.Struct, reflect.Map, reflect.Slice:
			return nil // a block whose lines are all comments
		case reflect.Pointer:
			if v.Type().Elem().Kind() == reflect.Struct {
				return nil
			}
		}
		return d.src.bad(path, "has no value: give one, or leave the key out")
	}
	switch v.Kind() { //nolint:exhaustive // the others are scalars
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.decode(n, v.Elem(), path)
	case reflect.Struct:
		return d.block(n, v, path)
	case reflect.Map:
		return d.mapping(n, v, path)
	case reflect.Slice:
		return d.list(n, v, path)
	case reflect.Interface:
		value, err := d.value(n, path)
		if err == nil {
			v.Set(reflect.ValueOf(value))
		}
		return err
	}
	return d.scalar(n, v, path)
}

// scalar takes texts as they were written: a user called 007 stays so.
func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) error {
	text, ok := scalarText(n)
	if !ok {
		return d.src.bad(path, "is %s: give a single value", kindOf(n))
	}
	to := v.Addr().Interface()
	switch to.(type) {
	case *whole, *priority, *port:
		if _, isNumber := n.(*ast.IntegerNode); !isNumber {
			return d.src.bad(path, "is %s: give %s", quote(text), set(to, ""))
		}
	case *string, *Secret:
		if _, isBool := n.(*ast.BoolNode); isBool {
			return d.src.bad(path, "is no text to YAML, which reads it as true or false: put it in quotes")
		}
	}
	if wanted := set(to, text); wanted != "" {
		return d.src.bad(path, "is %s: give %s", quote(text), wanted)
	}
	return nil
}

func (d *decoder) block(n ast.Node, v reflect.Value, path string) error {
	pairs, err := d.pairs(n, path)
	if err != nil {
		return err
	}
	fields := map[string]reflect.Value{}
	var known []string
	for f, value := range v.Fields() {
		if key := f.Tag.Get("yaml"); key != "" {
			fields[key] = value
			known = append(known, key)
		}
	}
	for _, p := range pairs {
		field, ok := fields[p.key]
		switch {
		case path == "" && unused(p.key, p.value):
			d.unused = append(d.unused, p.key)
			continue
		case !ok:
			return d.unknown(p, path, known)
		}
		if err := d.decode(p.value, field, join(path, p.key)); err != nil {
			return err
		}
	}
	return nil
}

// unknown is the error for a key that is none, with the key that was meant.
func (d *decoder) unknown(p pair, path string, known []string) error {
	where := ""
	if path != "" {
		where = " in " + title(path)
	}
	if near, ok := order.Nearest(p.key, known); ok {
		return d.src.fault(p.line, "unknown setting %s"+where+"; did you mean %q?", quote(p.key), near)
	}
	return d.src.fault(p.line, "unknown setting %s"+where+"; known here are %s", quote(p.key), strings.Join(known, ", "))
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, path string) error {
	pairs, err := d.pairs(n, path)
	if err != nil {
		return err
	}
	made := reflect.MakeMapWithSize(v.Type(), len(pairs))
	for _, p := range pairs {
		value := reflect.New(v.Type().Elem()).Elem()
		if err := d.decode(p.value, value, join(path, p.key)); err != nil {
			return err
		}
		made.SetMapIndex(reflect.ValueOf(p.key), value)
	}
	v.Set(made)
	return nil
}

func (d *decoder) list(n ast.Node, v reflect.Value, path string) error {
	items, ok := n.(*ast.SequenceNode)
	if !ok {
		return d.src.bad(path, "is %s: give a list", kindOf(n))
	}
	made := reflect.MakeSlice(v.Type(), len(items.Values), len(items.Values))
	for i, item := range items.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.src.lines[at] = lineOf(firstOf(item))
		if _, null := item.(*ast.NullNode); null {
			return d.src.bad(at, "is empty")
		}
		if err := d.decode(item, made.Index(i), at); err != nil {
			return err
		}
	}
	v.Set(made)
	return nil
}

// jsonNumber is what JSON, which converters' parameters become, calls a number.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// value is a parameter of a converter, with its numbers as they were written.
func (d *decoder) value(n ast.Node, path string) (any, error) {
	switch n := n.(type) {
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.SequenceNode:
		var items []any
		err := d.list(n, reflect.ValueOf(&items).Elem(), path)
		return items, err
	case *ast.MappingNode, *ast.MappingValueNode:
		var object map[string]any
		err := d.mapping(n, reflect.ValueOf(&object).Elem(), path)
		return object, err
	}
	text, ok := scalarText(n)
	if !ok {
		return nil, d.src.bad(path, "is a part of YAML that is not supported here")
	}
	plain := []token.Type{token.IntegerType, token.FloatType, token.StringType}
	if slices.Contains(plain, n.GetToken().Type) && jsonNumber.MatchString(text) {
		return json.Number(text), nil
	}
	return text, nil
}
