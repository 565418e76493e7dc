package order

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// kind is what a node of an order file is.
type kind int

const (
	kindText   kind = iota // a string, quoted or not
	kindNumber             // text that YAML would read as a number
	kindBool
	kindNull
	kindList
	kindMap
)

// String names the kind in a sentence.
func (k kind) String() string {
	return [...]string{"a text", "a number", "true or false", "nothing", "a list", "a mapping"}[k]
}

// node is a part of an order file. Text is a scalar's text as it was written,
// without its quotes: a user called 007 stays so.
type node struct {
	kind         kind
	text         string
	line, column int
	items        []*node
	pairs        []pair
}

type pair struct{ key, value *node }

// find returns the value of a key, or nil.
func (n *node) find(key string) *node {
	for _, p := range n.pairs {
		if p.key.text == key {
			return p.value
		}
	}
	return nil
}

// parseYAML turns text into nodes, in time and memory proportional to it.
func parseYAML(src source, text string) (*node, error) {
	tokens, err := scanYAML(src, text)
	if err != nil {
		return nil, err
	}
	file, err := parse(tokens)
	if err != nil {
		return nil, syntaxFault(src, err)
	}
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			return src.node(doc.Body)
		}
	}
	return nil, src.fault(1, 1, "The file is empty", "an order: group, user, destination and files")
}

// errParser is a defect of the parser. Somebody's file must not end the agent.
var errParser = errors.New("the parser gave up")

func parse(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errParser, r)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// syntaxFault keeps the parser's place and message, without its picture of
// the text around.
func syntaxFault(src source, err error) error {
	line, column, message := 1, 1, errParser.Error()
	if e, ok := errors.AsType[yaml.Error](err); ok {
		message = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			line, column = t.Position.Line, t.Position.Column
		}
	}
	fault := src.fault(line, column, "This is not YAML: "+brief(message), "")
	fault.Err = err
	return fault
}

// brief makes one short line of a parser's message, which may quote the text.
func brief(message string) string {
	line := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ReplaceAll(message, "\t", `\t`))
	const most = 120
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}

// node translates a part of the syntax tree, whose depth scanYAML has bounded.
func (s source) node(n ast.Node) (*node, error) {
	out := &node{line: 1, column: 1}
	if t := n.GetToken(); t != nil && t.Position != nil {
		out.line, out.column = t.Position.Line, t.Position.Column
	}
	var err error
	switch n := n.(type) {
	case *ast.MappingNode:
		out.kind = kindMap
		out.pairs, err = s.pairs(n.Values)
	case *ast.MappingValueNode:
		out.kind = kindMap
		out.pairs, err = s.pairs([]*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		out.kind = kindList
		for _, v := range n.Values {
			item, err := s.node(v)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, item)
		}
	default:
		err = s.scalar(out, n)
	}
	if err != nil {
		return nil, err
	}
	if len(out.pairs) > 0 {
		out.line, out.column = out.pairs[0].key.line, out.pairs[0].key.column
	}
	return out, nil
}

func (s source) scalar(out *node, n ast.Node) error {
	switch n := n.(type) {
	case *ast.StringNode:
		out.text = n.Value
		if n.Token.Type == token.StringType && jsonNumber.MatchString(n.Value) {
			out.kind = kindNumber // 1e3, which the parser leaves
		}
	case *ast.LiteralNode:
		out.text = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = kindNumber, n.GetToken().Value
	case *ast.BoolNode:
		out.kind, out.text = kindBool, n.Token.Value
	case *ast.NullNode:
		out.kind = kindNull
		if n.Token.Type != token.ImplicitNullType {
			out.text = n.Token.Value
		}
	default:
		return s.fault(out.line, out.column, "This part of YAML is not supported here", "")
	}
	if strings.Contains(out.text, "\x00") || !utf8.ValidString(out.text) {
		return s.fault(out.line, out.column, "The text holds a NUL or half a character", "")
	}
	return nil
}

func (s source) pairs(values []*ast.MappingValueNode) ([]pair, error) {
	pairs := make([]pair, 0, len(values))
	seen := make(map[string]*node, len(values))
	for _, v := range values {
		key, err := s.node(v.Key)
		if err != nil {
			return nil, err
		}
		if key.kind == kindList || key.kind == kindMap {
			return nil, s.fault(key.line, key.column, "A key is a list or a mapping", "a word as the key")
		}
		if seen[key.text] != nil {
			return nil, s.fault(key.line, key.column, "The key "+quote(key.text)+" is given twice", "each key once")
		}
		seen[key.text] = key
		value, err := s.node(v.Value)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{key, value})
	}
	return pairs, nil
}
