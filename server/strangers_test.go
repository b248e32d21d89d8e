package server

import (
	"container/list"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
)

// from is a connection that comes from an address.
type from struct {
	net.Conn
	at     netip.Addr
	closed bool
}

func (c *from) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.at, 1)) }
func (c *from) Close() error         { c.closed = true; return nil }

func TestStrangersAreBounded(t *testing.T) {
	addr := func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, i}) }
	s := newStrangers(10, 4)
	var all []*from
	var in []*stranger
	enter := func(a netip.Addr) bool {
		c := &from{at: a}
		who, ok := s.enter(c)
		all, in = append(all, c), append(in, who)
		return ok
	}
	for range 4 {
		if !enter(addr(1)) {
			t.Fatal("no room")
		}
	}
	s.working(in[0], true)
	if !enter(addr(1)) || !all[1].closed || all[0].closed || all[2].closed {
		t.Error("the one of its network that was idle for longest did not make room")
	}
	for i := range byte(6) {
		if !enter(addr(10 + i)) {
			t.Fatal("no room")
		}
	}
	if n, _ := s.counts(); n != 10 {
		t.Fatalf("there are %d", n)
	}
	if !enter(addr(30)) || !all[2].closed || all[0].closed {
		t.Error("the one of all that was idle for longest did not make room")
	}
	for _, who := range in {
		s.working(who, true) // those that are gone too
	}
	if enter(addr(40)) {
		t.Error("there was room where all are at work")
	}
	if enter(addr(1)) {
		t.Error("there was room in a network where all are at work")
	}
	s.working(in[0], false)
	if !enter(addr(40)) || !all[0].closed {
		t.Error("one that is idle again did not make room")
	}
	for _, who := range in {
		if who != nil {
			s.leave(who)
			s.leave(who)
		}
	}
	if n, turned := s.counts(); n != 0 || len(s.networks) != 0 || len(s.wide) != 0 || turned != 5 {
		t.Errorf("%d in %d networks are left, %d were turned away", n, len(s.networks), turned)
	}
}

// Whoever opens ever more connections closes their own by it, from one address or
// from many side by side, and not the one that somebody else opened before.
func TestStrangersOfOnePlaceMakeRoomForOneAnother(t *testing.T) {
	for name, flood := range map[string]func(i int) netip.Addr{
		"a /24": func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) },
		"a /48": func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0, byte(i >> 8), byte(i)})
		},
	} {
		s := newStrangers(100, 50)
		var quiet []*from
		for i := range 20 { // idle for longest, each from elsewhere
			c := &from{at: netip.AddrFrom4([4]byte{10, 0, byte(i), 1})}
			if _, ok := s.enter(c); !ok {
				t.Fatal("no room")
			}
			quiet = append(quiet, c)
		}
		for i := range 1000 {
			if _, ok := s.enter(&from{at: flood(i)}); !ok {
				t.Fatal("no room")
			}
		}
		for i, c := range quiet {
			if c.closed {
				t.Errorf("%s has closed the connection of %d", name, i)
			}
		}
		if n, _ := s.counts(); n != 100 {
			t.Errorf("%s: there are %d", name, n)
		}
	}
}

// walk is fullest as it is meant: it looks at all.
func walk(s *strangers) *list.List {
	var most *network
	first := func(n *network) uint64 { return n.idle.Front().Value.(*stranger).since }
	for _, n := range s.wide {
		if n.idle.Len() > 0 && (most == nil || n.n > most.n || n.n == most.n && first(n) < first(most)) {
			most = n
		}
	}
	if most == nil {
		return nil
	}
	return most.idle
}

// Whatever connections do in whatever order, the one that makes room is of the
// network that has most.
func TestTheFullestNetworkIsKnown(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	s := newStrangers(60, 20)
	var in []*stranger
	for step := range 20_000 {
		switch do := rnd.IntN(8); {
		case do < 3 || len(in) == 0:
			from := &from{at: netip.AddrFrom4([4]byte{192, 0, byte(rnd.IntN(1 + step%30)), byte(rnd.IntN(3))})}
			if who, ok := s.enter(from); ok {
				in = append(in, who)
			}
		case do < 5:
			s.working(in[rnd.IntN(len(in))], rnd.IntN(2) == 0)
		case do < 7:
			s.stir(in[rnd.IntN(len(in))])
		default:
			i := rnd.IntN(len(in))
			s.leave(in[i])
			in[i] = in[len(in)-1]
			in = in[:len(in)-1]
		}
		if s.fullest() != walk(s) {
			t.Fatalf("after %d steps the fullest of %d networks is another", step+1, len(s.wide))
		}
		if len(s.full) > len(s.wide) {
			t.Fatalf("%d of %d networks are among the fullest", len(s.full), len(s.wide))
		}
	}
}
