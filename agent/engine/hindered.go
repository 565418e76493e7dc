package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"biomero-importer/agent/tracking"
	"biomero-importer/importer"
	"biomero-importer/preprocess"
)

// What keeps an agent from its work.
var (
	errUnsaved  = errors.New("the order's state could not be saved")
	errUnlisted = errors.New("no list of the order's files could be kept in state_dir")
	errCrowded  = errors.New("enough other orders wait for converters")
)

// hindrance is something that keeps an agent from an order, and says nothing of the
// order: it uses up no try.
type hindrance struct {
	err  error
	wait time.Duration // until it is looked at again
	why  string        // for who looks at the order meanwhile
}

var hindrances = []hindrance{
	{errUnsaved, 5 * time.Second, ""},
	{errUnlisted, time.Minute, "The importer has no room for lists of files in its state_dir."},
	{errCrowded, time.Minute, "All converters are at work for other orders."},
	{preprocess.ErrUnavailable, 30 * time.Second, "Podman, which is to convert the order's files, is not available."},
	{importer.ErrUnavailable, 30 * time.Second, "OMERO, which the order's files are to be imported into, is not available."},
	{preprocess.ErrBusy, 5 * time.Second, "Another agent is still at work on the order's files."},
}

// hindered is the hindrance that an error tells of, or nil.
func hindered(err error) *hindrance {
	for i := range hindrances {
		if errors.Is(err, hindrances[i].err) {
			return &hindrances[i]
		}
	}
	return nil
}

// stopped reports whether an error says nothing of the order: it belongs to somebody else,
// or this agent cannot go on with it.
func stopped(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, tracking.ErrNotMine) || hindered(err) != nil)
}

// unsaved says of an error that it kept the order's state from being saved.
func unsaved(err error) error {
	if err == nil || errors.Is(err, tracking.ErrNotMine) {
		return err
	}
	return fmt.Errorf("%w: %w", errUnsaved, err)
}

// unlisted says of an error that it kept a list from being written or read.
func unlisted(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errUnlisted, err)
}

// asideFactor is for how many orders of those that wait for converters, per converter, an
// agent keeps at hand. Others come back later: it could be another agent that has room.
const asideFactor = 16

// returns spreads the moments when orders come back for which there was no room: however
// many they are, looking at them in vain takes little.
type returns struct {
	mu   sync.Mutex
	last time.Time
}

const returnsEvery = 50 * time.Millisecond

// after is how long the next one stays away, at least for so long.
func (r *returns) after(wait time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.last = r.last.Add(returnsEvery); r.last.Before(now.Add(wait)) {
		r.last = now.Add(wait)
	}
	return r.last.Sub(now)
}
