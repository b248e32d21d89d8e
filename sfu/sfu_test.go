package sfu

import (
	"fmt"
	"slices"
	"testing"
)

func TestThreeHearOneAnother(t *testing.T) {
	s := newServer(t)
	var peers []*peer
	for id := range uint32(3) {
		peers = append(peers, newPeer(t, s, testCall, id+1, 8).join())
	}
	for i := range 20 {
		for _, p := range peers {
			p.say(uint16(i), uint32(i*960), 30, fmt.Sprintf("%d says %02d, sealed", p.id, i))
		}
	}
	for _, p := range peers {
		p.wait("both others", func() bool { return len(p.texts()) >= 40 })
		for _, q := range peers {
			for i := range 20 {
				text := fmt.Sprintf("%d says %02d, sealed", q.id, i)
				if got := slices.Contains(p.texts(), text); got != (p != q) {
					t.Errorf("%d hears %q: %v", p.id, text, got)
				}
			}
		}
		if n := len(p.texts()); n != 40 {
			t.Errorf("%d heard %d packets", p.id, n)
		}
	}
}
