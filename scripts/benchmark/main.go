// Command benchmark measures the built service against a PostgreSQL cluster of
// its own with durable commits, and beside each figure what limits it on the
// same machine in the same run. Wrong results are errors; slow ones are not.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const usage = `usage:
  scripts/bench pickup [COUNT]   time from an INSERT to "Import Started", one order at a time (1000)
  scripts/bench orders [COUNT]   orders a second, beside the job queue's own no-op jobs (2000)
  scripts/bench scan [COUNT]     searching files that are all known, beside find; memory (1000000)
  scripts/bench drop [COUNT]     recording many settled files, beside a COPY of their rows (100000)
  scripts/bench latency [COUNT]  time from a file's getting its name to its order's commit (500)
  scripts/bench zarr [COUNT]     processor time for one image of many chunks, beside cp's (500000)
  scripts/bench --short          a little of all`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

// mode measures with some number of files or orders.
type mode struct {
	count int
	run   func(ctx context.Context, m *machine, count int) error
}

var modes = map[string]mode{
	"pickup": {1000, func(ctx context.Context, m *machine, n int) error { return m.pickup(ctx, n) }},
	"orders": {2000, func(ctx context.Context, m *machine, n int) error { return m.orders(ctx, n, 4, 16) }},
	"scan": {1_000_000, func(ctx context.Context, m *machine, n int) error {
		// The agent rests in proportion to what a pass took: with less than a
		// minute, every pass over a million files is due to be a full one.
		return m.scan(ctx, n, 2*time.Second, time.Minute)
	}},
	"drop":    {100_000, func(ctx context.Context, m *machine, n int) error { return m.drop(ctx, n, 5*time.Second) }},
	"latency": {500, func(ctx context.Context, m *machine, n int) error { return m.latency(ctx, n) }},
	"zarr":    {500_000, func(ctx context.Context, m *machine, n int) error { return m.zarr(ctx, n, 10*time.Second) }},
	"--short": {0, func(ctx context.Context, m *machine, _ int) error {
		return errors.Join(
			m.pickup(ctx, 100),
			m.orders(ctx, 300, 4),
			m.scan(ctx, 2000, time.Second, 2*time.Second),
			m.drop(ctx, 2000, time.Second),
			m.latency(ctx, 20),
			m.zarr(ctx, 2000, 2*time.Second),
		)
	}},
}

func run(ctx context.Context, args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return errors.New(usage)
	}
	chosen, ok := modes[args[0]]
	if !ok {
		return errors.New(usage)
	}
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return errors.New(usage)
		}
		chosen.count = n
	}
	return onMachine(ctx, func(m *machine) error { return chosen.run(ctx, m, chosen.count) })
}

var quiet = slog.New(slog.DiscardHandler)
