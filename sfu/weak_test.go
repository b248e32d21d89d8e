package sfu

import (
	"testing"
	"time"
)

// given is the layer that the first slot of a peer has.
func (p *videoPeer) given() int {
	p.t.Helper()
	q, err := p.s.find(p.call, p.id)
	if err != nil {
		p.t.Fatal(err)
	}
	q.viewer.Lock()
	defer q.viewer.Unlock()
	return q.viewer.Places[0].Given()
}

func TestAWeakReceiverGetsLessAndHarmsNobody(t *testing.T) {
	virtually(t, func(t *testing.T, n *virtual) {
		n.peer(1, 0).joinVideo().sendCamera()
		bob := n.peer(2, 1).joinVideo()
		cid, link := n.through(3, 1)
		cid.joinVideo()
		well, badly := bob.look(0, 1, Camera, 720), cid.look(0, 1, Camera, 720)
		wait(t, "the large layer", func() bool { return well.seen(1, 2) > 20 })
		well.begin()
		link.rate.Store(220_000)
		wait(t, "the small layer for the weak", func() bool { return cid.given() == 0 && badly.seen(1, 0) > 10 })
		badly.begin()
		wait(t, "the small layer to go on", func() bool { return badly.seen(1, 0) > 40 })
		if longest, faults := badly.stats(); longest > 3*time.Second || len(faults) > 0 {
			t.Errorf("the weak one saw nothing for %v; faults %v", longest, faults)
		}
		link.rate.Store(0)
		wait(t, "the large layer again", func() bool { return cid.given() == 2 && badly.seen(1, 2) > 10 })
		if longest, faults := well.stats(); longest > 2*time.Second || len(faults) > 0 {
			t.Errorf("the other one saw nothing for %v; faults %v", longest, faults)
		}
		if n := well.seen(1, 0) + well.seen(1, 1); n > 0 {
			t.Errorf("the other one was given %d smaller frames", n)
		}
	})
}

func TestLossIsRepaired(t *testing.T) {
	for _, tt := range []struct {
		name    string
		loss    int64 // of 1,000, in each direction
		longest time.Duration
	}{
		{"5 %", 50, 1500 * time.Millisecond},
		{"20 %, which is 36 % for who looks, as much again for what repairs it", 200, 20 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtually(t, func(t *testing.T, n *virtual) {
				ann, up := n.through(1, 0)
				ann.joinVideo().sendCamera()
				bob, down := n.through(2, 1)
				bob.joinVideo()
				v := bob.look(0, 1, Camera, 300)
				wait(t, "the middle layer", func() bool { return v.seen(1, 1) > 20 })
				up.loss.Store(tt.loss)
				down.loss.Store(tt.loss)
				v.begin()
				wait(t, "pictures in spite of loss", func() bool {
					return v.seen(1, 0)+v.seen(1, 1) > 40 && up.dropped.Load() > 0 && down.dropped.Load() > 0
				})
				if longest, faults := v.stats(); longest > tt.longest || len(faults) > 0 {
					t.Errorf("nothing was seen for %v; faults %v", longest, faults)
				}
				up.loss.Store(0)
				down.loss.Store(0)
				wait(t, "the middle layer after it", func() bool { return bob.given() == 1 })
			})
		})
	}
}

func TestAnOutageIsSurvived(t *testing.T) {
	virtually(t, func(t *testing.T, n *virtual) {
		n.peer(1, 0).joinVideo().sendCamera()
		bob, link := n.through(2, 1)
		bob.joinVideo()
		v := bob.look(0, 1, Camera, 720)
		wait(t, "the large layer", func() bool { return v.seen(1, 2) > 20 })
		link.dead.Store(true)
		time.Sleep(10 * time.Second) // the outage itself
		link.dead.Store(false)
		v.begin()
		began := time.Now()
		wait(t, "pictures", func() bool { return v.seen(1, 0)+v.seen(1, 1)+v.seen(1, 2) > 5 })
		t.Logf("pictures again after %v", time.Since(began).Round(time.Millisecond))
		wait(t, "the large layer again", func() bool { return bob.given() == 2 && v.seen(1, 2) > 5 })
		t.Logf("all is well again after %v", time.Since(began).Round(time.Millisecond))
		if _, faults := v.stats(); len(faults) > 0 {
			t.Errorf("faults %v", faults)
		}
	})
}

// TestWhoCouldShowNothingShowsAgain: where not even the smallest layer fits, nothing
// is sent that could tell when it would.
func TestWhoCouldShowNothingShowsAgain(t *testing.T) {
	virtually(t, func(t *testing.T, n *virtual) {
		n.peer(1, 0).joinVideo().sendCamera()
		bob, link := n.through(2, 1)
		bob.joinVideo()
		v := bob.look(0, 1, Camera, 720)
		wait(t, "the large layer", func() bool { return v.seen(1, 2) > 20 })
		link.rate.Store(20_000)
		wait(t, "nothing", func() bool { return bob.given() < 0 })
		link.rate.Store(0)
		v.begin()
		wait(t, "the large layer again", func() bool { return bob.given() == 2 && v.seen(1, 2) > 10 })
	})
}
