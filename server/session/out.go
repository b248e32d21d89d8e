package session

import (
	"context"
	"time"

	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// queue is what waits to be written to a device. Answers are bounded by
// MaxOutstanding, events by MaxQueue.
type queue struct {
	answers []answer
	events  [][]byte
}

type answer struct {
	frame   []byte
	written func()
}

// catchUp stands for the events that were dropped.
var catchUp = hub.Frame(wire.OnCatchUp, wire.CatchUp{})

func (q *queue) answer(frame []byte, written func()) {
	q.answers = append(q.answers, answer{frame, written})
}

func (q *queue) event(frame []byte) {
	if len(q.events) >= wire.MaxQueue {
		clear(q.events)
		q.events = append(q.events[:0], catchUp)
		return
	}
	q.events = append(q.events, frame)
}

// next takes what is to be written next: answers first, because the device
// waits for them and holds slots of its own.
func (q *queue) next() (a answer, ok bool) {
	switch {
	case len(q.answers) > 0:
		a = q.answers[0]
		q.answers[0] = answer{}
		q.answers = q.answers[1:]
	case len(q.events) > 0:
		a = answer{frame: q.events[0], written: func() {}}
		q.events[0] = nil
		q.events = q.events[1:]
	default:
		*q = queue{} // gives the memory back
		return a, false
	}
	return a, true
}

// send puts something into the queue and has it written.
func (s *session) send(put func(*queue)) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	put(&s.out)
	if s.ending {
		s.out.events = nil
	}
	idle := !s.sending
	s.sending = true
	s.mu.Unlock()
	if idle {
		s.start(s.write)
	}
}

// write empties the queue and ends.
func (s *session) write() {
	for {
		s.mu.Lock()
		next, ok := s.out.next()
		if !ok || s.closed {
			s.sending = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(s.ctx, writeTimeout)
		err := s.conn.Write(ctx, next.frame)
		cancel()
		next.written()
		if err != nil {
			s.close(Silent)
			return
		}
	}
}

// Hear is hub.Listener's: it queues an event.
func (s *session) Hear(frame []byte) { s.send(func(q *queue) { q.event(frame) }) }

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
	s.out.events = nil
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
