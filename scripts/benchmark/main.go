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
  scripts/bench pickup [COUNT]     time from an INSERT to "Import Started", one order at a time (1000)
  scripts/bench orders [COUNT]     orders a second, beside the job queue's own no-op jobs (2000)
  scripts/bench files [COUNT]      files a second of one order, beside a COPY of its rows and its links; memory (100000)
  scripts/bench agents [N ...]     orders a second of so many agents, each a process of its own (1 2 4)
  scripts/bench queue [COUNT]      time from an urgent INSERT to "Import Started" while many wait; memory (1000000)
  scripts/bench recovery [ROUNDS]  time from kill -9 until 1,000 running orders are resumed, while 10,000 wait (100)
  scripts/bench scan [COUNT]       searching files that are all known, beside find; memory (1000000)
  scripts/bench drop [COUNT]       recording many settled files, beside a COPY of their rows (100000)
  scripts/bench latency [COUNT]    time from a file's getting its name to its order's commit (500)
  scripts/bench zarr [COUNT]       processor time for one image of many chunks, beside cp's (500000)
  scripts/bench preprocess [COUNT] conversions in containers, one at a time and several, beside podman run by hand; memory (100)
  scripts/bench omero [COUNT]      processes and time of OMERO orders of 1, 100 and so many files, beside a process a file (1000)
  scripts/bench --short            a little of all`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

// mode measures with some numbers of files, orders, agents or rounds.
type mode struct {
	numbers []int
	run     func(ctx context.Context, m *machine, numbers []int) error
}

// one is a mode of one number.
func one(number int, run func(ctx context.Context, m *machine, n int) error) mode {
	return mode{[]int{number}, func(ctx context.Context, m *machine, numbers []int) error {
		if len(numbers) != 1 {
			return errors.New(usage)
		}
		return run(ctx, m, numbers[0])
	}}
}

var modes = map[string]mode{
	"pickup": one(1000, func(ctx context.Context, m *machine, n int) error { return m.pickup(ctx, n) }),
	"orders": one(2000, func(ctx context.Context, m *machine, n int) error { return m.orders(ctx, n, 4, 16) }),
	"files":  one(100_000, func(ctx context.Context, m *machine, n int) error { return m.files(ctx, n) }),
	"agents": {[]int{1, 2, 4}, func(ctx context.Context, m *machine, counts []int) error { return m.agents(ctx, 5000, counts...) }},
	"queue":  one(1_000_000, func(ctx context.Context, m *machine, n int) error { return m.queue(ctx, n, 200) }),
	"recovery": one(100, func(ctx context.Context, m *machine, rounds int) error {
		return m.recovery(ctx, rounds, 1000, 10_000)
	}),
	"scan": one(1_000_000, func(ctx context.Context, m *machine, n int) error {
		// The agent rests in proportion to what a pass took: with less than a
		// minute, every pass over a million files is due to be a full one.
		return m.scan(ctx, n, 2*time.Second, time.Minute)
	}),
	"drop":    one(100_000, func(ctx context.Context, m *machine, n int) error { return m.drop(ctx, n, 5*time.Second) }),
	"latency": one(500, func(ctx context.Context, m *machine, n int) error { return m.latency(ctx, n) }),
	"zarr":    one(500_000, func(ctx context.Context, m *machine, n int) error { return m.zarr(ctx, n, 10*time.Second) }),
	"preprocess": one(100, func(ctx context.Context, m *machine, n int) error {
		return m.preprocess(ctx, conversions{orders: n, inputs: 100, sleep: 500 * time.Millisecond, megabytes: 1024, many: 1000})
	}),
	"omero": one(1000, func(ctx context.Context, m *machine, n int) error { return m.omero(ctx, n) }),
	"--short": {nil, func(ctx context.Context, m *machine, _ []int) error {
		return errors.Join(
			m.pickup(ctx, 100),
			m.orders(ctx, 300, 4),
			m.files(ctx, 2000),
			m.agents(ctx, 500, 1, 2),
			m.queue(ctx, 5000, 20),
			m.recovery(ctx, 1, 50, 200),
			m.scan(ctx, 2000, time.Second, 2*time.Second),
			m.drop(ctx, 2000, time.Second),
			m.latency(ctx, 20),
			m.zarr(ctx, 2000, 2*time.Second),
			m.omero(ctx, 20),
			m.preprocessIfThere(ctx, conversions{orders: 3, inputs: 4, sleep: 300 * time.Millisecond, megabytes: 16, many: 10}),
		)
	}},
}

func run(ctx context.Context, args []string) error {
	if len(args) < 1 {
		return errors.New(usage)
	}
	if args[0] == agentMode {
		return runAgent(ctx, args[1:])
	}
	chosen, ok := modes[args[0]]
	if !ok {
		return errors.New(usage)
	}
	if len(args) > 1 {
		chosen.numbers = nil
	}
	for _, arg := range args[1:] {
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 {
			return errors.New(usage)
		}
		chosen.numbers = append(chosen.numbers, n)
	}
	return onMachine(ctx, func(m *machine) error { return chosen.run(ctx, m, chosen.numbers) })
}

var quiet = slog.New(slog.DiscardHandler)
