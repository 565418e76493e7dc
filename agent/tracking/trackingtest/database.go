package trackingtest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// closeTimeout is how long a test's pool may wait for connections that the
// test did not give back.
const closeTimeout = 10 * time.Second

// URL returns the address of a new database made from the template, which is
// dropped, with its connections, when the test ends.
func URL(tb testing.TB) string {
	tb.Helper()
	s := started(tb)
	return s.database(tb, s.clone)
}

// EmptyURL is like URL with a database that setup has not touched.
func EmptyURL(tb testing.TB) string {
	tb.Helper()
	return started(tb).database(tb, " TEMPLATE template0")
}

// Pool returns connections to a new database like URL's, closed when the test
// ends. The test fails if it then still holds one of them.
func Pool(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool, err := pgxpool.New(tb.Context(), URL(tb))
	if err != nil {
		tb.Fatalf("opening the test database: %v", err)
	}
	tb.Cleanup(func() {
		closed := make(chan struct{})
		go func() { defer close(closed); pool.Close() }()
		select {
		case <-closed:
		case <-time.After(closeTimeout):
			tb.Errorf("%d connections of the test's pool were never released", pool.Stat().AcquiredConns())
		}
	})
	return pool
}

func started(tb testing.TB) *server {
	tb.Helper()
	if current == nil {
		tb.Fatal("TestMain has to call trackingtest.Run")
	}
	// The server outlives the test that happens to start it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), startTimeout)
	defer cancel()
	if err := current.start(ctx); err != nil {
		tb.Fatal(err)
	}
	return current
}

func (s *server) database(tb testing.TB, end string) string {
	tb.Helper()
	name, err := s.create(tb.Context(), end)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.drop(context.WithoutCancel(tb.Context()), name); err != nil {
			tb.Error(err)
		}
	})
	return s.urlOf(name)
}
