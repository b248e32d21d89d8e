package session

import (
	"sync"
	"time"

	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// queue is what waits to be written to a device. Answers are bounded by
// MaxOutstanding, events by MaxQueue.
type queue struct {
	answers []answer
	events  [][]byte
	bytes   int       // of events
	few     [4][]byte // where events are while they are few
}

type answer struct {
	frame   []byte
	written func()
}

// catchUp stands for the events that were dropped.
var catchUp = hub.Frame(wire.OnCatchUp, wire.CatchUp{})

func (q *queue) answer(a answer) { q.answers = append(q.answers, a) }

// event adds one; dropped is true if it took the place of all that waited.
func (q *queue) event(frame []byte) (dropped bool) {
	if len(q.events) >= wire.MaxQueue || q.bytes+len(frame) > maxQueued && q.bytes > 0 {
		clear(q.events)
		q.events, q.bytes = append(q.events[:0], catchUp), len(catchUp)
		return true
	}
	if q.events == nil {
		q.events = q.few[:0]
	}
	q.events, q.bytes = append(q.events, frame), q.bytes+len(frame)
	return false
}

// batch is what leaves in one write.
type batch struct {
	frames  [][]byte
	all     [][]byte // where frames are
	written []func()
	size    int
}

const (
	maxBatch  = 64 << 10 // bytes, unless one frame alone has more
	maxQueued = 1 << 20  // bytes of events that wait for a device
)

var batches = sync.Pool{New: func() any { return new(batch) }}

func (b *batch) add(frame []byte) bool {
	if b.size > 0 && b.size+len(frame) > maxBatch {
		return false
	}
	b.all, b.size = append(b.all, frame), b.size+len(frame)
	b.frames = b.all
	return true
}

// left says that the frames have left, or never will.
func (b *batch) left() {
	for _, written := range b.written {
		written()
	}
}

func (b *batch) reset() {
	clear(b.all)
	clear(b.written)
	b.frames, b.all, b.written, b.size = nil, b.all[:0], b.written[:0], 0
}

func (b *batch) giveBack() {
	b.reset()
	batches.Put(b)
}

func (q *queue) holds() bool { return len(q.answers) > 0 || len(q.events) > 0 }

// take moves what is to be written next into b: answers first, because the
// device waits for them and holds slots of its own.
func (q *queue) take(b *batch) {
	n := 0
	for n < len(q.answers) && b.add(q.answers[n].frame) {
		b.written = append(b.written, q.answers[n].written)
		n++
	}
	if clear(q.answers[:n]); n < len(q.answers) {
		q.answers = q.answers[n:]
		return
	}
	q.answers = nil
	n = 0
	for n < len(q.events) && b.add(q.events[n]) {
		q.bytes -= len(q.events[n])
		n++
	}
	clear(q.events[:n])
	if q.events = q.events[n:]; len(q.events) == 0 {
		q.events = nil // gives the memory back
	}
}

// send puts an answer into the queue and has it written.
func (s *session) send(a answer) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.out.answer(a)
	s.flush()
}

// flush has what is in the queue written. The lock is held, and given back.
func (s *session) flush() {
	if s.ending {
		s.out.events, s.out.bytes = nil, 0
	}
	idle := !s.sending
	if s.sending = true; idle {
		s.tasks.Add(1)
	}
	s.mu.Unlock()
	if idle {
		s.all.carriers.add(s)
	}
}

// next takes what is to be written next. If that is nothing, whoever was writing
// has ended.
func (s *session) next(b *batch) bool {
	s.mu.Lock()
	s.out.take(b)
	over := len(b.frames) == 0 || s.closed
	if over {
		s.sending = false
	}
	s.mu.Unlock()
	if over {
		b.giveBack()
		s.tasks.Done()
	}
	return !over
}

// carry writes what the peer takes at once. Who has more, or takes nothing, is
// left to others. Who is about to be answered is put back once, behind all that
// wait, and carry says so: what a device is told of its own message then leaves
// with the answer.
func (s *session) carry() (back bool) {
	s.mu.Lock()
	back = s.working && !s.back && len(s.out.answers) == 0 && !s.closed
	s.back = back
	s.mu.Unlock()
	if back {
		s.all.carriers.add(s)
		return true
	}
	b := batches.Get().(*batch)
	if !s.next(b) {
		return false
	}
	n, taken, err := s.conn.Try(b.frames)
	if b.frames = b.frames[n:]; !taken || err != nil || len(b.frames) > 0 {
		go s.write(b)
		return false
	}
	b.left()
	s.mu.Lock()
	more := !s.closed && s.out.holds()
	if !more {
		s.sending = false
	}
	s.mu.Unlock()
	if b.giveBack(); more {
		s.all.carriers.add(s)
	} else {
		s.tasks.Done()
	}
	return false
}

// write waits for the peer to take what carry has left, and all that came
// meanwhile, and ends.
func (s *session) write(b *batch) {
	for {
		err := s.conn.Write(b.frames)
		b.left()
		b.reset()
		if err != nil {
			s.close(Silent)
		}
		if !s.next(b) {
			return
		}
	}
}

// Hear is hub.Listener's: it queues an event.
func (s *session) Hear(frame []byte) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	if s.out.event(frame) {
		s.all.catchUps.Add(1)
	}
	s.flush()
}

// Become is hub.Listener's: what the device may do changes with the next
// request.
func (s *session) Become(state wire.DeviceState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actor.State = state
}

// End is hub.Listener's: nothing more is told or begun from now on. Requests
// that have begun get their answers, if that takes no longer than lastWords.
func (s *session) End(code wire.Code) {
	why := Ended
	s.mu.Lock()
	if code == wire.Cancelled {
		why = GoingAway
	} else {
		s.actor.State = wire.DeviceRevoked // what waits in the queue is refused
	}
	s.ending = true
	s.out.events, s.out.bytes = nil, 0
	s.mu.Unlock()
	s.start(func() {
		late := time.After(lastWords)
	wait:
		for range cap(s.slots) { // all of them are free when everything was answered
			select {
			case s.slots <- struct{}{}:
			case <-late:
				break wait
			case <-s.ctx.Done():
				return
			}
		}
		s.close(why)
	})
}

// Who is hub.Listener's.
func (s *session) Who() (wire.AccountID, wire.DeviceID) { return s.actor.Account, s.actor.Device }
