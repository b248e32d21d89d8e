package call_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/veche-im/veche/wire"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func (d *device) ring(id wire.CallID, who ...*device) {
	d.Helper()
	p := wire.RingCall{Call: id}
	for _, w := range who {
		p.Accounts = append(p.Accounts, w.Account)
	}
	d.must(d.calls.Ring(d.ctx, d.Actor, p))
}

func TestItRingsUntilItIsAnswered(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Direct, 2)
		second := s.device(d[1].Account)
		id := d[0].start(room)
		d[0].ring(id)
		for _, one := range []*device{d[1], second} {
			if r := last(one, wire.OnRing); r.Call != id || r.By != d[0].Account || r.Room != room {
				t.Errorf("it rings as %+v", r)
			}
		}
		if a := last(d[0], wire.OnRingAnswer); a.How != wire.RingRinging || a.Account != d[1].Account {
			t.Errorf("the caller heard %+v", a)
		}
		// One that connects meanwhile rings too.
		third := s.device(d[1].Account)
		_, err := s.calls.List(s.ctx, third.Actor)
		s.must(err)
		last(third, wire.OnRing)
		d[0].join(id)
		second.join(id)
		for _, one := range []*device{d[1], second, third} {
			if e := last(one, wire.OnRingEnd); e.Why != wire.RingAnswered {
				t.Errorf("it ended with %+v", e)
			}
		}
		pass(2 * time.Minute)
		if n := len(all(d[1], wire.OnRingEnd)); n != 1 {
			t.Errorf("it ended %d times", n)
		}
	})
}

func TestHowRingsEnd(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(s *site, id wire.CallID, room wire.RoomID, caller, callee *device)
		why  wire.RingEndReason
		how  wire.RingState
	}{
		{"declined", func(s *site, id wire.CallID, _ wire.RoomID, _, callee *device) {
			s.must(s.calls.Decline(s.ctx, callee.Actor, wire.DeclineCall{Call: id}))
		}, wire.RingDeclined, wire.RingRefused},
		{"busy", func(s *site, id wire.CallID, _ wire.RoomID, _, callee *device) {
			s.must(s.calls.Decline(s.ctx, callee.Actor, wire.DeclineCall{Call: id, Busy: true}))
		}, wire.RingDeclined, wire.RingBusy},
		{"nobody answers", func(*site, wire.CallID, wire.RoomID, *device, *device) { pass(61 * time.Second) }, wire.RingExpired, wire.RingNone},
		{"the caller leaves", func(s *site, id wire.CallID, _ wire.RoomID, caller, _ *device) {
			s.must(s.calls.Leave(s.ctx, caller.Actor, id))
		}, wire.RingCancelled, wire.RingRinging},
		{"the callee is taken out of the room", func(s *site, _ wire.CallID, room wire.RoomID, _, callee *device) {
			s.calls.Left(room, callee.Account, wire.DeviceID{})
		}, wire.RingCancelled, wire.RingRinging},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inSite(t, func(s *site) {
				room, d := s.group(wire.Group, 2)
				id := d[0].start(room)
				d[0].join(id)
				d[0].ring(id, d[1])
				tt.do(s, id, room, d[0], d[1])
				if e := last(d[1], wire.OnRingEnd); e.Why != tt.why {
					t.Errorf("it ended with %s", e.Why)
				}
				if a := last(d[0], wire.OnRingAnswer); a.How != tt.how {
					t.Errorf("the caller heard %s", a.How)
				}
			})
		})
	}
}

func TestWhoIsInAnotherCallIsBusy(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 3)
		other := wire.NewRoomID()
		s.rooms.members[other], s.rooms.kinds[other] = []wire.AccountID{d[1].Account, d[2].Account}, wire.Group
		there := d[1].start(other)
		d[1].join(there)
		id := d[0].start(room)
		d[0].join(id)
		d[0].ring(id)
		if len(all(d[1], wire.OnRing)) != 0 || len(all(d[2], wire.OnRing)) != 1 {
			t.Error("it rings for who is in a call, or for nobody")
		}
		busy := false
		for _, a := range all(d[0], wire.OnRingAnswer) {
			busy = busy || a.Account == d[1].Account && a.How == wire.RingBusy
		}
		if !busy {
			t.Error("the caller was not told")
		}
		s.must(s.calls.Leave(s.ctx, d[1].Actor, there))
		d[0].ring(id, d[1])
		last(d[1], wire.OnRing)
	})
}

func TestWhoMayRingWhom(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 3)
		stranger := s.device(wire.NewAccountID())
		id := d[0].start(room)
		s.refused(s.calls.Ring(s.ctx, d[0].Actor, wire.RingCall{Call: id, Accounts: []wire.AccountID{stranger.Account}}), wire.NotFound, "somebody of another room")
		s.refused(s.calls.Ring(s.ctx, d[1].Actor, wire.RingCall{Call: id}), wire.NotFound, "a member who is not in")
		s.refused(s.calls.Ring(s.ctx, stranger.Actor, wire.RingCall{Call: id}), wire.NotFound, "a stranger")
		s.refused(s.calls.Decline(s.ctx, stranger.Actor, wire.DeclineCall{Call: id}), wire.NotFound, "a stranger declines")
		s.refused(s.calls.Ring(s.ctx, d[0].Actor, wire.RingCall{Call: id, Accounts: make([]wire.AccountID, wire.MaxRing+1)}), wire.TooLarge, "too many")
		if n := len(all(stranger, wire.OnRing)); n != 0 {
			t.Error("it rang for a stranger")
		}
	})
}

func TestOnlyOwnersRemove(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 3)
		id := d[0].start(room)
		for _, one := range d {
			one.join(id)
		}
		s.refused(s.calls.Remove(s.ctx, d[1].Actor, wire.CallPerson{Call: id, Account: d[2].Account}), wire.NotFound, "a member removes")
		s.must(s.calls.Remove(s.ctx, d[0].Actor, wire.CallPerson{Call: id, Account: d[2].Account}))
		if g := last(d[2], wire.OnCallGone); g.Why != wire.GoneRemoved {
			t.Errorf("heard %+v", g)
		}
		_, err := d[2].tryJoin(id)
		s.refused(err, wire.NotFound, "who was removed")
		// A member cannot bring them back, an owner can.
		d[1].ring(id, d[2])
		_, err = d[2].tryJoin(id)
		s.refused(err, wire.NotFound, "who a member rang")
		pass(10 * time.Second)
		d[0].ring(id, d[2])
		d[2].join(id)

		direct, e := s.group(wire.Direct, 2)
		talk := e[0].start(direct)
		e[0].join(talk)
		e[1].join(talk)
		s.refused(s.calls.Remove(s.ctx, e[0].Actor, wire.CallPerson{Call: talk, Account: e[1].Account}), wire.NotFound, "in a direct room")
	})
}

func TestLinksAndKnocking(t *testing.T) {
	inSite(t, func(s *site) {
		room, d := s.group(wire.Group, 2)
		guest := s.device(wire.NewAccountID())
		id := d[0].start(room)
		d[1].join(id)
		_, err := s.calls.Link(s.ctx, d[1].Actor, wire.CallRef{Call: id})
		s.refused(err, wire.NotFound, "a member makes a link")
		old, err := s.calls.Link(s.ctx, d[0].Actor, wire.CallRef{Call: id})
		s.must(err)
		link, err := s.calls.Link(s.ctx, d[0].Actor, wire.CallRef{Call: id})
		s.must(err)
		knock := func(token []byte) error {
			pass(10 * time.Second)
			return s.calls.Knock(s.ctx, guest.Actor, wire.KnockCall{Call: id, Token: token})
		}
		s.refused(knock(nil), wire.NotFound, "without a token")
		s.refused(knock(old.Token), wire.NotFound, "with a link that was replaced")
		s.must(knock(link.Token))
		if n := len(all(d[1], wire.OnCallKnock)); n != 0 {
			t.Error("who is no owner heard the knock")
		}
		d[0].join(id) // an owner who comes later hears who waits
		if k := last(d[0], wire.OnCallKnock); k.Account != guest.Account {
			t.Errorf("heard %+v", k)
		}
		s.must(s.calls.Refuse(s.ctx, d[0].Actor, wire.CallPerson{Call: id, Account: guest.Account}))
		if g := last(guest, wire.OnCallGone); g.Why != wire.GoneRefused || g.Number != 0 {
			t.Errorf("heard %+v", g)
		}
		s.refused(s.calls.Refuse(s.ctx, d[0].Actor, wire.CallPerson{Call: id, Account: d[1].Account}), wire.NotFound, "who did not knock")
		s.restart() // the link is kept, as a hash
		s.must(knock(link.Token))
		_, err = guest.tryJoin(id)
		s.refused(err, wire.NotFound, "who knocks comes in")
	})
}
