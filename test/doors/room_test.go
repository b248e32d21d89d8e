package doors

import (
	"slices"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

const suite = mls.X25519AES128 // the cheapest: what is judged is who may, not how it is sealed

// member is a device with the groups that it is in.
type member struct {
	*testenv.Person
	tb     testing.TB
	signer group.Signer
	in     map[wire.RoomID]*place
	keys   []bundle
}

// place is where a device stands in a room.
type place struct {
	group *group.Group
	seq   int64
	head  wire.Hash
}

type bundle struct {
	kp      mls.KeyPackage
	secrets group.KeyPackageSecrets
}

func newMember(t testing.TB, p *testenv.Person) *member {
	t.Helper()
	s, err := group.ParseSigner(suite, p.Keys.Leaf.Seed())
	if err != nil {
		t.Fatal(err)
	}
	return &member{Person: p, tb: t, signer: s, in: map[wire.RoomID]*place{}}
}

func (m *member) must(err error) {
	m.tb.Helper()
	if err != nil {
		m.tb.Fatalf("%s: %v", m.Session.Name, err)
	}
}

func (m *member) credential() mls.Credential {
	return mls.Basic(policy.Identity(m.Session.Account, m.Session.Device))
}

func capabilities() *mls.Capabilities {
	c := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	return &c
}

func (m *member) keyPackage() mls.KeyPackage {
	m.tb.Helper()
	kp, secrets, err := group.NewKeyPackage(group.KeyPackageConfig{
		Suite: suite, Signer: m.signer, Credential: m.credential(), Capabilities: capabilities(),
		Lifetime: mls.LifetimeFrom(time.Now().Add(-time.Hour), 400*24*time.Hour), // for the site's clock and for this one
	})
	m.must(err)
	m.keys = append(m.keys, bundle{kp, secrets})
	return kp
}

// found makes a room on its way to the server.
func (m *member) found(p policy.Policy, others ...*member) (*group.Group, wire.CreateRoom) {
	m.tb.Helper()
	return m.foundAs(wire.NewRoomID(), p, others...)
}

func (m *member) foundAs(id wire.RoomID, p policy.Policy, others ...*member) (*group.Group, wire.CreateRoom) {
	m.tb.Helper()
	data, err := p.Encode()
	m.must(err)
	g, err := group.Create(group.Config{
		Suite: suite, GroupID: id[:], Signer: m.signer, Credential: m.credential(), Capabilities: capabilities(),
		Extensions: mls.Extensions{{Type: mls.ExtensionType(policy.Extension), Data: data}},
	})
	m.must(err)
	info, err := g.GroupInfo(true)
	m.must(err)
	var add []mls.KeyPackage
	for _, o := range others {
		add = append(add, o.keyPackage())
	}
	client := wire.NewClientID()
	c, err := g.Commit(group.CommitOptions{Add: add, NoPath: len(add) > 0, AuthenticatedData: policy.CommitData{Client: client}.Encode()})
	m.must(err)
	return g, wire.CreateRoom{Room: id, Kind: p.Kind, Info: info, First: wire.GroupUpload{
		Client: client, Commit: c.Message, Welcome: c.Welcome, GroupInfo: c.GroupInfo,
	}}
}

func (m *member) owns() policy.Policy {
	return policy.Policy{Kind: wire.Group, Owners: policy.Sorted(m.Session.Account)}
}

func (m *member) with(account wire.AccountID) policy.Policy {
	return policy.Policy{Kind: wire.Direct, Owners: policy.Sorted(m.Session.Account, account)}
}

// create makes a room with the others in it, who join.
func (m *member) create(p policy.Policy, others ...*member) wire.RoomID {
	m.tb.Helper()
	g, c := m.found(p, others...)
	got := testenv.Call(m.Socket, wire.RoomCreate, c)
	m.must(g.MergePending())
	m.in[c.Room] = &place{g, got.Seq, got.Head}
	for _, o := range others {
		o.join(c.Room)
	}
	return c.Room
}

// join uses the Welcome that waits.
func (m *member) join(id wire.RoomID) {
	m.tb.Helper()
	st := testenv.Call(m.Socket, wire.RoomWelcome, wire.GetRoom{Room: id})
	w, err := mls.ParseWelcome(st.Welcome)
	m.must(err)
	for _, k := range m.keys {
		ref, err := k.kp.Ref()
		m.must(err)
		if _, ok := w.For(ref); !ok {
			continue
		}
		g, err := group.Join(w, k.kp, k.secrets, group.JoinOptions{Tree: st.Tree})
		m.must(err)
		m.in[id] = &place{g, st.Seq, st.Head}
		testenv.Call(m.Socket, wire.RoomJoined, wire.GetRoom{Room: id})
		return
	}
	m.tb.Fatal("the Welcome is for somebody else")
}

// committing is a commit on its way.
func (m *member) committing(id wire.RoomID, o group.CommitOptions) wire.SendCommit {
	m.tb.Helper()
	p := m.in[id]
	client := wire.NewClientID()
	o.AuthenticatedData = policy.CommitData{Client: client, Seq: p.seq, Head: p.head}.Encode()
	p.group.ClearPending()
	c, err := p.group.Commit(o)
	m.must(err)
	return wire.SendCommit{Room: id, GroupUpload: wire.GroupUpload{Client: client, Commit: c.Message, Welcome: c.Welcome, GroupInfo: c.GroupInfo}}
}

// commit makes a commit that must be taken.
func (m *member) commit(id wire.RoomID, o group.CommitOptions) {
	m.tb.Helper()
	m.sync(id)
	testenv.Call(m.Socket, wire.RoomCommit, m.committing(id, o))
	m.sync(id)
}

// joining is an external commit on its way, made from what somebody in the room
// was told of it.
func (m *member) joining(id wire.RoomID, st wire.GroupState) (*group.Group, wire.SendCommit) {
	m.tb.Helper()
	info, err := mls.ParseGroupInfo(st.GroupInfo)
	m.must(err)
	client := wire.NewClientID()
	o := group.ExternalOptions{AuthenticatedData: policy.CommitData{Client: client, Seq: st.Seq, Head: st.Head}.Encode()}
	o.RemoveOwn = leafIn(m.tb, st, m.Session.Device)
	g, c, err := group.JoinExternal(info, st.Tree, group.Config{Signer: m.signer, Credential: m.credential(), Capabilities: capabilities()}, o)
	m.must(err)
	return g, wire.SendCommit{Room: id, GroupUpload: wire.GroupUpload{Client: client, Commit: c.Message, GroupInfo: c.GroupInfo}}
}

// leafIn finds a device in a tree, nil if it is not there.
func leafIn(tb testing.TB, st wire.GroupState, d wire.DeviceID) *mls.LeafIndex {
	tb.Helper()
	info, err := mls.ParseGroupInfo(st.GroupInfo)
	if err != nil {
		tb.Fatal(err)
	}
	public, err := mls.NewPublicGroup(info, st.Tree)
	if err != nil {
		tb.Fatal(err)
	}
	for _, o := range public.Members() {
		if l, err := policy.LeafOf(o.Index, o.Leaf); err == nil && l.Device == d {
			return &o.Index
		}
	}
	return nil
}

// leaf returns where a device stands in the tree as m was told of it.
func (m *member) leaf(id wire.RoomID, d wire.DeviceID) *mls.LeafIndex {
	m.tb.Helper()
	return leafIn(m.tb, testenv.Call(m.Socket, wire.RoomGroup, wire.GetRoom{Room: id}), d)
}

// sealing is a message on its way.
func (m *member) sealing(id wire.RoomID, blobs ...wire.BlobID) wire.SendMessage {
	m.tb.Helper()
	return m.sealingText(id, []byte("hello"), blobs...)
}

func (m *member) sealingText(id wire.RoomID, text []byte, blobs ...wire.BlobID) wire.SendMessage {
	m.tb.Helper()
	g, client := m.in[id].group, wire.NewClientID()
	body, err := g.Seal(text, policy.MessageData{Client: client}.Encode())
	m.must(err)
	return wire.SendMessage{Room: id, Client: client, Epoch: g.Epoch(), Body: body, Blobs: blobs}
}

// send sends a message and returns its number.
func (m *member) send(id wire.RoomID, blobs ...wire.BlobID) int64 {
	m.tb.Helper()
	m.sync(id)
	return testenv.Call(m.Socket, wire.RoomSend, m.sealing(id, blobs...)).Seq
}

// leaving proposes to take out the device's own leaf.
func (m *member) leaving(id wire.RoomID) wire.SendProposal {
	m.tb.Helper()
	g := m.in[id].group
	b, err := g.Propose(mls.ProposeRemove(g.OwnLeaf()), group.ProposeOptions{})
	m.must(err)
	return wire.SendProposal{Room: id, Client: wire.NewClientID(), Proposal: b}
}

// sync follows the log to its end.
func (m *member) sync(id wire.RoomID) {
	m.tb.Helper()
	p := m.in[id]
	for {
		page := testenv.Call(m.Socket, wire.RoomLog, wire.ReadLog{Room: id, After: p.seq})
		for i := range page.Entries {
			m.follow(id, p, &page.Entries[i])
			if p.group.Status() == group.Removed {
				delete(m.in, id)
				return
			}
		}
		if len(page.Entries) == 0 || p.seq >= page.Seq {
			return
		}
	}
}

func (m *member) follow(id wire.RoomID, p *place, e *wire.Entry) {
	m.tb.Helper()
	if e.Seq != p.seq+1 || wire.Next(p.head, id, e) != e.Head {
		m.tb.Fatalf("entry %d does not follow %d", e.Seq, p.seq)
	}
	p.seq, p.head = e.Seq, e.Head
	switch e.Kind {
	case wire.ProposalEntry:
		c, err := mls.ParsePublic(e.Body)
		m.must(err)
		_, err = p.group.ReceiveProposal(c)
		m.must(err)
	case wire.CommitEntry:
		if slices.Equal(p.group.Pending(), []byte(e.Body)) {
			m.must(p.group.MergePending())
			return
		}
		c, err := mls.ParsePublic(e.Body)
		m.must(err)
		staged, err := p.group.StageCommit(c)
		m.must(err)
		m.must(p.group.Apply(staged))
	}
}
