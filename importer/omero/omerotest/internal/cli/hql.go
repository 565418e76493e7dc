package cli

import (
	"fmt"

	"biomero-importer/importer/omero/omerotest/internal/hql"
	"biomero-importer/importer/omero/omerotest/internal/server"
)

// hql runs a query (omero-py, plugins/hql.py).
func (a *app) hql() error {
	query := a.values.Get("query")
	if query == "" {
		if a.quiet {
			return a.die(67, "Can't ask for query with --quiet option")
		}
		fmt.Fprint(a.Stdout, "Enter query:")
		return &uncaught{"EOFError: EOF when reading a line"}
	}
	c, err := a.conn()
	if err != nil {
		return err
	}
	f, struck := a.strike(server.AtHQL, 0)
	if struck {
		if done, err := a.commandFault(f); done || err != nil {
			return err
		}
	}
	var (
		rows []hql.Row
		bad  error
	)
	err = a.Store.View(func(w *server.World) {
		rows, bad = hql.Query{World: w, Actor: c.actor, All: a.values.Has("all")}.Run(query)
	})
	if err != nil {
		return err
	}
	if bad != nil {
		return a.die(52, "Bad query: %v", bad)
	}
	text := style(a.values.Get("style"), a.page(rows))
	switch {
	case struck && f.Kind == server.Garbage:
		text = "WARNING:root:something else\n" + text
	case struck && f.Kind == server.Truncated:
		fmt.Fprint(a.Stdout, text[:len(text)/2])
		return nil
	}
	a.out(text)
	return nil
}

// page cuts the rows to what was asked for: 25 of them, unless another limit was;
// below 0 is none.
func (a *app) page(rows []hql.Row) []hql.Row {
	limit, offset := a.values.Int("limit", 25), a.values.Int("offset", 0)
	rows = rows[min(max(offset, 0), len(rows)):]
	if limit >= 0 {
		rows = rows[:min(limit, len(rows))]
	}
	return rows
}
