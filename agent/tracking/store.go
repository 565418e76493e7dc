package tracking

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"biomero-importer/agent/group"
	"biomero-importer/agent/order"
	"biomero-importer/importer/repository"
)

// Store is the database. Its methods may be called concurrently.
type Store struct {
	pool      *pgxpool.Pool
	recording *group.Group[repository.Import, []repository.Fileset]
	beginning *group.Group[*Work, grip]
	ending    *group.Group[End, grip]
	reading   chan struct{} // has room for one that reads a long list of files
}

// Open connects to the database at url (a PostgreSQL URL or keyword string)
// with at most conns connections at a time.
func Open(ctx context.Context, url string, conns int) (*Store, error) {
	pool, err := connect(ctx, url, conns)
	if err != nil {
		return nil, err
	}
	s := &Store{pool: pool, reading: make(chan struct{}, maxReading)}
	s.recording = group.New(maxRecorded, 0, s.record)
	s.beginning = group.New(maxBegun, restBetweenBegins, s.begin)
	s.ending = group.New(maxEnds, restBetweenEnds, s.finish)
	return s, nil
}

// Close ends all connections.
func (s *Store) Close() { s.pool.Close() }

// Renew has all connections replaced, those in use once they are free: where one
// turned out to be dead, each of the others may have to be waited for. What was taken
// ahead on one, as numbers are, ends with it.
func (s *Store) Renew() { s.pool.Reset() }

// Pool is the connections, for who looks at what was written.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// connect opens the pool; settings are names and values for its sessions. It
// does not mention the url in its errors: it may hold a password.
func connect(ctx context.Context, url string, conns int, settings ...string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx masks the password in this error.
		return nil, order.Errorf(order.Invalid, "reading the database's address: %w", err)
	}
	config.MaxConns = int32(min(conns, 1000)) //nolint:gosec // bounded on this line
	config.ConnConfig.DialFunc = dialer.DialContext
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTime
	}
	params := config.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "biomero-importer"
	}
	// Names of tables are always qualified, so nothing hangs on the role's own search path.
	params["search_path"] = "pg_catalog"
	// What is asked for takes milliseconds: less than compiling the query does.
	params["jit"] = "off"
	// Tables grow from nothing to millions of rows between two looks of the planner,
	// while its plans are kept: what reads a whole table, or joins by it, is never
	// what is wanted where an index serves.
	for _, way := range []string{"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"} {
		params[way] = "off"
	}
	// Planning takes as long as what is asked for.
	params["plan_cache_mode"] = "force_generic_plan"
	// An agent whose machine or network is gone must lose its locks in seconds.
	params["tcp_keepalives_idle"], params["tcp_keepalives_interval"] = seconds(aliveIdle), seconds(aliveInterval)
	params["tcp_keepalives_count"], params["tcp_user_timeout"] = strconv.Itoa(aliveCount), seconds(receiptTime)+"s"
	// An agent that stands still, or a partition, must not keep others from their turn.
	params["idle_in_transaction_session_timeout"] = seconds(10*time.Second) + "s"
	for i := 0; i+1 < len(settings); i += 2 {
		params[settings[i]] = settings[i+1]
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, classified("connecting to the database", err)
	}
	return pool, nil
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// text makes a value storable in a text column: PostgreSQL takes neither NUL
// nor bytes that are no UTF-8.
func text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// classified tells faults of the database that pass from those that somebody
// has to mend: a login, a missing database, missing rights, tables that are not
// ours to change (SQLSTATE classes 28, 3D and 42).
func classified(doing string, err error) error {
	fault, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil:
		return nil
	case ok && (strings.HasPrefix(fault.Code, "28") || fault.Code == "42501"):
		return order.Errorf(order.Denied, "%s: %w", doing, err)
	case ok && (strings.HasPrefix(fault.Code, "3D") || strings.HasPrefix(fault.Code, "42")):
		return order.Errorf(order.Invalid, "%s: %w", doing, err)
	}
	return order.Errorf(order.Busy, "%s: %w", doing, err)
}
