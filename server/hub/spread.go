package hub

import (
	"runtime"
	"sync"
)

const (
	// fewAccounts are told at once by whoever has something to tell; more are told
	// by a goroutine of their own.
	fewAccounts = 64
	// stride is how many are told before others get the processor.
	stride = 128
	// maxSpread bounds the events that wait for being told to many. Who brings one
	// more waits: it comes from the writer, which then takes less.
	maxSpread = 64
)

// spread is what is being told to many. Events for the same accounts are told in
// the order in which they came.
type spread struct {
	hub *Hub

	mu      sync.Mutex // guards what follows; taken with the hub's held, never the other way
	room    sync.Cond  // with mu: waits became shorter
	waits   []telling
	running bool
}

type telling struct {
	to    Audience
	list  []*account
	frame []byte
}

func (t telling) get() []byte { return t.frame }

// tellMany has a list of accounts told. The hub's lock is not held.
func (h *Hub) tellMany(to Audience, list []*account, frame []byte) {
	s := &h.spread
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waits) >= maxSpread {
		s.room.Wait()
	}
	s.put(telling{to, list, frame})
}

// try has a list of accounts told, unless too much waits.
func (s *spread) try(t telling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waits) < maxSpread {
		s.put(t)
	}
}

func (s *spread) put(t telling) {
	s.waits = append(s.waits, t)
	if !s.running {
		s.running = true
		go s.tellOn()
	}
}

// tellOn tells what waits, and ends.
func (s *spread) tellOn() {
	for {
		s.mu.Lock()
		if len(s.waits) == 0 {
			s.waits, s.running = nil, false
			s.mu.Unlock()
			return
		}
		list, events := s.take()
		s.mu.Unlock()
		for len(list) > 0 {
			n := min(stride, len(list))
			s.hub.mu.RLock()
			for _, a := range list[:n] {
				for _, e := range events {
					a.tell(e.to, e.get)
				}
			}
			s.hub.mu.RUnlock()
			list = list[n:]
			runtime.Gosched()
		}
	}
}

// take removes the event that came first, with those behind it that go to the
// same accounts: each of them then wakes its devices once. The lock is held.
func (s *spread) take() (list []*account, events []telling) {
	list = s.waits[0].list
	kept := s.waits[:0]
	for _, t := range s.waits {
		if &t.list[0] == &list[0] {
			events = append(events, t)
		} else {
			kept = append(kept, t)
		}
	}
	clear(s.waits[len(kept):])
	s.waits = kept
	s.room.Broadcast()
	return list, events
}

// Waiting returns how many events wait for being told to many.
func (h *Hub) Waiting() int {
	h.spread.mu.Lock()
	defer h.spread.mu.Unlock()
	return len(h.spread.waits)
}
