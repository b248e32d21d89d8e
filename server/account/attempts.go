package account

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"github.com/veche-im/veche/wire"
)

const (
	window         = 15 * time.Minute
	failsOfName    = 5
	failsOfAddress = 20
	maxWatched     = 50_000 // names and addresses remembered at a time
)

// attempts counts failed sign-ins of late. It is bounded: when too many names
// and addresses fail at once, the ones that failed longest ago are forgotten.
type attempts struct {
	now func() time.Time

	mu    sync.Mutex // guards what follows
	byKey map[string]*list.Element
	order *list.List // of *watched, the one touched last in front
}

type watched struct {
	key   string
	fails []time.Time // within the window, oldest first
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, byKey: make(map[string]*list.Element), order: list.New()}
}

// begin counts an attempt as failed before it is made, so that many at once
// cannot slip through, and returns how to take that back. It is Busy when there
// were too many of that name or from that address.
func (a *attempts) begin(name string, from netip.Addr) (succeeded func(), err error) {
	now := a.now()
	keys := []string{"n" + name, "a" + network(from)}
	limits := []int{failsOfName, failsOfAddress}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, key := range keys {
		fails := a.recent(key, now)
		if len(fails) >= limits[i] {
			wait := fails[len(fails)-limits[i]].Add(window).Sub(now)
			return nil, &wire.Error{Code: wire.Busy, Text: "too many attempts", RetryAfter: wait.Milliseconds() + 1}
		}
	}
	for _, key := range keys {
		a.add(key, now)
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, key := range keys {
			a.forget(key, now)
		}
	}, nil
}

// recent returns the failures of key within the window. The lock is held, as in
// the functions after it.
func (a *attempts) recent(key string, now time.Time) []time.Time {
	e := a.byKey[key]
	if e == nil {
		return nil
	}
	w := e.Value.(*watched)
	for len(w.fails) > 0 && now.Sub(w.fails[0]) >= window {
		w.fails = w.fails[1:]
	}
	return w.fails
}

func (a *attempts) add(key string, now time.Time) {
	e := a.byKey[key]
	if e == nil {
		if a.order.Len() >= maxWatched {
			last := a.order.Back()
			delete(a.byKey, last.Value.(*watched).key)
			a.order.Remove(last)
		}
		e = a.order.PushFront(&watched{key: key})
		a.byKey[key] = e
	}
	w := e.Value.(*watched)
	w.fails = append(w.fails, now)
	a.order.MoveToFront(e)
}

// forget takes one failure back.
func (a *attempts) forget(key string, at time.Time) {
	e := a.byKey[key]
	if e == nil {
		return
	}
	w := e.Value.(*watched)
	for i, t := range w.fails {
		if t.Equal(at) {
			w.fails = append(w.fails[:i:i], w.fails[i+1:]...)
			return
		}
	}
}

// network is what counts as one address: a whole /64 in IPv6, because one
// person has that many.
func network(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64)
		return p.String()
	}
	return a.String()
}
