package doors

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// rights is what somebody can do and read, each by a word of its own.
type rights map[string]bool

// rightsOf asks the server for all that an actor may read or begin, without
// changing anything.
func rightsOf(w *world, a *actor) rights {
	r := rights{}
	is := func(word string, err error) {
		if err == nil {
			r[word] = true
		}
	}
	s := a.who.Socket
	if s.Err() != nil {
		return r
	}
	for name, id := range map[string]wire.RoomID{"direct": w.direct, "group": w.group, "other": w.foreign} {
		_, err := testenv.Try(s, wire.RoomGet, wire.GetRoom{Room: id})
		is("see "+name, err)
		_, err = testenv.Try(s, wire.RoomGroup, wire.GetRoom{Room: id})
		is("join "+name, err)
		_, err = testenv.Try(s, wire.RoomTyping, wire.Typing{Room: id})
		is("be in "+name, err)
		for after := int64(0); ; {
			page, err := testenv.Try(s, wire.RoomLog, wire.ReadLog{Room: id, After: after})
			if err != nil || len(page.Entries) == 0 {
				break
			}
			for _, e := range page.Entries {
				if e.Seq <= w.before[id] { // what comes later is no right gained
					r[fmt.Sprintf("read %s/%d", name, e.Seq)] = true
				}
				after = e.Seq
			}
		}
	}
	for name, id := range map[string]wire.CallID{"group": w.call, "other": w.foreignCall} {
		_, err := testenv.Try(s, wire.CallGet, wire.CallRef{Call: id})
		is("see the call of "+name, err)
	}
	for name, id := range map[string]wire.BlobID{"early": w.early, "late": w.late, "loose": w.loose, "far": w.far, "half": w.half} {
		if s, _ := w.Do("GET", wire.PathBlob+id.String()+"/state", a.token, "", nil, nil); s == 200 {
			r["read the file "+name] = true
		}
	}
	_, err := testenv.Try(s, wire.DirectoryPeople, wire.ListPeople{})
	is("see people", err)
	// Whether one may invite is asked by doing it, which gives others a right, not
	// oneself.
	_, err = testenv.Try(s, wire.InviteCreate, wire.None{})
	is("invite", err)
	_, err = testenv.Try(s, wire.AccountReset, wire.AccountRef{Account: w.ted.Session.Account})
	if wire.CodeOf(err) == wire.ProveFirst { // the right is there, and so is the password
		err = nil
	}
	is("reset passwords", err)
	return r
}

// tries is all that one can do by oneself, right or wrong. None of it may give
// the one who does it a right that they did not have.
func tries() map[string]func(w *world, a *actor, rnd *rand.Rand) {
	rooms := func(w *world, rnd *rand.Rand) wire.RoomID {
		return []wire.RoomID{w.direct, w.group, w.foreign}[rnd.IntN(3)]
	}
	calls := func(w *world, rnd *rand.Rand) wire.CallID {
		return []wire.CallID{w.call, w.foreignCall}[rnd.IntN(2)]
	}
	people := func(w *world, rnd *rand.Rand) wire.AccountID {
		return w.actors[6+rnd.IntN(len(w.actors)-6)].who.Session.Account
	}
	sent := func(error) {}
	as := func(w *world, a *actor, id wire.RoomID) *member { // can make what is asked for; whose bytes they are matters not
		if a.who.in[id] != nil {
			a.who.sync(id)
		}
		if a.who.in[id] != nil {
			return a.who
		}
		return hand(w, &actor{who: &member{}}, id)
	}
	return map[string]func(w *world, a *actor, rnd *rand.Rand){
		"commit a renewal": func(w *world, a *actor, rnd *rand.Rand) {
			id := rooms(w, rnd)
			_, err := testenv.Try(a.who.Socket, wire.RoomCommit, as(w, a, id).committing(id, group.CommitOptions{IncludePending: true}))
			sent(err)
		},
		"come in": func(w *world, a *actor, rnd *rand.Rand) {
			id := rooms(w, rnd)
			by := map[wire.RoomID]*member{w.direct: w.olga, w.group: w.olga, w.foreign: w.zoe}[id]
			if a.who == by {
				return
			}
			_, c := a.who.joining(id, testenv.Call(by.Socket, wire.RoomGroup, wire.GetRoom{Room: id}))
			if _, err := testenv.Try(a.who.Socket, wire.RoomCommit, c); err == nil {
				delete(a.who.in, id) // it made no group of it here
			}
		},
		"take the group over": func(w *world, a *actor, rnd *rand.Rand) {
			id := w.group
			p := policy.Policy{Kind: wire.Group, Owners: policy.Sorted(a.who.Session.Account)}
			_, err := testenv.Try(a.who.Socket, wire.RoomCommit, as(w, a, id).committing(id, group.CommitOptions{Extensions: extensions(w, p)}))
			sent(err)
		},
		"add oneself": func(w *world, a *actor, rnd *rand.Rand) {
			id := rooms(w, rnd)
			m := as(w, a, id)
			if m == a.who || m.leaf(id, a.who.Session.Device) != nil {
				return // is in it
			}
			_, err := testenv.Try(a.who.Socket, wire.RoomCommit, m.committing(id, group.CommitOptions{Add: []mls.KeyPackage{a.who.keyPackage()}}))
			sent(err)
		},
		"leave": func(w *world, a *actor, rnd *rand.Rand) {
			if a.name == owner {
				return // who would put the rest right?
			}
			id := w.group
			m := as(w, a, id)
			if _, err := testenv.Try(a.who.Socket, wire.RoomPropose, m.leaving(id)); err == nil {
				delete(a.who.in, id)
			}
		},
		"make a room": func(w *world, a *actor, rnd *rand.Rand) {
			p := a.who.owns()
			if rnd.IntN(2) == 0 {
				p = a.who.with(people(w, rnd))
			}
			if p.Kind == wire.Direct && len(p.Owners) < 2 {
				return
			}
			_, c := a.who.foundAs([]wire.RoomID{wire.NewRoomID(), w.foreign, w.group}[rnd.IntN(3)], p)
			_, err := testenv.Try(a.who.Socket, wire.RoomCreate, c)
			sent(err)
		},
		"hold files": func(w *world, a *actor, rnd *rand.Rand) {
			id := rooms(w, rnd)
			blob := []wire.BlobID{w.early, w.late, w.loose, w.half, w.far}[rnd.IntN(5)]
			_, err := testenv.Try(a.who.Socket, wire.RoomSend, as(w, a, id).sealing(id, blob))
			sent(err)
		},
		"hold files in a room of one's own": func(w *world, a *actor, rnd *rand.Rand) {
			g, c := a.who.found(a.who.owns())
			made, err := testenv.Try(a.who.Socket, wire.RoomCreate, c)
			if err != nil {
				return
			}
			a.who.must(g.MergePending())
			a.who.in[c.Room] = &place{g, made.Seq, made.Head}
			_, err = testenv.Try(a.who.Socket, wire.RoomSend, a.who.sealing(c.Room, []wire.BlobID{w.early, w.late, w.loose, w.half, w.far}[rnd.IntN(5)]))
			delete(a.who.in, c.Room)
			sent(err)
		},
		"erase": func(w *world, a *actor, rnd *rand.Rand) {
			if a.name == owner {
				return // their own files would go, and others' right to them
			}
			_, err := testenv.Try(a.who.Socket, wire.RoomErase, wire.Erase{Room: rooms(w, rnd), Seq: 1 + rnd.Int64N(12)})
			sent(err)
		},
		"move cursors": func(w *world, a *actor, rnd *rand.Rand) {
			_, err := testenv.Try(a.who.Socket, wire.RoomCursors, wire.SetCursor{Room: rooms(w, rnd), Delivered: rnd.Int64N(20), Read: rnd.Int64N(20)})
			sent(err)
		},
		"write to files": func(w *world, a *actor, rnd *rand.Rand) {
			id := []wire.BlobID{w.early, w.late, w.loose, w.half, w.far}[rnd.IntN(5)]
			w.Do([]string{"PUT", "DELETE"}[rnd.IntN(2)], wire.PathBlob+id.String()+"?offset=0", a.token, "", []byte("x"), nil)
		},
		"publish": func(w *world, a *actor, rnd *rand.Rand) {
			p := a.who.Root.Sign(func(*statement.Body) {})
			if rnd.IntN(2) == 0 {
				p = w.zoe.Root.Sign(func(b *statement.Body) { b.Account = a.who.Session.Account })
			}
			if _, err := testenv.Try(a.who.Socket, wire.DevicePublish, p); err == nil {
				a.who.Root.Took(p)
			}
		},
		"enrol": func(w *world, a *actor, rnd *rand.Rand) {
			_, err := testenv.Try(a.who.Socket, wire.DeviceEnrol, testenv.NewKeys(w.TB).Enrol())
			sent(err)
		},
		"call": func(w *world, a *actor, rnd *rand.Rand) {
			_, err := testenv.Try(a.who.Socket, wire.CallStart, wire.StartCall{Room: rooms(w, rnd), Call: []wire.CallID{wire.NewCallID(), w.call, w.foreignCall}[rnd.IntN(3)]})
			sent(err)
			_, err = testenv.Try(a.who.Socket, wire.CallJoin, wire.JoinCall{Call: calls(w, rnd), Offer: "offer"})
			sent(err)
		},
		"knock and let oneself in": func(w *world, a *actor, rnd *rand.Rand) {
			_, err := testenv.Try(a.who.Socket, wire.CallKnocks, wire.KnockCall{Call: calls(w, rnd), Token: w.link})
			sent(err)
			_, err = testenv.Try(a.who.Socket, wire.CallRing, wire.RingCall{Call: calls(w, rnd), Accounts: []wire.AccountID{a.who.Session.Account}})
			sent(err)
			_, err = testenv.Try(a.who.Socket, wire.CallMakeURL, wire.CallRef{Call: w.foreignCall})
			sent(err)
		},
		"sign in once more": func(w *world, a *actor, rnd *rand.Rand) {
			w.SignIn(a.who.Session.Name) // another device, which waits: it gives this one nothing
		},
		"do to accounts what administrators do": func(w *world, a *actor, rnd *rand.Rand) {
			of := wire.AccountRef{Account: []wire.AccountID{w.tess.Session.Account, a.who.Session.Account, w.zoe.Session.Account}[rnd.IntN(3)]}
			if rnd.IntN(2) == 0 {
				w.prove(a)
			}
			if a.name == adminS { // who may: the rest of the site is to stay as it is
				of.Account = w.tess.Session.Account
			}
			_, err := testenv.Try(a.who.Socket, wire.AccountReset, of)
			sent(err)
			_, err = testenv.Try(a.who.Socket, wire.AccountOpen, of)
			sent(err)
			_, err = testenv.Try(a.who.Socket, wire.AccountShut, of)
			sent(err)
			_, err = testenv.Try(a.who.Socket, wire.AccountSignOut, of)
			sent(err)
		},
		"make oneself an administrator": func(w *world, a *actor, rnd *rand.Rand) {
			if rnd.IntN(2) == 0 {
				w.prove(a)
			}
			_, err := testenv.Try(a.who.Socket, wire.AccountAdmin, wire.MakeAdmin{Account: a.who.Session.Account, Admin: true})
			sent(err)
		},
		"show and change the password": func(w *world, a *actor, rnd *rand.Rand) {
			w.Post(wire.PathProve, a.token, wire.Prove{Password: testenv.Password, Device: []wire.DeviceID{{}, a.who.Session.Device, w.zoe.Session.Device}[rnd.IntN(3)]}, nil)
			w.Post(wire.PathPassword, a.token, wire.ChangePassword{Old: testenv.Password, New: testenv.Password}, nil)
		},
		"use a link to a new password": func(w *world, a *actor, rnd *rand.Rand) {
			name := []string{"Zoe", a.who.Session.Name}[rnd.IntN(2)]
			w.Post(wire.PathReset, a.token, wire.Reset{
				Token: w.resetOf(name), Password: testenv.Password, Device: "x", Keep: []wire.DeviceID{{}, a.who.Session.Device, w.zoe.Session.Device}[rnd.IntN(3)],
			}, nil)
		},
		"connect anew": func(w *world, a *actor, rnd *rand.Rand) {
			a.who.Socket.Close()
			a.who.Person.Socket = a.who.Session.Connect()
		},
	}
}

// Nobody raises their own rights, whatever they do in whatever order: after each
// step of sequences of four, by everybody, what they can do and read is no more
// than before. Rights that an owner or a person's own other device gives are no
// part of this: nobody else does anything meanwhile.
func TestNobodyRaisesTheirOwnRights(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("VECHE_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("VECHE_SEED=%d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	w.before = map[wire.RoomID]int64{}
	for id, m := range map[wire.RoomID]*member{w.direct: w.olga, w.group: w.olga, w.foreign: w.zoe} {
		w.before[id] = testenv.Call(m.Socket, wire.RoomGet, wire.GetRoom{Room: id}).Seq
	}
	do := tries()
	names := slices.Sorted(maps.Keys(do))
	n := trials(t, 20)
	steps := 0
	for range n {
		var live []*actor
		for _, a := range w.actors {
			if a.live {
				live = append(live, a)
			}
		}
		a := live[rnd.IntN(len(live))]
		had := rightsOf(w, a)
		var done []string
		for range 4 {
			name := names[rnd.IntN(len(names))]
			w.clock.pass(10 * time.Second)
			// A device that waits is turned away by another password, whoever of its
			// person sets it: then it has nothing left to try.
			if s, _ := w.Do("GET", wire.PathSession, a.token, "", nil, nil); s == http.StatusUnauthorized {
				a.live = false
				break
			}
			do[name](w, a, rnd)
			done = append(done, name)
			steps++
			has := rightsOf(w, a)
			for word := range has {
				if !had[word] {
					t.Errorf("%s can %s after: %s", a.what, word, strings.Join(done, ", "))
				}
			}
			had = has
			// Whoever made a proposal forgets it, so that the next can be made.
			w.olga.commit(w.group, group.CommitOptions{IncludePending: pendingIn(w)})
		}
	}
	t.Logf("%d steps in %d sequences", steps, n)
}

// pendingIn reports whether a proposal waits in the group.
func pendingIn(w *world) bool {
	return testenv.Call(w.olga.Socket, wire.RoomGet, wire.GetRoom{Room: w.group}).Proposals > 0
}
