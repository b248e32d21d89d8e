package testenv

import (
	"errors"
	"strings"
	"sync"

	"github.com/veche-im/veche/client/store"
)

// Plug is pulled at one transaction of a client's store: from there on nothing
// is written and nothing leaves, as if the power had gone.
type Plug struct {
	link *Link

	mu      sync.Mutex // guards what follows
	after   int        // transactions until it is pulled, 0: never
	late    bool       // the last transaction is still written
	armed   bool       // what opening the profile writes does not count
	writing bool
	pulled  bool
	done    chan struct{}
}

// PullAfter makes a plug that is pulled at the nth transaction that writes. If
// late, that one is on disk and nobody hears of it; else it is lost.
func PullAfter(n int, late bool) *Plug { return &Plug{after: n, late: late, done: make(chan struct{})} }

// Pulled reports whether it was.
func (p *Plug) Pulled() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pulled
}

func (p *Plug) arm() {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.armed = true
	}
}

// Done is closed when the plug was pulled.
func (p *Plug) Done() <-chan struct{} { return p.done }

// errNoPower is what a store hears then.
var errNoPower = errors.New("the plug was pulled")

type plugged struct {
	store.Conn
	p *Plug
}

// Exec is the connection's, until the plug is pulled.
func (c *plugged) Exec(sql string, args ...any) (store.Result, error) {
	p := c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pulled {
		return store.Result{}, errNoPower
	}
	switch {
	case sql == "BEGIN IMMEDIATE":
		p.writing = true
	case strings.HasPrefix(sql, "BEGIN"), sql == "ROLLBACK":
		p.writing = false
	case sql == "COMMIT" && p.writing && p.armed:
		p.writing = false
		if p.after--; p.after == 0 {
			return c.pull()
		}
	}
	return c.Conn.Exec(sql, args...)
}

func (c *plugged) pull() (store.Result, error) {
	end := "ROLLBACK"
	if c.p.late {
		end = "COMMIT"
	}
	_, err := c.Conn.Exec(end)
	c.p.pulled = true
	c.p.link.Cut()
	close(c.p.done)
	return store.Result{}, errors.Join(errNoPower, err)
}
