package server

import (
	"slices"
	"strings"
	"time"
)

// Op is where a fault strikes.
type Op string

// The operations of the command line, and OMERO.web.
const (
	AtLogin  Op = "login"  // every opening and joining of a session, by any command
	AtImport Op = "import" // in the JVM, after the login
	AtHQL    Op = "hql"
	AtObj    Op = "obj"
	AtZarr   Op = "zarr"
	AtLogout Op = "logout"
	AtWeb    Op = "web"
)

// Kind is what a fault does.
type Kind string

// Fault is something that goes wrong as planned.
type Fault struct {
	At   Op     `json:"at"`
	Kind Kind   `json:"kind"`
	Path string `json:"path,omitempty"` // AtWeb: strikes only requests whose path contains it
	// After is how many filesets (AtImport) or lines (AtObj) of a process are done
	// before; from then on it strikes each until it has struck often enough.
	After int           `json:"after,omitempty"`
	Times int           `json:"times,omitempty"` // 0 is once; below 0 lasts
	Delay time.Duration `json:"delay,omitempty"` // of Hang (0: for good), ServerGoesOn, Slow and TooMany
}

// Plan is a fault and how often it has yet to strike.
type Plan struct {
	ID    int64 `json:"id"`
	Fault Fault `json:"fault"`
	Left  int   `json:"left"` // below 0: without end
}

// Fail plans a fault.
func (tx *Tx) Fail(f Fault) {
	left := f.Times
	if left == 0 {
		left = 1
	}
	tx.putPlan(Plan{Fault: f, Left: left})
}

// Heal ends all faults.
func (tx *Tx) Heal() {
	for _, p := range tx.plans.rows {
		p.Left = 0
		tx.putPlan(p)
	}
}

// Pending reports whether an operation has faults yet to strike.
func (w *World) Pending(at Op) bool {
	return slices.ContainsFunc(w.plans.rows, func(p Plan) bool { return p.Left != 0 && p.Fault.At == at })
}

// Strike takes the first planned fault of an operation that is due, after a
// number of things done; it counts as having struck.
func (tx *Tx) Strike(at Op, path string, done int) (Fault, bool) {
	for _, p := range tx.plans.rows {
		if p.Left == 0 || p.Fault.At != at || done < p.Fault.After || !strings.Contains(path, p.Fault.Path) {
			continue
		}
		if p.Left > 0 {
			p.Left--
		}
		tx.putPlan(p)
		return p.Fault, true
	}
	return Fault{}, false
}
