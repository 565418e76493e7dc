package main_test

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// The database is restarted, and then killed, while orders run and others wait.
func TestFault_databaseGoesAndComesBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*server){"restarted": (*server).stop, "killed": (*server).crash} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.place("ada", 5, 3)
			w := r.worker("a").start()
			r.finish()
			r.hold(filesets)
			r.place("ada", 10, 3)
			r.place("bob", 10, 3)
			r.stuck(4)
			end(r.server)
			w.says("the engine lost the database")
			r.server.start()
			r.place("eve", 5, 3)
			r.finish()
			w.stop()
			audit(t, r)
		})
	}
}

// A database that stands still for longer than an agent may be without its lock.
func TestFault_databaseStandsStill(t *testing.T) {
	t.Parallel()
	still := 12 * time.Second
	if long {
		still = time.Minute
	}
	r := newRig(t)
	a, b := r.worker("a").start(), r.worker("b").start()
	release := r.hold(filesets)
	for _, user := range []string{"ada", "bob", "eve"} {
		r.place(user, 10, 3)
	}
	r.stuck(8)
	began := time.Now()
	r.server.signal(syscall.SIGSTOP)
	for _, w := range []*worker{a, b} {
		w.says("the engine lost the database and starts again")
	}
	time.Sleep(time.Until(began.Add(still)))
	r.server.signal(syscall.SIGCONT)
	release()
	r.finish()
	a.stop()
	b.stop()
	audit(t, r)
	require.NotContains(t, a.log()+b.log(), "did not succeed")
}

// Other clients take all the connections, when the agent starts and while it works.
func TestFault_databaseIsFull(t *testing.T) {
	t.Parallel()
	r := newRig(t, "max_connections=30")
	leave := r.crowd()
	r.place("ada", 5, 3)
	w := r.worker("a").launch()
	w.says("waiting for the database")
	require.Contains(t, w.log(), tooMany)
	leave()
	r.finish()

	release := r.hold(filesets)
	r.place("ada", 10, 3)
	r.place("bob", 10, 3)
	r.stuck(4)
	leave = r.crowd()
	r.server.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'biomero-importer' AND usename = 'importer'`)
	release()
	r.eventually(func() bool { return strings.Count(w.log(), tooMany) > 4 }, "it meets a full database again")
	leave()
	r.finish()
	w.stop()
	audit(t, r)
}

// tooMany is what PostgreSQL says then.
const tooMany = "SQLSTATE 53300"

// crowd takes every connection that is free, or becomes so, until it is asked to leave.
func (r *rig) crowd() (leave func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	full, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		isFull := sync.OnceFunc(func() { close(full) })
		for ctx.Err() == nil {
			conn, err := pgx.Connect(ctx, r.server.url("importer"))
			if err == nil {
				defer conn.Close(context.WithoutCancel(ctx))
				continue
			}
			isFull()
			time.Sleep(time.Millisecond)
		}
	}()
	leave = func() {
		cancel()
		<-left
	}
	r.t.Cleanup(leave)
	<-full
	return leave
}
