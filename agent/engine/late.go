package engine

import (
	"context"
	"fmt"
	"time"
)

// lateError says that a step took longer than it may. It may pass.
type lateError struct {
	step  string
	limit time.Duration
	err   error
}

func (e *lateError) Error() string { return fmt.Sprintf("%s took longer than %s", e.step, e.limit) }

func (e *lateError) Unwrap() error { return e.err }

// within stops a step that takes longer than limit.
func within(ctx context.Context, step string, limit time.Duration, do func(context.Context) error) error {
	bound, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := do(bound)
	if err != nil && bound.Err() != nil && ctx.Err() == nil {
		return &lateError{step: step, limit: limit, err: err}
	}
	return err
}
