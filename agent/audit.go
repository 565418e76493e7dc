package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"biomero-importer/agent/config"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer/repository"
)

// audit is what was found of what is recorded and linked.
type audit struct {
	Complete   bool                 `json:"complete"`        // it came to its end
	Error      string               `json:"error,omitempty"` // why it did not
	Violations int                  `json:"violations"`
	Warnings   int                  `json:"warnings"`
	Rules      map[string]int       `json:"rules"` // how often each was broken
	Found      []tracking.Violation `json:"found"` // the first of each rule

	// Unseen says why the repository's links were not looked at, if they should have been.
	Unseen string `json:"unseen,omitempty"`

	most       int
	repository presence
	faults     []repository.Fault // links that no row had when they were looked at
}

// run compares the database with itself and, where the repository backend imports,
// with the links below its folder.
func (a *audit) run(ctx context.Context, store *tracking.Store, c *config.Config) error {
	a.Rules, a.Found = map[string]int{}, []tracking.Violation{}
	var links tracking.Links
	if c.Backend == config.Repository {
		links = func(ctx context.Context, rows iter.Seq2[repository.Row, error]) error {
			switch a.repository {
			case absent:
				return a.nowhere(rows)
			case unread:
				a.Unseen = "the repository's folder cannot be read: no link was looked at"
				return nil
			case present:
			}
			err := repository.Compare(ctx, c.Repository.Dir, rows, func(f repository.Fault) error { return a.fault(ctx, store, f) })
			if err != nil {
				return err
			}
			return a.lookAgain(ctx, store)
		}
	}
	return store.Audit(ctx, a.add, links)
}

func (a *audit) add(v tracking.Violation) error {
	if v.Warning {
		a.Warnings++
	} else {
		a.Violations++
	}
	a.Rules[v.Rule]++
	if a.Rules[v.Rule] <= a.most {
		a.Found = append(a.Found, v)
	}
	return nil
}

// nowhere says once that there is no folder where there should be links.
func (a *audit) nowhere(rows iter.Seq2[repository.Row, error]) error {
	for _, err := range rows {
		if err != nil {
			return err
		}
		return a.add(tracking.Violation{Rule: "disk-folder", What: "the repository's folder is not there, and files have been imported into it"})
	}
	return nil
}

// manyLinks is how many links are looked for at a time: each time the whole catalog
// is read.
const manyLinks = 10_000

func (a *audit) fault(ctx context.Context, store *tracking.Store, f repository.Fault) error {
	v := tracking.Violation{Rule: "disk-" + string(f.Kind), Order: f.Row.Order}
	switch f.Kind {
	case repository.LinkUnrecorded:
		if !utf8.ValidString(f.Link) { // no catalog can hold it
			return a.add(unrecorded(f.Link))
		}
		if a.faults = append(a.faults, f); len(a.faults) < manyLinks {
			return nil
		}
		return a.lookAgain(ctx, store)
	case repository.LinkMissing:
		v.What = fmt.Sprintf("fileset %d has no link %s to %s", f.Row.Fileset, f.Link, f.Row.Source)
	case repository.LinkForgotten:
		v.Warning = true
		v.What = fmt.Sprintf("fileset %d, of an order that is forgotten, has no link %s to %s", f.Row.Fileset, f.Link, f.Row.Source)
	case repository.LinkElsewhere:
		v.What = fmt.Sprintf("the link %s of fileset %d should lead to %s, and is %s", f.Link, f.Row.Fileset, f.Row.Source, f.Is)
	case repository.LinkShared:
		v.What = fmt.Sprintf("the link %s of fileset %d is another's too", f.Link, f.Row.Fileset)
	case repository.Leftover:
		v.Warning = true
		v.What = f.Link + " is a file that a client of the filesystem has left"
	case repository.NoLink:
		v.What = fmt.Sprintf("%s is no link that an import has made (%s)", f.Link, f.Is)
	}
	return a.add(v)
}

// lookAgain tells links of imports that went on meanwhile from those of none.
func (a *audit) lookAgain(ctx context.Context, store *tracking.Store) error {
	if len(a.faults) == 0 {
		return nil
	}
	links := make([]string, len(a.faults))
	for i, f := range a.faults {
		links[i] = f.Link
	}
	a.faults = a.faults[:0]
	missing, err := store.Unrecorded(ctx, links)
	if err != nil {
		return err
	}
	for _, link := range missing {
		if err := a.add(unrecorded(link)); err != nil {
			return err
		}
	}
	return nil
}

func unrecorded(link string) tracking.Violation {
	return tracking.Violation{Rule: "disk-" + string(repository.LinkUnrecorded), What: "the catalog does not know of the link " + link}
}

func (a *audit) write(b *strings.Builder) {
	shown := map[string]int{}
	for _, v := range a.Found {
		mark := "wrong"
		if v.Warning {
			mark = "look "
		}
		order := v.Order
		if order == "" {
			order = "-"
		}
		fmt.Fprintf(b, "%s  %s  %s  %s\n", mark, v.Rule, printable(order), printable(v.What))
		shown[v.Rule]++
	}
	rules := make([]string, 0, len(a.Rules))
	for rule := range a.Rules {
		rules = append(rules, rule)
	}
	slices.Sort(rules)
	for _, rule := range rules {
		if more := a.Rules[rule] - shown[rule]; more > 0 {
			fmt.Fprintf(b, "...    %s: %d more\n", rule, more)
		}
	}
	counts := fmt.Sprintf("violations: %d, worth a look: %d", a.Violations, a.Warnings)
	switch {
	case !a.Complete:
		fmt.Fprintf(b, "wrong  audit: not finished: %s; before that, %s\n", printable(a.Error), counts)
	case a.Unseen != "":
		fmt.Fprintf(b, "wrong  audit: %s; of the rest, %s\n", a.Unseen, counts)
	case a.Violations > 0:
		fmt.Fprintf(b, "wrong  audit: %s\n", counts)
	default:
		fmt.Fprintf(b, "ok     audit: %s\n", counts)
	}
}
