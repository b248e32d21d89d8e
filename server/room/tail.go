package room

import (
	"container/list"
	"slices"
	"sync"

	"github.com/veche-im/veche/wire"
)

const (
	// maxTails is how many bytes of entries are kept for those who read the newest,
	// over all rooms; maxTail and maxTailEntries are for one.
	maxTails       = 64 << 20
	maxTail        = 512 << 10
	maxTailEntries = wire.MaxLogPage
	// entryCost is what an entry takes beside its body, in bytes.
	entryCost = 320
)

// tails keeps the newest entries of the rooms that were written to last. They are
// added once they are on disk, in the order of commits, and by nobody else: what
// a reader found could be older than what was erased meanwhile.
type tails struct {
	mu    sync.Mutex // guards what follows
	rooms map[wire.RoomID]*list.Element
	order list.List // of *tail, the last written to in front
	size  int
}

// tail is the newest entries of a room, without gaps.
type tail struct {
	room    wire.RoomID
	entries []wire.Entry
	size    int
}

// add keeps an entry as the newest of its room.
func (ts *tails) add(id wire.RoomID, e wire.Entry) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	el := ts.rooms[id]
	if el != nil {
		if t := el.Value.(*tail); e.Seq != t.entries[len(t.entries)-1].Seq+1 {
			ts.remove(el)
			el = nil
		}
	}
	cost := len(e.Body) + entryCost
	if cost > maxTail {
		if el != nil {
			ts.remove(el)
		}
		return
	}
	if el == nil {
		if ts.rooms == nil {
			ts.rooms = make(map[wire.RoomID]*list.Element)
		}
		el = ts.order.PushFront(&tail{room: id})
		ts.rooms[id] = el
	}
	ts.order.MoveToFront(el)
	t := el.Value.(*tail)
	was := t.size
	t.add(e, cost)
	for ts.size += t.size - was; ts.size > maxTails; {
		ts.remove(ts.order.Back())
	}
}

func (t *tail) add(e wire.Entry, cost int) {
	t.entries = append(t.entries, e)
	t.size += cost
	if len(t.entries) <= maxTailEntries && t.size <= maxTail {
		return
	}
	// A quarter goes at once, so that not every entry moves all others.
	drop := 0
	for len(t.entries)-drop > maxTailEntries*3/4 || t.size > maxTail*3/4 && len(t.entries)-drop > 1 {
		t.size -= len(t.entries[drop].Body) + entryCost
		drop++
	}
	t.entries = slices.Clone(t.entries[drop:])
}

func (ts *tails) remove(el *list.Element) {
	t := ts.order.Remove(el).(*tail)
	delete(ts.rooms, t.room)
	ts.size -= t.size
}

// drop forgets the entries of a room.
func (ts *tails) drop(id wire.RoomID) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if el := ts.rooms[id]; el != nil {
		ts.remove(el)
	}
}

// page returns the entries from … to of a room, nil unless all of them are here.
func (ts *tails) page(id wire.RoomID, from, to int64) []wire.Entry {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	el := ts.rooms[id]
	if el == nil || from > to {
		return nil
	}
	t := el.Value.(*tail)
	first := t.entries[0].Seq
	if from < first || to >= first+int64(len(t.entries)) {
		return nil
	}
	return slices.Clone(t.entries[from-first : to-first+1])
}

// senders returns who sent the entries from … to of a room, each once; false
// unless all of them are here.
func (ts *tails) senders(id wire.RoomID, from, to int64) (who []wire.AccountID, known bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	el := ts.rooms[id]
	if el == nil {
		return nil, false
	}
	t := el.Value.(*tail)
	first := t.entries[0].Seq
	if from < first || to >= first+int64(len(t.entries)) {
		return nil, false
	}
	for i := from - first; i <= to-first; i++ {
		if a := t.entries[i].Account; !slices.Contains(who, a) {
			who = append(who, a)
		}
	}
	return who, true
}
