package server

import (
	"container/list"
	"net"
	"net/netip"
	"sync"

	"github.com/veche-im/veche/server/limit"
)

// strangers bounds the connections of whoever has not shown a session: all of
// them, and those of one network. Where there are too many, the one that does
// nothing for longest makes room, of the same network where that has too many.
// If all are at work, the new one is turned away.
type strangers struct {
	most, each int // in all, of one network

	mu       sync.Mutex // guards what follows
	n        int
	networks map[netip.Prefix]*network
	idle     *list.List // of *stranger, the one idle for longest first
	turned   uint64     // away, or made room
}

type network struct {
	n    int
	idle *list.List // as above
}

type stranger struct {
	conn       net.Conn
	at         netip.Prefix
	idle, near *list.Element // in the lists; nil while it is at work
	gone       bool
	requests   int // that are worked for; the door's
}

func newStrangers(most, each int) *strangers {
	return &strangers{most: most, each: each, networks: make(map[netip.Prefix]*network), idle: list.New()}
}

// enter counts a connection that does nothing yet; ok is false if there is no
// room for it.
func (s *strangers) enter(c net.Conn) (who *stranger, ok bool) {
	who = &stranger{conn: c, at: networkOf(c)}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networks[who.at]
	if n != nil && n.n >= s.each && who.at.IsValid() && !s.makeRoom(n.idle) || s.n >= s.most && !s.makeRoom(s.idle) {
		s.turned++
		return nil, false
	}
	if n = s.networks[who.at]; n == nil {
		n = &network{idle: list.New()}
		s.networks[who.at] = n
	}
	s.n++
	n.n++
	s.rest(who)
	return who, true
}

// makeRoom closes the first of a list. The lock is held, as in the functions
// after it.
func (s *strangers) makeRoom(idle *list.List) bool {
	first := idle.Front()
	if first == nil {
		return false
	}
	who := first.Value.(*stranger)
	s.remove(who)
	s.turned++
	hangUp(who.conn)
	return true
}

func (s *strangers) rest(who *stranger) {
	if who.idle == nil {
		who.idle, who.near = s.idle.PushBack(who), s.networks[who.at].idle.PushBack(who)
	}
}

func (s *strangers) wake(who *stranger) {
	if who.idle != nil {
		s.idle.Remove(who.idle)
		s.networks[who.at].idle.Remove(who.near)
		who.idle, who.near = nil, nil
	}
}

func (s *strangers) remove(who *stranger) {
	if who.gone {
		return
	}
	who.gone = true
	s.wake(who)
	s.n--
	if n := s.networks[who.at]; n.n > 1 {
		n.n--
	} else {
		delete(s.networks, who.at)
	}
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
		s.idle.MoveToBack(who.idle)
		s.networks[who.at].idle.MoveToBack(who.near)
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
	for e := s.idle.Front(); e != nil; e = e.Next() {
		hangUp(e.Value.(*stranger).conn)
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

// networkOf is where a connection comes from, zero if it has no address.
func networkOf(c net.Conn) netip.Prefix {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Prefix{}
	}
	return limit.Network(a.Addr())
}
