package call_test

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/server/call"
	"github.com/veche-im/veche/wire"
)

func TestARoomHasOneCall(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 3)
		var wg sync.WaitGroup
		ids := make([]wire.CallID, len(d))
		for i, one := range d {
			wg.Go(func() { ids[i] = one.start(room) })
		}
		wg.Wait()
		if ids[0] != ids[1] || ids[1] != ids[2] || s.rows() != 1 {
			t.Errorf("calls %v, %d rows", ids, s.rows())
		}
		// Its id cannot be taken for another room's.
		other, e := s.group(wire.Group, 1)
		_, err := s.calls.Start(s.ctx, e[0].Actor, wire.StartCall{Room: other, Call: ids[0]})
		s.refused(err, wire.BadRequest, "another room's id")
	})
}

func TestParticipantsHearWhoComesAndGoes(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 3)
		id := d[0].start(room)
		if w := last(d[2], wire.OnCall); w.Call != id || w.Count != 0 || w.Ended {
			t.Errorf("heard %+v", w)
		}
		a := d[0].join(id)
		pass(time.Second)
		b := d[1].join(id)
		if a.Number == b.Number || len(b.Call.People) != 2 || b.Answer != "answer" {
			t.Errorf("joined as %+v", b)
		}
		pass(time.Second)
		p := last(d[0], wire.OnCallPeople)
		if len(p.Joined) != 1 || p.Joined[0].Number != b.Number || p.Joined[0].Device != d[1].Device {
			t.Errorf("heard %+v", p)
		}
		if n := len(all(d[2], wire.OnCallPeople)); n != 0 {
			t.Errorf("who is not in heard %d changes", n)
		}
		if w := last(d[2], wire.OnCall); w.Count != 2 || len(w.People) != 2 {
			t.Errorf("who is not in was told %+v", w)
		}
		s.must(s.calls.Leave(s.ctx, d[1].Actor, id))
		pass(time.Second)
		if p := last(d[0], wire.OnCallPeople); !slices.Equal(p.Left, []uint32{b.Number}) {
			t.Errorf("heard %+v", p)
		}
		s.must(s.calls.Leave(s.ctx, d[0].Actor, id))
		if w := last(d[2], wire.OnCall); !w.Ended {
			t.Errorf("the last who leaves ends it: %+v", w)
		}
		if s.media.len() != 0 || s.rows() != 0 {
			t.Errorf("%d connected, %d rows", s.media.len(), s.rows())
		}
		_, err := d[1].tryJoin(id)
		s.refused(err, wire.NotFound, "joining what is over")
	})
}

// What is told to those that are not in comes at most once a second; versions
// have no gaps however fast people come.
func TestNewsIsPaced(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 40)
		id := d[0].start(room)
		d[0].join(id)
		pass(2 * time.Second)
		d[0].forget()
		d[39].forget()
		for _, one := range d[1:39] {
			one.join(id)
			time.Sleep(20 * time.Millisecond)
		}
		pass(3 * time.Second)
		if n := len(all(d[39], wire.OnCall)); n == 0 || n > 3 {
			t.Errorf("%d summaries in less than a second", n)
		}
		if w := last(d[39], wire.OnCall); w.Count != 39 || len(w.People) != wire.MaxCallBrief {
			t.Errorf("in the end %d, %d named", w.Count, len(w.People))
		}
		news := all(d[0], wire.OnCallPeople)
		came := 0
		for i, p := range news {
			came += len(p.Joined)
			if i > 0 && p.Version != news[i-1].Version+1 {
				t.Errorf("version %d after %d", p.Version, news[i-1].Version)
			}
		}
		if came != 38 || len(news) > 12 {
			t.Errorf("%d came in %d events", came, len(news))
		}
	})
}

func TestACallNobodyIsInEndsAfterAMinute(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 2)
		d[0].start(room)
		pass(59 * time.Second)
		if last(d[1], wire.OnCall).Ended {
			t.Error("ended too early")
		}
		pass(2 * time.Second)
		if !last(d[1], wire.OnCall).Ended || s.rows() != 0 {
			t.Error("it goes on")
		}
		// Its starter may call it off before.
		id := d[0].start(room)
		s.must(s.calls.Leave(s.ctx, d[0].Actor, id))
		if !last(d[1], wire.OnCall).Ended {
			t.Error("it goes on")
		}
	})
}

// Whoever is at the door when the minute is over, and does not come in, keeps no
// call going for ever.
func TestAJoiningThatFailsKeepsNoCall(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 2)
		id := d[0].start(room)
		pass(59 * time.Second)
		s.rooms.judged = func() { time.Sleep(2 * time.Second) }
		_, err := s.calls.Join(s.ctx, d[1].Actor, netip.Addr{}, wire.JoinCall{Call: id, Offer: "bad"})
		s.rooms.judged = nil
		s.refused(err, wire.BadRequest, "an offer that is none")
		pass(61 * time.Second)
		if !last(d[0], wire.OnCall).Ended || s.rows() != 0 {
			t.Error("it goes on with nobody in it")
		}
	})
}

func TestACallSurvivesARestartForAMinute(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 2)
		id := d[0].start(room)
		before := d[0].join(id)
		s.restart()
		list, err := s.calls.List(s.ctx, d[1].Actor)
		s.must(err)
		if len(list.Calls) != 1 || list.Calls[0].Call != id || list.Calls[0].Count != 0 {
			t.Fatalf("after a restart there is %+v", list)
		}
		after := d[0].join(id)
		if after.Number == before.Number || after.Call.Version <= before.Call.Version {
			t.Errorf("number %d after %d, version %d after %d", after.Number, before.Number, after.Call.Version, before.Call.Version)
		}
		pass(2 * time.Minute)
		if got := d[0].people(id); !slices.Equal(got, []uint32{after.Number}) {
			t.Errorf("in are %v", got)
		}
		s.restart()
		pass(61 * time.Second)
		if s.rows() != 0 {
			t.Error("it goes on with nobody in it")
		}
	})
}

func TestADeviceThatJoinsAgainReplacesItself(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 2)
		id := d[0].start(room)
		first := d[0].join(id)
		again := d[0].join(id)
		if got := d[0].people(id); !slices.Equal(got, []uint32{again.Number}) || first.Number == again.Number {
			t.Errorf("in are %v after %d and %d", got, first.Number, again.Number)
		}
		if g := last(d[0], wire.OnCallGone); g.Number != first.Number || g.Why != wire.GoneReplaced {
			t.Errorf("heard %+v", g)
		}
		if s.media.len() != 1 {
			t.Errorf("%d connected", s.media.len())
		}
	})
}

func TestADeviceIsInOneCall(t *testing.T) {
	inSite(t, func(s *site) {
		one, d := s.group(wire.Group, 2)
		two, _ := s.group(wire.Group, 1)
		s.rooms.members[two] = s.rooms.members[one]
		for _, x := range d {
			x.disconnect()
			x.connect()
		}
		first, second := d[0].start(one), d[1].start(two)
		d[0].join(first)
		d[1].join(first)
		d[0].join(second)
		if got := d[1].people(first); len(got) != 1 || s.media.len() != 2 {
			t.Errorf("in the first are %v, %d connected", got, s.media.len())
		}
		if g := last(d[0], wire.OnCallGone); g.Call != first || g.Why != wire.GoneReplaced {
			t.Errorf("the device hears %+v", g)
		}
		d[1].join(second)
		if !last(d[0], wire.OnCall).Ended || s.media.len() != 2 {
			t.Error("the call that both left goes on")
		}
	})
}

func TestWhoIsNotThereIsOut(t *testing.T) {
	for _, tt := range []struct {
		name   string
		online bool
		stays  time.Duration
		out    time.Duration
	}{
		{"without a connection after 15 s", false, 11 * time.Second, 13 * time.Second}, // 3 s had passed
		{"with one after 30 s", true, 26 * time.Second, 28 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inSite(t, func(s *site) {
				room, d := s.group(wire.Group, 2)
				id := d[0].start(room)
				d[0].join(id)
				b := d[1].join(id)
				l := s.media.of(id, b.Number)
				l.Alive(false)
				pass(200 * time.Millisecond)
				if p := last(d[0], wire.OnCallPeople); len(p.Joined) != 1 || !p.Joined[0].Away {
					t.Errorf("heard %+v", p)
				}
				l.Alive(true)
				pass(time.Minute)
				l.Alive(false)
				if !tt.online {
					d[1].disconnect()
				}
				pass(tt.stays)
				if len(d[0].people(id)) != 2 {
					t.Error("out too early")
				}
				pass(tt.out - tt.stays)
				if len(d[0].people(id)) != 1 || s.media.len() != 1 {
					t.Errorf("still %v, %d connected", d[0].people(id), s.media.len())
				}
				if tt.online {
					if g := last(d[1], wire.OnCallGone); g.Why != wire.GoneLost || g.Number != b.Number {
						t.Errorf("heard %+v", g)
					}
				}
			})
		})
	}
}

// A3: who is no member, or whose session ended, is out at once.
func TestWhoLosesTheRightIsOutAtOnce(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 4)
		id := d[0].start(room)
		for _, one := range d {
			one.join(id)
		}
		s.rooms.members[room] = s.rooms.members[room][:3]
		s.calls.Left(room, d[3].Account, wire.DeviceID{})
		if g := last(d[3], wire.OnCallGone); g.Why != wire.GoneRemoved {
			t.Errorf("heard %+v", g)
		}
		s.calls.Left(room, d[2].Account, d[2].Device)
		s.hub.OnEnd(s.calls.SessionOver)
		s.hub.End(d[1].Account, d[1].Device, wire.Unauthenticated)
		if got := d[0].people(id); len(got) != 1 || s.media.len() != 1 {
			t.Errorf("in are %v, %d connected", got, s.media.len())
		}
		_, err := d[3].tryJoin(id)
		s.refused(err, wire.NotFound, "who was removed comes back")
	})
}

// Between the judgement of a joining and its end somebody may be taken out.
func TestWhoIsRemovedWhileJoiningDoesNotGetIn(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 2)
		id := d[0].start(room)
		d[0].join(id)
		s.rooms.judged = func() { s.calls.Left(room, d[1].Account, wire.DeviceID{}) }
		_, err := d[1].tryJoin(id)
		s.rooms.judged = nil
		s.refused(err, wire.NotFound, "joining")
		if got := d[0].people(id); len(got) != 1 || s.media.len() != 1 {
			t.Errorf("in are %v, %d connected", got, s.media.len())
		}
	})
}

func TestWhoMayJoin(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 4)
		id := d[0].start(room)
		stranger := s.device(wire.NewAccountID())
		_, err := stranger.tryJoin(id)
		s.refused(err, wire.NotFound, "a stranger")
		_, err = stranger.tryJoin(wire.NewCallID())
		s.refused(err, wire.NotFound, "no such call")
		s.rooms.noLeaf = []wire.DeviceID{d[1].Device}
		_, err = d[1].tryJoin(id)
		s.refused(err, wire.BadRequest, "a device without a leaf")
		s.rooms.revoked = []wire.DeviceID{d[2].Device}
		_, err = d[2].tryJoin(id)
		s.refused(err, wire.NotFound, "a revoked device")
		_, err = s.calls.Join(s.ctx, d[3].Actor, netip.Addr{}, wire.JoinCall{Call: id, Offer: "bad"})
		s.refused(err, wire.BadRequest, "an offer that is none")
		_, err = s.calls.Join(s.ctx, d[3].Actor, netip.Addr{}, wire.JoinCall{Call: id, Offer: "offer", Join: 8192})
		s.refused(err, wire.BadRequest, "a join number that does not fit")
		if got := d[0].people(id); len(got) != 0 {
			t.Errorf("in are %v", got)
		}
		// A failed joining does not end a call in which nobody was yet.
		d[3].join(id)
	})
}

func TestACallHasASize(t *testing.T) {
	inSite(t, func(s *site) {
		s.stop()
		s.must(s.db.Close())
		s.size = 2
		s.open()
		room, d := s.group(wire.Group, 3)
		id := d[0].start(room)
		d[0].join(id)
		d[1].join(id)
		_, err := d[2].tryJoin(id)
		s.refused(err, wire.NoSpace, "the third")
		d[1].join(id) // who is in may come again
	})
}

func TestSignalsPassAndStatesAreKept(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 4)
		id := d[0].start(room)
		a, b := d[0].join(id), d[1].join(id)
		body := wire.Sealed("sealed")
		s.must(s.calls.State(s.ctx, d[0].Actor, wire.CallSealed{Call: id, Body: body}))
		if g := last(d[1], wire.OnCallSignal); !g.State || g.Number != a.Number || string(g.Body) != "sealed" {
			t.Errorf("heard %+v", g)
		}
		c := d[2].join(id)
		if string(c.Call.People[0].State) != "sealed" {
			t.Errorf("who came later got %v", c.Call.People)
		}
		d[1].forget()
		d[2].forget()
		s.must(s.calls.Say(s.ctx, d[0].Actor, wire.CallSealed{Call: id, To: b.Number, Body: body}))
		if len(all(d[1], wire.OnCallSignal)) != 1 || len(all(d[2], wire.OnCallSignal)) != 0 || len(all(d[0], wire.OnCallSignal)) != 0 {
			t.Error("what was for one went to others")
		}
		s.refused(s.calls.Say(s.ctx, d[3].Actor, wire.CallSealed{Call: id, Body: body}), wire.NotFound, "who is not in speaks")
		s.refused(s.calls.Say(s.ctx, d[0].Actor, wire.CallSealed{Call: id, To: 99, Body: body}), wire.NotFound, "to nobody")
		s.refused(s.calls.Say(s.ctx, d[0].Actor, wire.CallSealed{Call: id, Body: make([]byte, wire.MaxCallSealed+1)}), wire.TooLarge, "too much")
	})
}

// A hostile member floods: what is beyond the rate is refused and reaches nobody.
func TestFloodsAreRefused(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 2)
		id := d[0].start(room)
		d[0].join(id)
		d[1].join(id)
		for name, f := range map[string]func() error{
			"signals": func() error { return s.calls.Say(s.ctx, d[0].Actor, wire.CallSealed{Call: id, Body: []byte("x")}) },
			"states":  func() error { return s.calls.State(s.ctx, d[0].Actor, wire.CallSealed{Call: id, Body: []byte("x")}) },
			"views":   func() error { return s.calls.View(s.ctx, d[0].Actor, wire.ViewCall{Call: id}) },
			"rings":   func() error { return s.calls.Ring(s.ctx, d[0].Actor, wire.RingCall{Call: id}) },
			"offers": func() error {
				_, err := s.calls.Offer(s.ctx, d[0].Actor, wire.OfferCall{Call: id, Offer: "o"})
				return err
			},
			"joins": func() error { _, err := d[0].tryJoin(id); return err },
		} {
			pass(time.Minute)
			took := 0
			for range 100 {
				if f() == nil {
					took++
				}
			}
			if took == 0 || took > 10 {
				t.Errorf("%d of 100 %s were taken", took, name)
			}
		}
		if n := len(all(d[1], wire.OnCallSignal)); n > 20 {
			t.Errorf("%d signals went through", n)
		}
	})
}

func TestViewsNameAllSlots(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 1)
		id := d[0].start(room)
		d[0].join(id)
		see := func(mids ...string) {
			v := wire.ViewCall{Call: id}
			for _, mid := range mids {
				v.Views = append(v.Views, wire.CallView{Mid: mid, Number: 7, Source: wire.Camera, Height: 90})
			}
			s.must(s.calls.View(s.ctx, d[0].Actor, v))
		}
		see("12", "13")
		see("13")
		if v := s.media.view; len(v) != 2 || v[1].Mid != "12" || v[1].Number != 0 {
			t.Errorf("the forwarder was told %+v", v)
		}
		s.refused(s.calls.View(s.ctx, d[0].Actor, wire.ViewCall{Call: id, Views: []wire.CallView{{Mid: "1", Source: wire.Microphone}}}),
			wire.BadRequest, "to look at a microphone")
	})
}

func TestTestsOfOneDeviceReplaceOneAnother(t *testing.T) {
	inSite(t, func(s *site) {
		_, d := s.group(wire.Group, 1)
		for range 2 {
			_, err := s.calls.Test(s.ctx, d[0].Actor, netip.Addr{}, wire.CallTest{Offer: "offer"})
			s.must(err)
		}
		if s.media.len() != 1 {
			t.Errorf("%d tests run", s.media.len())
		}
		pass(61 * time.Second)
		if s.media.len() != 0 {
			t.Error("a test runs for ever")
		}
	})
}

func TestASiteWithoutMediaHasNoCalls(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 1)
		off, err := call.New(s.ctx, call.Config{DB: s.db, Hub: s.hub, Rooms: s.rooms, People: s.rooms, Log: quiet})
		s.must(err)
		_, err = off.Start(s.ctx, d[0].Actor, wire.StartCall{Room: room, Call: wire.NewCallID()})
		s.refused(err, wire.NotFound, "a call")
		list, err := off.List(s.ctx, d[0].Actor)
		if err != nil || len(list.Calls) != 0 {
			t.Errorf("listed %v, %v", list, err)
		}
	})
}
