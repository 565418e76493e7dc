package hql

import (
	"fmt"
	"slices"
	"strconv"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// Query is who asks, and where.
type Query struct {
	World *server.World
	Actor server.Actor
	All   bool // in all groups
}

// Null is a value that is not there; the command line prints it so.
const Null = "None"

// Row is a row of an answer, as texts.
type Row []string

// Run answers a query. Nobody asked for an order, so there is none: the rows come
// last first.
func (q Query) Run(query string) ([]Row, error) {
	all, err := tokens(query)
	if err != nil {
		return nil, err
	}
	for _, k := range known {
		if v, ok := k.pattern.match(all); ok {
			rows := k.answer(q, v)
			slices.Reverse(rows)
			return rows, nil
		}
	}
	return nil, fmt.Errorf("unexpected token in query [%s]", query)
}

func (q Query) sees(d server.Details) bool { return q.World.Sees(q.Actor, d, q.All) }

func id(n int64) string { return strconv.FormatInt(n, 10) }

// boolean is how Python prints one.
func boolean(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// perm1 is the number that stands for a group's permissions in the database.
func perm1(permissions string) string {
	switch permissions {
	case server.ReadOnly:
		return "-56"
	case server.ReadAnnotate:
		return "-40"
	case server.ReadWrite:
		return "-8"
	default:
		return "-120"
	}
}
