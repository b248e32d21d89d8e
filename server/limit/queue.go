package limit

import (
	"container/list"
	"context"
	"net/netip"
	"slices"
	"sync"

	"github.com/veche-im/veche/wire"
)

// Queue lets a few at a time do what costs much, and so many wait for it. Networks
// come in turns, however many wait from each; when too many wait, the one that came
// last from where most do makes room for who comes from elsewhere.
type Queue struct {
	slots, most int

	mu      sync.Mutex // guards what follows
	working int
	all     line
	turned  uint64
}

// line is who waits from one network, or from all that lie in a wider one.
type line struct {
	at      netip.Prefix
	n       int
	within  map[netip.Prefix]*list.Element // of turns
	turns   list.List                      // of *line, the one whose turn is next in front
	waiting list.List                      // of *waiter, the first in front; in the narrowest
}

type waiter struct {
	path []netip.Prefix // where it waits, from the widest network to its own
	told chan error     // room for one
	in   *list.Element  // of its line's waiting; nil when it waits no more
}

// errFull is what those hear for whom there is no place.
var errFull = &wire.Error{Code: wire.Busy, RetryAfter: 2000}

// NewQueue returns a queue for so many at a time and so many that wait.
func NewQueue(slots, waiting int) *Queue { return &Queue{slots: slots, most: waiting} }

// Enter waits until it is one's turn, which Leave ends. Nobody is to Leave after
// an error: that of the context, or Busy if there is no place to wait.
func (q *Queue) Enter(ctx context.Context, from netip.Addr) error {
	q.mu.Lock()
	if q.working < q.slots {
		q.working++
		q.mu.Unlock()
		return nil
	}
	w := &waiter{told: make(chan error, 1)}
	for _, a := range slices.Backward(Networks(from)) {
		w.path = append(w.path, a.Prefix)
	}
	if q.all.n >= q.most {
		q.turned++
		last := q.all.fuller(w.path)
		if last == nil {
			q.mu.Unlock()
			return errFull
		}
		q.all.remove(last)
		last.told <- errFull
	}
	q.all.add(w, w.path)
	q.mu.Unlock()
	select {
	case err := <-w.told:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	if w.in != nil {
		q.all.remove(w)
		q.mu.Unlock()
		return ctx.Err()
	}
	q.mu.Unlock()
	if <-w.told == nil { // its turn had just come
		q.Leave()
	}
	return ctx.Err()
}

// Leave ends a turn.
func (q *Queue) Leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all.n == 0 {
		q.working--
		return
	}
	w := q.all.next()
	q.all.remove(w)
	w.told <- nil
}

// Counts returns how many work and wait, and how many found no place.
func (q *Queue) Counts() (working, waiting int, turned uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.working, q.all.n, q.turned
}

// add puts a waiter behind the others of its network.
func (l *line) add(w *waiter, path []netip.Prefix) {
	l.n++
	if len(path) == 0 {
		w.in = l.waiting.PushBack(w)
		return
	}
	in := l.within[path[0]]
	if in == nil {
		if l.within == nil {
			l.within = make(map[netip.Prefix]*list.Element)
		}
		in = l.turns.PushBack(&line{at: path[0]})
		l.within[path[0]] = in
	}
	in.Value.(*line).add(w, path[1:])
}

// remove takes a waiter out.
func (l *line) remove(w *waiter) {
	l.n--
	for _, p := range w.path {
		in := l.within[p]
		narrower := in.Value.(*line)
		if narrower.n--; narrower.n == 0 {
			l.turns.Remove(in)
			delete(l.within, p)
		}
		l = narrower
	}
	l.waiting.Remove(w.in)
	w.in = nil
}

// next returns whose turn it is. The next time it is that of another network.
func (l *line) next() *waiter {
	first := l.turns.Front()
	if first == nil {
		return l.waiting.Front().Value.(*waiter)
	}
	l.turns.MoveToBack(first)
	return first.Value.(*line).next()
}

// longest returns the line within this one in which most wait, nil in the
// narrowest.
func (l *line) longest() (most *line) {
	for e := l.turns.Front(); e != nil; e = e.Next() {
		if in := e.Value.(*line); most == nil || in.n > most.n {
			most = in
		}
	}
	return most
}

// last returns who came last from where most wait.
func (l *line) last() *waiter {
	if most := l.longest(); most != nil {
		return most.last()
	}
	return l.waiting.Back().Value.(*waiter)
}

// fuller returns who is to make room for one from path, nil if from nowhere more
// wait than from there.
func (l *line) fuller(path []netip.Prefix) *waiter {
	most := l.longest()
	if most == nil {
		return nil
	}
	own := 0
	if in := l.within[path[0]]; in != nil {
		if own = in.Value.(*line).n; own == most.n {
			return in.Value.(*line).fuller(path[1:])
		}
	}
	if own+1 >= most.n {
		return nil
	}
	return most.last()
}
