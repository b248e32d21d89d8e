package session

import (
	"runtime"
	"sync"
)

// carriers bring what waits for devices to their connections: as many goroutines
// as there are processors, while there is something to bring. A goroutine for each
// connection would cost more than what it writes, when a message goes to ten.
//
// A carrier never waits for a peer. What one does not take at once is left to a
// goroutine of its own, and so nobody waits for a slow reader.
type carriers struct {
	most int // at a time; set once

	mu          sync.Mutex // guards what follows, and behind of the sessions in it
	first, last *session   // have something to be written, the longest first
	working     int
}

// add has what waits for s written. It is called by whoever set s.sending.
func (c *carriers) add(s *session) {
	c.mu.Lock()
	if c.last == nil {
		c.first = s
	} else {
		c.last.behind = s
	}
	c.last = s
	start := c.working < c.most
	if start {
		c.working++
	}
	c.mu.Unlock()
	if start {
		go c.work()
	}
}

// stride is how many a carrier brings before others get the processor.
const stride = 64

// work brings what there is, and ends.
func (c *carriers) work() {
	for n := 0; ; n++ {
		if n%stride == 0 {
			runtime.Gosched() // at first to those who are about to say more
		}
		c.mu.Lock()
		s := c.first
		if s == nil {
			c.working--
			c.mu.Unlock()
			return
		}
		if c.first = s.behind; c.first == nil {
			c.last = nil
		}
		s.behind = nil
		c.mu.Unlock()
		if s.carry() {
			runtime.Gosched() // to who answers
		}
	}
}
