package omerotest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

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

	tb    testing.TB
	store *server.Store
}

// New makes a server, which lasts as long as the test.
func New(tb testing.TB) *Omero {
	tb.Helper()
	content, err := executable()
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	o := &Omero{
		CLI: filepath.Join(dir, "bin", "omero"), Repository: filepath.Join(dir, "repository"),
		Host: cli.Host, Port: cli.Port, tb: tb,
	}
	for _, sub := range []string{"bin", "repository", "server"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil { //nolint:gosec // for any user
			tb.Fatal(err)
		}
	}
	if err := install(o.CLI, content); err != nil {
		tb.Fatal(err)
	}
	o.store, err = server.Open(filepath.Join(dir, "server"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(killLeft(o.CLI), o.store.Close()); err != nil {
			tb.Error(err)
		}
	})
	options := server.DefaultOptions()
	options.RefuseRoot = os.Geteuid() != 0
	options.Repository, options.RepositoryUUID = o.Repository, uuid.NewString()
	if err := mark(o.Repository, options.RepositoryUUID); err != nil {
		tb.Fatal(err)
	}
	o.update(func(tx *server.Tx) { tx.Init(options, RootPassword) })
	return o
}

// mark writes into a repository which one it is, as the server does: see omero-blitz's
// FileMaker.
func mark(repository, id string) error {
	dir := filepath.Join(repository, ".omero", "repository", uuid.NewString())
	return errors.Join(os.MkdirAll(dir, 0o755), //nolint:gosec // for any user
		os.WriteFile(filepath.Join(dir, "repo_uuid"), append([]byte{0, byte(len(id))}, id...), 0o644)) //nolint:gosec // for any user
}

func (o *Omero) update(change func(tx *server.Tx)) {
	o.tb.Helper()
	err := o.store.Update(func(tx *server.Tx) error {
		change(tx)
		return nil
	})
	if err != nil {
		o.tb.Fatal(err)
	}
}

// State is what there is now.
func (o *Omero) State() State {
	o.tb.Helper()
	var s State
	if err := o.store.View(func(w *server.World) { s = w.State() }); err != nil {
		o.tb.Fatal(err)
	}
	return s
}

// Change changes how the server and its clients behave, from the next process or
// request on.
func (o *Omero) Change(change func(*Options)) {
	o.tb.Helper()
	o.update(func(tx *server.Tx) {
		options := tx.Options()
		change(&options)
		tx.SetOptions(options)
	})
}

// Fail plans a fault. Of several the first that is due strikes. A fault that could
// never strike ends the test.
func (o *Omero) Fail(f Fault) {
	o.tb.Helper()
	if !f.Known() {
		o.tb.Fatalf("there is no fault %+v", f)
	}
	o.update(func(tx *server.Tx) { tx.Fail(f) })
}

// CloseSessions ends all sessions, as a restart of the server does.
func (o *Omero) CloseSessions() {
	o.tb.Helper()
	o.update(func(tx *server.Tx) { tx.CloseSessions() })
}

// Idle reports whether neither the server nor a client does anything.
func (o *Omero) Idle() bool {
	o.tb.Helper()
	left, err := processes(o.CLI)
	if err != nil {
		o.tb.Fatal(err)
	}
	return len(left) == 0
}

// Heal ends all faults.
func (o *Omero) Heal() {
	o.tb.Helper()
	o.update(func(tx *server.Tx) { tx.Heal() })
}
