package session

import (
	"sync"
	"time"
)

// helpers carry out requests. One that is done waits a while for the next: the
// stack of a new goroutine has to grow first, which costs as much as what a
// message needs of the session.
type helpers struct {
	idle chan func()

	mu       sync.Mutex    // guards what follows
	sessions int           // who may want help
	over     chan struct{} // closed when there are none left
}

// linger is how long a helper waits.
const linger = time.Second

func newHelpers() *helpers { return &helpers{idle: make(chan func())} }

// enter says that there is one more session.
func (h *helpers) enter() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions++; h.sessions == 1 {
		h.over = make(chan struct{})
	}
}

// leave says that a session is over, and nothing that it asked for is left.
func (h *helpers) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions--; h.sessions == 0 {
		close(h.over)
	}
}

// do has f carried out by one who waits, else by a new one.
func (h *helpers) do(f func()) {
	select {
	case h.idle <- f:
		return
	default:
	}
	h.mu.Lock()
	over := h.over
	h.mu.Unlock()
	go h.help(f, over)
}

func (h *helpers) help(f func(), over chan struct{}) {
	late := time.NewTimer(linger)
	defer late.Stop()
	for {
		f()
		late.Reset(linger)
		select {
		case f = <-h.idle:
		case <-late.C:
			return
		case <-over:
			return
		}
	}
}
