package room_test

import (
	"bytes"
	"testing"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// unchanged returns a function that fails the test if anything was written
// since.
func (s *site) unchanged() func() {
	s.Helper()
	look := func() (sums []int64) {
		for _, q := range []string{
			`SELECT COALESCE(SUM(seq + epoch + proposals), 0) FROM room`, `SELECT COUNT(*) FROM room`,
			`SELECT COUNT(*) FROM room_entry`, `SELECT COUNT(*) FROM room_leaf`, `SELECT COUNT(*) FROM room_welcome`,
			`SELECT COALESCE(SUM(until_seq + 1), 0) FROM room_member`, `SELECT COALESCE(SUM(until_epoch + 1), 0) FROM room_node`,
			`SELECT COUNT(*) FROM room_info`, `SELECT COUNT(*) FROM blob_ref`,
		} {
			sums = append(sums, s.count(q))
		}
		return sums
	}
	before := look()
	return func() {
		s.Helper()
		for i, n := range look() {
			if n != before[i] {
				s.Errorf("a refused request changed something: %d became %d (%d)", before[i], n, i)
			}
		}
	}
}

func private(t testing.TB, b []byte, change func(*mls.PrivateMessage)) []byte {
	t.Helper()
	m, err := mls.ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	change(m.Private)
	if b, err = mls.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMessagesThatAreRefused(t *testing.T) {
	s := newSite(t)
	ann, bob, eve := s.person(), s.person(), s.person()
	ann2 := ann.another()
	id := ann.makeGroup(bob)
	other := ann.makeGroup(bob)
	own, part := ann.blob(10), func() wire.BlobID {
		st, err := s.blobs.Create(s.ctx, ann.Actor, 10)
		s.must(err)
		return st.Blob
	}()
	for _, tt := range []struct {
		name   string
		by     *device
		change func(*wire.SendMessage)
		want   wire.Code
	}{
		{"by a stranger", eve, func(m *wire.SendMessage) {}, wire.NotFound},
		{"to no room", ann, func(m *wire.SendMessage) { m.Room = wire.NewRoomID() }, wire.NotFound},
		{"by a member's device that is not in the group", ann2, func(m *wire.SendMessage) {}, wire.BadRequest},
		{"without a client id", ann, func(m *wire.SendMessage) { m.Client = wire.ClientID{} }, wire.BadRequest},
		{"under another client id", ann, func(m *wire.SendMessage) { m.Client = wire.NewClientID() }, wire.BadRequest},
		{"too large", ann, func(m *wire.SendMessage) { m.Body = make([]byte, wire.MaxMessage+1) }, wire.TooLarge},
		{"too many blobs", ann, func(m *wire.SendMessage) { m.Blobs = make([]wire.BlobID, wire.MaxBlobsInEntry+1) }, wire.TooLarge},
		{"a blob that is nowhere", ann, func(m *wire.SendMessage) { m.Blobs = []wire.BlobID{own, wire.NewBlobID()} }, wire.NotFound},
		{"a blob of somebody else", ann, func(m *wire.SendMessage) { m.Blobs = []wire.BlobID{eve.blob(10)} }, wire.NotFound},
		{"a blob that is not complete", ann, func(m *wire.SendMessage) { m.Blobs = []wire.BlobID{part} }, wire.NotFound},
		{"nothing", ann, func(m *wire.SendMessage) { m.Body = nil }, wire.BadRequest},
		{"no MLS", ann, func(m *wire.SendMessage) { m.Body = []byte("hello") }, wire.BadRequest},
		{"a byte more", ann, func(m *wire.SendMessage) { m.Body = append(m.Body, 0) }, wire.BadRequest},
		{"another room's", ann, func(m *wire.SendMessage) {
			*m = ann.sealing(other, "hello")
			m.Room = id
		}, wire.BadRequest},
		{"a handshake", ann, func(m *wire.SendMessage) {
			m.Body = private(t, m.Body, func(p *mls.PrivateMessage) { p.Type = mls.ContentCommit })
		}, wire.BadRequest},
		{"a public message", ann, func(m *wire.SendMessage) { m.Body = bob.committing(id, group.CommitOptions{}).Commit }, wire.BadRequest},
		{"of another epoch than it says", ann, func(m *wire.SendMessage) { m.Epoch++ }, wire.BadRequest},
		{"of an older epoch", ann, func(m *wire.SendMessage) {
			m.Body = private(t, m.Body, func(p *mls.PrivateMessage) { p.Epoch-- })
			m.Epoch--
		}, wire.Stale},
		{"of a later epoch", ann, func(m *wire.SendMessage) {
			m.Body = private(t, m.Body, func(p *mls.PrivateMessage) { p.Epoch++ })
			m.Epoch++
		}, wire.Stale},
		{"with authenticated data of a commit", ann, func(m *wire.SendMessage) {
			m.Body = private(t, m.Body, func(p *mls.PrivateMessage) {
				p.AuthenticatedData = policy.CommitData{Client: m.Client}.Encode()
			})
		}, wire.BadRequest},
		{"without authenticated data", ann, func(m *wire.SendMessage) {
			m.Body = private(t, m.Body, func(p *mls.PrivateMessage) { p.AuthenticatedData = nil })
		}, wire.BadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := ann.sealing(id, "hello")
			tt.change(&m)
			check := s.unchanged()
			_, err := s.rooms.Send(s.ctx, tt.by.Actor, m)
			s.TB = t
			s.want(err, tt.want)
			check()
		})
	}
	s.TB = t
	if _, err := ann.send(id, "hello", own); err != nil {
		t.Error(err)
	}
	// Readable is enough to send a file on.
	if _, err := bob.send(id, "look at this", own); err != nil {
		t.Error(err)
	}
	m := bob.sealing(id, "my last words")
	bob.revoke()
	_, err := s.rooms.Send(s.ctx, bob.Actor, m)
	s.want(err, wire.NotFound)
}

func TestProposalsThatAreRefused(t *testing.T) {
	s := newSite(t)
	ann, bob, eve := s.person(), s.person(), s.person()
	id := ann.makeGroup(bob)
	both := ann.create(ann.with(bob), bob)
	stale := bob.leaving(id, bob.in[id].group.OwnLeaf())
	s.must(ann.commit(id, group.CommitOptions{}))
	bob.sync(id)
	for _, tt := range []struct {
		name string
		by   *device
		make func() wire.SendProposal
		want wire.Code
	}{
		{"by a stranger", eve, func() wire.SendProposal { return bob.leaving(id, bob.in[id].group.OwnLeaf()) }, wire.NotFound},
		{"of another", ann, func() wire.SendProposal { return bob.leaving(id, bob.in[id].group.OwnLeaf()) }, wire.BadRequest},
		{"of another device", bob.another(), func() wire.SendProposal { return bob.leaving(id, bob.in[id].group.OwnLeaf()) }, wire.BadRequest},
		{"that another leave", bob, func() wire.SendProposal { return bob.leaving(id, ann.in[id].group.OwnLeaf()) }, wire.BadRequest},
		{"that a blank leaf leave", bob, func() wire.SendProposal {
			p := bob.leaving(id, bob.in[id].group.OwnLeaf())
			p.Proposal = public(t, p.Proposal, func(m *mls.PublicMessage) { m.Content.Proposal.Remove.Removed = 77 })
			return p
		}, wire.BadRequest},
		{"of an older epoch", bob, func() wire.SendProposal { return stale }, wire.Stale},
		{"with a broken signature", bob, func() wire.SendProposal {
			p := bob.leaving(id, bob.in[id].group.OwnLeaf())
			p.Proposal = public(t, p.Proposal, func(m *mls.PublicMessage) { m.Auth.Signature[3] ^= 1 })
			return p
		}, wire.BadRequest},
		{"in a direct room", bob, func() wire.SendProposal { return bob.leaving(both, bob.in[both].group.OwnLeaf()) }, wire.BadRequest},
		{"to add", bob, func() wire.SendProposal {
			b, err := bob.in[id].group.Propose(mls.ProposeAdd(eve.keyPackage()), group.ProposeOptions{})
			s.must(err)
			return wire.SendProposal{Room: id, Client: wire.NewClientID(), Proposal: b}
		}, wire.BadRequest},
		{"to update", bob, func() wire.SendProposal {
			b, err := bob.in[id].group.ProposeUpdate(group.ProposeOptions{})
			s.must(err)
			return wire.SendProposal{Room: id, Client: wire.NewClientID(), Proposal: b}
		}, wire.BadRequest},
		{"a commit", ann, func() wire.SendProposal {
			c := ann.committing(id, group.CommitOptions{})
			return wire.SendProposal{Room: id, Client: c.Client, Proposal: c.Commit}
		}, wire.BadRequest},
		{"a message", bob, func() wire.SendProposal {
			return wire.SendProposal{Room: id, Client: wire.NewClientID(), Proposal: []byte{0, 1}}
		}, wire.BadRequest},
		{"without a client id", bob, func() wire.SendProposal {
			p := bob.leaving(id, bob.in[id].group.OwnLeaf())
			p.Client = wire.ClientID{}
			return p
		}, wire.BadRequest},
		{"too large", bob, func() wire.SendProposal {
			return wire.SendProposal{Room: id, Client: wire.NewClientID(), Proposal: make([]byte, wire.MaxMessage+1)}
		}, wire.TooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.make()
			check := s.unchanged()
			_, err := s.rooms.Propose(s.ctx, tt.by.Actor, p)
			s.TB = t
			s.want(err, tt.want)
			check()
		})
	}
}

func TestRoomsThatAreNotMade(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	taken := ann.makeGroup(bob)
	with := func(p policy.Policy, x ...mls.Extension) mls.Extensions { return append(s.policyExtensions(p), x...) }
	// made is a founding with GroupContext extensions of the test's own.
	madeAs := func(id wire.RoomID, extensions mls.Extensions, kind wire.RoomKind, add ...*device) wire.CreateRoom {
		g, err := group.Create(group.Config{
			Suite: s.suite, GroupID: id[:], Signer: ann.signer, Credential: ann.credential(), Extensions: extensions, Capabilities: capabilities(),
		})
		s.must(err)
		info, err := g.GroupInfo(true)
		s.must(err)
		client := wire.NewClientID()
		c, err := g.Commit(group.CommitOptions{Add: keyPackages(add...), AuthenticatedData: policy.CommitData{Client: client}.Encode()})
		s.must(err)
		return wire.CreateRoom{Room: id, Kind: kind, Info: info, First: wire.GroupUpload{
			Client: client, Commit: c.Message, Welcome: c.Welcome, GroupInfo: c.GroupInfo,
		}}
	}
	made := func(extensions mls.Extensions, kind wire.RoomKind, add ...*device) wire.CreateRoom {
		return madeAs(wire.NewRoomID(), extensions, kind, add...)
	}
	founding := func(p policy.Policy, others ...*device) wire.CreateRoom {
		_, c := ann.founding(p, others...)
		return c
	}
	senders, err := mls.ExternalSendersExtension([]mls.ExternalSender{{SignatureKey: bob.signer.Public(), Credential: bob.credential()}})
	s.must(err)
	for _, tt := range []struct {
		name string
		by   *device
		make func() wire.CreateRoom
		want wire.Code
	}{
		{"of somebody else", bob, func() wire.CreateRoom { return founding(ann.owns(), bob) }, wire.BadRequest},
		{"owned by somebody else", ann, func() wire.CreateRoom { return made(with(bob.owns()), wire.Group, bob) }, wire.BadRequest},
		{"owned by two", ann, func() wire.CreateRoom {
			return made(with(policy.Policy{Kind: wire.Group, Owners: policy.Sorted(ann.Account, bob.Account)}), wire.Group, bob)
		}, wire.BadRequest},
		{"of another kind than it says", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.Kind = wire.Direct
			return c
		}, wire.BadRequest},
		{"direct with a third", ann, func() wire.CreateRoom { return founding(ann.with(bob), bob, cid) }, wire.BadRequest},
		{"direct with another than it says", ann, func() wire.CreateRoom { return founding(ann.with(bob), cid) }, wire.BadRequest},
		{"without a policy", ann, func() wire.CreateRoom { return made(nil, wire.Group, bob) }, wire.BadRequest},
		{"with external senders", ann, func() wire.CreateRoom { return made(with(ann.owns(), senders), wire.Group, bob) }, wire.BadRequest},
		{"under another id", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.Room = wire.NewRoomID()
			return c
		}, wire.BadRequest},
		{"under an id that is taken", ann, func() wire.CreateRoom {
			return madeAs(taken, with(ann.owns()), wire.Group, bob)
		}, wire.Conflict},
		{"without an id", ann, func() wire.CreateRoom { return madeAs(wire.RoomID{}, with(ann.owns()), wire.Group, bob) }, wire.BadRequest},
		{"without a client id", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.First.Client = wire.ClientID{}
			return c
		}, wire.BadRequest},
		{"with too large a GroupInfo", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.First.GroupInfo = make([]byte, 257<<10)
			return c
		}, wire.TooLarge},
		{"with too large a beginning", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.Info = make([]byte, 257<<10)
			return c
		}, wire.TooLarge},
		{"without the tree", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.Info = ann.info(c.Info, func(g *mls.GroupInfo) { g.Extensions = g.Extensions.Without(mls.ExtensionRatchetTree) })
			return c
		}, wire.BadRequest},
		{"with a broken GroupInfo", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.Info = append(bytes.Clone(c.Info), 0)
			return c
		}, wire.BadRequest},
		{"from a group that has members already", ann, func() wire.CreateRoom {
			g, c := ann.founding(ann.owns(), bob)
			s.must(g.MergePending())
			var err error
			c.Info, err = g.GroupInfo(true)
			s.must(err)
			return c
		}, wire.BadRequest},
		{"with a first commit that does not fit", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.First = founding(ann.owns(), bob).First
			return c
		}, wire.BadRequest},
		{"by a revoked device", func() *device { d := ann.another(); d.revoke(); return d }(), func() wire.CreateRoom { return founding(ann.owns()) }, wire.BadRequest},
		{"with a revoked device", ann, func() wire.CreateRoom {
			dan := s.person()
			dan.revoke()
			return founding(ann.owns(), dan)
		}, wire.BadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.make()
			check := s.unchanged()
			_, err := s.rooms.Create(s.ctx, tt.by.Actor, c)
			s.TB = t
			s.want(err, tt.want)
			check()
		})
	}
	s.TB = t
	late := s.person()
	_, c := late.founding(late.owns())
	late.revoke()
	_, err = s.rooms.Create(s.ctx, late.Actor, c)
	s.want(err, wire.NotFound)
}

func TestStrangersLearnNothing(t *testing.T) {
	s := newSite(t)
	ann, bob, eve := s.person(), s.person(), s.person()
	id := ann.makeGroup(bob)
	for name, ask := range map[string]func(wire.RoomID) error{
		"log":     func(r wire.RoomID) error { _, err := s.rooms.Log(s.ctx, eve.Actor, wire.ReadLog{Room: r}); return err },
		"get":     func(r wire.RoomID) error { _, err := s.rooms.Get(s.ctx, eve.Actor, r); return err },
		"welcome": func(r wire.RoomID) error { _, err := s.rooms.Welcome(s.ctx, eve.Actor, r); return err },
		"group":   func(r wire.RoomID) error { _, err := s.rooms.Group(s.ctx, eve.Actor, r); return err },
		"joined":  func(r wire.RoomID) error { return s.rooms.Joined(s.ctx, eve.Actor, r) },
		"erase":   func(r wire.RoomID) error { return s.rooms.Erase(s.ctx, eve.Actor, wire.Erase{Room: r, Seq: 1}) },
		"cursor": func(r wire.RoomID) error {
			return s.rooms.SetCursor(s.ctx, eve.Actor, wire.SetCursor{Room: r, Read: 1})
		},
		"typing": func(r wire.RoomID) error { return s.rooms.Typing(s.ctx, eve.Actor, wire.Typing{Room: r}) },
	} {
		there, nowhere := ask(id), ask(wire.NewRoomID())
		if there == nil || nowhere == nil || there.Error() != nowhere.Error() || wire.CodeOf(there) != wire.NotFound {
			t.Errorf("%s: %v for a room, %v for none", name, there, nowhere)
		}
	}
	list, err := s.rooms.List(s.ctx, eve.Actor)
	if err != nil || len(list.Rooms) != 0 {
		t.Errorf("eve lists %v, %v", list, err)
	}
	_, err = s.rooms.Log(s.ctx, ann.Actor, wire.ReadLog{Room: id, After: -1})
	s.want(err, wire.BadRequest)
}

// A request that was on its way when its device was revoked changes nothing, and
// nobody hears of it.
func TestRevokedDeviceMovesNothing(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	ann.listen()
	bob.revoke()
	check := s.unchanged()
	s.want(s.rooms.SetCursor(s.ctx, bob.Actor, wire.SetCursor{Room: id, Read: 1}), wire.NotFound)
	s.want(s.rooms.Joined(s.ctx, bob.Actor, id), wire.NotFound)
	s.want(s.rooms.Typing(s.ctx, bob.Actor, wire.Typing{Room: id}), wire.NotFound)
	check()
	if n := len(events(ann, wire.OnCursor)) + len(events(ann, wire.OnTyping)); n > 0 {
		t.Errorf("ann heard %d events", n)
	}
}

// A commit that fails in the transaction, after the tree was written, leaves
// nothing.
func TestAFailedTransactionLeavesNothing(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	c := ann.committing(id, group.CommitOptions{Add: keyPackages(s.person())})
	s.must(s.db.Update(s.ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`CREATE TRIGGER fail BEFORE INSERT ON room_welcome BEGIN SELECT RAISE(ABORT, 'no'); END`)
		return err
	}))
	check := s.unchanged()
	_, err := s.rooms.Commit(s.ctx, ann.Actor, c)
	if err == nil || wire.CodeOf(err) != "" {
		t.Errorf("got %v, want a fault of the server's own", err)
	}
	check()
	s.must(s.db.Update(s.ctx, func(tx *db.Tx) error { _, err := tx.Exec(`DROP TRIGGER fail`); return err }))
	_, err = s.rooms.Commit(s.ctx, ann.Actor, c)
	s.must(err)
}
