package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"biomero-importer/preprocess/podman/podmantest"
)

// conversions says how much is converted.
type conversions struct {
	orders    int           // of one input, one at a time
	inputs    int           // of one order, several at a time
	sleep     time.Duration // of the converter of each
	megabytes int           // that a converter prints
	many      int           // inputs of an order, for memory
}

// workersAtOnce is compared with one.
const workersAtOnce = 4

func (m *machine) preprocessIfThere(ctx context.Context, c conversions) error {
	if podmantest.There() {
		return m.preprocess(ctx, c)
	}
	fmt.Fprintln(os.Stdout, "conversions are left out: podman, which runs converters, is not on this machine")
	return nil
}

// preprocess has files converted by a podman service of its own.
func (m *machine) preprocess(ctx context.Context, c conversions) (err error) {
	dir, err := os.MkdirTemp("", "podman") // not in m.dir: the path of its socket has to be short
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	podman, err := podmantest.New(dir) //nolint:contextcheck // it lasts until it is removed
	if podman != nil {
		defer podman.Remove() //nolint:contextcheck // also after an interrupt
	}
	if err == nil {
		err = podman.BuildConverter() //nolint:contextcheck // it knows none
	}
	if err != nil {
		return err
	}
	return errors.Join(m.container(ctx, podman, c), m.containers(ctx, podman, c), m.converterMemory(ctx, podman, c))
}

// container measures what one takes, in turns with the same by hand.
func (m *machine) container(ctx context.Context, podman *podmantest.Service, c conversions) error {
	return m.onSite(ctx, func(s *site) error {
		// The first shows that all have started.
		files, ours := tree{s.data(), c.orders + 1}, tree{filepath.Join(s.dir, "hand"), c.orders + 1}
		if err := errors.Join(files.write(ctx, image), ours.write(ctx, image)); err != nil {
			return err
		}
		hand := byHand{podman: podman, dir: filepath.Join(s.dir, "made")}
		var byHand []float64
		err := s.convert(ctx, podman, 1, func(ctx context.Context, _ process) error {
			for i, path := range files.paths() {
				if err := insertConverted(ctx, s, []string{path}, map[string]string{"do": "sleep"}); err != nil {
					return err
				}
				if err := s.converted(ctx, i+1); err != nil {
					return err
				}
				took, err := hand.one(ctx, ours.path(i))
				if err != nil {
					return err
				}
				byHand = append(byHand, milliseconds(took))
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := s.convertedOnce(ctx, files.n); err != nil {
			return err
		}
		orders, containers, err := s.conversionTimes(ctx)
		if err != nil {
			return err
		}
		middle := func(times []float64) float64 {
			times = slices.Clone(times[1:])
			slices.Sort(times)
			return quantile(times, .5)
		}
		run := middle(byHand)
		fmt.Fprintf(os.Stdout, "conversion of %d orders of one input, one at a time, p50: podman run by hand %.0f ms; the agent's container %.0f ms, ratio %.2f (wanted at most 1.1); its order, INSERT to Import Completed, %.0f ms, ratio %.2f\n",
			c.orders, run, middle(containers), middle(containers)/run, middle(orders), middle(orders)/run)
		return nil
	})
}

// containers measures what several at a time gain.
func (m *machine) containers(ctx context.Context, podman *podmantest.Service, c conversions) error {
	var agent, hand [2]time.Duration
	for i, workers := range []int{1, workersAtOnce} {
		err := m.onSite(ctx, func(s *site) error {
			params := map[string]string{"do": "sleep", "milliseconds": milli(c.sleep)}
			used, err := s.orderConverted(ctx, podman, workers, c.inputs, params)
			agent[i] = used.took
			if err != nil {
				return err
			}
			ours := tree{filepath.Join(s.dir, "hand"), c.inputs}
			if err := ours.write(ctx, image); err != nil {
				return err
			}
			hand[i], err = byHand{podman, filepath.Join(s.dir, "made"), c.sleep}.all(ctx, ours.paths(), workers)
			return err
		})
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stdout, "one order of %d inputs, whose converter sleeps %d ms: 1 worker %.1f s, %d workers %.1f s, ratio %.2f (wanted 3.5); podman run by hand %.1f s, so many at a time %.1f s, ratio %.2f\n",
		c.inputs, c.sleep.Milliseconds(), agent[0].Seconds(), workersAtOnce, agent[1].Seconds(), agent[0].Seconds()/agent[1].Seconds(),
		hand[0].Seconds(), hand[1].Seconds(), hand[0].Seconds()/hand[1].Seconds())
	return nil
}

// converterMemory measures what the agent needs for much and for little.
func (m *machine) converterMemory(ctx context.Context, podman *podmantest.Service, c conversions) error {
	few := max(c.many/10, 1)
	var of [4]conversionUse
	for i, order := range []struct {
		inputs int
		params map[string]string
	}{
		{1, map[string]string{"do": "endless", "megabytes": "1"}},
		{1, map[string]string{"do": "endless", "megabytes": strconv.Itoa(c.megabytes)}},
		{few, map[string]string{"do": "sleep"}},
		{c.many, map[string]string{"do": "sleep"}},
	} {
		err := m.onSite(ctx, func(s *site) (err error) {
			of[i], err = s.orderConverted(ctx, podman, workersAtOnce, order.inputs, order.params)
			return err
		})
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stdout, "  anonymous memory of the agent at most: %.1f MB while a converter prints %d MB in %.1f s, %.1f while it prints 1; %.1f with %d inputs, %.1f with %d (wanted the same); %.1f inputs/s\n",
		of[1].used.anonymous, c.megabytes, of[1].took.Seconds(), of[0].used.anonymous,
		of[3].used.anonymous, c.many, of[2].used.anonymous, few, float64(c.many)/of[3].took.Seconds())
	return nil
}

// conversionUse is what an order took.
type conversionUse struct {
	took time.Duration
	used memory // at most
}

// orderConverted has one order of n inputs converted and imported, after one of one.
func (s *site) orderConverted(ctx context.Context, podman *podmantest.Service, workers, n int, params map[string]string) (use conversionUse, err error) {
	files := tree{s.data(), n + 1}
	if err := files.write(ctx, image); err != nil {
		return use, err
	}
	paths := files.paths()
	err = s.convert(ctx, podman, workers, func(ctx context.Context, agent process) (err error) {
		// The first shows that all have started.
		if err := insertConverted(ctx, s, paths[n:], map[string]string{"do": "sleep"}); err != nil {
			return err
		}
		if err := s.converted(ctx, 1); err != nil {
			return err
		}
		if err := insertConverted(ctx, s, paths[:n], params); err != nil {
			return err
		}
		use.used, err = most(agent, func() error { return s.converted(ctx, 2) })
		return err
	})
	if err != nil {
		return use, err
	}
	orders, _, err := s.conversionTimes(ctx)
	if err != nil {
		return use, err
	}
	use.took = time.Duration(orders[1] * float64(time.Millisecond))
	return use, s.convertedOnce(ctx, n+1)
}

// convert runs the service to carry out orders whose files are converted.
func (s *site) convert(ctx context.Context, podman *podmantest.Service, workers int, do func(context.Context, process) error) error {
	return s.run(ctx, fmt.Sprintf("roles: [work]\npreprocess_workers: %d\npodman: {socket: %s, pull: never}\n", workers, podman.Socket), do)
}

// insertConverted places one order of all files, to be converted first.
func insertConverted(ctx context.Context, s *site, files []string, params map[string]string) error {
	_, err := s.pool.Exec(ctx, `WITH c AS (
			INSERT INTO public.imports_preprocessing (container, input_file, output_folder, alt_output_folder, extra_params)
			VALUES ($1, '{Files}', '/data', '/out', $2) RETURNING id)
		INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files, preprocessing_id)
		SELECT 'Demo', 'ada', '1', 'Dataset', 'Import Pending', gen_random_uuid()::text, array_to_json($3::text[])::text, id FROM c`,
		podmantest.Converter, params, files)
	return err
}

// converted waits until n orders have ended well.
func (s *site) converted(ctx context.Context, n int) error {
	return until(ctx, 20*time.Millisecond, time.Hour, func() (bool, error) {
		var reason string
		err := s.pool.QueryRow(ctx, `SELECT coalesce(min(description), '') FROM public.imports WHERE stage = 'Import Failed'`).Scan(&reason)
		if err == nil && reason != "" {
			err = errors.New(reason)
		}
		if err != nil {
			return false, err
		}
		completed, err := s.count(ctx, `SELECT count(*) FROM importer.orders WHERE state = 'completed'`)
		return completed >= n, err
	})
}

// conversionTimes are how long each order took, by the database's clock, and its last
// container, as its log has it, in milliseconds and as the orders came.
func (s *site) conversionTimes(ctx context.Context) (orders, containers []float64, err error) {
	rows, err := s.pool.Query(ctx, `SELECT b.uuid, 1000 * extract(epoch FROM e."timestamp" - b."timestamp")::float8
		FROM public.imports b JOIN public.imports e USING (uuid)
		WHERE b.stage = 'Import Pending' AND e.stage = 'Import Completed' ORDER BY b.id`)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var order float64
		if err := rows.Scan(&id, &order); err != nil {
			return nil, nil, err
		}
		container, err := containerTime(filepath.Join(s.dir, "import."+id+".log"))
		if err != nil {
			return nil, nil, err
		}
		orders, containers = append(orders, order), append(containers, milliseconds(container))
	}
	return orders, containers, rows.Err()
}

func containerTime(log string) (took time.Duration, err error) {
	text, err := os.ReadFile(log) //nolint:gosec // our own file
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var line struct {
			Msg  string        `json:"msg"`
			Took time.Duration `json:"took"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "converted" {
			took = line.Took
		}
	}
	if took == 0 {
		err = fmt.Errorf("%s says of no conversion how long it took", log)
	}
	return took, errors.Join(err, lines.Err())
}

// convertedOnce checks that n files were each converted and imported once, and that the
// audit finds nothing.
func (s *site) convertedOnce(ctx context.Context, n int) error {
	var wrong []error
	for _, table := range []string{"importer.files WHERE state = 'imported'", "importer.conversions", "importer.repository_filesets"} {
		got, err := s.count(ctx, "SELECT count(*) FROM "+table)
		if err != nil {
			return err
		}
		if got != n {
			wrong = append(wrong, fmt.Errorf("%d of %s instead of %d", got, table, n))
		}
	}
	published := 0
	err := filepath.WalkDir(s.data(), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.Contains(path, "/.processed/") {
			published++
		}
		return err
	})
	if published != n {
		wrong = append(wrong, fmt.Errorf("%d files were published instead of %d", published, n))
	}
	return errors.Join(append(wrong, err, s.audit(ctx))...)
}

func milli(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
