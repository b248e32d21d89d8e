package sfu

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// ways are ports at which a server takes media by TCP and by TURN.
type ways struct {
	tcp, turn netip.AddrPort
	handOver  func(s *Server)
}

// newWays opens the ports; handOver brings what comes to a server.
func newWays(t testing.TB) ways {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	accept := func(l net.Listener, serve func(net.Conn)) {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}
	tcp, turn := listen(), listen()
	return ways{
		tcp: netip.MustParseAddrPort(tcp.Addr().String()), turn: netip.MustParseAddrPort(turn.Addr().String()),
		handOver: func(s *Server) {
			go accept(tcp, s.ServeTCP)
			go accept(turn, s.ServeTURN)
		},
	}
}

// newReachable starts a Server with all three ways to it.
func newReachable(t testing.TB) (*Server, ways) {
	t.Helper()
	w := newWays(t)
	s := newServer(t, func(c *Config) { c.TCP = w.tcp.Port() })
	w.handOver(s)
	return s, w
}

// byTURN makes a participant whose network lets nothing through but the relay.
func byTURN(t testing.TB, s *Server, w ways, id uint32) *peer {
	t.Helper()
	r := s.Relay(fmt.Sprint(id))
	return newPeerBy(t, s, testCall, id, 3, api(t), webrtc.Configuration{
		ICETransportPolicy: webrtc.ICETransportPolicyRelay,
		ICEServers: []webrtc.ICEServer{{
			URLs: []string{"turn:" + w.turn.String() + "?transport=tcp"}, Username: r.Username, Credential: r.Password,
		}},
	})
}

// hear checks that what p says next is heard by q.
func hear(t testing.TB, p, q *peer, seq uint16, text string) {
	t.Helper()
	wait(t, text, func() bool {
		p.say(seq, uint32(seq)*960, 10, text)
		seq++
		for _, s := range q.texts() {
			if s == text {
				return true
			}
		}
		return false
	})
}

func TestEachWayAloneCarriesACall(t *testing.T) {
	s, w := newReachable(t)
	ann := newPeer(t, s, testCall, 1, 3).join()
	bob := newPeerBy(t, s, testCall, 2, 3, apiOn(t, webrtc.NetworkTypeTCP4), webrtc.Configuration{}).join()
	eve := byTURN(t, s, w, 3).join()
	for i, tt := range []struct {
		p      *peer
		stream bool
	}{{ann, false}, {bob, true}, {eve, true}} {
		q, err := s.find(testCall, tt.p.id)
		if err != nil {
			t.Fatal(err)
		}
		if path, ok := q.agent.Path(); !ok || (path.Stream != 0) != tt.stream {
			t.Errorf("participant %d is on %v", tt.p.id, path)
		}
		for j, other := range []*peer{ann, bob, eve} {
			if other != tt.p {
				hear(t, tt.p, other, uint16(1000*(3*i+j)), fmt.Sprintf("%d to %d", tt.p.id, other.id))
			}
		}
	}
	s.Leave(testCall, 2)
	_ = bob.pc.Close()
	_ = eve.pc.Close()
	s.Leave(testCall, 3)
	wait(t, "the streams to end", func() bool { return s.streams.Len() == 0 })
}

// dropCandidates takes the candidates of one transport out of an answer, as if a
// firewall did.
func dropCandidates(answer, transport string) string {
	var keep []string
	for l := range strings.SplitSeq(answer, "\r\n") {
		if !strings.HasPrefix(l, "a=candidate:") || !strings.Contains(l, " "+transport+" ") {
			keep = append(keep, l)
		}
	}
	return strings.Join(keep, "\r\n")
}

// A network that stops to let UDP through costs an ICE restart and no more: neither
// handshake nor place in the call.
func TestARestartMovesACallFromUDPToTCPAndBack(t *testing.T) {
	s, _ := newReachable(t)
	ann := newPeer(t, s, testCall, 1, 3).join()
	bob := newPeerBy(t, s, testCall, 2, 3, apiOn(t, webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4), webrtc.Configuration{})
	a, err := s.Join(context.Background(), Join{Call: testCall, Participant: 2, Offer: bob.offer(nil), Local: netip.MustParseAddr("127.0.0.1"), Listener: &bob.ear})
	if err != nil {
		t.Fatal(err)
	}
	bob.answer(dropCandidates(a.SDP, "tcp"))
	wait(t, "the connection", func() bool { return connected(bob.pc) })
	q, err := s.find(testCall, 2)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the keys", func() bool { return q.egress.Load() != nil })
	keys := q.egress.Load().sealer
	hear(t, ann, bob, 1, "by UDP")
	for i, closed := range []string{"udp", "tcp"} {
		answer, err := s.Offer(context.Background(), testCall, 2, bob.offer(restart))
		if err != nil {
			t.Fatal(err)
		}
		bob.answer(dropCandidates(answer, closed))
		wait(t, "the other way", func() bool {
			path, ok := q.agent.Path()
			return ok && (path.Stream != 0) == (closed == "udp")
		})
		hear(t, ann, bob, uint16(1000*(i+1)), "without "+closed)
	}
	if q.egress.Load().sealer != keys {
		t.Error("there was another handshake")
	}
	if gone := get(&bob.ear, func(e *ear) int { return len(e.gone) }); gone > 0 {
		t.Error("the participant was lost")
	}
}
