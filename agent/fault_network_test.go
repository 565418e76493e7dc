package main_test

import (
	"crypto/rand"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cable joins two networks that nothing else is in: a server's and an agent's.
type cable struct {
	t             *testing.T
	server, agent string // network namespaces
}

const (
	serverAddress = "198.18.0.1"
	agentAddress  = "198.18.0.2"
)

func newCable(t *testing.T) *cable {
	t.Helper()
	asRoot(t)
	name := "fault-" + strings.ToLower(rand.Text()[:8])
	c := &cable{t, name + "-server", name + "-agent"}
	for _, net := range []string{c.server, c.agent} {
		ip(t, "netns add "+net)
		t.Cleanup(func() { ip(t, "netns del "+net) })
		ip(t, "-n "+net+" link set lo up")
	}
	ip(t, "-n "+c.server+" link add name wire type veth peer name wire netns "+c.agent)
	for net, address := range map[string]string{c.server: serverAddress, c.agent: agentAddress} {
		ip(t, "-n "+net+" address add "+address+"/30 dev wire")
		ip(t, "-n "+net+" link set wire up")
	}
	return c
}

// ip configures networks.
func ip(t *testing.T, words string) {
	t.Helper()
	path := "/usr/sbin/ip" // not on everybody's PATH
	if found, err := exec.LookPath("ip"); err == nil {
		path = found
	}
	out, err := exec.Command(path, strings.Fields(words)...).CombinedOutput()
	require.NoError(t, err, "ip %s: %s (the Debian package iproute2; a container needs the right to)", words, out)
}

// cut loses whatever is sent, without a word to either end: it goes to a card
// that nobody has.
func (c *cable) cut() {
	c.t.Helper()
	for net, peer := range map[string]string{c.server: agentAddress, c.agent: serverAddress} {
		ip(c.t, "-n "+net+" neighbour replace "+peer+" lladdr 02:00:00:00:00:01 dev wire nud permanent")
	}
}

func (c *cable) mend() {
	c.t.Helper()
	for net, peer := range map[string]string{c.server: agentAddress, c.agent: serverAddress} {
		ip(c.t, "-n "+net+" neighbour del "+peer+" dev wire")
	}
}

// newRemoteRig is a rig with one agent, started, that reaches the server by a cable.
func newRemoteRig(t *testing.T) (*rig, *cable, *worker) {
	t.Helper()
	c := newCable(t)
	dir := openDir(t)
	s := newServer(t, filepath.Join(dir, "db"), "listen_addresses="+serverAddress)
	s.net = c.server
	r := openRig(t, dir, s)
	w := r.worker("remote")
	w.net, w.url = c.agent, "postgres://importer@"+serverAddress+"/postgres"
	w.start()
	// Its connections have their statements prepared then: a cut hits what these do.
	for range 3 {
		r.place("ada", 20, 1)
		r.finish()
	}
	return r, c, w
}

// sessions counts the remote agent's connections, as the server sees them.
func (r *rig) sessions(of string) int {
	return r.count(`SELECT count(*) FROM pg_stat_activity a WHERE client_addr IS NOT NULL AND ` + of)
}

// isHolder is a condition on a session a: it has an agent's lock.
const isHolder = `EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.objsubid = 2)`

// isTurn is one too: nobody else can take orders up.
const isTurn = `EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted)`

// gone is when the server, and then another agent, have to have noticed that one is gone.
const gone, resumed = 20 * time.Second, 10 * time.Second

// An agent is cut off amid its orders, which are another's then. What comes
// meanwhile is not held up, and the agent is of use again afterwards.
func TestFault_agentIsCutOff(t *testing.T) {
	t.Parallel()
	r, c, remote := newRemoteRig(t)
	release := r.hold(filesets)
	r.place("ada", 10, 3)
	r.place("bob", 10, 3)
	r.stuck(4)
	near := r.worker("near").start()
	c.cut()
	began := time.Now()
	r.place("eve", 5, 3)
	release()
	r.eventually(func() bool { return r.sessions(isHolder) == 0 }, "its lock goes")
	require.Less(t, time.Since(began), gone)
	require.Contains(t, remote.log(), "the engine lost the database", "it has to stop before")
	require.NotContains(t, near.log(), "resuming orders")
	began = time.Now()
	r.finish()
	require.Less(t, time.Since(began), resumed)
	audit(t, r)

	near.stop()
	if long {
		time.Sleep(time.Minute)
	}
	c.mend()
	began = time.Now()
	r.place("ada", 10, 3)
	r.finish()
	require.Less(t, time.Since(began), gone)
	remote.stop()
	audit(t, r)
}

// An agent is cut off while it takes orders up, which agents do in turns.
func TestFault_agentIsCutOffInItsTurn(t *testing.T) {
	t.Parallel()
	r, c, remote := newRemoteRig(t)
	near := r.worker("near").start()
	release := r.hold("importer.orders")
	near.kill() // it must not be the one whose turn it is
	r.place("ada", 10, 3)
	r.eventually(func() bool { return r.sessions(isTurn+` AND wait_event_type = 'Lock'`) > 0 }, "it is the remote agent's turn")
	c.cut()
	release()
	began := time.Now()
	near.start()
	r.place("bob", 5, 3)
	r.finish()
	require.Less(t, time.Since(began), gone+resumed)
	near.stop()
	remote.kill()
	audit(t, r)
}

// Of two ways to the database the first one goes dead, as when its machine is gone.
func TestFault_addressGoesDead(t *testing.T) {
	t.Parallel()
	r, c, remote := newRemoteRig(t)
	remote.kill()
	remote.url = "host=" + serverAddress + "," + r.server.dir + " user=importer dbname=postgres"
	remote.launch()
	r.place("ada", 5, 3)
	r.finish()
	require.Positive(t, r.sessions(isHolder))
	c.cut()
	began := time.Now()
	r.place("ada", 5, 3)
	r.finish()
	require.Less(t, time.Since(began), gone+resumed)
	remote.kill() // its end would wait for the dead connections
	audit(t, r)
}
