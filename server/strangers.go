package server

import (
	"container/heap"
	"container/list"
	"net"
	"net/netip"
	"sync"

	"github.com/veche-im/veche/server/limit"
)

// strangers bounds the connections of whoever has not shown a session: all of
// them, and those of one network. Where there are too many, the one that does
// nothing for longest makes room: of the same network where that has too many, and
// else of the wide one, an IPv4 /24 or an IPv6 /48, that has most. So who opens
// ever more, from however many addresses side by side, closes their own. If all
// are at work, the new one is turned away.
type strangers struct {
	most, each int // in all, of one network

	mu       sync.Mutex // guards what follows
	n        int
	networks map[netip.Prefix]*network
	wide     map[netip.Prefix]*network // as above, where all around count as one
	full     fullest                   // of those, who have idle ones
	ticks    uint64                    // how often one began to be idle
	turned   uint64                    // away, or made room
}

// network is those who come from it.
type network struct {
	n    int
	idle *list.List // of *stranger, the one idle for longest first

	place int    // among the fullest, -1 if it is not there
	since uint64 // the first of idle is idle, as it stands there
}

// fullest is a heap: the wide network that has most comes first, and of those that
// have the same number the one of which somebody is idle for longest. A walk over
// all that may be there, at the cap, took a millisecond for each that comes.
type fullest []*network

func (f fullest) Len() int { return len(f) }
func (f fullest) Less(i, j int) bool {
	return f[i].n > f[j].n || f[i].n == f[j].n && f[i].since < f[j].since
}
func (f fullest) Swap(i, j int) {
	f[i], f[j] = f[j], f[i]
	f[i].place, f[j].place = i, j
}
func (f *fullest) Push(n any) {
	n.(*network).place = len(*f)
	*f = append(*f, n.(*network))
}
func (f *fullest) Pop() any {
	last := len(*f) - 1
	n := (*f)[last]
	(*f)[last], n.place = nil, -1
	*f = (*f)[:last]
	return n
}

// moved puts a network where it belongs, after it changed.
func (f *fullest) moved(n *network) {
	some := n.idle.Len() > 0
	if some {
		n.since = n.idle.Front().Value.(*stranger).since
	}
	switch {
	case some && n.place >= 0:
		heap.Fix(f, n.place)
	case some:
		heap.Push(f, n)
	case n.place >= 0:
		heap.Remove(f, n.place)
	}
}

type stranger struct {
	conn       net.Conn
	from       netip.Addr    // zero if it has no address
	at, wide   netip.Prefix  // its network, and the widest around it
	idle, near *list.Element // in the lists of those; nil while it is at work
	since      uint64        // it is idle, in ticks
	gone       bool
	requests   int // that are worked for; the door's
}

func newStrangers(most, each int) *strangers {
	return &strangers{most: most, each: each, networks: make(map[netip.Prefix]*network), wide: make(map[netip.Prefix]*network)}
}

// enter counts a connection that does nothing yet; ok is false if there is no
// room for it.
func (s *strangers) enter(c net.Conn) (who *stranger, ok bool) {
	who = newStranger(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networks[who.at]
	if n != nil && n.n >= s.each && who.from.IsValid() && !s.makeRoom(n.idle) || s.n >= s.most && !s.makeRoom(s.fullest()) {
		s.turned++
		return nil, false
	}
	s.n++
	count(s.networks, who.at)
	count(s.wide, who.wide)
	s.rest(who)
	return who, true
}

func newStranger(c net.Conn) *stranger {
	who := &stranger{conn: c}
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		who.from = a.Addr()
	}
	around := limit.Networks(who.from)
	who.at, who.wide = around[0].Prefix, around[len(around)-1].Prefix
	return who
}

func count(of map[netip.Prefix]*network, p netip.Prefix) {
	if of[p] == nil {
		of[p] = &network{idle: list.New(), place: -1}
	}
	of[p].n++
}

func discount(of map[netip.Prefix]*network, p netip.Prefix) {
	if of[p].n--; of[p].n == 0 {
		delete(of, p)
	}
}

// fullest returns the idle ones of the wide network that has most of all that have
// some; nil if none does. The lock is held, as in the functions after it.
func (s *strangers) fullest() *list.List {
	if len(s.full) == 0 {
		return nil
	}
	return s.full[0].idle
}

// makeRoom closes the first of a list.
func (s *strangers) makeRoom(idle *list.List) bool {
	if idle == nil || idle.Len() == 0 {
		return false
	}
	first := idle.Front()
	who := first.Value.(*stranger)
	s.remove(who)
	s.turned++
	hangUp(who.conn)
	return true
}

func (s *strangers) rest(who *stranger) {
	if who.idle == nil {
		s.tick(who)
		who.idle, who.near = s.wide[who.wide].idle.PushBack(who), s.networks[who.at].idle.PushBack(who)
		s.full.moved(s.wide[who.wide])
	}
}

func (s *strangers) tick(who *stranger) {
	s.ticks++
	who.since = s.ticks
}

func (s *strangers) wake(who *stranger) {
	if who.idle != nil {
		s.wide[who.wide].idle.Remove(who.idle)
		s.networks[who.at].idle.Remove(who.near)
		who.idle, who.near = nil, nil
		s.full.moved(s.wide[who.wide])
	}
}

func (s *strangers) remove(who *stranger) {
	if who.gone {
		return
	}
	who.gone = true
	s.wake(who)
	s.n--
	discount(s.networks, who.at)
	wide := s.wide[who.wide]
	discount(s.wide, who.wide)
	s.full.moved(wide)
}

// working says whether a connection is at work, and so may not make room.
func (s *strangers) working(who *stranger, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case who.gone:
	case yes:
		s.wake(who)
	default:
		s.rest(who)
	}
}

// stir has an idle connection be the last to make room: it has just said
// something, or was told.
func (s *strangers) stir(who *stranger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if who.idle != nil {
		s.tick(who)
		s.wide[who.wide].idle.MoveToBack(who.idle)
		s.networks[who.at].idle.MoveToBack(who.near)
		s.full.moved(s.wide[who.wide])
	}
}

// leave takes a connection out: it ended, or has shown a session.
func (s *strangers) leave(who *stranger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(who)
}

// closeIdle closes those that do nothing.
func (s *strangers) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.wide {
		for e := n.idle.Front(); e != nil; e = e.Next() {
			hangUp(e.Value.(*stranger).conn)
		}
	}
}

// counts returns how many there are, and how many were turned away or made room.
func (s *strangers) counts() (n int, turned uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n, s.turned
}

// hangUp closes a connection without a word of TLS, which it might not take.
// Whoever serves it finds out.
func hangUp(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	_ = c.Close()
}
