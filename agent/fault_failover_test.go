package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/tracking"
)

// readOnly is what PostgreSQL says to who would write.
const readOnly = "SQLSTATE 25006"

// The database takes nothing for a while, when the agent starts and while it works.
func TestFault_databaseTurnsReadOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	turn := func(how string) {
		r.server.exec("ALTER SYSTEM SET default_transaction_read_only = "+how, "SELECT pg_reload_conf()")
	}
	r.place("ada", 5, 3)
	turn("on")
	w := r.worker("a").launch()
	w.says(readOnly)
	turn("off")
	r.finish()

	release := r.hold(filesets)
	r.place("ada", 10, 3)
	r.place("bob", 10, 3)
	r.stuck(4)
	turn("on")
	before := len(w.log())
	release() // what has begun is recorded, and then nothing can be ended or taken up
	r.eventually(func() bool { return len(w.log()) > before && strings.Count(w.log()[before:], readOnly) > 5 }, "it waits")
	turn("off")
	r.finish()
	w.stop()
	audit(t, r)
}

// The database's machine dies, and another one takes over that was read only until then.
func TestFault_databaseFailsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	standby := r.server.standby(r.path("standby"))
	both := fmt.Sprintf("host=%s,%s user=importer dbname=postgres", r.server.dir, standby.dir)
	a, b := r.worker("a"), r.worker("b")
	a.url, b.url = both, both+" target_session_attrs=read-write"
	a.start()
	b.start()
	r.place("ada", 5, 3)
	r.finish()
	r.hold(filesets)
	r.place("ada", 10, 3)
	r.place("bob", 10, 3)
	r.stuck(8)
	r.server.crash()
	a.says(readOnly)
	b.says("the engine lost the database")
	standby.exec("SELECT pg_promote()")
	r.move(standby)
	r.place("eve", 5, 3)
	r.finish()
	a.stop()
	b.stop()
	audit(t, r)
}

// move looks at another server from now on.
func (r *rig) move(to *server) {
	r.t.Helper()
	store, err := tracking.Open(r.t.Context(), to.url("postgres"), 4)
	require.NoError(r.t, err)
	r.t.Cleanup(store.Close)
	r.server, r.store, r.url = to, store, to.url("postgres")
	r.configure("")
}
