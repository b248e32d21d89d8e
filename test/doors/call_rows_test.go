package doors

import (
	"slices"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// calls are those that rows ask about. In is the group's call after the actor has
// tried to come in.
var calls = []struct {
	to string
	id func(w *world, a *actor) wire.CallID
}{
	{"no such call", func(*world, *actor) wire.CallID { return wire.NewCallID() }},
	{"the group's call, not in it", func(w *world, a *actor) wire.CallID {
		if a.name != owner { // who is in for good: the call must not end
			goOut(w, a)
		}
		return w.call
	}},
	{"the group's call, in it", func(w *world, a *actor) wire.CallID {
		if a.name != owner {
			_, _ = testenv.Try(a.who.Socket, wire.CallJoin, wire.JoinCall{Call: w.call, Offer: "offer"}) // who may not is told so below
		}
		return w.call
	}},
	{"the call of another group", func(w *world, _ *actor) wire.CallID { return w.foreignCall }},
}

func goOut(w *world, a *actor) {
	_, _ = testenv.Try(a.who.Socket, wire.CallLeave, wire.CallRef{Call: w.call}) // who was not in stays out
}

// inCalls is a row for each of the calls.
func inCalls[P, R any](m wire.Method[P, R], with func(w *world, a *actor, id wire.CallID) P, after ...func(w *world, a *actor, r R)) (list []row) {
	for _, c := range calls {
		list = append(list, ask(m, c.to, func(w *world, a *actor) P { return with(w, a, c.id(w, a)) }, after...))
	}
	return list
}

func callRef(_ *world, _ *actor, id wire.CallID) wire.CallRef { return wire.CallRef{Call: id} }

func callRows() []row {
	const notIn = 1
	rejoin := func(w *world, a *actor, _ wire.None) {
		if a.name == owner {
			testenv.Call(a.who.Socket, wire.CallJoin, wire.JoinCall{Call: w.call, Offer: "offer"})
		}
	}
	list := inRooms(wire.CallStart, func(_ *world, _ *actor, id wire.RoomID) wire.StartCall {
		return wire.StartCall{Room: id, Call: wire.NewCallID()}
	})
	list[2].note = "there is one: who may start it is told of it; a device that is not in the group could open nothing"
	list = append(list, says(wire.CallList, "", none, func(w *world, r wire.Calls) string {
		names := map[wire.CallID]string{w.call: "g", w.foreignCall: "OTHER"}
		s := ""
		for _, c := range r.Calls {
			if n := names[c.Call]; n != "" {
				s += n
			} else if c.Room == w.direct {
				s += "d"
			} else {
				s += "?"
			}
		}
		return "=" + s
	}).because("g the group's, d the one that was started in the direct room above"))
	list = append(list, inCalls(wire.CallGet, callRef)...)
	// Of a row with someone in it, the two leafless and waiting stay out.
	join := inCalls(wire.CallJoin, func(_ *world, _ *actor, id wire.CallID) wire.JoinCall { return wire.JoinCall{Call: id, Offer: "offer"} })
	list = append(list, slices.Delete(join, notIn+1, notIn+2)...)
	list = append(list, inCalls(wire.CallOffer, func(_ *world, _ *actor, id wire.CallID) wire.OfferCall {
		return wire.OfferCall{Call: id, Offer: "offer"}
	})...)
	list = append(list, inCalls(wire.CallViewing, func(_ *world, _ *actor, id wire.CallID) wire.ViewCall { return wire.ViewCall{Call: id} })...)
	list = append(list, inCalls(wire.CallState, func(_ *world, _ *actor, id wire.CallID) wire.CallSealed {
		return wire.CallSealed{Call: id, Body: []byte("x")}
	})...)
	list = append(list, inCalls(wire.CallSay, func(_ *world, _ *actor, id wire.CallID) wire.CallSealed {
		return wire.CallSealed{Call: id, Body: []byte("x")}
	})...)
	list = append(list, inCalls(wire.CallRing, func(w *world, _ *actor, id wire.CallID) wire.RingCall {
		return wire.RingCall{Call: id, Accounts: []wire.AccountID{w.olga.Session.Account}}
	})...)
	list = append(list,
		ask(wire.CallRing, "somebody who is no member", func(w *world, _ *actor) wire.RingCall {
			return wire.RingCall{Call: w.call, Accounts: []wire.AccountID{w.zoe.Session.Account}}
		}))
	list = append(list, inCalls(wire.CallDecline, func(_ *world, _ *actor, id wire.CallID) wire.DeclineCall { return wire.DeclineCall{Call: id} })...)
	list = append(list, inCalls(wire.CallLeave, func(w *world, a *actor, id wire.CallID) wire.CallRef {
		if a.name == owner {
			w.bringIn(w.rita()) // else the call would end
		}
		return wire.CallRef{Call: id}
	}, rejoin)...)
	list = append(list,
		ask(wire.CallRemove, "a participant of the group's call", func(w *world, a *actor) wire.CallPerson {
			w.bringIn(w.rita())
			return wire.CallPerson{Call: w.call, Account: w.rita().Session.Account}
		}, func(w *world, _ *actor, _ wire.None) {
			// An owner takes the removal back by ringing them.
			testenv.Call(w.olga.Socket, wire.CallRing, wire.RingCall{Call: w.call, Accounts: []wire.AccountID{w.rita().Session.Account}})
		}).because("who is to be removed is told to leave instead"),
		ask(wire.CallRemove, "somebody who is not in it", func(w *world, a *actor) wire.CallPerson {
			return wire.CallPerson{Call: w.call, Account: w.zoe.Session.Account}
		}),
		ask(wire.CallRemove, "a participant of another group's", func(w *world, _ *actor) wire.CallPerson {
			return wire.CallPerson{Call: w.foreignCall, Account: w.zoe.Session.Account}
		}),
	)
	link := inCalls(wire.CallMakeURL, callRef, func(w *world, _ *actor, l wire.CallLink) { w.link = l.Token })
	list = append(list, slices.Delete(link, notIn, notIn+1)...)
	knock := func(id func(w *world) wire.CallID, token func(w *world) []byte) func(w *world, _ *actor) wire.KnockCall {
		return func(w *world, _ *actor) wire.KnockCall { return wire.KnockCall{Call: id(w), Token: token(w)} }
	}
	group := func(w *world) wire.CallID { return w.call }
	list = append(list,
		ask(wire.CallKnocks, "with the link", knock(group, func(w *world) []byte { return w.link })).because("the link is the right to ask; who is a member just comes in"),
		ask(wire.CallKnocks, "with the link of another call", knock(group, func(w *world) []byte { return w.foreignLink })),
		ask(wire.CallKnocks, "with a link that is none", knock(group, func(*world) []byte { return make([]byte, 16) })),
		ask(wire.CallKnocks, "with no link", knock(group, func(*world) []byte { return nil })),
		ask(wire.CallKnocks, "no such call", knock(func(*world) wire.CallID { return wire.NewCallID() }, func(w *world) []byte { return w.link })),
		ask(wire.CallRefuse, "who knocks", func(w *world, _ *actor) wire.CallPerson {
			testenv.Call(w.zoe.Socket, wire.CallKnocks, wire.KnockCall{Call: w.call, Token: w.link})
			return wire.CallPerson{Call: w.call, Account: w.zoe.Session.Account}
		}),
		ask(wire.CallRefuse, "who does not knock", func(w *world, _ *actor) wire.CallPerson {
			return wire.CallPerson{Call: w.call, Account: w.mike.Session.Account}
		}),
		ask(wire.CallRefuse, "at another group's call", func(w *world, _ *actor) wire.CallPerson {
			return wire.CallPerson{Call: w.foreignCall, Account: w.mike.Session.Account}
		}),
		ask(wire.CallTry, "", func(*world, *actor) wire.CallTest { return wire.CallTest{Offer: "offer"} }),
	)
	return list
}

// rita is who was added to the group again.
func (w *world) rita() *member {
	for _, a := range w.actors {
		if a.name == again {
			return a.who
		}
	}
	w.Fatal("nobody was added again")
	return nil
}

// bringIn has somebody be a participant of the group's call.
func (w *world) bringIn(m *member) {
	w.Helper()
	testenv.Call(m.Socket, wire.CallJoin, wire.JoinCall{Call: w.call, Offer: "offer"})
}
