// Package engine carries orders out. A dispatcher turns pending rows into jobs
// of a River queue on the same database; workers run each job's steps, resume
// it where a dead agent left it, and end it exactly once.
package engine
