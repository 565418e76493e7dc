package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	agentWorkers = 1 // more fill the processors at once
	importTime   = time.Millisecond
)

// agents has n orders carried out by each number of agents, whose imports wait most
// of their time.
func (m *machine) agents(ctx context.Context, n int, counts ...int) error {
	linear := 0.0 // what each agent is to do
	for _, agents := range counts {
		rate, busy, err := m.agentsRate(ctx, n, agents)
		if err != nil {
			return err
		}
		if linear == 0 {
			linear = rate / float64(agents)
		}
		fmt.Fprintf(os.Stdout, "%d orders, %d agents of %d workers, imports of %s: %.0f orders/s, ratio to linear %.2f (wanted 0.9 until the processors are full); processors %.0f%% busy\n",
			n, agents, agentWorkers, importTime, rate, rate/(linear*float64(agents)), 100*busy)
	}
	return nil
}

func (m *machine) agentsRate(ctx context.Context, n, agents int) (rate, busy float64, err error) {
	err = m.onSite(ctx, func(s *site) (err error) {
		files := tree{s.data(), n}
		if err := files.write(ctx, image); err != nil {
			return err
		}
		for range agents {
			a, err := s.startAgent(ctx, agentWorkers, importTime)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, a.stop()) }()
		}
		before, err := processors()
		if err != nil {
			return err
		}
		if err := insert(ctx, s.pool, files.paths()); err != nil {
			return err
		}
		began := time.Now()
		// Seldom: counting costs, and the database knows when the last order ended.
		if err := s.ended(ctx, n, 100*time.Millisecond); err != nil {
			return err
		}
		after, err := processors()
		if err != nil {
			return err
		}
		var last time.Time
		if err := s.pool.QueryRow(ctx, `SELECT max(ended_at) FROM importer.orders`).Scan(&last); err != nil {
			return err
		}
		rate = float64(n) / last.Sub(began).Seconds()
		busy = (after.busy - before.busy) / (after.total - before.total)
		return s.exactlyOnce(ctx, n)
	})
	return rate, busy, err
}

// usage of all processors so far, in ticks of the kernel.
type ticks struct{ busy, total float64 }

func processors() (ticks, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks{}, err
	}
	// cpu user nice system idle iowait irq softirq steal; what guests use is in user.
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return ticks{}, fmt.Errorf("the first line of /proc/stat is too short: %q", line)
	}
	var t ticks
	for i, field := range fields[1:9] {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return ticks{}, err
		}
		t.total += n
		if i != 3 && i != 4 {
			t.busy += n
		}
	}
	return t, nil
}
