package room_test

import (
	"errors"
	"testing"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// FuzzRooms has members, former members and strangers ask anything of a room: what
// would be good is changed as the input says, field by field or byte by byte, given
// to somebody else, or made and signed with other contents.
//
// Nothing panics, and nothing is the server's own fault. What is refused changes
// nothing. What is taken leaves a log that is dense and whose heads chain, a group
// that loads, and what the writer remembers as it is stored.
func FuzzRooms(f *testing.F) {
	s := newSite(testenv.Fuzzing(f))
	r := &requests{site: s}
	r.build()
	for base := range r.good {
		f.Add([]byte{byte(base)})
	}
	for op := range byte(len(spoils)) { // on this and that
		f.Add([]byte{op, op, 1, 2, 3, 4})
		f.Add([]byte{op + 3, op, 0, 200, 255, 0, op, 2, 0, 9, 9})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 200 {
			return
		}
		in := &input{b}
		a := r.good[in.below(len(r.good))]
		for n := 0; len(in.b) > 0 && n < 8; n++ {
			spoils[in.below(len(spoils))](r, &a, in)
		}
		r.ask(t, a)
	})
}

// input is what the fuzzer says: where it ends, everything is 0.
type input struct{ b []byte }

func (in *input) next() byte {
	if len(in.b) == 0 {
		return 0
	}
	v := in.b[0]
	in.b = in.b[1:]
	return v
}

// below returns a number from 0 to n-1; n must be at least 1.
func (in *input) below(n int) int {
	if n <= 256 {
		return int(in.next()) % n
	}
	return (int(in.next())<<8 | int(in.next())) % n
}

func (in *input) some() []byte {
	n := int(in.next())
	b := in.b[:min(len(in.b), n)]
	in.b = in.b[len(b):]
	return b
}

// request is one of any method: of the others it holds what is zero.
type request struct {
	by     *device
	do     func(*request) error
	room   wire.RoomID
	client wire.ClientID
	sealed [4]wire.Sealed // in the order in which the method lists them
	kind   wire.RoomKind
	epoch  uint64
	blobs  []wire.BlobID
	number int64
}

func (a *request) upload(first int) wire.GroupUpload {
	return wire.GroupUpload{Client: a.client, Commit: a.sealed[first], Welcome: a.sealed[first+1], GroupInfo: a.sealed[first+2]}
}

func create(a *request) error {
	_, err := a.by.rooms.Create(a.by.ctx, a.by.Actor, wire.CreateRoom{Room: a.room, Kind: a.kind, Info: a.sealed[0], First: a.upload(1)})
	return err
}

func commit(a *request) error {
	_, err := a.by.rooms.Commit(a.by.ctx, a.by.Actor, wire.SendCommit{Room: a.room, GroupUpload: a.upload(0)})
	return err
}

func propose(a *request) error {
	_, err := a.by.rooms.Propose(a.by.ctx, a.by.Actor, wire.SendProposal{Room: a.room, Client: a.client, Proposal: a.sealed[0]})
	return err
}

func send(a *request) error {
	_, err := a.by.rooms.Send(a.by.ctx, a.by.Actor, wire.SendMessage{Room: a.room, Client: a.client, Epoch: a.epoch, Body: a.sealed[0], Blobs: a.blobs})
	return err
}

func erase(a *request) error {
	return a.by.rooms.Erase(a.by.ctx, a.by.Actor, wire.Erase{Room: a.room, Seq: a.number})
}

func cursor(a *request) error {
	return a.by.rooms.SetCursor(a.by.ctx, a.by.Actor, wire.SetCursor{Room: a.room, Read: a.number, Delivered: a.number / 2})
}

func joined(a *request) error { return a.by.rooms.Joined(a.by.ctx, a.by.Actor, a.room) }

// reading is all that changes nothing.
func reading(a *request) error {
	_, log := a.by.rooms.Log(a.by.ctx, a.by.Actor, wire.ReadLog{Room: a.room, After: a.number, Limit: int(a.epoch)})
	_, got := a.by.rooms.Get(a.by.ctx, a.by.Actor, a.room)
	_, welcome := a.by.rooms.Welcome(a.by.ctx, a.by.Actor, a.room)
	_, state := a.by.rooms.Group(a.by.ctx, a.by.Actor, a.room)
	for _, err := range []error{log, got, welcome, state} {
		if err != nil && wire.CodeOf(err) == "" {
			return err
		}
	}
	return log
}

// requests are good ones of the people of a room.
type requests struct {
	*site
	ann    *device // owns the room
	people []*device
	room   wire.RoomID
	good   []request
	sums   []int64
}

// build makes a room in which something has happened, and requests that would be
// taken next: bob and fay are members, cid has left, dan was added and has not
// joined, and eve is a stranger.
func (r *requests) build() {
	s := r.site
	ann, bob, cid, dan, eve, fay := s.person(), s.person(), s.person(), s.person(), s.person(), s.person()
	second := ann.another()
	room := ann.makeGroup(bob, cid, fay)
	bob.must(bob.commit(room, group.CommitOptions{}))
	cid.sync(room)
	cid.must(cid.leave(room))
	ann.sync(room)
	ann.must(ann.commit(room, group.CommitOptions{IncludePending: true}))
	ann.must(ann.commit(room, group.CommitOptions{Add: keyPackages(dan)}))
	_, err := ann.send(room, "hello", ann.blob(10))
	ann.must(err)
	ann.sync(room)
	bob.sync(room)
	fay.sync(room)
	r.ann, r.people, r.room = ann, []*device{ann, bob, cid, dan, eve, second, fay}, room

	committing := func(by *device, o group.CommitOptions) request {
		c := by.committing(room, o)
		by.in[room].group.ClearPending()
		return request{by: by, do: commit, room: room, client: c.Client, sealed: [4]wire.Sealed{c.Commit, c.Welcome, c.GroupInfo}}
	}
	founding := func(p policy.Policy, others ...*device) request {
		_, c := ann.founding(p, others...)
		return request{
			by: ann, do: create, room: c.Room, client: c.First.Client, kind: c.Kind,
			sealed: [4]wire.Sealed{c.Info, c.First.Commit, c.First.Welcome, c.First.GroupInfo},
		}
	}
	sealing := func(by *device, blobs ...wire.BlobID) request {
		m := by.sealing(room, "a message", blobs...)
		return request{by: by, do: send, room: room, client: m.Client, epoch: m.Epoch, sealed: [4]wire.Sealed{m.Body}, blobs: m.Blobs}
	}
	leaving := fay.leaving(room, fay.in[room].group.OwnLeaf())
	_, joins := second.joining(room)
	own := s.policyExtensions(policy.Policy{Kind: wire.Group, Owners: policy.Sorted(ann.Account, bob.Account)})
	seq := ann.in[room].seq
	r.good = []request{
		founding(ann.owns(), bob), founding(ann.with(bob), bob), founding(ann.owns()),
		committing(bob, group.CommitOptions{}),
		committing(ann, group.CommitOptions{Add: keyPackages(eve, second)}),
		committing(ann, group.CommitOptions{Remove: []mls.LeafIndex{bob.in[room].group.OwnLeaf()}}),
		committing(ann, group.CommitOptions{Extensions: &own}),
		{by: second, do: commit, room: room, client: joins.Client, sealed: [4]wire.Sealed{joins.Commit, joins.Welcome, joins.GroupInfo}},
		{by: fay, do: propose, room: room, client: leaving.Client, sealed: [4]wire.Sealed{leaving.Proposal}},
		sealing(ann), sealing(bob, bob.blob(5)),
		{by: ann, do: erase, room: room, number: seq},
		{by: bob, do: cursor, room: room, number: seq},
		{by: dan, do: joined, room: room},
		{by: cid, do: reading, room: room, number: 1, epoch: 5},
	}
	r.sums = r.look()
}

// look says how the room stands, and how many there are.
func (r *requests) look() (sums []int64) {
	r.must(r.db.View(r.ctx, func(tx *db.Tx) error {
		for _, q := range []string{
			`SELECT COUNT(*) FROM room WHERE id <> $1`,
			`SELECT COALESCE(SUM(seq + 1000 * epoch + 1000000 * proposals), 0) FROM room WHERE id = $1`,
			`SELECT COUNT(*) FROM room_entry WHERE room_id = $1`,
			`SELECT COALESCE(SUM(length(body)), 0) FROM room_entry WHERE room_id = $1`,
			`SELECT COALESCE(SUM(leaf + 1), 0) FROM room_leaf WHERE room_id = $1`,
			`SELECT COALESCE(SUM(length(body)), 0) FROM room_welcome WHERE room_id = $1`,
			`SELECT COALESCE(SUM(until_seq + 1), 0) FROM room_member WHERE room_id = $1`,
			`SELECT COALESCE(SUM(until_epoch * length(body)), 0) FROM room_node WHERE room_id = $1`,
			`SELECT COALESCE(SUM(delivered + 1000 * seen), 0) FROM room_cursor WHERE room_id = $1`,
			`SELECT COALESCE(SUM(length(body)), 0) FROM room_info WHERE room_id = $1`,
			`SELECT COUNT(*) FROM blob_ref WHERE room_id = $1`,
		} {
			var n int64
			if err := tx.QueryRow(q, r.room).Scan(&n); err != nil {
				return err
			}
			sums = append(sums, n)
		}
		return nil
	}))
	return sums
}

// ask has a request carried out, and holds what comes of it against the rules.
func (r *requests) ask(t *testing.T, a request) {
	t.Helper()
	err := a.do(&a)
	r.memoryFits()
	now := r.look()
	same := true
	for i, n := range now {
		same = same && n == r.sums[i]
	}
	switch {
	case err != nil && wire.CodeOf(err) == "" && !errors.Is(err, authz.ErrDenied):
		t.Fatalf("a fault of the server's own: %v", err)
	case err != nil && !same:
		t.Fatalf("it was refused (%v) and changed something: %v became %v", err, r.sums, now)
	case err != nil || same:
		return
	}
	r.follows(t)
	r.build()
}

// follows reads the room's log, and its group, as its owner.
func (r *requests) follows(t *testing.T) {
	t.Helper()
	var seq int64
	var head wire.Hash
	for {
		page, err := r.rooms.Log(r.ctx, r.ann.Actor, wire.ReadLog{Room: r.room, After: seq})
		if err != nil {
			t.Fatalf("its owner cannot read the log: %v", err)
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			if e.Seq != seq+1 || wire.Next(head, r.room, e) != e.Head {
				t.Fatalf("entry %d does not follow %d", e.Seq, seq)
			}
			seq, head = e.Seq, e.Head
		}
		if len(page.Entries) == 0 || seq >= page.Seq {
			break
		}
	}
	st, err := r.rooms.Group(r.ctx, r.ann.Actor, r.room)
	if err != nil {
		t.Fatalf("its owner cannot have the group: %v", err)
	}
	info, err := mls.ParseGroupInfo(st.GroupInfo)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mls.NewPublicGroup(info, st.Tree); err != nil {
		t.Fatalf("its group cannot be joined: %v", err)
	}
}

// spoils change a request as the input says.
var spoils = []func(*requests, *request, *input){
	func(_ *requests, a *request, in *input) { // some bits
		if b := a.any(in); len(*b) > 0 {
			c := append(wire.Sealed(nil), *b...)
			c[in.below(len(c))] ^= in.next() | 1
			*b = c
		}
	},
	func(_ *requests, a *request, in *input) { // its end
		b := a.any(in)
		*b = (*b)[:in.below(len(*b)+1)]
	},
	func(_ *requests, a *request, in *input) { // more behind it
		b := a.any(in)
		*b = append(append(wire.Sealed(nil), *b...), in.some()...)
	},
	func(r *requests, a *request, in *input) { // another's
		b := a.any(in)
		*b = *r.good[in.below(len(r.good))].any(in)
	},
	func(_ *requests, a *request, in *input) { *a.any(in) = in.some() },
	func(r *requests, a *request, in *input) { a.room = r.good[in.below(len(r.good))].room },
	func(_ *requests, a *request, in *input) { a.room[in.below(len(a.room))] ^= in.next() },
	func(r *requests, a *request, in *input) { a.client = r.good[in.below(len(r.good))].client },
	func(_ *requests, a *request, in *input) { a.client[in.below(len(a.client))] ^= in.next() },
	func(r *requests, a *request, in *input) { a.by = r.people[in.below(len(r.people))] },
	func(r *requests, a *request, in *input) { a.do = r.good[in.below(len(r.good))].do },
	func(_ *requests, a *request, in *input) { a.epoch += uint64(int8(in.next())) },
	func(_ *requests, a *request, in *input) { a.number += int64(int8(in.next())) << (in.next() % 64) },
	func(_ *requests, a *request, in *input) {
		a.kind = []wire.RoomKind{wire.Direct, wire.Group, "", "x"}[in.below(4)]
	},
	func(r *requests, a *request, in *input) { // blobs: of others, unknown, twice
		a.blobs = append(append([]wire.BlobID(nil), a.blobs...), r.good[in.below(len(r.good))].blobs...)
		if in.next()&1 > 0 {
			a.blobs = append(a.blobs, wire.BlobID{in.next()})
		}
	},
	spoilPublic, spoilWelcome, spoilInfo, spoilMade,
}

// any chooses one of the sealed parts.
func (a *request) any(in *input) *wire.Sealed { return &a.sealed[in.below(len(a.sealed))] }

// spoilPublic changes fields of a handshake that is in the clear, and does not sign
// it again.
func spoilPublic(r *requests, a *request, in *input) {
	b := a.any(in)
	m, err := mls.ParseMessage(*b)
	if err != nil || m.Public == nil {
		return
	}
	c := &m.Public.Content
	switch in.below(6) {
	case 0:
		c.Epoch += uint64(int8(in.next()))
	case 1:
		c.Sender = mls.MemberSender(mls.LeafIndex(in.next()))
	case 2:
		c.Sender.Type = mls.SenderType(in.next())
	case 3:
		c.AuthenticatedData = policy.CommitData{Client: a.client, Seq: int64(int8(in.next()))}.Encode()
	case 4:
		if c.Commit != nil && len(c.Commit.Proposals) > 0 {
			c.Commit.Proposals = append(c.Commit.Proposals, c.Commit.Proposals[0])
		}
	case 5:
		if c.Commit != nil {
			c.Commit.Path = nil
		}
	}
	if again, err := mls.Marshal(m); err == nil {
		*b = again
	}
}

// spoilWelcome changes for whom a Welcome is.
func spoilWelcome(_ *requests, a *request, in *input) {
	b := a.any(in)
	w, err := mls.ParseWelcome(*b)
	if err != nil || len(w.Secrets) == 0 {
		return
	}
	switch one := w.Secrets[in.below(len(w.Secrets))]; in.below(3) {
	case 0:
		w.Secrets = append(w.Secrets, one)
	case 1:
		w.Secrets = w.Secrets[:len(w.Secrets)-1]
	case 2:
		w.Secrets[0].NewMember = in.some()
	}
	if again, err := mls.Marshal(mls.Message{Welcome: w}); err == nil {
		*b = again
	}
}

// spoilInfo changes a GroupInfo, and has whoever asks sign it.
func spoilInfo(_ *requests, a *request, in *input) {
	b := a.any(in)
	m, err := mls.ParseMessage(*b)
	if err != nil || m.GroupInfo == nil {
		return
	}
	*b = a.by.info(*b, func(g *mls.GroupInfo) {
		switch in.below(6) {
		case 0:
			g.Context.Epoch += uint64(int8(in.next()))
		case 1:
			g.Context.GroupID = in.some()
		case 2:
			g.Context.TreeHash = in.some()
		case 3:
			g.Signer = mls.LeafIndex(in.next())
		case 4:
			g.Extensions = nil
		case 5:
			g.ConfirmationTag = in.some()
		}
	})
}

// spoilMade makes a commit anew, with a policy or with data that the input says:
// all of it is signed, and encrypted, as if nothing were wrong.
func spoilMade(r *requests, a *request, in *input) {
	by := r.people[in.below(2)]
	var o group.CommitOptions
	switch in.below(4) {
	case 0:
		data, err := r.ann.owns().Encode()
		r.must(err)
		if len(data) > 0 {
			data[in.below(len(data))] ^= in.next()
		}
		o.Extensions = &mls.Extensions{{Type: mls.ExtensionType(policy.Extension), Data: append(data, in.some()...)}}
	case 1:
		o.AuthenticatedData = append([]byte{}, in.some()...)
	case 2:
		p := by.in[r.room]
		o.AuthenticatedData = policy.CommitData{Client: a.client, Seq: p.seq + int64(int8(in.next())), Head: p.head}.Encode()
	case 3:
		o.Remove = []mls.LeafIndex{mls.LeafIndex(in.below(6))}
	}
	g := by.in[r.room].group
	g.ClearPending()
	if o.AuthenticatedData == nil {
		o.AuthenticatedData = policy.CommitData{Client: a.client, Seq: by.in[r.room].seq, Head: by.in[r.room].head}.Encode()
	}
	c, err := g.Commit(o)
	g.ClearPending()
	if err != nil {
		return // even a hostile member must make something
	}
	*a = request{by: by, do: commit, room: r.room, client: a.client, sealed: [4]wire.Sealed{c.Message, c.Welcome, c.GroupInfo}}
}
