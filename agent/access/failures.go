package access

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A client may give a few wrong tokens, and one more every few seconds.
const (
	wrongAtOnce  = 10
	wrongEvery   = 6 * time.Second
	rememberedOf = 10_000 // clients
)

// failures counts wrong tokens by client.
type failures struct {
	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

func newFailures() *failures { return &failures{clients: map[string]*rate.Limiter{}} }

// network is what one client has of addresses.
func network(addr netip.Addr) string {
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.Prefix(bits) // of no address: the zero prefix
	return p.String()
}

// mayTry reports whether a client has tries left. Who has none is told nothing, not even
// of a right token.
func (f *failures) mayTry(client string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.clients[client]
	return l == nil || l.Tokens() >= 1
}

func (f *failures) add(client string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.clients[client]
	if l == nil {
		if len(f.clients) >= rememberedOf {
			f.forget()
		}
		l = rate.NewLimiter(rate.Every(wrongEvery), wrongAtOnce)
		f.clients[client] = l
	}
	l.Allow()
}

// forget makes room, for as many as it takes a while to fill: of any, as they come.
func (f *failures) forget() {
	for client := range f.clients {
		if delete(f.clients, client); len(f.clients) <= rememberedOf/2 {
			return
		}
	}
}
