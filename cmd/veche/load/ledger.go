package load

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	chunk     = 1024
	maxChunks = 8192 // of one room's order and of all messages: some eight million
)

// numbers is a list that many append to and read without a lock.
type numbers[T any] struct {
	mu     sync.Mutex // guards making chunks
	chunks [maxChunks]atomic.Pointer[[chunk]T]
}

// at is item i, made if it is not there; nil beyond the list's bound.
func (l *numbers[T]) at(i int) *T {
	if i < 0 || i >= chunk*maxChunks {
		return nil
	}
	p := &l.chunks[i/chunk]
	c := p.Load()
	if c == nil {
		l.mu.Lock()
		if c = p.Load(); c == nil {
			c = new([chunk]T)
			p.Store(c)
		}
		l.mu.Unlock()
	}
	return &c[i%chunk]
}

// message is what is known of one number.
type message struct {
	sent  atomic.Int64 // when it was put on its way, in nanoseconds of the ledger's clock; 0: never
	room  int32
	from  int32
	left  atomic.Int32 // members that it has not reached, the sender aside
	acked atomic.Int64 // when, likewise
	over  atomic.Bool  // refused or never answered: it may be in the log or not
}

// place is how far a room's log goes, as its members saw it: whoever hears the
// k-th message first says what it is, and all others must hear the same.
type place struct {
	order numbers[atomic.Uint64]
	seen  atomic.Int64
}

// Ledger writes down what is sent, acknowledged and delivered, and finds what
// does not fit. One ledger serves one target for its whole life.
type Ledger struct {
	layout Layout
	epoch  time.Time
	rooms  []place
	ears   [][]*Ear // of each person
	all    numbers[message]
	last   atomic.Uint64 // number given out

	acked, delivered, refused atomic.Int64
	ToAck, ToLast, ToEach     atomic.Pointer[Histogram] // nil counts nothing

	mu     sync.Mutex // guards what follows
	faults []error
	many   int
}

// NewLedger is a ledger with nothing in it.
func NewLedger(l Layout) *Ledger {
	return &Ledger{layout: l, epoch: time.Now(), rooms: make([]place, len(l.Rooms)), ears: make([][]*Ear, l.People)}
}

func (l *Ledger) now() int64 { return int64(time.Since(l.epoch)) + 1 }

// fault notes what does not fit. The first few are kept.
func (l *Ledger) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.many++; len(l.faults) < 8 {
		l.faults = append(l.faults, fmt.Errorf(format, args...))
	}
}

// begin notes that a message is about to leave, and numbers it. Reach is how
// many connections must hear it, the sender's aside.
func (l *Ledger) begin(room, from, reach int) uint64 {
	n := l.last.Add(1)
	m := l.all.at(int(n))
	m.room, m.from = int32(room), int32(from)
	m.left.Store(int32(reach))
	m.sent.Store(l.now())
	return n
}

// again notes that a refused message is about to leave once more.
func (l *Ledger) again(n uint64) { l.all.at(int(n)).over.Store(false) }

func (l *Ledger) message(n uint64) *message {
	if n == 0 || n > l.last.Load() {
		return nil
	}
	m := l.all.at(int(n))
	if m.sent.Load() == 0 { // which begin sets last
		return nil
	}
	return m
}

// Ear is what one connection of a person hears. It is Events.
type Ear struct {
	l      *Ledger
	person int
	rooms  []int
	at     []atomic.Int64 // how many messages of each were heard

	answered func(n uint64, wait time.Duration) // told after the ledger, unless nil; wait is 0 for what is settled

	up    atomic.Bool // connected
	ended atomic.Pointer[error]
}

// Listen is a connection of a person that is about to be made, and that hears
// what is sent from now on. Answered, unless nil, is told of each message that
// has its answer: that it is settled, or when it may be sent again.
func (l *Ledger) Listen(person int, rooms []int, answered func(n uint64, wait time.Duration)) *Ear {
	e := &Ear{l: l, person: person, rooms: rooms, answered: answered, at: make([]atomic.Int64, len(rooms))}
	for i, r := range rooms {
		e.at[i].Store(l.rooms[r].seen.Load())
	}
	l.mu.Lock()
	l.ears[person] = append(l.ears[person], e)
	l.mu.Unlock()
	return e
}

// Delivered is Events'.
func (e *Ear) Delivered(room int, n uint64) {
	if n == 0 {
		return
	}
	l := e.l
	m := l.message(n)
	if m == nil || int(m.room) != room {
		l.fault("person %d heard message %d of room %d, which was not sent there", e.person, n, room)
		return
	}
	at := e.step(room)
	if at < 0 {
		l.fault("person %d heard message %d of room %d, in which it is not", e.person, n, room)
		return
	}
	slot := l.rooms[room].order.at(at)
	if slot == nil {
		l.fault("room %d has more messages than are kept count of", room)
		return
	}
	if slot.CompareAndSwap(0, n) {
		l.rooms[room].seen.Add(1)
	} else if had := slot.Load(); had != n {
		l.fault("person %d heard message %d of room %d where others heard %d", e.person, n, room, had)
		return
	}
	if int(m.from) == e.person {
		return
	}
	l.delivered.Add(1)
	left := m.left.Add(-1)
	switch to := l.ToLast.Load(); {
	case left < 0:
		l.fault("message %d of room %d was delivered too often", n, room)
	case left == 0 && to != nil:
		to.Add(time.Duration(l.now() - m.sent.Load()))
	}
	if to := l.ToEach.Load(); to != nil {
		to.Add(time.Duration(l.now() - m.sent.Load()))
	}
}

// step counts one message of a room and returns how many there were before, -1
// for a room that is not heard.
func (e *Ear) step(room int) int {
	lo, hi := 0, len(e.rooms)
	for lo < hi {
		if mid := (lo + hi) / 2; e.rooms[mid] < room {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(e.rooms) || e.rooms[lo] != room {
		return -1
	}
	return int(e.at[lo].Add(1)) - 1
}

// Acknowledged is Events'.
func (e *Ear) Acknowledged(n uint64) {
	l := e.l
	m := l.message(n)
	switch {
	case m == nil || int(m.from) != e.person:
		l.fault("person %d was acknowledged message %d, which it did not send", e.person, n)
		return
	case !m.acked.CompareAndSwap(0, l.now()):
		l.fault("message %d was acknowledged twice", n)
		return
	}
	l.acked.Add(1)
	if to := l.ToAck.Load(); to != nil {
		to.Add(time.Duration(m.acked.Load() - m.sent.Load()))
	}
	if e.answered != nil {
		e.answered(n, 0)
	}
}

// Refused is Events'.
func (e *Ear) Refused(n uint64, wait time.Duration, err error) {
	m := e.l.message(n)
	if m == nil || int(m.from) != e.person {
		e.l.fault("person %d was refused message %d, which it did not send", e.person, n)
		return
	}
	m.over.Store(true)
	e.l.refused.Add(1)
	if wait == 0 {
		e.l.fault("message %d of room %d was refused: %w", n, m.room, err)
	}
	if e.answered != nil {
		e.answered(n, wait)
	}
}

// Ended is Events'.
func (e *Ear) Ended(err error) {
	e.ended.Store(&err)
	e.up.Store(false)
}

// gone is why the connection ended, nil while it is there.
func (e *Ear) gone() error {
	if e.up.Load() {
		return nil
	}
	if err := e.ended.Load(); err != nil && *err != nil {
		return *err
	}
	return errors.New("not connected")
}

// Acknowledged is how many messages the server has taken since the ledger began.
func (l *Ledger) Acknowledged() int64 { return l.acked.Load() }

// missing says how many deliveries and answers are still to come, with one
// example.
func (l *Ledger) missing() (n int, example error) {
	for i := uint64(1); i <= l.last.Load(); i++ {
		m := l.all.at(int(i))
		left := int(m.left.Load())
		if m.acked.Load() == 0 {
			if m.sent.Load() != 0 && !m.over.Load() {
				n++
				example = fmt.Errorf("message %d of room %d has no answer", i, m.room)
			}
			continue
		}
		if left > 0 {
			n += left
			example = fmt.Errorf("message %d of room %d was acknowledged and has not reached %d connections", i, m.room, left)
		}
	}
	for _, ears := range l.ears {
		for _, e := range ears {
			for i, r := range e.rooms {
				if d := l.rooms[r].seen.Load() - e.at[i].Load(); d > 0 && e.up.Load() {
					n++
					example = fmt.Errorf("person %d has not heard the newest %d messages of room %d", e.person, d, r)
				}
			}
		}
	}
	return n, example
}

// Faults is everything that did not fit, nil if all did.
func (l *Ledger) Faults() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := errors.Join(l.faults...)
	if l.many > len(l.faults) {
		err = fmt.Errorf("%w\nand %d more", err, l.many-len(l.faults))
	}
	return err
}
