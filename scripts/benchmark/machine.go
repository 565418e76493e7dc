package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"biomero-importer/agent/postgres"
	"biomero-importer/agent/tracking"
)

// machine is a cluster and a folder, and sites on them.
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

// onSite makes a database and folders for one service.
func (m *machine) onSite(ctx context.Context, do func(*site) error) error {
	url, pool, err := m.database(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	s := &site{dir: filepath.Join(m.dir, fmt.Sprint("site", m.serial)), url: url, pool: pool}
	if err := os.MkdirAll(s.inbox(), 0o750); err != nil {
		return err
	}
	return do(s)
}
