package omero

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/cli"
	"biomero-importer/importer/omero/model"
	"biomero-importer/importer/omero/web"
)

// Config is the backend's settings.
type Config struct {
	CLI          cli.Config
	Web          *web.Config // nil without OMERO.web
	Share        *importer.Share
	Repository   string // folder of the managed repository, as the server has it too
	Dir          string // for sessions; made when absent
	Logs         string // folder for what the importer writes
	Namespace    string // of annotations
	RegisterZarr bool   // OME-Zarr images are registered, not imported
}

// Backend imports into OMERO. Its methods may be called concurrently.
type Backend struct {
	config Config
	folder *folder
	cli    *cli.CLI
	web    *web.Client // nil without OMERO.web
	log    *slog.Logger

	close  func() error
	serial atomic.Int64
	tidied chan struct{} // closed once the sessions of before are ended

	mu      sync.Mutex
	holds   map[string]*hold // by UUID of the order
	finding chan struct{}    // full while a container is looked for
	trouble string           // why the server cannot be used; empty while it can
}

// Open makes a backend, and ends what an earlier process left of sessions and imports. It does
// not wait for the server.
func Open(ctx context.Context, c Config, log *slog.Logger) (*Backend, error) {
	b := &Backend{config: c, cli: cli.New(c.CLI, log), log: log, holds: map[string]*hold{}, finding: make(chan struct{}, 1), tidied: make(chan struct{})}
	if c.Web != nil {
		var err error
		if b.web, err = web.New(*c.Web, log); err != nil {
			return nil, err
		}
	}
	for _, dir := range []string{c.Dir, c.Logs} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making the folder %s: %w", dir, err)
		}
	}
	var err error
	if b.folder, err = b.newFolder(); err != nil {
		return nil, err
	}
	b.close = sync.OnceValue(b.folder.remove)
	go func() {
		defer close(b.tidied)
		b.endLeftovers(context.WithoutCancel(ctx)) // each has a limit
	}()
	return b, nil
}

// pingTime bounds a look whether the server is there.
const pingTime = 2 * time.Minute

// Ping makes sure that the server answers and takes the importer's own account. The error is
// importer.ErrUnavailable where the server does not answer, and an *importer.Error where it
// refuses.
func (b *Backend) Ping(ctx context.Context) error {
	err := b.ask(ctx, b.cli.Ping)
	if refused, ok := errors.AsType[*model.LoginError](err); ok {
		return &importer.Error{Reason: fmt.Sprintf("OMERO refuses the importer's own account: check omero.user and omero.password. It says: %s.", refused.Detail), Err: err}
	}
	return b.outward(err)
}

// Sudo makes sure that the account may act for others. Its errors are as Ping's.
func (b *Backend) Sudo(ctx context.Context) error {
	err := b.ask(ctx, b.cli.Sudo)
	if refused, ok := errors.AsType[*model.LoginError](err); ok {
		return &importer.Error{Reason: fmt.Sprintf("OMERO does not let the importer's own account act for others. It says: %s.", refused.Detail), Err: err}
	}
	return b.outward(err)
}

// ask has the command line do something in a folder of its own, and ends the session that is
// left there when that is cut off.
func (b *Backend) ask(ctx context.Context, do func(ctx context.Context, dir string) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pingTime, model.ErrUnavailable)
	defer cancel()
	dir, err := os.MkdirTemp(b.folder.path, "ping-")
	if err != nil {
		return fmt.Errorf("making a folder for a session: %w", err)
	}
	defer func() {
		if ctx.Err() != nil {
			b.leave(ctx, dir)
		}
		_ = os.RemoveAll(dir)
	}()
	return do(ctx, dir)
}

// Wait waits until the server answers, for as long as it takes, and says that it does. A
// refusal of the importer's own account is an error at once.
func (b *Backend) Wait(ctx context.Context) error {
	wait := time.Second
	for {
		err := b.Ping(ctx)
		if _, refused := errors.AsType[*importer.Error](err); err == nil || refused {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.log.WarnContext(ctx, "waiting for OMERO", slog.Any("error", err), slog.Duration("next_try", wait))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, time.Minute)
	}
}

// Trouble is why the server could not be used when it was asked last; empty when it could.
func (b *Backend) Trouble() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trouble
}

// Recheck asks a server again, so often, that could not be used when it was asked last, until
// ctx ends: nobody else may, as long as there is nothing to import.
func (b *Backend) Recheck(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if b.Trouble() == "" {
			continue
		}
		if err := b.Ping(ctx); err != nil && ctx.Err() == nil {
			b.log.DebugContext(ctx, "OMERO is still away", slog.Any("error", err))
		}
	}
}

// outward says what an error means to callers that know nothing of OMERO.
func (b *Backend) outward(err error) error {
	err = outward(err)
	_, refused := errors.AsType[*importer.Error](err)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case errors.Is(err, importer.ErrUnavailable):
		b.trouble = "OMERO is not available."
	case err == nil || refused:
		b.trouble = ""
	}
	return err
}

func outward(err error) error {
	refused, isLogin := errors.AsType[*model.LoginError](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, model.ErrUnavailable), isLogin && refused.Own: // a site's fault is no order's
		return fmt.Errorf("%w: %w", importer.ErrUnavailable, err)
	default:
		return err
	}
}

// Prepare opens a session of the order's user in its group and makes sure that it may put
// something into the order's container.
func (b *Backend) Prepare(ctx context.Context, o importer.Order) (mark string, err error) {
	h := b.hold(o.UUID, o)
	if err := h.lock(ctx); err != nil {
		return "", err
	}
	defer h.unlock()
	h.take(ctx, o)
	err = h.withSession(ctx, func() (err error) {
		mark, err = h.check(ctx)
		return err
	})
	if err != nil {
		return "", b.outward(err)
	}
	if o.Mark != "" {
		return o.Mark, nil
	}
	h.order.Mark, h.resumed = mark, false
	return mark, nil
}

// Done closes the order's session.
func (b *Backend) Done(ctx context.Context, uuid string) {
	b.mu.Lock()
	h := b.holds[uuid]
	delete(b.holds, uuid)
	b.mu.Unlock()
	if h == nil {
		return
	}
	if h.lock(ctx) != nil {
		return // its session ends when it is idle
	}
	defer h.unlock()
	h.close(ctx)
	if err := os.RemoveAll(h.dir); err != nil {
		b.log.WarnContext(ctx, "a folder of sessions stays", slog.Any("error", err))
	}
}

// Container finds a container by name, or makes it, as its user.
func (b *Backend) Container(ctx context.Context, c importer.Container) (id int64, err error) {
	select { // two would both make it
	case b.finding <- struct{}{}:
		defer func() { <-b.finding }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	name := fmt.Sprint("container ", b.serial.Add(1)) // no order's
	h := b.hold(name, importer.Order{UUID: name, Group: c.Group, User: c.User, Type: c.Type})
	defer b.Done(context.WithoutCancel(ctx), name)
	if err := h.lock(ctx); err != nil {
		return 0, err
	}
	defer h.unlock()
	err = h.withSession(ctx, func() error {
		return h.try(ctx, "finding a container",
			func() error { id, err = h.web.Find(ctx, c); return err },
			func() error { id, err = h.cli.Find(ctx, c); return err })
	})
	return id, b.outward(err)
}

// hold is what the backend holds under a name for an order, made when it is not there yet.
func (b *Backend) hold(name string, o importer.Order) *hold {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.holds[name]
	if h == nil {
		h = &hold{
			backend: b, order: o, dir: filepath.Join(b.folder.path, folderName(name)), busy: make(chan struct{}, 1), resumed: true,
			given: map[int64]bool{}, registered: map[int64]bool{}, shared: map[string]*fileset{},
		}
		b.holds[name] = h
	}
	return h
}

// Close closes the sessions that are open.
func (b *Backend) Close() error {
	b.mu.Lock()
	held := slices.Collect(maps.Keys(b.holds))
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	for _, uuid := range held {
		b.Done(ctx, uuid)
	}
	select {
	case <-b.tidied:
	case <-ctx.Done():
	}
	return b.close()
}

// closeTime bounds what is waited for a session to end, and for all of them at the end of
// the backend.
const closeTime = 10 * time.Second
