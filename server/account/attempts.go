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
	failsOfPair    = 5      // of a name from one network
	failsOfAddress = 20     // of one network
	failsOfName    = 50     // of a name from everywhere: many networks together guess no faster
	failsOfDevice  = 5      // of a browser in which that person was signed in before
	maxWatched     = 50_000 // of all these, remembered at a time
)

// attempts counts failed sign-ins of late. Whoever knows a name can fail under
// it, and must not lock its owner out by that: so failures are counted for each
// network, and a browser in which the person was signed in before is counted by
// itself alone. It is bounded: when too many fail at once, the ones that failed
// longest ago are forgotten.
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

// count is a tally and the failures that it takes.
type count struct {
	key  string
	most int
}

// counts are those of an attempt under a name. Device is the browser that was
// signed in under it before, empty for any other.
func counts(name string, from netip.Addr, device string) []count {
	if device != "" {
		return []count{{"d" + device, failsOfDevice}}
	}
	net := network(from)
	return []count{{"p" + net + " " + name, failsOfPair}, {"a" + net, failsOfAddress}, {"n" + name, failsOfName}}
}

// begin counts an attempt as failed before it is made, so that many at once
// cannot slip through, and returns how to take that back. It is Busy when there
// were too many.
func (a *attempts) begin(name string, from netip.Addr, device string) (succeeded func(), err error) {
	now := a.now()
	under := counts(name, from, device)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range under {
		if fails := a.recent(c.key, now); len(fails) >= c.most {
			wait := fails[len(fails)-c.most].Add(window).Sub(now)
			return nil, &wire.Error{Code: wire.Busy, Text: "too many attempts", RetryAfter: wait.Milliseconds() + 1}
		}
	}
	for _, c := range under {
		a.add(c.key, now)
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, c := range under {
			a.forget(c.key, now)
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
