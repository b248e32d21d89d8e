package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// session is one connection. The goroutine of run reads; what answers, tells or
// carries out is started when there is something to do and ends with it, so a
// quiet connection costs one goroutine.
type session struct {
	cfg    *Config
	all    *Sessions
	conn   Conn
	ctx    context.Context
	cancel context.CancelFunc
	table  *Table
	tasks  sync.WaitGroup
	slots  chan struct{} // one for each request without an answer
	reads  chan struct{} // one for each reading request
	bulk   chan struct{} // one for each bulkUnit of parameters of requests without an answer
	quiet  *time.Timer   // looks whether the peer is there

	mu      sync.Mutex // guards what follows; not held while the connection or a method works
	actor   Actor
	writes  []request // waiting, in order; the first runs if working
	working bool
	out     queue
	sending bool
	back    bool // see carry
	ending  bool // takes no more requests
	closed  bool
	deaf    bool      // reads nothing, so that nothing can be heard
	since   time.Time // when it began to listen, again
	asked   time.Time // when the peer was asked last

	behind *session // waits after this one; the carriers'
}

type request struct {
	id     uint64
	method method
	params []byte
	began  time.Time // by the site's clock, for metrics
	came   time.Time
	inLine bool
}

func serve(ctx context.Context, all *Sessions, conn Conn, a Actor) {
	cfg := &all.cfg
	s := &session{
		cfg: cfg, all: all, conn: conn, table: cfg.Table, actor: a,
		sending: true, // until hello has left, which is the first
		slots:   make(chan struct{}, wire.MaxOutstanding),
		reads:   make(chan struct{}, maxReads),
		bulk:    make(chan struct{}, maxBulk/bulkUnit),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.since = time.Now()
	s.mu.Lock() // quiet is set before beat looks at it
	s.quiet = time.AfterFunc(wire.Heartbeat, s.beat)
	s.mu.Unlock()
	defer func() {
		s.close(GoingAway)
		s.conn.Release()
		s.tasks.Wait()
	}()
	defer cfg.Hub.Gone(s)
	// Elsewhere, because it makes the stack large, and the reader is here to stay.
	greeted := make(chan error, 1)
	go func() { greeted <- s.greet() }()
	if err := <-greeted; err != nil {
		switch ErrorOf(err).Code {
		case wire.Unauthenticated, wire.NotFound:
			s.close(Ended)
		case wire.Internal:
			cfg.Log.Error("greet", "device", a.Device, "err", err)
		}
		return
	}
	if all.isEnding() { // since before the hub knew of this one, perhaps: then nobody has told it
		s.End(wire.Cancelled)
	}
	s.read()
}

// greet makes the connection known and tells it hello. Who asks was looked up before
// the hub knew of it, and may have changed until then without anybody telling it; so
// hello says how they stand now. What changes later, the hub tells.
func (s *session) greet() error {
	a := s.who()
	err := s.cfg.Hub.Come(s, a.State, func() ([]wire.RoomID, error) { return s.cfg.RoomsOf(s.ctx, a.Account) })
	if err != nil {
		return err
	}
	return s.hello()
}

func (s *session) hello() error {
	a := s.who()
	h, err := s.cfg.Hello(s.ctx, &a)
	if err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	if h.State != a.State { // it moved on while the connection was made
		s.cfg.Hub.Become(a.Account, a.Device, h.State)
	}
	s.mu.Lock()
	s.actor.Name, s.actor.Admin = h.Name, h.Admin
	s.mu.Unlock()
	body, err := wire.Encode(h)
	if err != nil {
		return err
	}
	f, err := wire.Encode(wire.Frame{Method: wire.OnHello.Name, Body: body})
	if err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.out.answer(answer{socket.Message(f), func() {}})
	s.sending = false
	s.flush()
	return nil
}

// read takes requests until the connection ends.
func (s *session) read() {
	var last uint64
	for {
		b, err := s.conn.Read()
		if err != nil {
			switch {
			case errors.Is(err, socket.ErrText):
				s.close(Violation)
			case errors.Is(err, socket.ErrSlow):
				s.close(Silent)
			}
			return
		}
		var f wire.Frame
		if err := wire.DecodeIn(b, &f); err != nil || f.ID <= last || f.Method == "" || f.Error != nil {
			s.close(Violation)
			return
		}
		last = f.ID
		if s.isEnding() {
			continue
		}
		if !s.room(s.slots, 1) || !s.room(s.bulk, len(f.Body)/bulkUnit) {
			return
		}
		s.take(request{id: f.ID, params: f.Body, began: s.cfg.Now(), came: time.Now()}, f.Method)
	}
}

// room waits until n more fit into c. Meanwhile nothing is read, so no answer to
// a ping either: the peer is not to be asked.
func (s *session) room(c chan struct{}, n int) bool {
	for range n {
		select {
		case c <- struct{}{}:
			continue
		default:
		}
		s.listen(false)
		select {
		case c <- struct{}{}:
			s.listen(true)
		case <-s.ctx.Done():
			return false
		}
	}
	return true
}

// listen says whether the peer is read from.
func (s *session) listen(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf, s.since = !yes, time.Now()
}

// free gives back what a request held.
func (s *session) free(r request) {
	for range len(r.params) / bulkUnit {
		<-s.bulk
	}
	<-s.slots
}

func (s *session) isEnding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending
}

// take starts a request, or queues it behind those that change something.
func (s *session) take(r request, name string) {
	m, ok := s.table.methods[name]
	if !ok {
		s.reply(r, nil, wire.Refuse(wire.BadRequest, "there is no such method"), func() { s.free(r) })
		return
	}
	r.method = m
	if err := s.cfg.Limit.Allow(m.class, limit.Who{Account: s.actor.Account, Device: s.actor.Device}); err != nil {
		s.note(audit.Limited, m.class.Name)
		s.reply(r, nil, err, func() { s.free(r) })
		return
	}
	if !m.writes {
		s.start(func() {
			select {
			case s.reads <- struct{}{}:
			case <-s.ctx.Done():
				return
			}
			s.carryOut(r, func() { <-s.reads; s.free(r) })
		})
		return
	}
	if err := weigh(s.cfg.Limit, s.actor.Account, len(r.params)); err != nil {
		s.note(audit.Limited, "written")
		s.reply(r, nil, err, func() { s.free(r) })
		return
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	idle := !s.working
	if r.inLine = !idle; r.inLine && !s.all.line.enter(r) {
		s.mu.Unlock()
		s.reply(r, nil, &wire.Error{Code: wire.Busy, Text: "too much is waiting"}, func() { s.free(r) })
		return
	}
	s.writes = append(s.writes, r)
	s.working = true
	s.mu.Unlock()
	if idle {
		s.start(s.work)
	}
}

// work carries out what waits in order, and ends when nothing does.
func (s *session) work() {
	for {
		s.mu.Lock()
		if len(s.writes) == 0 || s.closed {
			for _, r := range s.writes {
				s.leaveLine(r)
			}
			s.writes, s.working = nil, false
			s.mu.Unlock()
			return
		}
		r := s.writes[0]
		s.writes[0] = request{}
		s.writes = s.writes[1:]
		s.leaveLine(r)
		s.mu.Unlock()
		s.inTurn(r)
	}
}

func (s *session) leaveLine(r request) {
	if r.inLine {
		s.all.line.leave(r)
	}
}

// inTurn carries out a request that changes something, unless it has waited so
// long that whoever asked has better things to do, or the account has others with
// the writer already. Refusing is cheap; what is late costs as much as ever.
func (s *session) inTurn(r request) {
	account := s.actor.Account
	switch {
	case time.Since(r.came) > maxWait:
		s.all.late.Add(1)
		s.reply(r, nil, &wire.Error{Code: wire.Busy, Text: "waited too long"}, func() { s.free(r) })
	case !s.all.shares.enter(account):
		s.reply(r, nil, &wire.Error{Code: wire.Busy, Text: "too many connections of one account write"}, func() { s.free(r) })
	default:
		defer s.all.shares.leave(account)
		s.carryOut(r, func() { s.free(r) })
	}
}

// carryOut runs one request and answers it. Written is called when the answer
// has left, so that a device cannot pile up answers that it does not take.
func (s *session) carryOut(r request, written func()) {
	a := s.who()
	ctx, cancel := context.WithDeadline(s.ctx, r.came.Add(requestTimeout))
	defer cancel()
	body, err := s.guarded(ctx, r, &a)
	if errors.Is(err, authz.ErrDenied) && !errors.Is(err, authz.ErrLate) {
		s.note(audit.Denied, r.method.name)
	}
	s.reply(r, body, err, written)
}

// note writes down that something was refused.
func (s *session) note(kind audit.Kind, what string) {
	a := s.who()
	s.cfg.Audit.Record(audit.Entry{Kind: kind, Account: a.Account, Device: a.Device, From: a.From, What: what})
}

// guarded runs a method; a panic in it is our fault and costs this one request.
func (s *session) guarded(ctx context.Context, r request, a *Actor) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return s.table.do(ctx, r.method, a, r.params)
}

func (s *session) reply(r request, body []byte, err error, written func()) {
	f := wire.Frame{ID: r.id, Body: body}
	var code wire.Code
	if err != nil {
		f.Body, f.Error = nil, Spread(ErrorOf(err))
		code = f.Error.Code
		if code == wire.Internal || code == wire.Damaged {
			s.cfg.Log.Error("request failed", "method", r.method.name, "device", s.who().Device, "err", err)
		}
	}
	var room [socket.HeaderRoom]byte
	b, encErr := wire.Append(room[:], f)
	if size := len(b) - len(room); encErr != nil || size > wire.MaxResponse {
		s.cfg.Log.Error("answer does not fit", "method", r.method.name, "size", size, "err", encErr)
		code = wire.Internal
		b, _ = wire.Append(room[:], wire.Frame{ID: r.id, Error: &wire.Error{Code: code}})
	}
	s.cfg.Observe(r.method.name, code, s.cfg.Now().Sub(r.began))
	s.send(answer{socket.Complete(b), written})
}

// who returns the actor as it stands.
func (s *session) who() Actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.actor
}

// start runs f on another goroutine, unless the session is over.
func (s *session) start(f func()) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.tasks.Add(1)
	s.mu.Unlock()
	s.all.helpers.do(func() {
		defer s.tasks.Done()
		f()
	})
}

// beat asks a quiet peer whether it is there, and closes when it was asked and
// said nothing. Any byte counts: a large request may take its time.
func (s *session) beat() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.tasks.Add(1)
	defer s.tasks.Done()
	now, heard := time.Now(), s.conn.Heard()
	if heard.Before(s.since) {
		heard = s.since
	}
	deaf, unanswered := s.deaf, s.asked.After(heard)
	quiet := now.Sub(heard)
	s.mu.Unlock()
	next := wire.Heartbeat
	switch {
	case deaf:
	case quiet < wire.Heartbeat:
		next = wire.Heartbeat - quiet
	case unanswered:
		s.close(Silent)
		return
	default:
		err := s.conn.Ping()
		if err == nil {
			s.mu.Lock()
			s.asked = now
			s.mu.Unlock()
		} else if !errors.Is(err, socket.ErrWriting) {
			s.close(Silent)
			return
		}
	}
	s.quiet.Reset(next)
}

// close ends the session; the first reason counts.
func (s *session) close(why Reason) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.out = queue{}
	s.mu.Unlock()
	s.quiet.Stop()
	s.cancel()
	s.conn.Close(socket.Status(why), reasons[why])
}
