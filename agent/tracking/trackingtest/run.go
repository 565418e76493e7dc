package trackingtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	startTimeout = 2 * time.Minute
	stopTimeout  = 30 * time.Second
)

// current is the server of this test binary, set by Run.
var current *server

// Run runs the tests of a package whose TestMain calls it, and returns the
// exit status. The server, private to this test binary unless
// TEST_DATABASE_URL names one (as a superuser), starts when the first test asks
// for a database; setup then gives the template its tables and has to close
// its connections. After passing tests, goroutines left running fail the run.
func Run(m *testing.M, setup func(ctx context.Context, url string) error) int {
	return run(m, setup, os.Stderr)
}

func run(m interface{ Run() int }, setup func(ctx context.Context, url string) error, out io.Writer) int {
	current = &server{setup: setup, given: os.Getenv("TEST_DATABASE_URL")}
	code := m.Run()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := current.stop(ctx)
	if code == 0 {
		// After a failure, leaks are only its consequence.
		err = errors.Join(err, goleak.Find())
	}
	if err != nil {
		_, _ = fmt.Fprintf(out, "trackingtest: %v\n", err)
		return max(code, 1)
	}
	return code
}
