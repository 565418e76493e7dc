package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"biomero-importer/agent/postgres"
	"biomero-importer/agent/tracking"
)

// machine is a cluster and a data folder, and services on them.
type machine struct {
	dir     string
	cluster *postgres.Cluster
	serial  int
}

func onMachine(ctx context.Context, do func(*machine) error) (err error) {
	dir, err := os.MkdirTemp("", "biomero-importer-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // the database's user passes through
		return err
	}
	cluster, err := postgres.Start(ctx, postgres.Options{Dir: filepath.Join(dir, "postgres"), Log: quiet})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Stop(context.WithoutCancel(ctx))) }()
	return do(&machine{dir: dir, cluster: cluster})
}

// database makes an empty, migrated database.
func (m *machine) database(ctx context.Context) (url string, pool *pgxpool.Pool, err error) {
	m.serial++
	name := fmt.Sprintf("bench%d", m.serial)
	conn, err := pgx.Connect(ctx, m.cluster.URL())
	if err != nil {
		return "", nil, err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return "", nil, err
	}
	url = strings.Replace(m.cluster.URL(), "/"+postgres.Database+"?", "/"+name+"?", 1)
	if err := tracking.Migrate(ctx, url, quiet); err != nil {
		return "", nil, err
	}
	pool, err = pgxpool.New(ctx, url)
	return url, pool, err
}

// service runs the built program until the returned stop is called.
func (m *machine) service(ctx context.Context, url string, workers int) (data string, stop func() error, err error) {
	dir := filepath.Join(m.dir, fmt.Sprint("site", m.serial))
	data = filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o750); err != nil {
		return "", nil, err
	}
	settings := filepath.Join(dir, "settings.yml")
	text := fmt.Sprintf("ingest_tracking_db: %q\nbase_dir: %s\nstate_dir: %s/state\nlog_file_path: %s/logs/importer.log\nlog_level: warning\nmax_workers: %d\nweb: {listen: \"\"}\nroles: [work]\n",
		url, data, dir, dir, workers)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, "bin/biomero-importer", "run", "--config", settings) //nolint:gosec // our own file
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	return data, func() error {
		return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
	}, nil
}

// insert places n orders of one file each in one statement, and returns when
// they are committed.
func insert(ctx context.Context, pool *pgxpool.Pool, files []string) error {
	_, err := pool.Exec(ctx, `INSERT INTO public.imports
		(group_name, user_name, destination_id, destination_type, stage, uuid, files)
		SELECT 'Demo', 'ada', '1', 'Dataset', 'Import Pending', gen_random_uuid()::text, json_build_array(f)::text
		FROM unnest($1::text[]) f`, files)
	return err
}

// await polls until n orders have ended, and returns when it saw that.
func await(ctx context.Context, pool *pgxpool.Pool, n int) (time.Time, error) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		var completed, failed int
		err := pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE state = 'failed')
			FROM importer.orders`).Scan(&completed, &failed)
		if err != nil {
			return time.Time{}, err
		}
		if failed > 0 {
			return time.Time{}, fmt.Errorf("%d orders failed", failed)
		}
		if completed >= n {
			return time.Now(), nil
		}
		select {
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-ticker.C:
		}
	}
}

// files makes n little files.
func files(dir string, n int) ([]string, error) {
	var list []string
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("%03d", i/1000), fmt.Sprintf("img%06d.tif", i))
		if i%1000 == 0 {
			if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
				return nil, err
			}
		}
		if err := os.WriteFile(path, []byte("II*\x00pixels"), 0o600); err != nil {
			return nil, err
		}
		list = append(list, path)
	}
	return list, nil
}
