package trackingtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"biomero-importer/agent/postgres"
)

// server is started once, by the first test that needs it.
type server struct {
	setup func(ctx context.Context, url string) error
	given string // the URL of a server that is not ours

	once    sync.Once
	err     error
	admin   *url.URL // of a database that is no test's
	prefix  string   // of the names of all databases of this run
	clone   string   // the end of the statement that copies the template
	made    bool     // the template is there to be dropped
	count   atomic.Int64
	dir     string
	dog     *watchdog
	cluster *postgres.Cluster
}

// fast trades safety from power cuts, which tests do not need, for speed.
var fast = map[string]string{
	"autovacuum":                 "off", // its workers would hold up copies of the template
	"cluster_name":               "trackingtest",
	"dynamic_shared_memory_type": "mmap", // in the folder, so removed with it
	"fsync":                      "off",
	"full_page_writes":           "off",
	"max_connections":            "300",
	"max_wal_size":               "128MB",
	"synchronous_commit":         "off",
}

// roomy is the free space in bytes that memory must have to hold a test server.
const roomy = 2 << 30

// scratch is memory where it is ample: making a database makes 300 files, which
// takes 20 ms there and up to 400 ms on a disk. "" is the usual place, and the
// one that somebody who set TMPDIR chose.
func scratch() string {
	const memory = "/dev/shm"
	var at unix.Statfs_t
	if unix.Statfs(memory, &at) != nil || at.Type != unix.TMPFS_MAGIC || at.Bavail*uint64(at.Bsize) < roomy { //nolint:gosec // sizes are not negative
		return ""
	}
	if os.Getenv("TMPDIR") != "" || unix.Access(memory, unix.W_OK) != nil {
		return ""
	}
	return memory
}

func (s *server) start(ctx context.Context) error {
	s.once.Do(func() {
		if s.err = s.open(ctx); s.err == nil {
			s.err = s.makeTemplate(ctx)
		}
	})
	return s.err
}

func (s *server) open(ctx context.Context) error {
	s.prefix = "trackingtest_" + strings.ToLower(rand.Text()[:10]) + "_"
	address := s.given
	if address == "" {
		var err error
		if s.dir, err = os.MkdirTemp(scratch(), "trackingtest-"); err != nil {
			return fmt.Errorf("making a folder for the test server: %w", err)
		}
		if s.dog, err = guard(ctx, s.dir); err != nil {
			return err
		}
		if s.cluster, err = postgres.Start(ctx, postgres.Options{Dir: s.dir, Parameters: fast}); err != nil {
			return fmt.Errorf("starting the test server: %w", err)
		}
		address = s.cluster.URL()
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme == "" {
		return errors.New("TEST_DATABASE_URL is not of the form postgres://user@host/database")
	}
	s.admin = parsed
	return nil
}

func (s *server) makeTemplate(ctx context.Context) error {
	template := s.prefix + "template"
	if err := s.exec(ctx, "CREATE DATABASE "+template+" TEMPLATE template0"); err != nil {
		return err
	}
	s.made = true
	if s.setup != nil {
		if err := s.setup(ctx, s.urlOf(template)); err != nil {
			return fmt.Errorf("preparing the template database: %w", err)
		}
	}
	s.clone = " TEMPLATE " + template
	version, err := s.version(ctx)
	if version >= 150000 {
		s.clone += " STRATEGY file_copy" // 13 ms instead of 23; the only way before 15
	}
	return err
}

func (s *server) version(ctx context.Context) (number int, err error) {
	err = s.connected(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&number)
	})
	return number, err
}

// create makes a database and returns its name.
func (s *server) create(ctx context.Context, end string) (string, error) {
	name := fmt.Sprintf("%s%d", s.prefix, s.count.Add(1))
	return name, s.exec(ctx, "CREATE DATABASE "+name+end)
}

func (s *server) drop(ctx context.Context, name string) error {
	return s.exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
}

func (s *server) exec(ctx context.Context, sql string) error {
	return s.connected(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql)
		return err
	})
}

// connected connects anew: a pool's goroutines would look like a test's leaks.
func (s *server) connected(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, s.admin.String())
	if err != nil {
		return fmt.Errorf("connecting to the test server: %w", err)
	}
	if err := errors.Join(do(conn), conn.Close(ctx)); err != nil {
		return fmt.Errorf("asking the test server: %w", err)
	}
	return nil
}

func (s *server) urlOf(database string) string {
	address := *s.admin
	address.Path = "/" + database
	return address.String()
}

func (s *server) stop(ctx context.Context) (err error) {
	if s.made && s.cluster == nil {
		err = s.drop(ctx, s.prefix+"template")
	}
	if s.cluster != nil {
		err = errors.Join(err, s.cluster.Stop(ctx))
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return errors.Join(err, s.dog.dismiss())
}
