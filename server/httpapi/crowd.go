package httpapi

import (
	"sync"

	"github.com/veche-im/veche/wire"
)

// crowd counts what each device has under way. The zero value is ready.
type crowd struct {
	mu sync.Mutex // guards what follows
	n  map[wire.DeviceID]int
}

// enter counts one more, unless the device has most already.
func (c *crowd) enter(d wire.DeviceID, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[d] >= most {
		return false
	}
	if c.n == nil {
		c.n = make(map[wire.DeviceID]int)
	}
	c.n[d]++
	return true
}

// leave takes one back.
func (c *crowd) leave(d wire.DeviceID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[d]--; c.n[d] <= 0 {
		delete(c.n, d)
	}
}
