package sfu

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// Whoever does not know a password floods all ways to the server at once, while two
// people talk, one of them by TCP.
func TestStrangersThatFloodAllWaysHarmNobody(t *testing.T) {
	s, w := newReachable(t)
	ann := newPeer(t, s, testCall, 1, 3).join()
	bob := newPeerBy(t, s, testCall, 2, 3, apiOn(t, webrtc.NetworkTypeTCP4), webrtc.Configuration{}).join()
	victim, err := s.find(testCall, 1)
	if err != nil {
		t.Fatal(err)
	}
	local := victim.agent.Local()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)

	c, err := net.Dial("udp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hello := append([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}, make([]byte, 300)...)
	wrong := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(local.Ufrag+":x"),
		stun.NewShortTermIntegrity("wrong"), stun.Fingerprint).Raw
	for i := range 5_000 {
		unknown := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(fmt.Sprint("nobody", i, ":x")),
			stun.NewShortTermIntegrity("wrong"), stun.Fingerprint).Raw
		for _, b := range [][]byte{wrong, unknown, hello, append([]byte{128, 111}, make([]byte, 100)...)} {
			_, _ = c.Write(b)
		}
	}

	// Connections: some silent, some with half a frame, some with STUN that leads
	// nowhere, some with noise for the relay.
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for i := range 400 {
		to := []netip.AddrPort{w.tcp, w.turn}[i%2]
		c, err := net.Dial("tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		frame := append(binary.BigEndian.AppendUint16(nil, uint16(len(wrong))), wrong...)
		switch i % 8 {
		case 2, 3:
			_, _ = c.Write(frame[:7])
		case 4, 5:
			for range 20 {
				_, _ = c.Write(frame)
			}
		case 6, 7:
			_, _ = c.Write(make([]byte, 4000))
		}
	}
	hear(t, ann, bob, 1, "ann to bob")
	hear(t, bob, ann, 1, "bob to ann")
	if n := s.streams.Len(); n > 64+8 {
		t.Errorf("%d streams", n)
	}
	if s.ice.Len() != 2 {
		t.Errorf("%d agents", s.ice.Len())
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse); grown > 32<<20 {
		t.Errorf("the flood left %d MB", grown>>20)
	}
	// Somebody new gets in while the flood's connections are open.
	eve := byTURN(t, s, w, 3).join()
	hear(t, eve, ann, 1, "eve to ann")
}
