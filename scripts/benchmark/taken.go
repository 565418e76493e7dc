package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/tracking"
)

// orderPlaced hears of each transaction that places orders, once it is committed.
type orderPlaced struct{ conn *pgx.Conn }

func (s *site) listen(ctx context.Context) (orderPlaced, error) {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return orderPlaced{}, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+tracking.OrdersChannel); err != nil {
		return orderPlaced{}, errors.Join(err, conn.Close(ctx))
	}
	return orderPlaced{conn}, nil
}

func (o orderPlaced) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if _, err := o.conn.WaitForNotification(ctx); err != nil {
		return fmt.Errorf("waiting for an order to be placed: %w", err)
	}
	return nil
}

func (o orderPlaced) close(ctx context.Context) { _ = o.conn.Close(context.WithoutCancel(ctx)) }

// taken counts the drops that have become part of an order.
func (s *site) taken(ctx context.Context) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM importer.drops WHERE state = 'taken'`).Scan(&n)
	return n, err
}

// once checks that each of these paths, and nothing else, was dropped once and
// is in one order once. It counts the orders.
func (s *site) once(ctx context.Context, paths []string) (orders int, err error) {
	lists := map[string]string{
		"recorded": `SELECT path FROM importer.drops`,
		"ordered":  `SELECT json_array_elements_text(files::json) FROM public.imports`,
	}
	for what, query := range lists {
		rows, err := s.pool.Query(ctx, query)
		if err != nil {
			return 0, err
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return 0, err
		}
		if err := compare(got, paths); err != nil {
			return 0, fmt.Errorf("drops %s: %w", what, err)
		}
	}
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM public.imports`).Scan(&orders)
	return orders, err
}

func compare(got, want []string) error {
	times := make(map[string]int, len(want))
	for _, path := range got {
		times[path]++
	}
	var missing, repeated int
	for _, path := range want {
		switch n := times[path]; {
		case n == 0:
			missing++
		case n > 1:
			repeated++
		}
		delete(times, path)
	}
	if missing > 0 || repeated > 0 || len(times) > 0 {
		return fmt.Errorf("of %d, %d are missing, %d are there more than once; %d others are there too", len(want), missing, repeated, len(times))
	}
	return nil
}
