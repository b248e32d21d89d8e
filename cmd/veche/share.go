package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/veche-im/veche/client/api"
)

// One process at a time has a profile open, and "veche read --follow" has it
// open for hours. So that other commands of the same person work meanwhile, it
// lets them in through a socket in the profile's directory, which is its
// owner's alone: each line a JSON object, the commands those of client/api.

// errHostGone says that the process that had the profile open has ended.
var errHostGone = errors.New("the process that had the profile open has ended")

// message is a line of the socket. A request has an ID and Call; its answer has
// the ID and Result or Failure; Event alone says that something changed.
type message struct {
	ID      int64           `json:"id,omitempty"`
	Call    string          `json:"call,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Failure *api.Failure    `json:"failure,omitempty"`
	Event   string          `json:"event,omitempty"`
}

// Calls besides the commands.
const (
	callOnline   = "wait.online"
	callCaughtUp = "wait.caughtUp"
	callSent     = "wait.sent"
)

// socketIn returns the address of the socket in dir. A socket's path may have
// some 100 bytes, so a longer one goes through the directory's descriptor,
// which done gives back.
func socketIn(dir string) (path string, done func(), err error) {
	path = filepath.Join(dir, "sock")
	if len(path) < 100 {
		return path, func() {}, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/sock", d.Fd()), func() { d.Close() }, nil
}

// share lets other processes use p until stop is called. Where that cannot be,
// they wait for the profile as they otherwise do.
func share(p *profile) (stop func()) {
	l, ours := p.core.(*local)
	if !ours {
		return func() {}
	}
	path, done, err := socketIn(p.dir)
	if err != nil {
		return func() {}
	}
	os.Remove(path) // whoever left it there no longer has the profile: we do
	listener, err := net.Listen("unix", path)
	if err != nil {
		done()
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { l.serve(ctx, conn) })
		}
	})
	return func() {
		listener.Close()
		cancel()
		running.Wait()
		done()
	}
}

// serve answers one process until it goes or ctx ends.
func (l *local) serve(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { conn.Close() })
	var writing sync.Mutex // held while a line is written
	write := func(m message) {
		writing.Lock()
		defer writing.Unlock()
		if json.NewEncoder(conn).Encode(m) != nil {
			cancel()
		}
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		for {
			changed := l.changed()
			select {
			case <-changed:
				write(message{Event: "changed"})
			case <-ctx.Done():
				return
			}
		}
	})
	for in := json.NewDecoder(conn); ; {
		var m message
		if in.Decode(&m) != nil {
			return
		}
		running.Go(func() {
			result, err := l.answer(ctx, m)
			if err != nil {
				write(message{ID: m.ID, Failure: api.FailureOf(err)})
				return
			}
			write(message{ID: m.ID, Result: result})
		})
	}
}

func (l *local) answer(ctx context.Context, m message) (json.RawMessage, error) {
	none := json.RawMessage("{}")
	switch m.Call {
	case callOnline:
		return none, l.waitOnline(ctx)
	case callCaughtUp:
		return none, l.waitCaughtUp(ctx)
	case callSent:
		var ref api.ItemRef
		if err := json.Unmarshal(m.Params, &ref); err != nil {
			return nil, err
		}
		item, err := l.waitSent(ctx, ref)
		a := waited{Item: item}
		if err != nil {
			a.Failure = api.FailureOf(err)
		}
		return json.Marshal(a)
	default:
		result, failure := l.c.Mux().Call(ctx, m.Call, m.Params)
		if failure != nil {
			return nil, failure
		}
		return result, nil
	}
}

// remote is a core in another process.
type remote struct {
	conn net.Conn
	bell bell
	end  chan error // gets errHostGone, once

	mu      sync.Mutex // guards what follows, and writing to conn
	next    int64
	waiting map[int64]chan message
	gone    bool
}

// attach asks the process that has the profile open to let this one in.
func attach(dir string) (*remote, error) {
	path, done, err := socketIn(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	r := &remote{conn: conn, end: make(chan error, 1), waiting: map[int64]chan message{}}
	go r.read()
	return r, nil
}

func (r *remote) read() {
	for in := json.NewDecoder(r.conn); ; {
		var m message
		if in.Decode(&m) != nil {
			break
		}
		if m.Event != "" {
			r.bell.ring()
			continue
		}
		r.mu.Lock()
		answer := r.waiting[m.ID]
		delete(r.waiting, m.ID)
		r.mu.Unlock()
		if answer != nil {
			answer <- m
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
	for _, answer := range r.waiting {
		close(answer)
	}
	r.waiting = nil
	r.end <- errHostGone
}

func (r *remote) call(ctx context.Context, name string, params, result any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	answer, err := r.ask(name, raw)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case m, ok := <-answer:
		switch {
		case !ok:
			return errHostGone
		case m.Failure != nil:
			return m.Failure
		}
		return json.Unmarshal(m.Result, result)
	}
}

func (r *remote) ask(name string, params json.RawMessage) (<-chan message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return nil, errHostGone
	}
	r.next++
	answer := make(chan message, 1)
	r.waiting[r.next] = answer
	if err := json.NewEncoder(r.conn).Encode(message{ID: r.next, Call: name, Params: params}); err != nil {
		delete(r.waiting, r.next)
		return nil, errHostGone
	}
	return answer, nil
}

func (r *remote) waitOnline(ctx context.Context) error {
	return r.call(ctx, callOnline, api.None{}, &api.None{})
}

func (r *remote) waitCaughtUp(ctx context.Context) error {
	return r.call(ctx, callCaughtUp, api.None{}, &api.None{})
}

func (r *remote) waitSent(ctx context.Context, ref api.ItemRef) (api.Item, error) {
	var a waited
	if err := r.call(ctx, callSent, ref, &a); err != nil {
		return api.Item{}, err
	}
	if a.Failure != nil {
		return a.Item, a.Failure
	}
	return a.Item, nil
}

// waited is what waitSent answers: of a message that waits here, both.
type waited struct {
	Item    api.Item
	Failure *api.Failure
}

func (r *remote) changed() <-chan struct{} { return r.bell.next() }
func (r *remote) ended() <-chan error      { return r.end }
func (r *remote) close()                   { r.conn.Close() }

// bell tells whoever listens that something changed.
type bell struct {
	mu   sync.Mutex // guards rung
	rung chan struct{}
}

// next returns a channel that is closed at the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}
