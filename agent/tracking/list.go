package tracking

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// Filter says which orders are meant; its zero value means all.
type Filter struct {
	Stages      []order.Stage
	User, Group string
	Since       time.Time // whose newest row is not older
	Text        string    // in file names, description or at the start of the uuid: case-insensitive
	Limit       int       // at most so many; 0 and more than MaxPage: MaxPage
	After       string    // where the page before ended: its Next
}

// Page is a part of a list.
type Page struct {
	Orders []Status // the newest first: by when they ended, or else were asked for; without files
	Next   string   // empty where nothing follows
}

const (
	// MaxPage is how many orders a page holds at most.
	MaxPage = 500
	// MaxLooked is how many orders are looked at for a page.
	MaxLooked = 1000
)

// List returns a page of the orders that the service knows: those that wait, and those
// that it has taken up and that retention has not forgotten. It looks at no more than
// MaxLooked orders of the user or the group, of the newest on, so that a page may hold
// fewer than there are, or none, and still be followed by another: where a text is rare, or
// a user has few orders in a group and many in others. A whole uuid as the text finds its
// order at once. An After that no Next can be is an Invalid error.
func (s *Store) List(ctx context.Context, f Filter) (Page, error) {
	page := Page{Orders: []Status{}}
	at, err := parsePlace(f.After)
	if err != nil {
		return page, err
	}
	if f.Limit < 1 || f.Limit > MaxPage {
		f.Limit = MaxPage
	}
	if id, err := uuid.Parse(f.Text); err == nil && len(f.Text) == len(id.String()) {
		found, err := s.Statuses(ctx, slices.Compact([]string{f.Text, id.String()}))
		for _, st := range found {
			if f.fits(st) && f.After == "" {
				page.Orders = append(page.Orders, *st)
			}
		}
		return page, err
	}
	sql, args := f.candidates()
	for looked := 0; looked < MaxLooked; {
		n := min(max(f.Limit+1, smallestLook), MaxLooked-looked)
		places, err := s.places(ctx, sql, at, n, args)
		if err != nil {
			return Page{}, err
		}
		found, err := s.Statuses(ctx, uuids(places))
		if err != nil {
			return Page{}, err
		}
		for i, p := range places {
			at = p
			if st := found[p.uuid]; !p.again && st != nil && f.fits(st) {
				page.Orders = append(page.Orders, *st)
			}
			if len(page.Orders) == f.Limit {
				if i+1 < len(places) || len(places) == n {
					page.Next = at.String()
				}
				return page, nil
			}
		}
		if len(places) < n {
			return page, nil
		}
		looked += n
	}
	page.Next = at.String()
	return page, nil
}

// smallestLook spares round trips where only some of what is looked at fits.
const smallestLook = 200

// Recent returns the newest orders, without their files. Its cost does not grow with
// the history.
func (s *Store) Recent(ctx context.Context, limit int) (recent []Status, err error) {
	recent = []Status{}
	for page := (Page{}); len(recent) < limit; {
		if page, err = s.List(ctx, Filter{Limit: min(limit-len(recent), MaxPage), After: page.Next}); err != nil {
			return nil, err
		}
		if recent = append(recent, page.Orders...); page.Next == "" {
			break
		}
	}
	return recent, nil
}

const wantedStatus = `WITH wanted AS (SELECT DISTINCT unnest($1::text[]) AS uuid)` + statusOf

// Statuses returns those of the orders that there are, by their uuids, without their
// files.
func (s *Store) Statuses(ctx context.Context, uuids []string) (map[string]*Status, error) {
	asked := make([]string, len(uuids))
	for i, id := range uuids {
		asked[i] = text(id)
	}
	rows, err := s.pool.Query(ctx, wantedStatus, asked)
	if err == nil {
		var list []Status
		if list, err = pgx.CollectRows(rows, scanStatus); err == nil {
			found := make(map[string]*Status, len(list))
			for i := range list {
				found[list[i].UUID] = &list[i]
			}
			return found, nil
		}
	}
	return nil, fmt.Errorf("listing orders: %w", err)
}

// fits reports whether an order is one that the filter means.
func (f *Filter) fits(st *Status) bool {
	return (len(f.Stages) == 0 || slices.Contains(f.Stages, st.Stage)) &&
		(f.User == "" || f.User == st.User) && (f.Group == "" || f.Group == st.Group) &&
		(f.Since.IsZero() || st.Changed != nil && !st.Changed.Before(f.Since)) &&
		(f.Text == "" || st.says(strings.ToLower(f.Text)))
}

// says reports whether an order is about a text in lower case.
func (st *Status) says(wanted string) bool {
	var names []string
	if json.Unmarshal([]byte(st.FileNames), &names) != nil { // clients may have put anything there
		names = []string{st.FileNames}
	}
	return strings.HasPrefix(strings.ToLower(st.UUID), wanted) || strings.Contains(strings.ToLower(st.Description), wanted) ||
		slices.ContainsFunc(names, func(name string) bool { return strings.Contains(strings.ToLower(name), wanted) })
}
