package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what the parser is given. It is recursive, its time grows with the
// square of the number of entries, and it keeps the path of keys of each node.
const (
	maxFile    = 1 << 20
	maxTokens  = 50_000
	maxEntries = 10_000
	maxDepth   = 12
	maxKey     = 256
)

// parse returns the one document's content, or nil when the file says nothing.
func (s *source) parse(data []byte) (ast.Node, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch {
	case len(data) > maxFile:
		return nil, s.fault(0, "the file is larger than %d bytes", maxFile)
	case !utf8.Valid(data):
		return nil, s.fault(1, "the file is not UTF-8: save it as that")
	case bytes.IndexByte(data, 0) >= 0:
		return nil, s.fault(1+bytes.Count(data[:bytes.IndexByte(data, 0)], []byte("\n")), "there is a NUL byte here")
	}
	tokens, err := s.scan(string(data))
	if err != nil {
		return nil, err
	}
	parsed, err := parseTokens(tokens)
	if err != nil {
		return nil, s.syntax(err)
	}
	for _, doc := range parsed.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType && doc.Body.Type() != ast.NullType {
			return doc.Body, nil
		}
	}
	return nil, nil //nolint:nilnil // a file of comments is no fault
}

// errParser is a defect of the parser, which must not end a command without a
// word about the file.
var errParser = errors.New("the parser gave up")

func parseTokens(tokens token.Tokens) (parsed *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errParser, r)
		}
	}()
	return parser.Parse(tokens, 0)
}

// syntax keeps the parser's line and message, which may quote the file.
func (s *source) syntax(err error) error {
	line, message := 1, errParser.Error()
	if fault, ok := errors.AsType[yaml.Error](err); ok {
		message = fault.GetMessage()
		if t := fault.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
	}
	return s.fault(line, "this is not YAML: %s", brief(message))
}

func brief(message string) string {
	line := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, MaskURL(message))
	const most = 120
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}

// scan splits the file into tokens, and refuses what settings have no use for
// and what the parser takes too long for.
func (s *source) scan(text string) (token.Tokens, error) {
	var scan scanner.Scanner
	scan.Init(text)
	g := guard{}
	var tokens token.Tokens
	for {
		some, err := scan.Scan()
		if errors.Is(err, io.EOF) {
			return tokens, nil
		}
		for _, t := range some {
			if wrong := g.check(t); wrong != "" {
				return nil, s.fault(t.Position.Line, "%s", wrong)
			}
		}
		tokens.Add(some...)
	}
}

// guard follows a stream of tokens.
type guard struct {
	tokens, entries int
	body, ended     bool
	last            *token.Token
	flow            int   // open brackets
	columns         []int // of the blocks and lists that are open
}

// check returns what is wrong with a token.
func (g *guard) check(t *token.Token) string {
	if g.tokens++; g.tokens > maxTokens {
		return fmt.Sprintf("the file has more than %d words and signs", maxTokens)
	}
	if wrong := g.refuse(t); wrong != "" {
		return wrong
	}
	switch t.Type { //nolint:exhaustive // the others are content
	case token.CommentType, token.DocumentHeaderType, token.DocumentEndType:
		return ""
	case token.MappingValueType, token.SequenceEntryType, token.CollectEntryType:
		g.entries++
	case token.SequenceStartType, token.MappingStartType:
		g.flow++
	case token.SequenceEndType, token.MappingEndType:
		g.flow = max(g.flow-1, 0)
	}
	g.body = true
	if g.entries > maxEntries {
		return fmt.Sprintf("the file has more than %d entries", maxEntries)
	}
	if t.Type == token.MappingValueType && g.last != nil && len(g.last.Value) > maxKey {
		return fmt.Sprintf("this key is longer than %d bytes", maxKey)
	}
	g.nest(t)
	g.last = t
	if g.flow+len(g.columns) > maxDepth {
		return fmt.Sprintf("lists and blocks are nested more than %d deep here", maxDepth)
	}
	return ""
}

// nest notes the column of a key or a dash, and leaves the blocks right of it.
func (g *guard) nest(t *token.Token) {
	column := t.Position.Column
	switch {
	case g.flow > 0:
		return
	case t.Type == token.MappingValueType && g.last != nil:
		column = g.last.Position.Column
	case t.Type != token.SequenceEntryType:
		return
	}
	for len(g.columns) > 0 && g.columns[len(g.columns)-1] >= column {
		g.columns = g.columns[:len(g.columns)-1]
	}
	g.columns = append(g.columns, column)
}

// refuse names what is YAML but never part of settings.
func (g *guard) refuse(t *token.Token) string {
	const second = "a second document begins here: settings are one"
	switch t.Type {
	case token.InvalidType:
		return "this is not YAML: " + brief(t.Error)
	case token.AliasType:
		return "a word that begins with * is an alias, which is not supported: put quotes around a pattern, such as \"*.tif\""
	case token.AnchorType:
		return "a word that begins with & is an anchor, which is not supported: put quotes around it"
	case token.TagType:
		return "a word that begins with ! is a tag, which is not supported: put quotes around it"
	case token.MergeKeyType:
		return "merge keys (<<) are not supported: write each key out"
	case token.MappingKeyType:
		return "keys marked with ? are not supported: write \"key: value\""
	case token.DirectiveType:
		return "a line that begins with % is a directive, which is not supported: put quotes around it"
	case token.DocumentHeaderType:
		if g.body || g.ended {
			return second
		}
	case token.DocumentEndType:
		g.ended = true
	default:
		if g.ended && t.Type != token.CommentType {
			return second
		}
	}
	return ""
}
