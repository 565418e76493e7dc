package order

import (
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what the parser is given. It is recursive. Its time and memory
// grow with the square of the number of keys, and of values left out: 50,000
// take ten seconds. And it keeps for every node the path of keys that leads
// there: deep nesting under long keys would cost memory far out of proportion
// to the text.
const (
	maxDepth     = 32
	maxTokens    = 200_000
	maxKeys      = 4_000
	maxEmpty     = 4_000
	maxPathBytes = 32 << 20
)

// scanYAML splits the text into tokens and refuses, before anything recursive
// sees them, those parts of YAML that an order file has no use for.
func scanYAML(src source, text string) (token.Tokens, error) {
	var s scanner.Scanner
	s.Init(text)
	g := guard{src: src}
	var tokens token.Tokens
	for {
		some, err := s.Scan()
		if errors.Is(err, io.EOF) {
			return tokens, nil
		}
		for _, t := range some {
			if err := g.check(t); err != nil {
				return nil, err
			}
		}
		tokens.Add(some...)
	}
}

// guard follows the nesting of a stream of tokens.
type guard struct {
	src    source
	count  int
	keys   int
	empty  int
	body   bool // content has begun
	ended  bool // the document was closed
	last   *token.Token
	levels []level
	path   int // sum of the levels' key lengths
	cost   int // sum of path over all tokens so far
}

// level is an open list or mapping. One in brackets has no column.
type level struct {
	flow    bool
	mapping bool // a mapping in brackets
	bare    bool // one with no colon since its last comma
	entry   bool // a block list
	column  int
	key     int // length of the key that the parser is under
}

func (g *guard) check(t *token.Token) error {
	if g.count++; g.count > maxTokens {
		return g.fault(t, fmt.Sprintf("The file has more than %d words and signs", maxTokens),
			"a shorter file; name folders, or patterns such as \"*.tif\", in place of single files")
	}
	if err := g.refuse(t); err != nil {
		return err
	}
	if t.Type == token.CommentType || t.Type == token.DocumentHeaderType || t.Type == token.DocumentEndType {
		return nil
	}
	g.body = true
	if t.Type == token.MappingValueType {
		g.keys++
	}
	if g.leavesOut(t) {
		g.empty++
	}
	if g.keys > maxKeys || g.empty > maxEmpty {
		return g.fault(t, fmt.Sprintf("The file has more than %d keys or empty entries", maxKeys), "")
	}
	g.nest(t)
	g.last = t
	if len(g.levels) > maxDepth {
		return g.fault(t, fmt.Sprintf("Lists and mappings are nested more than %d deep here", maxDepth), "")
	}
	if g.cost += g.path + len(g.levels)*8; g.cost > maxPathBytes {
		return g.fault(t, "Too much is nested below long keys", "")
	}
	return nil
}

// leavesOut reports whether the entry before t has no value.
func (g *guard) leavesOut(t *token.Token) bool {
	if t.Type == token.SequenceEntryType {
		return g.last != nil && g.last.Type == token.SequenceEntryType && t.Position.Line != g.last.Position.Line
	}
	top := g.top()
	return t.Type == token.CollectEntryType && top != nil && top.bare
}

// refuse names what is YAML but never part of an order.
func (g *guard) refuse(t *token.Token) error {
	switch t.Type {
	case token.InvalidType:
		return g.fault(t, "This is not YAML: "+brief(t.Error), "")
	case token.AliasType:
		return g.fault(t, "A word that begins with * is an alias, which is not supported",
			"quotes around a pattern, such as \"*.tif\"")
	case token.AnchorType:
		return g.fault(t, "A word that begins with & is an anchor, which is not supported", "quotes around it")
	case token.TagType:
		return g.fault(t, "A word that begins with ! is a tag, which is not supported", "quotes around it")
	case token.MergeKeyType:
		return g.fault(t, "Merge keys (<<) are not supported", "each key written out")
	case token.MappingKeyType:
		return g.fault(t, "Keys marked with ? are not supported", "key: value")
	case token.DirectiveType:
		return g.fault(t, "A line that begins with % is a directive, which is not supported", "quotes around it")
	case token.DocumentHeaderType:
		if g.body || g.ended {
			return g.fault(t, "A second document begins here", "one order in each file")
		}
	case token.DocumentEndType:
		g.ended = true
	default:
		if g.ended && t.Type != token.CommentType {
			return g.fault(t, "A second document begins here", "one order in each file")
		}
	}
	return nil
}

// nest opens and closes levels.
func (g *guard) nest(t *token.Token) {
	column := t.Position.Column
	switch t.Type { //nolint:exhaustive // the others are scalars
	case token.SequenceStartType, token.MappingStartType:
		g.push(level{flow: true, mapping: t.Type == token.MappingStartType, bare: t.Type == token.MappingStartType})
	case token.SequenceEndType, token.MappingEndType:
		for len(g.levels) > 0 {
			if g.pop().flow {
				break
			}
		}
	case token.CollectEntryType:
		g.name(0)
		if top := g.top(); top != nil && top.flow {
			top.bare = top.mapping
		}
	case token.SequenceEntryType:
		g.closeTo(column, false)
		if top := g.top(); top == nil || top.flow || top.column != column || !top.entry {
			g.push(level{entry: true, column: column})
		}
	case token.MappingValueType:
		key := 0
		if g.last != nil {
			column, key = g.last.Position.Column, len(g.last.Value)
		}
		if top := g.top(); top != nil && top.flow {
			top.bare = false
			g.name(key)
			return
		}
		g.closeTo(column, true)
		if top := g.top(); top == nil || top.flow || top.column != column {
			g.push(level{column: column})
		}
		g.name(key)
	}
}

// closeTo ends the block levels right of a column; a key also ends the list
// that stands in its own column.
func (g *guard) closeTo(column int, key bool) {
	for top := g.top(); top != nil && !top.flow && (top.column > column || key && top.column == column && top.entry); top = g.top() {
		g.pop()
	}
}

// name notes the key that what follows is under.
func (g *guard) name(length int) {
	if top := g.top(); top != nil {
		g.path += length - top.key
		top.key = length
	}
}

func (g *guard) top() *level {
	if len(g.levels) == 0 {
		return nil
	}
	return &g.levels[len(g.levels)-1]
}

func (g *guard) push(l level) { g.levels = append(g.levels, l) }

func (g *guard) pop() level {
	l := g.levels[len(g.levels)-1]
	g.levels = g.levels[:len(g.levels)-1]
	g.path -= l.key
	return l
}

func (g *guard) fault(t *token.Token, sentence, expected string) error {
	return g.src.fault(t.Position.Line, t.Position.Column, sentence, expected)
}
