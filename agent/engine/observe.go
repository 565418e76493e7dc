package engine

import (
	"context"
	"errors"
	"time"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/preprocess"
)

// Observer is told what an Engine does, for those who measure. Its methods are called
// from several goroutines and have to return at once.
type Observer interface {
	// Session: the engine takes orders from now on, or, with an error, lost the database.
	Session(err error)
	// Taken: an order was taken up for the first time, so long after it was asked for.
	Taken(waited time.Duration)
	// Working: so many more orders are under way, or fewer.
	Working(change int)
	// Converting: so many more converters run, or fewer.
	Converting(change int)
	// Step: a step took so long, whatever came of it.
	Step(step Step, took time.Duration)
	// File: it was decided what becomes of a file.
	File(state tracking.FileState)
	// Fault: an order met one.
	Fault(fault Fault)
	// Ended: an attempt ended, so long after its present run began.
	Ended(stage order.Stage, took time.Duration)
}

// Step is one of those that an order goes through.
type Step string

// The steps, in their order. Annotation is part of StepImport, batch by batch.
const (
	StepList    Step = "list"    // its files, of all there are
	StepCheck   Step = "check"   // all files
	StepPrepare Step = "prepare" // asking the backend
	StepConvert Step = "convert" // one file, its turn included
	StepImport  Step = "import"  // one batch
	StepEnd     Step = "end"     // writing what became of it
)

// Steps are all of them.
func Steps() []Step {
	return []Step{StepList, StepCheck, StepPrepare, StepConvert, StepImport, StepEnd}
}

// Fault is a class of what orders meet.
type Fault string

// The faults. Those before FaultLate end an order, or its attempt at last; FaultLate and
// FaultPassing are tried again a few times; the others say nothing of the order.
const (
	FaultInvalid   Fault = "invalid"
	FaultDenied    Fault = "denied"
	FaultCancelled Fault = "cancelled"
	FaultLate      Fault = "late"
	FaultPassing   Fault = "passing"
	FaultDatabase  Fault = "database"
	FaultDisk      Fault = "disk"
	FaultCrowded   Fault = "crowded"
	FaultBackend   Fault = "backend"
	FaultPodman    Fault = "podman"
	FaultBusy      Fault = "busy"
)

// Faults are all of them.
func Faults() []Fault {
	return []Fault{
		FaultInvalid, FaultDenied, FaultCancelled, FaultLate, FaultPassing, FaultDatabase, FaultDisk, FaultCrowded, FaultBackend, FaultPodman, FaultBusy,
	}
}

// faultOf classifies an error that an order met.
func faultOf(err error) Fault {
	for _, known := range []struct {
		err   error
		fault Fault
	}{
		{errCancelled, FaultCancelled},
		{errUnsaved, FaultDatabase},
		{errUnlisted, FaultDisk},
		{errCrowded, FaultCrowded},
		{preprocess.ErrUnavailable, FaultPodman},
		{importer.ErrUnavailable, FaultBackend},
		{preprocess.ErrBusy, FaultBusy},
	} {
		if errors.Is(err, known.err) {
			return known.fault
		}
	}
	if _, late := errors.AsType[*lateError](err); late {
		return FaultLate
	}
	switch order.ClassOf(err) {
	case order.Invalid:
		return FaultInvalid
	case order.Denied:
		return FaultDenied
	default:
		return FaultPassing
	}
}

// timed does a step, and tells how long it took.
func (e *Engine) timed(step Step, do func() error) error {
	began := time.Now()
	err := do()
	e.config.Observer.Step(step, time.Since(began))
	return err
}

// timedIn is timed for what takes a context.
func (e *Engine) timedIn(step Step, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		return e.timed(step, func() error { return do(ctx) })
	}
}

// nobody is the observer of an Engine that has none.
type nobody struct{}

func (nobody) Session(error)                    {}
func (nobody) Taken(time.Duration)              {}
func (nobody) Working(int)                      {}
func (nobody) Converting(int)                   {}
func (nobody) Step(Step, time.Duration)         {}
func (nobody) File(tracking.FileState)          {}
func (nobody) Fault(Fault)                      {}
func (nobody) Ended(order.Stage, time.Duration) {}
