package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"
)

// pass is the log's line about one search of a watched folder.
type pass struct {
	Full   bool          `json:"full"`   // every folder was listed
	First  bool          `json:"first"`  // of this run
	Listed int           `json:"listed"` // folders
	Files  int           `json:"files"`  // entries looked at
	Took   time.Duration `json:"took"`
}

// passes are those of one run.
type passes struct{ first, full, unchanged []pass }

// scan searches n files that are all known: at a restart, with every folder
// listed, and with only those listed that have changed.
func (m *machine) scan(ctx context.Context, n int, every, full time.Duration) error {
	return m.onSite(ctx, func(s *site) error {
		files := tree{s.inbox(), n}
		if err := files.write(ctx, []byte("1")); err != nil {
			return err
		}
		settings := fmt.Sprintf("scan_interval: %s\nfull_scan_interval: %s\n", every, full)
		err := s.watch(ctx, time.Second, settings, func(ctx context.Context, _ process) error {
			limit := 5*time.Minute + time.Duration(n)*time.Millisecond
			return until(ctx, time.Second, limit, func() (bool, error) {
				taken, err := s.taken(ctx)
				return taken >= n, err
			})
		})
		if err != nil {
			return fmt.Errorf("taking all files: %w", err)
		}
		if err := os.Remove(s.log()); err != nil {
			return err
		}
		// Neither find runs beside a pass.
		before, err := findTime(ctx, s.inbox(), full)
		if err != nil {
			return err
		}
		var seen passes
		var used memory
		var watches []uint64
		err = s.watch(ctx, time.Second, settings, func(ctx context.Context, agent process) (err error) {
			if seen, err = s.passes(ctx); err != nil {
				return err
			}
			if watches, err = agent.watches(); err != nil {
				return err
			}
			used, err = agent.memory()
			return err
		})
		if err != nil {
			return fmt.Errorf("searching known files: %w", err)
		}
		after, err := findTime(ctx, s.inbox(), full)
		if err != nil {
			return err
		}
		if _, err := s.once(ctx, files.paths()); err != nil {
			return err
		}
		first, whole, unchanged := seen.first[0], fastest(seen.full), fastest(seen.unchanged)
		if whole.Files < n {
			return fmt.Errorf("a full pass looked at %d entries of %d", whole.Files, n)
		}
		rested, again := min(before.rested, after.rested), min(before.again, after.again)
		ratio := func(p pass, find time.Duration) float64 { return float64(p.Took) / float64(find) }
		fmt.Fprintf(os.Stdout, "scan of %d files in %d folders: full pass %s, ratio to find after as long a rest %.2f (wanted 1.3), to find repeated at once %.2f; unchanged pass %s listing %d folders, ratio %.2f (wanted 0.2); first pass %s, ratio %.2f; find took %s after a rest, %s again\n",
			n, len(files.folders()), whole.Took.Round(time.Microsecond), ratio(whole, rested), ratio(whole, again),
			unchanged.Took.Round(time.Microsecond), unchanged.Listed, ratio(unchanged, again),
			first.Took.Round(time.Microsecond), ratio(first, again), rested.Round(time.Microsecond), again.Round(time.Microsecond))
		fmt.Fprintf(os.Stdout, "  memory with these known: %.1f MB resident (wanted 60 with a million), at most %.1f, anonymous %.1f, of files %.1f; %d watches\n",
			used.resident, used.peak, used.anonymous, used.files, len(watches))
		return nil
	})
}

// finds is how long find takes to look at every file: after a rest, as between two
// full passes, and at its best when it is run again at once. What it needs of the
// kernel's memory is in the processor's caches only then.
type finds struct{ rested, again time.Duration }

func findTime(ctx context.Context, root string, pause time.Duration) (best finds, err error) {
	run := func() (time.Duration, error) {
		began := time.Now()
		if err := exec.CommandContext(ctx, "find", root, "-printf", `%s %T@\n`).Run(); err != nil { //nolint:gosec // our own folder
			return 0, fmt.Errorf("running find: %w", err)
		}
		return time.Since(began), nil
	}
	if err := rest(ctx, pause); err != nil {
		return best, err
	}
	if best.rested, err = run(); err != nil {
		return best, err
	}
	best.again = best.rested
	for range 2 {
		took, err := run()
		if err != nil {
			return best, err
		}
		best.again = min(best.again, took)
	}
	return best, nil
}

// passes waits for the first one, and for three of each other kind.
func (s *site) passes(ctx context.Context) (seen passes, err error) {
	err = until(ctx, 200*time.Millisecond, 10*time.Minute, func() (bool, error) {
		text, err := os.ReadFile(s.log())
		if err != nil && !errors.Is(err, os.ErrNotExist) { // the agent has only just begun
			return false, err
		}
		seen, err = readPasses(text)
		return len(seen.first) > 0 && len(seen.full) >= 3 && len(seen.unchanged) >= 3, err
	})
	if err != nil {
		return seen, fmt.Errorf("with %d first, %d full and %d unchanged passes in the log: %w",
			len(seen.first), len(seen.full), len(seen.unchanged), err)
	}
	return seen, nil
}

// readPasses finds the passes in a log that may still be growing.
func readPasses(log []byte) (seen passes, err error) {
	for line := range bytes.Lines(log[:bytes.LastIndexByte(log, '\n')+1]) {
		if !bytes.Contains(line, []byte(`"msg":"scan finished"`)) {
			continue
		}
		var p pass
		if err := json.Unmarshal(line, &p); err != nil {
			return seen, fmt.Errorf("reading the log's line %q: %w", line, err)
		}
		switch {
		case p.First:
			seen.first = append(seen.first, p)
		case p.Full:
			seen.full = append(seen.full, p)
		default:
			seen.unchanged = append(seen.unchanged, p)
		}
	}
	return seen, nil
}

// fastest is the best pass, as findTime is the best time.
func fastest(list []pass) pass {
	return slices.MinFunc(list, func(a, b pass) int { return cmp.Compare(a.Took, b.Took) })
}
