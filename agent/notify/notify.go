package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"biomero-importer/agent/notify/message"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// Config is who is told of what.
type Config struct {
	Webhooks []Webhook
	Mail     *Mail          // nil for none
	PageURL  string         // of the status page, with a slash at its end; empty for no links
	RootCAs  *x509.CertPool // that receivers are trusted by; nil for the system's
	// Settled, if any, is called with how many deliveries came into a state: those that were
	// made, tried in vain or given up. Users who have no address are left out.
	Settled func(state tracking.DeliveryState, n int)
}

// Webhook is an address that events are posted to.
type Webhook struct {
	URL      string
	Key      []byte            // nil: requests are not signed
	Template *message.Template // nil: the body is the event as JSON
	Stages   []order.Stage
}

// Mail is how users are told by mail.
type Mail struct {
	Host           string
	Port           int
	TLS            string // StartTLS, TLS or NoTLS
	User, Password string // an empty user: without logging in
	From           string
	// Address finds a user's. ErrNoAddress: there is none that could be used.
	Address func(ctx context.Context, user string) (string, error)
}

const (
	poll       = time.Second      // between two looks for what is due
	senders    = 2                // what is delivered to one target at a time
	deliver    = 90 * time.Second // bounds one try at the whole, with the look for an address
	lease      = 2 * time.Minute  // after it, who claimed a delivery is taken for dead
	beat       = time.Minute      // between two times that an agent says whom it tells
	forget     = 10 * beat        // after it, a target that nobody has said is gone
	settleTime = 5 * time.Second  // bounds recording what became of a try

	declareTime = 10 * time.Second
)

// target is somebody who is told of orders. deliver returns nil, or a *failure.
type target interface {
	target() tracking.Target
	gathered() bool // whether what is due for one user goes together
	deliver(ctx context.Context, id string, events []message.Event, try int) error
	close()
}

// Notifier delivers what is due.
type Notifier struct {
	targets []target
	pageURL string
	settled func(state tracking.DeliveryState, n int)
	store   *tracking.Store
	log     *slog.Logger
}

// New makes a notifier. Without a store it can only Try.
func New(c Config, store *tracking.Store, log *slog.Logger) *Notifier {
	n := &Notifier{pageURL: c.PageURL, settled: c.Settled, store: store, log: log}
	if n.settled == nil {
		n.settled = func(tracking.DeliveryState, int) {}
	}
	for _, w := range c.Webhooks {
		n.targets = append(n.targets, newWebhook(w, c.RootCAs))
	}
	if c.Mail != nil {
		n.targets = append(n.targets, &mailer{Mail: *c.Mail, roots: c.RootCAs})
	}
	return n
}

// Run delivers what is due, until ctx ends. Each target has senders of its own, so that one
// that is slow or away keeps no other waiting. It also gives up what is due for targets that
// are in nobody's settings any more, which is why agents without any run it too.
func (n *Notifier) Run(ctx context.Context) {
	defer n.close()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { n.keep(ctx) })
	for _, t := range n.targets {
		for range senders {
			all.Go(func() { n.serve(ctx, t) })
		}
	}
}

// close ends connections that are kept for later.
func (n *Notifier) close() {
	for _, t := range n.targets {
		t.close()
	}
}

// Declare says whom this agent tells: an order that ends before is told to nobody. It tries
// for declareTime at most, as no import waits for who is told of it.
func (n *Notifier) Declare(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, declareTime)
	defer cancel()
	for !n.declare(limited) {
		if !rest(limited, poll) {
			return
		}
	}
}

func (n *Notifier) declare(ctx context.Context) bool {
	targets := make([]tracking.Target, len(n.targets))
	for i, t := range n.targets {
		targets[i] = t.target()
	}
	err := n.store.KeepTargets(ctx, targets, forget)
	if err != nil && ctx.Err() == nil {
		n.log.WarnContext(ctx, "who is to be told of orders cannot be recorded for now", slog.Any("error", err))
	}
	return err == nil
}

// keep says again and again whom this agent tells, and gives up what is due for those who
// are told no more.
func (n *Notifier) keep(ctx context.Context) {
	for {
		pause := poll
		if n.declare(ctx) {
			pause = beat
			gone, err := n.store.Abandon(ctx)
			if err != nil && ctx.Err() == nil {
				n.log.WarnContext(ctx, "notifications of those who are told no more stay for now", slog.Any("error", err))
			}
			n.settled(tracking.DeliveryGivenUp, int(gone))
			if gone > 0 { // and there may be more
				pause = poll
			}
		}
		if !rest(ctx, pause) {
			return
		}
	}
}

// serve delivers what is due for a target. After a try in vain it rests: what is due for a
// receiver that is away may be much.
func (n *Notifier) serve(ctx context.Context, t target) {
	broken := false // the database was, at the last look
	for ctx.Err() == nil {
		done, err := n.once(ctx, t)
		if err != nil && !broken && ctx.Err() == nil {
			n.log.WarnContext(ctx, "notifications wait", slog.String("target", t.target().Name), slog.Any("error", err))
		}
		if broken = err != nil; !done {
			rest(ctx, poll)
		}
	}
}

// rest waits, and reports false where ctx ended.
func rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// once makes one delivery that is due, if any, and reports whether it was made.
func (n *Notifier) once(ctx context.Context, t target) (done bool, err error) {
	lot, err := n.store.Claim(ctx, t.target().Name, t.gathered(), lease)
	if err != nil || len(lot) == 0 {
		return false, err
	}
	events := make([]message.Event, len(lot))
	for i := range lot {
		events[i] = n.event(&lot[i])
	}
	id := lot[0].Message.String()
	limited, cancel := context.WithTimeout(ctx, deliver)
	err = t.deliver(limited, id, events, lot[0].Tries)
	cancel()
	// What was delivered is recorded also where the service is told to stop meanwhile.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	v := judge(err, lot[0].Tries, time.Since(lot[0].Ended), ctx.Err() != nil)
	if err != nil {
		n.tell(ctx, &lot[0], v)
	}
	lost := n.store.Settle(last, lot, v.state, v.wait, v.fault)
	if lost == nil && !errors.Is(err, ErrNoAddress) {
		n.settled(v.state, len(lot))
	}
	return err == nil, lost
}

// tell logs what did not work: the first time, and when it is given up.
func (n *Notifier) tell(ctx context.Context, d *tracking.Delivery, v verdict) {
	level, what := slog.LevelDebug, "a notification is tried again"
	switch {
	case v.state == tracking.DeliveryGivenUp:
		level, what = slog.LevelWarn, "a notification is given up"
	case d.Tries == 1 && ctx.Err() == nil:
		level = slog.LevelWarn
	}
	n.log.Log(ctx, level, what, slog.String("target", d.Target), slog.String("order", d.UUID), slog.String("why", v.fault), slog.Duration("next_try", v.wait)) //nolint:sloglint // one of two texts
}

func (n *Notifier) event(d *tracking.Delivery) message.Event {
	e := message.Event{
		Version: message.Version, ID: d.ID.String(), Stage: string(d.Stage), UUID: d.UUID, Attempt: d.Attempt, Group: d.Group, User: d.User,
		DestinationType: d.DestinationType, DestinationID: d.DestinationID, Reason: d.Reason, FilesImported: d.FilesImported, FilesFailed: d.FilesFailed,
		Queued: d.Queued.UTC(), Ended: d.Ended.UTC(),
	}
	if d.Started != nil {
		started := d.Started.UTC()
		e.Started = &started
	}
	if n.pageURL != "" {
		e.URL = n.pageURL + "orders/" + url.PathEscape(d.UUID)
	}
	return e
}
