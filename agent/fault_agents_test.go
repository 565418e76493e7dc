package main_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Agents die at any moment, and others start, while users go on placing orders.
func TestFault_agentsAreKilled(t *testing.T) {
	t.Parallel()
	rounds := 8
	if long {
		rounds = 20
	}
	for _, agents := range []int{2, 10} {
		t.Run(fmt.Sprintf("of %d", agents), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "max_connections=300")
			chance := rand.New(rand.NewPCG(uint64(agents), 1))
			var workers []*worker
			for i := range agents {
				workers = append(workers, r.worker(fmt.Sprintf("agent%d", i)).start())
			}
			for range rounds {
				before := len(r.ids)
				for range 5 {
					for _, user := range []string{"ada", "bob", "eve", "ida", "joe"} {
						r.place(user, 1, 5)
					}
				}
				// Those of an agent that was killed before may wait for a while yet.
				some := before + chance.IntN(10)
				r.eventually(func() bool { return r.count(`SELECT count(*) FROM importer.orders`) > some }, "some are taken up")
				w := workers[chance.IntN(agents)]
				w.kill()
				w.start()
			}
			r.finish()
			for _, w := range workers {
				w.stop()
			}
			audit(t, r)
		})
	}
}

// An agent stands still while it takes orders up, which agents do in turns. It is
// not gone, so what it has taken up stays its own, yet its turn is over.
func TestFault_agentStandsStillInItsTurn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	still := r.worker("still").start()
	for range 3 { // its connections have their statements prepared then
		r.place("ada", 20, 1)
		r.finish()
	}
	release := r.hold("importer.orders")
	r.place("ada", 10, 3)
	r.eventually(func() bool {
		return r.count(`SELECT count(*) FROM pg_stat_activity a WHERE wait_event_type = 'Lock' AND `+isTurn) > 0
	}, "it is its turn")
	require.NoError(t, still.cmd.Process.Signal(syscall.SIGSTOP))
	release()
	other := r.worker("other").start()
	r.place("bob", 10, 3)
	r.eventually(func() bool {
		return r.count(`SELECT count(*) FROM public.imports WHERE user_name = 'bob' AND stage = 'Import Completed'`) == 10
	}, "others go on")
	require.NoError(t, still.cmd.Process.Signal(syscall.SIGCONT))
	r.finish()
	other.stop()
	still.stop()
	audit(t, r)
}

// An agent dies between an import and the end of its order: the import is found
// again, and leaves nothing else behind.
func TestFault_agentDiesBeforeTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := r.worker("a").start()
	release := r.hold("importer.files")
	r.place("ada", 4, 3)
	r.eventually(func() bool {
		return r.count(`SELECT count(*) FROM importer.repository_filesets`) == 12 &&
			r.count(`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'importer.files'::regclass`) > 0
	}, "all is imported, and no order can end")
	w.kill()
	release()
	w.start()
	r.finish()
	w.stop()
	audit(t, r)
	require.Zero(t, r.count(`SELECT count(*) FROM importer.repository_prefixes p
		WHERE NOT EXISTS (SELECT FROM importer.repository_filesets f WHERE starts_with(f.link, p.prefix || '/'))`), "prefixes of nothing")
}
