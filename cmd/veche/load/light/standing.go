package light

import (
	"sort"
	"sync"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/wire"
)

// Standing is how far a device has read each of its rooms. It outlives the
// connection. The goroutine that reads owns it while there is one.
type Standing struct {
	rooms  []int32 // ascending
	places []place
	known  bool // it has been connected before

	owner sync.Mutex // held by the connection that there is
}

// place is how far a room was read.
type place struct {
	seq    int64 // everything up to here was delivered
	want   int64 // the newest that was heard of
	asking bool
	queued bool
}

// NewStanding is a device that is in these rooms and was never connected.
func NewStanding(rooms []int) *Standing {
	s := &Standing{places: make([]place, len(rooms))}
	for _, r := range rooms {
		s.rooms = append(s.rooms, int32(r))
	}
	sort.Slice(s.rooms, func(i, j int) bool { return s.rooms[i] < s.rooms[j] })
	return s
}

// Away is NewStanding for a device that was connected when its rooms had one
// entry each, and not since.
func Away(rooms []int) *Standing {
	s := NewStanding(rooms)
	s.known = true
	for i := range s.places {
		s.places[i].seq = 1
	}
	return s
}

// at is the place of a room, -1 if the device is not in it.
func (s *Standing) at(room int32) int {
	i := sort.Search(len(s.rooms), func(i int) bool { return s.rooms[i] >= room })
	if i == len(s.rooms) || s.rooms[i] != room {
		return -1
	}
	return i
}

// reader is what the goroutine of a connection does with what it hears.
type reader struct {
	c       *Conn
	s       *Standing
	e       load.Events
	listed  bool  // the list of rooms was read on this connection
	asking  int   // for pages of logs
	waiting []int // places whose log is to be read
}

// maxAsking is how many pages of logs are asked for at a time.
const maxAsking = 16

// nudge takes a wire.Nudge.
func (r *reader) nudge(body []byte) error {
	n, err := parseNudge(body)
	if err != nil {
		return err
	}
	room, ok := r.c.site.index[n.room]
	if !ok {
		return nil
	}
	i := r.s.at(room)
	if i < 0 {
		return nil
	}
	p := &r.s.places[i]
	p.want = max(p.want, n.seq)
	if !r.s.known {
		return nil // what the list says of the room comes first
	}
	if n.entry.seq == p.seq+1 && n.entry.seq == n.seq && !p.asking {
		r.deliver(room, p, n.entry)
		return nil
	}
	return r.read(i)
}

func (r *reader) deliver(room int32, p *place, e entry) {
	p.seq = e.seq
	if r.c.site.Cursors.Load() && string(e.account) != string(r.c.account[:]) {
		r.c.cursors.moved(r.c, room, e.seq)
	}
	r.e.Delivered(int(room), r.c.site.number(e.client))
}

// list takes the answer to room.list.
func (r *reader) list(body []byte) error {
	var l wire.Rooms
	if err := wire.Decode(body, &l); err != nil {
		return err
	}
	first := !r.s.known
	r.s.known, r.listed = true, true
	for _, room := range l.Rooms {
		n, ok := r.c.site.index[room.Room]
		if !ok {
			continue
		}
		i := r.s.at(n)
		if i < 0 {
			continue
		}
		p := &r.s.places[i]
		if first {
			p.seq = room.Seq
		}
		p.want = max(p.want, room.Seq)
		if err := r.read(i); err != nil {
			return err
		}
	}
	r.rest()
	return nil
}

// read has the log of a room read, if there is more of it.
func (r *reader) read(i int) error {
	p := &r.s.places[i]
	if p.want <= p.seq || p.asking || p.queued {
		return nil
	}
	if r.asking >= maxAsking {
		p.queued = true
		r.waiting = append(r.waiting, i)
		return nil
	}
	p.asking = true
	r.asking++
	room := r.c.site.rooms[r.s.rooms[i]].ID
	return r.c.ask(wire.RoomLog.Name, pending{kind: askedLog, place: i}, wire.ReadLog{Room: room, After: p.seq})
}

// page takes the answer to room.log.
func (r *reader) page(i int, body []byte) error {
	p := &r.s.places[i]
	p.asking = false
	r.asking--
	seq, err := parsePage(body, func(e entry) {
		if e.seq == p.seq+1 {
			r.deliver(r.s.rooms[i], p, e)
		}
	})
	if err != nil {
		return err
	}
	p.want = max(p.want, seq)
	if err := r.read(i); err != nil {
		return err
	}
	for r.asking < maxAsking && len(r.waiting) > 0 {
		next := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.s.places[next].queued = false
		if err := r.read(next); err != nil {
			return err
		}
	}
	r.rest()
	return nil
}

// rest tells who waits for it that everything was read.
func (r *reader) rest() {
	if r.asking == 0 && len(r.waiting) == 0 && r.listed {
		r.c.ready.Do(func() { close(r.c.caughtUp) })
	}
}
