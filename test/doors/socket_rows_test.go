package doors

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

// ask is a row of a method: with asks are made, which are of who asks; after is
// told what was answered, and may put back what it changed. Who has no session
// does not come so far.
func ask[P, R any](m wire.Method[P, R], to string, with func(w *world, a *actor) P, after ...func(w *world, a *actor, r R)) row {
	return row{do: m.Name, to: to, try: func(w *world, a *actor) string {
		if !a.live {
			return refusedSocket(w, a)
		}
		r, err := testenv.Try(a.who.Socket, m, with(w, a))
		if err == nil {
			for _, f := range after {
				f(w, a, r)
			}
		}
		return word(w, err)
	}}
}

// says is a row whose cells have what was answered.
func says[P, R any](m wire.Method[P, R], to string, with func(w *world, a *actor) P, say func(w *world, r R) string) row {
	return row{do: m.Name, to: to, try: func(w *world, a *actor) string {
		if !a.live {
			return refusedSocket(w, a)
		}
		r, err := testenv.Try(a.who.Socket, m, with(w, a))
		if err != nil {
			return word(w, err)
		}
		return say(w, r)
	}}
}

// because says why what surprises in a row is right.
func (r row) because(note string) row { r.note = note; return r }

// refusedSocket is what who has no session is told who wants to connect.
func refusedSocket(w *world, a *actor) string {
	req, err := http.NewRequest("GET", w.Info.HTTPS+wire.PathSocket, nil)
	if err != nil {
		w.Fatal(err)
	}
	for k, v := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
		"Sec-WebSocket-Protocol": wire.Subprotocol,
	} {
		req.Header.Set(k, v)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := w.HTTP.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols { // else the body is the connection
		drain(resp)
	}
	return fmt.Sprint(resp.StatusCode)
}

func none(*world, *actor) wire.None { return wire.None{} }

// hand is a device that can make what actor asks for in a room: the actor's own,
// or that of the room's owner, whose bytes then are not the actor's to send.
func hand(w *world, a *actor, id wire.RoomID) *member {
	m := a.who
	if m.in[id] == nil {
		m = map[wire.RoomID]*member{w.direct: w.olga, w.group: w.olga, w.foreign: w.zoe}[id]
	}
	m.sync(id)
	return m
}

func socketRows() []row {
	return slices.Concat(siteRows(), accountRows(), deviceRows(), keyRows(), roomRows(), writeRows(), callRows(), moveRows())
}

func siteRows() []row {
	of := func(account func(w *world, a *actor) wire.AccountID) func(w *world, a *actor) wire.GetStatements {
		return func(w *world, a *actor) wire.GetStatements {
			return wire.GetStatements{Of: []wire.StatementsFrom{{Account: account(w, a)}}}
		}
	}
	return []row{
		ask(wire.SessionPing, "", none),
		ask(wire.SiteAddress, "", none),
		ask(wire.InviteCreate, "", none),
		ask(wire.DirectoryPeople, "", func(*world, *actor) wire.ListPeople { return wire.ListPeople{} }),
		ask(wire.DirectoryStatements, "of oneself", of(func(_ *world, a *actor) wire.AccountID { return a.who.Session.Account })),
		ask(wire.DirectoryStatements, "of somebody else", of(func(w *world, _ *actor) wire.AccountID { return w.zoe.Session.Account })),
		ask(wire.DirectoryStatements, "of nobody", of(func(*world, *actor) wire.AccountID { return wire.NewAccountID() })).
			because("an empty chain: that there is no such person is seen in the list of people too"),
	}
}

// accountRows are what administrators do to accounts, and take back.
func accountRows() []row {
	ted := func(w *world) wire.AccountID { return w.ted.Session.Account }
	tess := func(w *world) wire.AccountID { return w.tess.Session.Account }
	nobody := func(*world) wire.AccountID { return wire.NewAccountID() }
	proven := func(of func(w *world) wire.AccountID) func(w *world, a *actor) wire.AccountRef {
		return func(w *world, a *actor) wire.AccountRef {
			w.prove(a)
			return wire.AccountRef{Account: of(w)}
		}
	}
	unproven := func(w *world, _ *actor) wire.AccountRef {
		w.clock.pass(wire.ProofTTL)
		return wire.AccountRef{Account: ted(w)}
	}
	oneself := func(w *world, a *actor) wire.AccountRef {
		w.prove(a)
		return wire.AccountRef{Account: a.who.Session.Account}
	}
	becomes := func(of func(w *world, a *actor) wire.AccountID, admin bool) func(w *world, a *actor) wire.MakeAdmin {
		return func(w *world, a *actor) wire.MakeAdmin {
			w.prove(a)
			return wire.MakeAdmin{Account: of(w, a), Admin: admin}
		}
	}
	self := func(_ *world, a *actor) wire.AccountID { return a.who.Session.Account }
	anyone := func(of func(w *world) wire.AccountID) func(*world, *actor) wire.AccountID {
		return func(w *world, _ *actor) wire.AccountID { return of(w) }
	}
	return []row{
		ask(wire.AccountReset, "somebody, the password not shown of late", unproven),
		ask(wire.AccountReset, "somebody", proven(ted)),
		ask(wire.AccountReset, "somebody whose account is shut", proven(tess)),
		ask(wire.AccountReset, "nobody", proven(nobody)),
		ask(wire.AccountShut, "somebody, the password not shown of late", unproven),
		ask(wire.AccountShut, "somebody", proven(ted), func(w *world, _ *actor, _ wire.None) { w.command(admin.Open, "Ted") }),
		ask(wire.AccountShut, "somebody who is shut", proven(tess)).because("it is as it should be"),
		ask(wire.AccountShut, "oneself", oneself).because("the last administrator stays"),
		ask(wire.AccountShut, "nobody", proven(nobody)),
		ask(wire.AccountOpen, "somebody, the password not shown of late", unproven),
		ask(wire.AccountOpen, "somebody who is shut", proven(tess), func(w *world, _ *actor, _ wire.None) { w.command(admin.Shut, "Tess") }),
		ask(wire.AccountOpen, "nobody", proven(nobody)),
		ask(wire.AccountSignOut, "somebody, the password not shown of late", unproven),
		ask(wire.AccountSignOut, "somebody", proven(ted)),
		ask(wire.AccountSignOut, "nobody", proven(nobody)),
		ask(wire.AccountAdmin, "somebody, the password not shown of late", func(w *world, a *actor) wire.MakeAdmin {
			return wire.MakeAdmin{Account: unproven(w, a).Account, Admin: true}
		}),
		ask(wire.AccountAdmin, "somebody becomes one", becomes(anyone(ted), true), func(w *world, _ *actor, _ wire.None) { w.command(admin.TakeAdmin, "Ted") }),
		ask(wire.AccountAdmin, "oneself becomes one", becomes(self, true)).because("who is one already stays one"),
		ask(wire.AccountAdmin, "oneself is none any more", becomes(self, false)).because("the last administrator stays one"),
		ask(wire.AccountAdmin, "nobody", becomes(anyone(nobody), true)),
	}
}

func deviceRows() []row {
	drop := func(which func(w *world, a *actor) wire.DeviceID) func(w *world, a *actor) wire.DropDevice {
		return func(w *world, a *actor) wire.DropDevice { return wire.DropDevice{Device: which(w, a)} }
	}
	var next wire.Publish
	return []row{
		ask(wire.DeviceList, "", none),
		ask(wire.DeviceVault, "", none).because("a device that waits needs the sealed vault, to open it with the recovery key"),
		ask(wire.DeviceEnrol, "", func(_ *world, a *actor) wire.Enrol { return a.who.Keys.Enrol() }).
			because("who is active has enrolled"),
		ask(wire.DeviceDrop, "a waiting device of one's own", drop(func(w *world, a *actor) wire.DeviceID { return w.SignIn(a.who.Session.Name).Device })),
		ask(wire.DeviceDrop, "a waiting device of somebody else", drop(func(w *world, a *actor) wire.DeviceID {
			return w.SignIn("Zoe").Device
		})),
		ask(wire.DeviceDrop, "an active device of one's own", drop(func(w *world, a *actor) wire.DeviceID {
			if a.who.Session.Account == w.mike.Session.Account {
				return w.spare.Session.Device
			}
			return a.who.Session.Device
		})).because("an active device is revoked by a statement, which is signed"),
		ask(wire.DeviceDrop, "an active device of somebody else", drop(func(w *world, _ *actor) wire.DeviceID { return w.zoe.Session.Device })),
		ask(wire.DeviceDrop, "no such device", drop(func(*world, *actor) wire.DeviceID { return wire.NewDeviceID() })),
		ask(wire.DevicePublish, "the next statement of one's own", func(_ *world, a *actor) wire.Publish {
			next = a.who.Root.Sign(func(*statement.Body) {})
			return next
		}, func(_ *world, a *actor, _ wire.Published) { a.who.Root.Took(next) }).
			because("a waiting device publishes the statement that lists it, nothing else"),
		ask(wire.DevicePublish, "the next statement of somebody else", func(w *world, _ *actor) wire.Publish { return w.zoe.Root.Sign(func(*statement.Body) {}) }),
		ask(wire.DeviceRepublish, "the next statement of one's own", func(_ *world, a *actor) wire.Republish {
			p := a.who.Root.Sign(func(*statement.Body) {})
			return wire.Republish{Statements: []wire.SignedStatement{p.Statement}, Vault: p.Vault, Version: p.Version}
		}).because("a site that was never restored has lost nothing"),
	}
}

func keyRows() []row {
	upload := func(of func(w *world, a *actor) *member) func(w *world, a *actor) wire.UploadKeys {
		return func(w *world, a *actor) wire.UploadKeys {
			kp := of(w, a).keyPackage()
			b, err := mls.Marshal(&kp)
			if err != nil {
				w.Fatal(err)
			}
			return wire.UploadKeys{Packages: [][]byte{b}}
		}
	}
	claim := func(of func(w *world, a *actor) wire.AccountID) func(w *world, a *actor) wire.ClaimKeys {
		return func(w *world, a *actor) wire.ClaimKeys { return wire.ClaimKeys{Accounts: []wire.AccountID{of(w, a)}} }
	}
	return []row{
		ask(wire.KeyUpload, "of one's own", upload(func(_ *world, a *actor) *member { return a.who })),
		ask(wire.KeyUpload, "of somebody else", upload(func(w *world, _ *actor) *member { return w.zoe })),
		ask(wire.KeyCounted, "", none),
		ask(wire.KeyClaim, "of oneself", claim(func(_ *world, a *actor) wire.AccountID { return a.who.Session.Account })),
		ask(wire.KeyClaim, "of somebody else", claim(func(w *world, _ *actor) wire.AccountID { return w.zoe.Session.Account })),
		ask(wire.KeyClaim, "of nobody", claim(func(*world, *actor) wire.AccountID { return wire.NewAccountID() })).
			because("nothing is given, as for who has no key packages"),
	}
}

// rooms are those that rows ask about.
var rooms = []struct {
	to string
	id func(w *world) wire.RoomID
}{
	{"no such room", func(*world) wire.RoomID { return wire.NewRoomID() }},
	{"the direct room", func(w *world) wire.RoomID { return w.direct }},
	{"the group", func(w *world) wire.RoomID { return w.group }},
	{"another group", func(w *world) wire.RoomID { return w.foreign }},
}

// inRooms is a row for each of the rooms.
func inRooms[P, R any](m wire.Method[P, R], with func(w *world, a *actor, id wire.RoomID) P) (list []row) {
	for _, r := range rooms {
		list = append(list, ask(m, r.to, func(w *world, a *actor) P { return with(w, a, r.id(w)) }))
	}
	return list
}

func getRoom(_ *world, _ *actor, id wire.RoomID) wire.GetRoom { return wire.GetRoom{Room: id} }

func roomRows() []row {
	list := []row{
		says(wire.RoomList, "", none, func(w *world, r wire.Rooms) string {
			names := map[wire.RoomID]string{w.direct: "d", w.group: "g", w.foreign: "OTHER"}
			s := ""
			for _, m := range r.Rooms {
				if m.Room == w.group && m.Until > 0 {
					s += "f"
				} else {
					s += names[m.Room]
				}
			}
			return "=" + strings.Join(sorted(s), "")
		}).because("d the direct room, g the group, f the group as one who was in it"),
	}
	list = append(list, inRooms(wire.RoomGet, getRoom)...)
	for _, r := range rooms {
		list = append(list, says(wire.RoomLog, "what may be read of "+r.to, func(w *world, _ *actor) wire.ReadLog { return wire.ReadLog{Room: r.id(w)} },
			func(w *world, p wire.LogPage) string {
				if len(p.Entries) == 0 {
					return "none"
				}
				return fmt.Sprintf("%d-%d", p.Entries[0].Seq, p.Entries[len(p.Entries)-1].Seq)
			}))
	}
	list[len(list)-2].note = "from one's own coming to one's own going; who came twice reads on from page to page"
	list = append(list, says(wire.RoomLog, "what may be read of the group after 7", func(w *world, a *actor) wire.ReadLog {
		return wire.ReadLog{Room: w.group, After: 7}
	}, func(_ *world, p wire.LogPage) string {
		if len(p.Entries) == 0 {
			return "none"
		}
		return fmt.Sprintf("%d-%d", p.Entries[0].Seq, p.Entries[len(p.Entries)-1].Seq)
	}))
	list = append(list, inRooms(wire.RoomWelcome, getRoom)...)
	list[len(list)-2].note = "no Welcome waits for anybody"
	list = append(list, inRooms(wire.RoomJoined, getRoom)...)
	list = append(list, inRooms(wire.RoomGroup, getRoom)...)
	list = append(list, inRooms(wire.RoomCursors, func(_ *world, _ *actor, id wire.RoomID) wire.SetCursor {
		return wire.SetCursor{Room: id, Delivered: 1}
	})...)
	list = append(list, inRooms(wire.RoomTyping, func(_ *world, _ *actor, id wire.RoomID) wire.Typing { return wire.Typing{Room: id} })...)
	return list
}

func sorted(s string) []string {
	list := strings.Split(s, "")
	slices.Sort(list)
	return list
}

func writeRows() []row {
	seal := func(w *world, a *actor, id wire.RoomID, blobs ...wire.BlobID) wire.SendMessage {
		for _, r := range []wire.RoomID{w.direct, w.group, w.foreign} {
			if r == id {
				return hand(w, a, id).sealing(id, blobs...)
			}
		}
		m := w.zoe.sealing(w.foreign, blobs...)
		m.Room = id
		return m
	}
	list := inRooms(wire.RoomSend, func(w *world, a *actor, id wire.RoomID) wire.SendMessage { return seal(w, a, id) })
	list[2].note = "a device that is not in the group cannot have sealed it: it must come in first"
	list = append(list,
		ask(wire.RoomSend, "a file of one's own, to the group", func(w *world, a *actor) wire.SendMessage {
			token := a.token
			if a.name == pending {
				token = w.olga.Token
			}
			return seal(w, a, w.group, w.upload(token, 10))
		}),
		ask(wire.RoomSend, "a file of long ago, to the group", func(w *world, a *actor) wire.SendMessage { return seal(w, a, w.group, w.early) }).
			because("one passes on what one may read"),
		ask(wire.RoomSend, "somebody else's file, to the group", func(w *world, a *actor) wire.SendMessage { return seal(w, a, w.group, w.loose) }),
		ask(wire.RoomSend, "no such file, to the group", func(w *world, a *actor) wire.SendMessage { return seal(w, a, w.group, wire.NewBlobID()) }),
		ask(wire.RoomErase, "a message of one's own", func(w *world, a *actor) wire.Erase {
			switch {
			case a.who.in[w.group] != nil:
				return wire.Erase{Room: w.group, Seq: a.who.send(w.group)}
			case a.who.Session.Account == w.mike.Session.Account:
				return wire.Erase{Room: w.group, Seq: w.mike.send(w.group)}
			default:
				return wire.Erase{Room: w.group, Seq: w.said[a.who]} // 0: said nothing
			}
		}).because("who has left may still erase what they said"),
		ask(wire.RoomErase, "a message of somebody else", func(w *world, a *actor) wire.Erase {
			m := w.olga
			if a.name == owner {
				m = w.mike
			}
			return wire.Erase{Room: w.group, Seq: m.send(w.group)}
		}).because("nobody erases for others, the owner neither"),
		ask(wire.RoomErase, "a message in another group", func(w *world, _ *actor) wire.Erase { return wire.Erase{Room: w.foreign, Seq: w.zoe.send(w.foreign)} }),
		ask(wire.RoomErase, "no such message", func(w *world, _ *actor) wire.Erase { return wire.Erase{Room: w.group, Seq: 9999} }),
		ask(wire.RoomErase, "the first commit", func(w *world, _ *actor) wire.Erase { return wire.Erase{Room: w.group, Seq: 1} }).
			because("only its sender learns that only messages can be erased"),
	)
	return list
}

// moveRows change who is in the group, and put it back.
func moveRows() []row {
	create := func(p func(w *world, a *actor) policy.Policy) func(w *world, a *actor) wire.CreateRoom {
		return func(w *world, a *actor) wire.CreateRoom { _, c := a.who.found(p(w, a)); return c }
	}
	list := []row{
		ask(wire.RoomCreate, "a group of one's own", create(func(_ *world, a *actor) policy.Policy { return a.who.owns() })),
		ask(wire.RoomCreate, "a group that somebody else owns", create(func(w *world, _ *actor) policy.Policy { return w.zoe.owns() })),
		ask(wire.RoomCreate, "a direct room with somebody", create(func(w *world, a *actor) policy.Policy { return a.who.with(w.zoe.Session.Account) })).
			because("the member's third device finds the room that the first one made a moment before"),
		ask(wire.RoomCreate, "the same once more", create(func(w *world, a *actor) policy.Policy { return a.who.with(w.zoe.Session.Account) })),
		ask(wire.RoomCreate, "a direct room with nobody", create(func(_ *world, a *actor) policy.Policy { return a.who.with(wire.NewAccountID()) })),
		ask(wire.RoomCreate, "a direct room of two others", create(func(w *world, _ *actor) policy.Policy { return w.zoe.with(w.mike.Session.Account) })).
			because("the member is one of the two"),
		ask(wire.RoomCreate, "under the id of another group", func(w *world, a *actor) wire.CreateRoom {
			_, c := a.who.foundAs(w.foreign, a.who.owns())
			return c
		}).because("who knows the id of a room, 16 random bytes, learns that it is taken"),
	}
	commit := func(id func(w *world) wire.RoomID, o func(w *world, a *actor) group.CommitOptions) func(w *world, a *actor) wire.SendCommit {
		return func(w *world, a *actor) wire.SendCommit {
			m := hand(w, a, id(w))
			return m.committing(id(w), o(w, a))
		}
	}
	renew := func(*world, *actor) group.CommitOptions { return group.CommitOptions{} }
	theGroup := func(w *world) wire.RoomID { return w.group }
	follow := func(w *world, a *actor, _ wire.Receipt) {
		for id := range a.who.in {
			a.who.sync(id)
		}
		w.olga.sync(w.group)
	}
	list = append(list,
		ask(wire.RoomCommit, "no such room: a renewal", func(w *world, a *actor) wire.SendCommit {
			c := w.zoe.committing(w.foreign, group.CommitOptions{})
			c.Room = wire.NewRoomID()
			return c
		}),
		ask(wire.RoomCommit, "the direct room: a renewal", commit(func(w *world) wire.RoomID { return w.direct }, renew), follow).
			because("the bytes are the owner's own, on the member's further device"),
		ask(wire.RoomCommit, "the group: a renewal", commit(theGroup, renew), follow),
		ask(wire.RoomCommit, "another group: a renewal", commit(func(w *world) wire.RoomID { return w.foreign }, renew)),
		ask(wire.RoomCommit, "the group: a member's device removed", commit(theGroup, func(w *world, a *actor) group.CommitOptions {
			return group.CommitOptions{Remove: []mls.LeafIndex{*w.olga.leaf(w.group, w.spare.Session.Device)}}
		}), follow, func(w *world, _ *actor, _ wire.Receipt) {
			w.olga.commit(w.group, group.CommitOptions{Add: []mls.KeyPackage{w.spare.keyPackage()}})
		}).because("owners remove; and members a device of their own"),
		ask(wire.RoomCommit, "the group: the owner is removed", commit(theGroup, func(w *world, a *actor) group.CommitOptions {
			if a.who.in[w.group] == nil || a.name == owner {
				return group.CommitOptions{}
			}
			return group.CommitOptions{Remove: []mls.LeafIndex{*w.olga.leaf(w.group, w.olga.Session.Device)}}
		}), follow).because("the owner renews here, since nobody commits their own removal"),
		ask(wire.RoomCommit, "the group: a stranger is added", commit(theGroup, func(w *world, a *actor) group.CommitOptions {
			return group.CommitOptions{Add: []mls.KeyPackage{w.zoe.keyPackage()}}
		}), follow, func(w *world, _ *actor, _ wire.Receipt) { w.remove(w.zoe) }),
		ask(wire.RoomCommit, "the group: oneself becomes an owner", commit(theGroup, func(w *world, a *actor) group.CommitOptions {
			p := policy.Policy{Kind: wire.Group, Owners: policy.Sorted(w.olga.Session.Account, a.who.Session.Account)}
			if a.name == owner { // who makes the member one, and takes it back
				p.Owners = policy.Sorted(w.olga.Session.Account, w.mike.Session.Account)
			}
			return group.CommitOptions{Extensions: extensions(w, p)}
		}), follow, func(w *world, _ *actor, _ wire.Receipt) {
			p := policy.Policy{Kind: wire.Group, Owners: policy.Sorted(w.olga.Session.Account)}
			w.olga.commit(w.group, group.CommitOptions{Extensions: extensions(w, p)})
		}).because("the owner makes the member one"),
		ask(wire.RoomCommit, "the group: one comes in by oneself", func(w *world, a *actor) wire.SendCommit {
			_, c := a.who.joining(w.group, testenv.Call(w.olga.Socket, wire.RoomGroup, wire.GetRoom{Room: w.group}))
			return c
		}, func(w *world, a *actor, _ wire.Receipt) {
			if a.name == owner {
				w.Fatal("the owner came in anew")
			}
			w.remove(a.who)
			if a.name == plain || a.name == again {
				w.add(a.who)
			}
		}).because("even with what the owner was told of the group, only devices of members come in; the owner does not try"),
	)
	// The owner's own external commit would leave nobody to put things back.
	last := &list[len(list)-1]
	try := last.try
	last.try = func(w *world, a *actor) string {
		if a.name == owner {
			return "-"
		}
		return try(w, a)
	}
	proposals := []row{
		ask(wire.RoomPropose, "no such room: to leave", func(w *world, a *actor) wire.SendProposal {
			p := w.zoe.leaving(w.foreign)
			p.Room = wire.NewRoomID()
			return p
		}),
		ask(wire.RoomPropose, "the direct room: to leave", func(w *world, a *actor) wire.SendProposal { return hand(w, a, w.direct).leaving(w.direct) }),
		ask(wire.RoomPropose, "another group: to leave", func(w *world, a *actor) wire.SendProposal { return hand(w, a, w.foreign).leaving(w.foreign) }),
		ask(wire.RoomPropose, "the group: that somebody else leaves", func(w *world, a *actor) wire.SendProposal {
			m := hand(w, a, w.group)
			target := w.olga
			if a.name == owner {
				target = w.mike
			}
			b, err := m.in[w.group].group.Propose(mls.ProposeRemove(*w.olga.leaf(w.group, target.Session.Device)), group.ProposeOptions{})
			if err != nil {
				w.Fatal(err)
			}
			return wire.SendProposal{Room: w.group, Client: wire.NewClientID(), Proposal: b}
		}),
		{do: wire.RoomPropose.Name, to: "the group: to leave", note: "the owner does not try; a device that is not in the group sends the owner's own", try: func(w *world, a *actor) string {
			if a.name == owner {
				return "-"
			}
			return ask(wire.RoomPropose, "", func(w *world, a *actor) wire.SendProposal { return hand(w, a, w.group).leaving(w.group) },
				func(w *world, a *actor, _ wire.Receipt) {
					w.olga.commit(w.group, group.CommitOptions{IncludePending: true})
					delete(a.who.in, w.group)
					w.add(a.who)
				}).try(w, a)
		}},
	}
	for i, r := range proposals {
		proposals[i].try = func(w *world, a *actor) string {
			defer w.olga.commit(w.group, group.CommitOptions{}) // whoever has proposed it forgets it
			return r.try(w, a)
		}
	}
	return append(list, proposals...)
}

func extensions(w *world, p policy.Policy) *mls.Extensions {
	data, err := p.Encode()
	if err != nil {
		w.Fatal(err)
	}
	return &mls.Extensions{{Type: mls.ExtensionType(policy.Extension), Data: data}}
}
