package httpapi

import "sync"

// crowd counts what each has under way: each device, or each network. The zero
// value is ready.
type crowd[K comparable] struct {
	mu sync.Mutex // guards what follows
	n  map[K]int
}

// enter counts one more, unless it has most already.
func (c *crowd[K]) enter(d K, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[d] >= most {
		return false
	}
	if c.n == nil {
		c.n = make(map[K]int)
	}
	c.n[d]++
	return true
}

// leave takes one back.
func (c *crowd[K]) leave(d K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[d]--; c.n[d] <= 0 {
		delete(c.n, d)
	}
}
