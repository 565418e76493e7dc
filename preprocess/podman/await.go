package podman

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"biomero-importer/preprocess"
)

// errLate ends the wait for a container that runs for too long.
var errLate = errors.New("the container's time is over")

// errCut says that a stream ended long before its container: the service was started
// anew, say.
var errCut = errors.New("the output ended early")

// await waits for the end of a container and makes of it what it is worth.
func (r *run) await(ctx context.Context, id, digest string, began time.Time, live *stream) (*preprocess.Result, error) {
	defer live.stop()
	waiting, cancel := r.limited(ctx, began)
	defer cancel()
	err := r.ended(waiting, id, live)
	late := errors.Is(err, errLate)
	if late {
		err = r.service.stop(ctx, id)
	}
	if err != nil && !isGone(err) {
		return nil, err
	}
	found, err := r.service.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("the container of %s was removed by somebody else", r.image)
	}
	late = late || r.overdue(found)
	if found.lost() && !late {
		err := fmt.Errorf("how the container of %s ended is not known: its host was started anew, say", r.image)
		return nil, errors.Join(err, r.service.remove(ctx, found.ID))
	}
	return r.conclude(ctx, found, digest, live, late)
}

// ended returns when a container does not run any more. Most end together with their
// output, and podman knows of that before it has tidied up after them, which its own
// way to wait includes.
func (r *run) ended(ctx context.Context, id string, live *stream) error {
	looks := time.NewTicker(lookEvery)
	defer looks.Stop()
	for open := true; open; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-live.ended:
			open = false
		case <-looks.C: // a stream that nobody ends must not hold it up
			if over, err := r.over(ctx, id); over || err != nil {
				return err
			}
		}
	}
	since := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, lookAgain) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if over, err := r.over(ctx, id); over || err != nil {
			return err
		}
		if time.Since(since) > drainTime && live.err == nil {
			live.err = errCut
		}
		looks.Reset(pause)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-looks.C:
		}
	}
}

// over reports whether a container has ended, whoever knows how.
func (r *run) over(ctx context.Context, id string) (bool, error) {
	found, err := r.service.find(ctx, id)
	return err == nil && (found == nil || found.over() || found.lost()), err
}

const (
	lookEvery = 10 * time.Second
	lookAgain = time.Second
)

// limited is ctx up to the end of a container's time.
func (r *run) limited(ctx context.Context, began time.Time) (context.Context, context.CancelFunc) {
	limit := r.client.options.Limits.Time
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	left := min(time.Until(began.Add(limit)), limit) // the host's clock may be another
	return context.WithTimeoutCause(ctx, left, errLate)
}

// conclude looks at a container that has ended, and that was stopped if it was late. live
// is nil if nobody followed it.
func (r *run) conclude(ctx context.Context, ended *container, digest string, live *stream, late bool) (*preprocess.Result, error) {
	complete := live != nil && live.drain(ctx)
	watch := r.watch
	if complete {
		watch = preprocess.Watch{}
	}
	output, err := r.output(ctx, ended.ID, watch)
	if err != nil {
		return nil, err
	}
	if complete {
		output.Adopt(live.output)
	}
	if ended.State.ExitCode == 128+int(syscall.SIGTERM) && !late {
		err := fmt.Errorf("the container of %s was stopped by somebody, or its host was shut down", r.image)
		return nil, errors.Join(err, r.service.remove(ctx, ended.ID))
	}
	// One that was stopped may still exit with status 0, in the middle of its work.
	if ended.State.ExitCode != 0 || late {
		return nil, r.failure(ended, output, late)
	}
	return r.work.Finish(ctx, r.image, digest, output)
}

// overdue reports whether a container was stopped for its time, by podman, which gives it
// the exit status -1, or by an earlier caller.
func (r *run) overdue(ended *container) bool {
	limit := r.client.options.Limits.Time
	return limit > 0 && ended.State.FinishedAt.Sub(ended.State.StartedAt) >= limit
}

// failure says how a container ended.
func (r *run) failure(ended *container, output *preprocess.Output, late bool) error {
	limits, state := r.client.options.Limits, &ended.State
	how := fmt.Sprintf("failed with exit status %d", state.ExitCode)
	limited := limits.Memory > 0 && r.service.limits("memory")
	switch {
	case late:
		how = fmt.Sprintf("was stopped because it ran for longer than %v", limits.Time)
	case state.OOMKilled && limited:
		how = fmt.Sprintf("was killed because it needed more than %s of memory", size(limits.Memory))
	case state.OOMKilled:
		how = "was killed because it needed more memory than there is"
	case state.ExitCode == 128+9 && limited:
		how = fmt.Sprintf("was killed (exit status 137), probably because it needed more than %s of memory", size(limits.Memory))
	case state.ExitCode == 128+9:
		how = "was killed (exit status 137), by somebody or for want of memory"
	}
	return &preprocess.Error{Reason: fmt.Sprintf("The container %s %s. %s", r.image, how, output.Ending())}
}

// size is a number of bytes as people write it.
func size(bytes int64) string {
	const mib, gib = 1 << 20, 1 << 30
	switch {
	case bytes >= gib:
		return fmt.Sprintf("%.3g GiB", float64(bytes)/gib)
	case bytes >= mib:
		return fmt.Sprintf("%.3g MiB", float64(bytes)/mib)
	default:
		return fmt.Sprintf("%d bytes", bytes)
	}
}
