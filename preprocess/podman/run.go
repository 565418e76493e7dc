package podman

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"biomero-importer/preprocess"
)

// Run has an input converted, publishes what came out and returns it, or goes on with
// what an earlier call has not ended. When ctx ends the container goes on and is left to
// a later call, except for preprocess.ErrCancelled as the cause; see there.
//
// Errors: an *preprocess.Error is the request's or the converter's own fault;
// preprocess.ErrUnavailable, ErrBusy and ErrCancelled say what they say; all else may
// pass. After a result, an *preprocess.Error or ErrCancelled there is no container any
// more, if only podman could be told to remove it.
func (c *Client) Run(ctx context.Context, req preprocess.Request, watch preprocess.Watch) (preprocess.Result, error) {
	image, err := c.check(&req)
	if err != nil {
		return preprocess.Result{}, err
	}
	work, err := preprocess.Open(req)
	if err != nil {
		return preprocess.Result{}, err
	}
	defer work.Close()
	r := &run{client: c, req: &req, work: work, watch: watch, image: image, name: c.containerName(&req)}
	result, err := r.do(ctx)
	if _, fault := errors.AsType[*preprocess.Error](err); err == nil || fault || errors.Is(err, preprocess.ErrCancelled) {
		r.clear(ctx)
	}
	if err != nil {
		return preprocess.Result{}, err
	}
	return *result, nil
}

// run is one call of Run.
type run struct {
	client  *Client
	service *service
	req     *preprocess.Request
	work    *preprocess.Work
	watch   preprocess.Watch
	image   string
	name    string // of the container
}

func (r *run) do(ctx context.Context) (*preprocess.Result, error) {
	if result, err := r.work.Resume(ctx); result != nil || err != nil {
		return result, err
	}
	var err error
	if r.service, err = r.client.connect(ctx); err != nil {
		return nil, err
	}
	if err := r.client.checkLimits(r.service); err != nil {
		return nil, err
	}
	found, err := r.find(ctx)
	if err != nil {
		return nil, err
	}
	if found != nil && found.started() {
		return r.goOn(ctx, found)
	}
	if found != nil {
		// It was never started: whether its folders still are what they were is simpler
		// to make sure of with new ones.
		if err := r.service.remove(ctx, found.ID); err != nil {
			return nil, err
		}
	}
	image, err := r.client.image(ctx, r.service, r.image, r.watch)
	if err != nil {
		return nil, err
	}
	return r.begin(ctx, image)
}

// find returns the container of this request's run, and removes any other of its name.
func (r *run) find(ctx context.Context) (*container, error) {
	found, err := r.service.find(ctx, r.name)
	if found == nil || err != nil {
		return nil, err
	}
	if !r.client.owns(found.Config.Labels) {
		return nil, fmt.Errorf("podman has a container %s that is not of this installation: remove it by hand", r.name)
	}
	wanted, err := r.work.Run()
	if err != nil {
		return nil, err
	}
	if wanted == "" || found.Config.Labels[labelRun] != wanted || found.lost() && !r.overdue(found) {
		return nil, r.service.remove(ctx, found.ID)
	}
	return found, nil
}

// begin starts a new container, and tries again where a mount is busy.
func (r *run) begin(ctx context.Context, image *image) (*preprocess.Result, error) {
	for try := 1; ; try++ {
		id, stream, err := r.launch(ctx, image)
		if err == nil {
			return r.await(ctx, id, image.digest(), time.Now(), stream)
		}
		if try >= r.client.options.BindAttempts || !isBusyMount(err, r.work.Mounts()) {
			return nil, err
		}
		r.client.log.WarnContext(ctx, "a mount is busy; the container is to be started again", slog.String("order", r.req.Order),
			slog.Int("try", try), slog.Duration("after", r.client.options.BindDelay), slog.Any("error", err))
		timer := time.NewTimer(r.client.options.BindDelay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// launch leaves no container where it fails, unless ctx has ended.
func (r *run) launch(ctx context.Context, image *image) (id string, _ *stream, err error) {
	label, err := r.work.Begin()
	if err != nil {
		return "", nil, err
	}
	spec, err := r.client.spec(r.service, r.req, r.work, label, image)
	if err != nil {
		return "", nil, err
	}
	id, err = r.service.create(ctx, spec)
	if says(err, 0, "already in use") {
		// Somebody without our locks made it meanwhile.
		return "", nil, fmt.Errorf("creating a container: %w: %w", preprocess.ErrBusy, err)
	}
	if err != nil {
		return "", nil, fmt.Errorf("creating a container of %s: %w", r.image, err)
	}
	stream, err := r.prepare(ctx, id)
	if err == nil {
		err = r.startContainer(ctx, id)
	}
	if err != nil {
		stream.stop()
		if ctx.Err() != nil {
			return "", nil, err // it may run by now; the later call sees
		}
		// What the caller does next depends on why, not on whether this worked too.
		if err := r.service.remove(ctx, id); err != nil {
			r.client.log.WarnContext(ctx, "a container stays for now", slog.String("container", r.name), slog.Any("error", err))
		}
		return "", nil, err
	}
	return id, stream, nil
}

// prepare attaches before anything can be written. With that podman mounts the folders.
func (r *run) prepare(ctx context.Context, id string) (*stream, error) {
	if err := r.work.Verify(); err != nil {
		return nil, err
	}
	return r.follow(ctx, id, r.service.attach)
}

func (r *run) startContainer(ctx context.Context, id string) error {
	if err := r.work.Verify(); err != nil {
		return err
	}
	if err := r.starting(); err != nil {
		return err
	}
	if err := r.service.start(ctx, id); err != nil {
		return notStarted(r.image, err)
	}
	return r.work.Verify()
}

func (r *run) starting() error {
	if r.watch.Starting == nil {
		return nil
	}
	return r.watch.Starting()
}

// goOn waits for a container that an earlier call started.
func (r *run) goOn(ctx context.Context, found *container) (*preprocess.Result, error) {
	if err := r.starting(); err != nil {
		return nil, err
	}
	digest := "sha256:" + found.Image
	if image, err := r.service.image(ctx, found.Image); err != nil {
		return nil, err
	} else if image != nil {
		digest = image.digest()
	}
	if found.over() {
		return r.conclude(ctx, found, digest, nil, r.overdue(found))
	}
	// Not attached: if it has ended by now, podman would make it ready to start once more.
	stream, err := r.follow(ctx, found.ID, r.service.followLogs)
	if err != nil {
		return nil, err
	}
	return r.await(ctx, found.ID, digest, found.State.StartedAt, stream)
}

// clear removes the container, if there is one.
func (r *run) clear(ctx context.Context) {
	bound, cancel := lastly(ctx)
	defer cancel()
	var err error
	if r.service == nil {
		r.service, err = r.client.connect(bound)
	}
	var found *container
	if err == nil {
		found, err = r.service.find(bound, r.name)
	}
	if found != nil && r.client.owns(found.Config.Labels) {
		err = r.service.remove(bound, found.ID)
	}
	if err != nil {
		r.client.log.WarnContext(ctx, "a container stays for now", slog.String("container", r.name), slog.Any("error", err))
	}
}

// lastly bounds what is still to be done when ctx may have ended.
func lastly(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), lastTime)
}

const lastTime = 15 * time.Second
