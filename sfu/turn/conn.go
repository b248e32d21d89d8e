package turn

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// door is the net.Listener that the library sees: connections come in by pass.
type door struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once

	mu   sync.Mutex       // guards what follows
	open map[string]*conn // by the device's address
}

func newDoor() *door {
	return &door{conns: make(chan net.Conn), ended: make(chan struct{}), open: map[string]*conn{}}
}

func (d *door) pass(c *conn) bool {
	c.door = d
	d.mu.Lock()
	d.open[c.RemoteAddr().String()] = c
	d.mu.Unlock()
	select {
	case d.conns <- c:
		return true
	case <-d.ended:
		return false
	}
}

// Accept waits for a connection.
func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.ended:
		return nil, net.ErrClosed
	}
}

// Close ends all connections.
func (d *door) Close() error {
	d.once.Do(func() { close(d.ended) })
	d.mu.Lock()
	var open []*conn
	for _, c := range d.open {
		open = append(open, c)
	}
	d.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
	return nil
}

// Addr names nothing: connections come from another listener.
func (d *door) Addr() net.Addr { return &net.TCPAddr{} }

// relaying notes whether the device at an address has an allocation.
func (d *door) relaying(device net.Addr, yes bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.open[device.String()]; c != nil {
		c.relaying.Store(yes)
	}
}

// conn ends a connection that says nothing, or takes nothing, for too long, and one
// that comes to no allocation.
type conn struct {
	net.Conn
	door     *door
	ended    chan struct{}
	once     sync.Once
	relaying atomic.Bool
	until    time.Time // by when there must be an allocation
}

func newConn(c net.Conn) *conn {
	return &conn{Conn: c, ended: make(chan struct{}), until: time.Now().Add(firstWithin)}
}

// Read waits for so long and no longer.
func (c *conn) Read(b []byte) (int, error) {
	until := time.Now().Add(idle)
	if !c.relaying.Load() {
		until = c.until
	}
	_ = c.Conn.SetReadDeadline(until) // fails only for what is closed, which Read tells
	return c.Conn.Read(b)
}

// Write gives up a device that takes nothing.
func (c *conn) Write(b []byte) (int, error) {
	_ = c.Conn.SetWriteDeadline(time.Now().Add(stuck))
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close() // half a message may have left
	}
	return n, err
}

// Close ends the connection once.
func (c *conn) Close() error {
	var err error
	c.once.Do(func() {
		err = c.Conn.Close()
		close(c.ended)
		if c.door != nil {
			c.door.mu.Lock()
			delete(c.door.open, c.RemoteAddr().String())
			c.door.mu.Unlock()
		}
	})
	return err
}
