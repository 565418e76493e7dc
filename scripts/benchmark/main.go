// Command benchmark measures the built service against a PostgreSQL cluster of
// its own with durable commits, and beside each figure what limits it on the
// same machine in the same run.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
)

const usage = `usage:
  scripts/bench pickup [COUNT]   time from an INSERT to "Import Started", one order at a time (1000)
  scripts/bench orders [COUNT]   orders a second, beside the job queue's own no-op jobs (2000)
  scripts/bench --short          a little of both`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

func run(ctx context.Context, args []string) error {
	what, count := "", 0
	if len(args) > 0 {
		what = args[0]
	}
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return errors.New(usage)
		}
		count = n
	}
	switch what {
	case "pickup":
		return onMachine(ctx, func(m *machine) error { return m.pickup(ctx, orElse(count, 1000)) })
	case "orders":
		return onMachine(ctx, func(m *machine) error { return m.orders(ctx, orElse(count, 2000), 4, 16) })
	case "--short":
		return onMachine(ctx, func(m *machine) error {
			return errors.Join(m.pickup(ctx, 100), m.orders(ctx, 300, 4))
		})
	}
	return errors.New(usage)
}

func orElse(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

var quiet = slog.New(slog.DiscardHandler)
