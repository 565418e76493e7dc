package omerotest

import (
	"os"
	"path/filepath"
	"testing"

	"biomero-importer/importer/omero/omerotest/internal/cli"
	"biomero-importer/importer/omero/omerotest/internal/server"
)

// RootPassword is the password of root.
const RootPassword = "omero"

// Omero is a pretended OMERO server with nobody but root on it.
type Omero struct {
	// CLI is the path of the omero executable. It belongs to this server, and
	// needs nothing of its environment.
	CLI string
	// Repository is the folder of the managed repository.
	Repository string
	// Host and Port are where the server listens; elsewhere is none.
	Host, Port string

	t     testing.TB
	store *server.Store
}

// New makes a server, which lasts as long as the test.
func New(t testing.TB) *Omero {
	t.Helper()
	content, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := &Omero{
		CLI: filepath.Join(dir, "bin", "omero"), Repository: filepath.Join(dir, "repository"),
		Host: cli.Host, Port: cli.Port, t: t,
	}
	for _, sub := range []string{"bin", "repository", "server"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil { //nolint:gosec // for any user
			t.Fatal(err)
		}
	}
	if err := install(o.CLI, content); err != nil {
		t.Fatal(err)
	}
	o.store, err = server.Open(filepath.Join(dir, "server"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.store.Close(); err != nil {
			t.Error(err)
		}
	})
	options := server.DefaultOptions()
	options.RefuseRoot = os.Geteuid() != 0
	o.update(func(tx *server.Tx) { tx.Init(options, RootPassword) })
	return o
}

func (o *Omero) update(change func(tx *server.Tx)) {
	o.t.Helper()
	err := o.store.Update(func(tx *server.Tx) error {
		change(tx)
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// State is what there is now.
func (o *Omero) State() State {
	o.t.Helper()
	var s State
	if err := o.store.View(func(w *server.World) { s = w.State() }); err != nil {
		o.t.Fatal(err)
	}
	return s
}

// Change changes how the server and its clients behave, from the next process or
// request on.
func (o *Omero) Change(change func(*Options)) {
	o.t.Helper()
	o.update(func(tx *server.Tx) {
		options := tx.Options()
		change(&options)
		tx.SetOptions(options)
	})
}

// Fail plans a fault. Of several the first that is due strikes.
func (o *Omero) Fail(f Fault) {
	o.t.Helper()
	o.update(func(tx *server.Tx) { tx.Fail(f) })
}

// Heal ends all faults.
func (o *Omero) Heal() {
	o.t.Helper()
	o.update(func(tx *server.Tx) { tx.Heal() })
}
