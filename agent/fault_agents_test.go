package main_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
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
				workers = append(workers, r.worker(fmt.Sprintf("agent%d", i)).launch())
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
				w.launch()
			}
			r.finish()
			for _, w := range workers {
				w.stop()
			}
			audit(t, r)
		})
	}
}
