package config

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a block of keys"
	case *ast.NullNode:
		return "empty"
	}
	return "a single value"
}

// quote shows a value in a sentence, cut to a length that people read.
func quote(text string) string {
	const most = 60
	if len(text) > most {
		return strconv.Quote(strings.ToValidUTF8(text[:most], "")) + "…"
	}
	return strconv.Quote(text)
}

// pair is a key of a block, and its value.
type pair struct {
	key   string
	line  int
	value ast.Node
}

// pairs notes the lines of a block's keys, which are below path.
func (d *decoder) pairs(n ast.Node, path string) ([]pair, error) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		if path == "" {
			return nil, d.src.fault(lineOf(n), "the settings are %s: give lines of the form \"key: value\"", kindOf(n))
		}
		return nil, d.src.bad(path, "is %s: give a block of keys", kindOf(n))
	}
	pairs := make([]pair, 0, len(values))
	for _, v := range values {
		line := lineOf(v.Key)
		key, ok := scalarText(v.Key)
		if !ok {
			return nil, d.src.fault(line, "a key is %s: give a word", kindOf(v.Key))
		}
		d.src.lines[join(path, key)] = line
		pairs = append(pairs, pair{key, line, v.Value})
	}
	return pairs, nil
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// firstOf is the part of an item that stands at its beginning: a block's own
// token is the colon behind its first key.
func firstOf(n ast.Node) ast.Node {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			return m.Values[0].Key
		}
	case *ast.MappingValueNode:
		return m.Key
	}
	return n
}
