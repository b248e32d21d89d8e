package group

import (
	"bytes"
	"errors"
	"testing"

	"github.com/veche-im/veche/mls"
)

// TestSelfRemove: who asks to leave is out with the next commit, be it of a
// member or of a joiner.
func TestSelfRemove(t *testing.T) {
	t.Run("committed by a member", func(t *testing.T) {
		c := newCourt(t)
		leaver := c.members[2]
		at := leaver.group.OwnLeaf()
		c.propose(leaver, must(leaver.group.Propose(mls.ProposeSelfRemove(), ProposeOptions{})))
		// The committer wants the same, and somebody had proposed it before.
		p := c.commit(c.mallory, CommitOptions{IncludePending: true, Remove: []mls.LeafIndex{at}}, nil)
		if len(p.Left) != 1 || p.Left[0].Index != at || len(p.Removed) != 1 || !p.HasPath {
			t.Errorf("left %v, removed %v", p.Left, p.Removed)
		}
	})
	t.Run("committed by a joiner", func(t *testing.T) {
		c := newCourt(t)
		leaver, back := c.members[2], c.members[4]
		at, former := leaver.group.OwnLeaf(), back.group.OwnLeaf()
		message := must(leaver.group.Propose(mls.ProposeSelfRemove(), ProposeOptions{}))
		c.propose(leaver, message)
		info := must(mls.ParseGroupInfo(c.info))
		tree := must(c.server.Tree())
		g, p, err := JoinExternal(info, tree, Config{
			Signer: back.signer, Credential: mls.Basic([]byte(back.name)), Capabilities: testCapabilities(),
		}, ExternalOptions{RemoveOwn: &former, SelfRemoves: []*mls.PublicMessage{must(mls.ParsePublic(message))}})
		c.check(err)
		back.group, back.store = g, newMemory()
		back.reload(t) // a crash between making and merging
		for i, m := range c.members {
			if m == back {
				c.members = append(c.members[:i:i], c.members[i+1:]...)
				break
			}
		}
		c.deliver(back, p, nil)
		if len(p.Removed) != 2 || len(p.Left) != 1 || p.Left[0].Index != at {
			t.Errorf("left %v, removed %v", p.Left, p.Removed)
		}
	})
}

func TestRefusesSelfRemoves(t *testing.T) {
	c := newCourt(t)
	leaver := c.members[2]
	at := leaver.group.OwnLeaf()
	if _, err := leaver.group.Propose(mls.ProposeSelfRemove(), ProposeOptions{Private: true}); !errors.Is(err, mls.ErrWireFormat) {
		t.Errorf("sent so that joiners cannot see it: %v", err)
	}
	c.refused(c.commitOf(byValue(mls.ProposeSelfRemove())), mls.ErrProposal)
	message := must(leaver.group.Propose(mls.ProposeSelfRemove(), ProposeOptions{}))
	c.propose(leaver, message)
	second := must(leaver.group.Propose(mls.ProposeSelfRemove(), ProposeOptions{AuthenticatedData: []byte("again")}))
	c.propose(leaver, second)
	own := must(c.mallory.group.Propose(mls.ProposeSelfRemove(), ProposeOptions{}))
	c.propose(c.mallory, own)
	ref := func(b []byte) mls.ProposalOrRef {
		return mls.ProposalOrRef{Ref: must(must(mls.ParsePublic(b)).Authenticated().ProposalRef(c.suite))}
	}
	c.refused(c.commitOf(ref(message), ref(second)), mls.ErrDoubleProposal)
	c.refused(c.commitOf(ref(message), byValue(mls.ProposeRemove(at))), mls.ErrDoubleProposal)
	c.refused(c.commitOf(ref(own)), mls.ErrOwnProposal)
	content := c.content()
	content.Commit.Proposals = []mls.ProposalOrRef{ref(message)}
	c.refused(c.sign(content), mls.ErrPathRequired)

	info, tree := must(mls.ParseGroupInfo(c.info)), must(c.server.Tree())
	join := func(opts ExternalOptions) error {
		n := c.client()
		_, _, err := JoinExternal(info, tree, Config{
			Signer: n.signer, Credential: mls.Basic([]byte(n.name)), Capabilities: testCapabilities(),
		}, opts)
		return err
	}
	left := must(mls.ParsePublic(message))
	if err := join(ExternalOptions{SelfRemoves: []*mls.PublicMessage{left}, RemoveOwn: &at}); !errors.Is(err, mls.ErrDoubleProposal) {
		t.Errorf("joined in place of one who leaves: %v", err)
	}
	forged := *left
	forged.Content.Sender = mls.MemberSender(c.victim.group.OwnLeaf())
	if err := join(ExternalOptions{SelfRemoves: []*mls.PublicMessage{&forged}}); !errors.Is(err, mls.ErrSignature) {
		t.Errorf("joined with a forged self_remove: %v", err)
	}
	update := must(mls.ParsePublic(must(c.victim.group.ProposeUpdate(ProposeOptions{}))))
	if err := join(ExternalOptions{SelfRemoves: []*mls.PublicMessage{update}}); !errors.Is(err, mls.ErrExternalCommit) {
		t.Errorf("joined with somebody's update: %v", err)
	}
}

// TestUnsupportedProposals: one member that does not list a type keeps it out.
func TestUnsupportedProposals(t *testing.T) {
	c := newCourt(t)
	old := c.client()
	caps := DefaultCapabilities(testExtension, mls.ExtensionAppData)
	kp, private, err := NewKeyPackage(KeyPackageConfig{Suite: c.suite, Signer: old.signer, Credential: mls.Basic([]byte("old")), Capabilities: &caps})
	c.check(err)
	c.commit(c.mallory, CommitOptions{Add: []mls.KeyPackage{kp}}, map[*client]keyPackage{old: {kp, private}})
	update := mls.ProposeAppData(mls.AppDataUpdate{Component: 0x8001, Data: []byte("x")})
	if _, err := c.mallory.group.Propose(mls.ProposeSelfRemove(), ProposeOptions{}); !errors.Is(err, mls.ErrUnsupportedProposal) {
		t.Errorf("self_remove: %v", err)
	}
	c.refused(c.commitOf(byValue(update)), mls.ErrUnsupportedProposal)
	// Whoever the same commit removes need not support it.
	m := &making{
		g: c.mallory.group, sender: mls.MemberSender(c.mallory.group.OwnLeaf()), init: c.mallory.group.epoch.init,
		leaf: *c.mallory.group.public.Leaf(c.mallory.group.OwnLeaf()),
		list: []mls.ProposalOrRef{byValue(update), byValue(mls.ProposeRemove(old.group.OwnLeaf()))},
	}
	c.deliver(c.mallory, must(m.make()), nil)
}

func TestAppData(t *testing.T) {
	c := newCourt(t)
	update := func(id mls.ComponentID, data string) mls.ProposalOrRef {
		return byValue(mls.ProposeAppData(mls.AppDataUpdate{Component: id, Data: []byte(data)}))
	}
	remove := func(id mls.ComponentID) mls.ProposalOrRef {
		return byValue(mls.ProposeAppData(mls.AppDataUpdate{Component: id, Remove: true}))
	}
	commit := func(list ...mls.ProposalOrRef) *Pending {
		t.Helper()
		m := &making{
			g: c.mallory.group, sender: mls.MemberSender(c.mallory.group.OwnLeaf()), init: c.mallory.group.epoch.init,
			leaf: *c.mallory.group.public.Leaf(c.mallory.group.OwnLeaf()), list: list, opts: CommitOptions{NoPath: true},
		}
		p := must(m.make())
		c.deliver(c.mallory, p, nil)
		return p
	}
	data := func() mls.AppData { return must(c.victim.group.Public().Context().Extensions.AppData()) }
	if p := commit(update(0x9000, "b"), update(0x8000, "first"), update(0x8000, "a")); p.HasPath {
		t.Error("app data alone made a path")
	}
	if d := data(); len(d) != 2 || string(d[0].Data) != "a" || d[1].Component != 0x9000 {
		t.Errorf("got %v", d)
	}
	for _, list := range [][]mls.ProposalOrRef{
		{remove(0x8000), update(0x8000, "x")}, {update(0x8000, "x"), remove(0x8000)}, {remove(0x8000), remove(0x8000)},
	} {
		c.refused(c.commitOf(list...), mls.ErrDoubleProposal)
	}
	c.refused(c.commitOf(remove(0x8001)), mls.ErrProposal)
	commit(remove(0x8000))
	if _, ok := data().Get(0x8000); ok {
		t.Error("removed and still there")
	}

	// Once the group requires the proposal, nothing else changes the data.
	required := must(mls.Marshal(mls.RequiredCapabilities{Proposals: []mls.ProposalType{mls.ProposalAppDataUpdate}}))
	x := c.server.Context().Extensions.With(mls.ExtensionRequiredCapabilities, required)
	c.commit(c.mallory, CommitOptions{Extensions: &x}, nil)
	c.refused(c.commitOf(byValue(mls.ProposeExtensions(x.Without(mls.ExtensionAppData)))), mls.ErrProposal)
	unsorted := []byte{8, 0x90, 0, 1, 'x', 0x80, 0, 1, 'y'}
	c.refused(c.commitOf(byValue(mls.ProposeExtensions(x.With(mls.ExtensionAppData, unsorted)))), mls.ErrExtension)
	if b := must(mls.Marshal(data())); !bytes.Equal(b, []byte{4, 0x90, 0, 1, 'b'}) {
		t.Errorf("the dictionary is %x", b)
	}
}
