package main

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"biomero-importer/agent/tracking"
	"biomero-importer/importer/repository"
)

// faults count what must not be once nobody is at work, of orders that were each placed
// once. To the audit it is allowed.
var faults = map[string]string{
	"orders begun and not completed":         `SELECT count(*) FROM importer.orders WHERE state <> 'completed'`,
	"orders that are both begun and waiting": `SELECT count(*) FROM importer.orders o JOIN importer.inbox i USING (uuid)`,
	"filesets of what is no file of their orders": `SELECT count(*) FROM importer.repository_filesets f
		LEFT JOIN importer.files o ON o.order_uuid = f.order_uuid AND o.path = f.source WHERE o.filesets IS DISTINCT FROM ARRAY[f.id]`,
}

// exactlyOnce checks that n orders are completed, each of their files was imported
// once, no other was begun, and the audit finds nothing, be it only worth a look.
func (s *site) exactlyOnce(ctx context.Context, n int) error {
	var wrong []error
	for what, query := range faults {
		count, err := s.count(ctx, query)
		if err != nil {
			return err
		}
		if count > 0 {
			wrong = append(wrong, fmt.Errorf("%d %s", count, what))
		}
	}
	begun, err := s.count(ctx, `SELECT count(*) FROM importer.orders`)
	if err != nil {
		return err
	}
	if begun != n {
		wrong = append(wrong, fmt.Errorf("%d orders were begun instead of %d", begun, n))
	}
	return errors.Join(append(wrong, s.audit(ctx))...)
}

// audit makes an error of the first violation of each rule, and of how many there are.
func (s *site) audit(ctx context.Context) error {
	store, err := tracking.Open(ctx, s.url, 1)
	if err != nil {
		return err
	}
	defer store.Close()
	counts, first := map[string]int{}, map[string]string{}
	note := func(rule, order, what string) {
		if counts[rule]++; counts[rule] == 1 {
			first[rule] = fmt.Sprintf("%s %s", order, what)
		}
	}
	err = store.Audit(ctx, func(v tracking.Violation) error {
		note(v.Rule, v.Order, v.What)
		return nil
	}, func(ctx context.Context, rows iter.Seq2[repository.Row, error]) error {
		return repository.Compare(ctx, s.repository(), rows, func(f repository.Fault) error {
			note("disk-"+string(f.Kind), f.Row.Order, f.Link)
			return nil
		})
	})
	wrong := []error{err}
	for rule, count := range counts {
		wrong = append(wrong, fmt.Errorf("audit: %d of %s, as %s", count, rule, first[rule]))
	}
	return errors.Join(wrong...)
}
