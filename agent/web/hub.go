package web

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

const (
	// lookEvery is the time between two looks for what changed.
	lookEvery = time.Second
	// slack is more than there is between a change's date and its commit.
	slack = 5 * time.Second
	// lookLost is after how long without a look what happened meanwhile is not looked for.
	lookLost = 30 * time.Second
	// maxClients bounds the browsers that follow events.
	maxClients = 200
	// maxEvents bounds what is kept for those that are behind.
	maxEvents = 2000
	// maxChanges bounds the orders of each kind that one look finds, and what is told of
	// one by one: after more the lists are to be read again.
	maxChanges = 500
	maxWaiting = 100
	// maxActive bounds the orders that are looked at again because they had not ended.
	maxActive = 1000
)

// errFull is for a browser that has to wait until others are gone.
var errFull = errors.New("too many browsers follow the orders")

// event is what browsers are told.
type event struct{ name, data string }

// hub looks for changes while somebody follows them, once for all.
type hub struct {
	store Store
	log   *slog.Logger
	epoch string // of this process: others numbered their events from 0 too

	mu      sync.Mutex
	events  []event // the last ones
	first   uint64  // the number of the first of them
	more    chan struct{}
	clients int
	stop    context.CancelFunc // of the looking, while there are clients

	looking sync.Mutex // what follows belongs to one look at a time
	looked  time.Time
	known   map[string]string // rows, by uuid, of the last look
	active  []string          // orders that had not ended, the last to change of very many
	newest  time.Time         // when the newest order was placed that was taken up
	counted counts
	countAt time.Time
}

func newHub(store Store, log *slog.Logger) *hub {
	return &hub{store: store, log: log, epoch: uuid.NewString()[:8], more: make(chan struct{})}
}

// mark is a place in the events from which on nothing is missed of what is read from the
// database later.
func (h *hub) mark(ctx context.Context) (string, error) {
	if err := h.look(ctx); err != nil {
		return "", err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.place(h.first + uint64(len(h.events))), nil
}

func (h *hub) place(n uint64) string { return h.epoch + "-" + strconv.FormatUint(n, 10) }

// join has changes looked for until leave.
func (h *hub) join(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clients >= maxClients {
		return errFull
	}
	if h.clients++; h.clients == 1 {
		ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
		go h.run(ctx)
	}
	return nil
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clients--; h.clients == 0 {
		h.stop()
	}
}

func (h *hub) run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	failing := false
	for {
		err := h.look(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			h.log.WarnContext(ctx, "the status page does not know what changes", slog.Any("error", err))
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// after returns the events from a place on, where they end, and what is closed when there
// are more. It is not ok where some are not known any more.
func (h *hub) after(place string) (events []event, end string, more <-chan struct{}, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.first + uint64(len(h.events))
	end, more = h.place(last), h.more
	epoch, number, _ := strings.Cut(place, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || epoch != h.epoch || n < h.first || n > last {
		return nil, end, more, false
	}
	return h.events[n-h.first : len(h.events) : len(h.events)], end, more, true
}

// tell adds events, which may be none.
func (h *hub) tell(events []event) {
	if len(events) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, events...)
	if drop := len(h.events) - maxEvents; drop > 0 {
		h.first += uint64(drop)
		h.events = append([]event(nil), h.events[drop:]...)
	}
	close(h.more)
	h.more = make(chan struct{})
}

// forget has every browser read its page again.
func (h *hub) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.first += uint64(len(h.events)) + 1
	h.events = nil
	close(h.more)
	h.more = make(chan struct{})
}

// look finds what changed since the last look, unless that was a moment ago.
func (h *hub) look(ctx context.Context) error {
	h.looking.Lock()
	defer h.looking.Unlock()
	since := time.Since(h.looked)
	if since < lookEvery/2 {
		return nil
	}
	anew := since > lookLost
	within := slack + since
	if anew {
		within, h.active = slack, nil
	}
	// For all, though one asks: its going away is no reason to look again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	begin := time.Now()
	found, err := h.store.Changed(ctx, within, h.active, maxChanges, maxWaiting)
	if err != nil {
		return err
	}
	events, err := h.compare(found, anew)
	if err != nil {
		return err
	}
	h.looked = begin
	if anew || len(events) > maxChanges {
		h.forget()
		return nil
	}
	h.tell(events) // the next look does not find these again
	return h.recount(ctx)
}

// compare tells what is not as it was at the last look.
func (h *hub) compare(found []tracking.Status, anew bool) (events []event, err error) {
	known := make(map[string]string, len(found))
	newest := h.newest
	h.active = h.active[:0:0]
	// The oldest first, so that the newest comes on top.
	for i := len(found) - 1; i >= 0; i-- {
		st := &found[i]
		body, err := render("list", "row", newRow(st))
		if err != nil {
			return nil, err
		}
		was, seen := h.known[st.UUID]
		known[st.UUID] = body
		if !st.Stage.Ended() {
			h.active = append(h.active, st.UUID)
		}
		if st.Attempt > 0 && st.Queued != nil && st.Queued.After(newest) {
			newest = *st.Queued
		}
		if anew || was == body {
			continue
		}
		events = append(events, event{eventID(st.UUID), body})
		if placed := st.Attempt == 0 || st.Attempt == 1 && st.Queued != nil && st.Queued.After(h.newest); placed && !seen {
			events = append(events, event{newEvent("", ""), body}, event{newEvent(st.Group, st.User), body})
		}
	}
	h.active = h.active[max(len(h.active)-maxActive, 0):]
	h.known, h.newest = known, newest
	return events, nil
}

// counts is how many orders there are that have not ended.
type counts struct{ Waiting, Working int64 }

// countEvery is the time between two counts: long queues take some milliseconds.
const countEvery = 3 * time.Second

func (h *hub) counts(ctx context.Context) (counts, error) {
	h.looking.Lock()
	defer h.looking.Unlock()
	err := h.recount(ctx)
	return h.counted, err
}

// recount tells where there are other numbers than before.
func (h *hub) recount(ctx context.Context) error {
	if time.Since(h.countAt) < countEvery {
		return nil
	}
	n, err := h.store.Counts(ctx)
	if err != nil {
		return err
	}
	c := counts{Waiting: n[order.Pending], Working: n[order.Started] + n[order.Preprocessing]}
	h.countAt = time.Now()
	if c == h.counted {
		return nil
	}
	h.counted = c
	text, err := render("list", "counts", c)
	if err != nil {
		return err
	}
	h.tell([]event{{"counts", text}})
	return nil
}
