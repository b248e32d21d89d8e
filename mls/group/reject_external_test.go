package group

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

func TestRefusesExternalCommits(t *testing.T) {
	c := newCourt(t)
	info, err := mls.ParseGroupInfo(c.info)
	c.check(err)
	tree, err := c.server.Tree()
	c.check(err)
	stranger := c.client()
	cfg := Config{Signer: stranger.signer, Credential: mls.Basic([]byte("stranger")), Capabilities: testCapabilities()}
	former := c.members[2].group.OwnLeaf()
	join := func(opts ExternalOptions) *mls.PublicMessage {
		_, p, err := JoinExternal(info, tree, cfg, opts)
		c.check(err)
		m, err := mls.ParsePublic(p.Message)
		c.check(err)
		return m
	}
	add := c.newcomer(nil)
	b, err := c.members[0].group.Propose(mls.ProposeRemove(former), ProposeOptions{})
	c.check(err)
	c.propose(c.members[0], b)
	pm, err := mls.ParsePublic(b)
	c.check(err)
	ref, err := pm.Authenticated().ProposalRef(c.suite)
	c.check(err)

	for _, tt := range []struct {
		name   string
		change func(*mls.FramedContent)
		want   error
	}{
		{"without a path", func(f *mls.FramedContent) { f.Commit.Path = nil }, mls.ErrExternalCommit},
		{"without an init", func(f *mls.FramedContent) { f.Commit.Proposals = nil }, mls.ErrExternalCommit},
		{"with two inits", func(f *mls.FramedContent) {
			f.Commit.Proposals = slices.Repeat(f.Commit.Proposals, 2)
		}, mls.ErrExternalCommit},
		{"that removes two", func(f *mls.FramedContent) {
			f.Commit.Proposals = append(f.Commit.Proposals, byValue(mls.ProposeRemove(0)), byValue(mls.ProposeRemove(1)))
		}, mls.ErrExternalCommit},
		{"that adds", func(f *mls.FramedContent) { f.Commit.Proposals = append(f.Commit.Proposals, add) }, mls.ErrExternalCommit},
		{"that changes extensions", func(f *mls.FramedContent) {
			f.Commit.Proposals = append(f.Commit.Proposals, byValue(mls.ProposeExtensions(nil)))
		}, mls.ErrExternalCommit},
		{"by reference", func(f *mls.FramedContent) {
			f.Commit.Proposals = append(f.Commit.Proposals, mls.ProposalOrRef{Ref: ref})
		}, mls.ErrExternalCommit},
		{"that removes nobody", func(f *mls.FramedContent) {
			f.Commit.Proposals = append(f.Commit.Proposals, byValue(mls.ProposeRemove(6)))
		}, mls.ErrNotMember},
		{"with a psk twice", func(f *mls.FramedContent) {
			id := byValue(mls.ProposePSK(mls.PreSharedKeyID{Type: mls.PSKExternal, Nonce: make([]byte, 32)}))
			f.Commit.Proposals = append(f.Commit.Proposals, id, id)
		}, mls.ErrPSK},
		{"for another epoch", func(f *mls.FramedContent) { f.Epoch-- }, mls.ErrEpoch},
		{"with a leaf signed for another place", func(f *mls.FramedContent) {
			c.check(stranger.signer.signLeaf(&f.Commit.Path.Leaf, f.GroupID, 0))
		}, mls.ErrSignature},
		{"with a member's signature key", func(f *mls.FramedContent) {
			f.Commit.Path.Leaf.SignatureKey = c.members[0].signer.Public()
		}, mls.ErrSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.t = t
			content := join(ExternalOptions{}).Content
			tt.change(&content)
			c.refused(c.signAs(stranger.signer, content), tt.want)
		})
	}
	t.Run("that keeps the encryption key of the leaf it replaces", func(t *testing.T) {
		c.t = t
		content := join(ExternalOptions{RemoveOwn: &former}).Content
		leaf := &content.Commit.Path.Leaf
		leaf.EncryptionKey = c.server.Leaf(former).EncryptionKey
		c.check(stranger.signer.signLeaf(leaf, content.GroupID, former))
		c.refused(c.signAs(stranger.signer, content), mls.ErrSameKey)
	})
	t.Run("by a member under its own name", func(t *testing.T) {
		c.t = t
		content := join(ExternalOptions{}).Content
		content.Sender = mls.MemberSender(c.mallory.group.OwnLeaf())
		c.refused(c.sign(content), mls.ErrProposal)
	})
	t.Run("with an init that does not open", func(t *testing.T) {
		c.t = t
		content := join(ExternalOptions{}).Content
		content.Commit.Proposals[0].Proposal.ExternalInit.KEMOutput = []byte("short")
		m := c.signAs(stranger.signer, content)
		if _, err := c.victim.group.StageCommit(m); !errors.Is(err, mls.ErrExternalCommit) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRefusesProposals(t *testing.T) {
	c := newCourt(t)
	leaf := func(change func(*mls.LeafNode)) mls.Proposal {
		l := *c.mallory.group.public.Leaf(c.mallory.group.OwnLeaf())
		l.Source, l.ParentHash = mls.LeafUpdate, nil
		var err error
		_, l.EncryptionKey, err = newKeyPair(c.suite)
		c.check(err)
		change(&l)
		c.check(c.mallory.signer.signLeaf(&l, []byte("town"), c.mallory.group.OwnLeaf()))
		return mls.ProposeUpdate(l)
	}
	old := c.mallory.group.public.Leaf(c.mallory.group.OwnLeaf())
	broken := leaf(func(*mls.LeafNode) {})
	broken.Update.Leaf.Signature[0] ^= 1
	for _, tt := range []struct {
		name string
		p    mls.Proposal
		want error
	}{
		{"an update from a commit", leaf(func(l *mls.LeafNode) { l.Source = mls.LeafCommit }), mls.ErrLeafSource},
		{"an update with the old key", leaf(func(l *mls.LeafNode) { l.EncryptionKey = old.EncryptionKey }), mls.ErrSameKey},
		{"an update with a broken signature", broken, mls.ErrSignature},
		{"an external init", mls.ProposeExternalInit(nil), mls.ErrProposal},
		{"a removal of nobody", mls.ProposeRemove(7), mls.ErrNotMember},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.t = t
			content := c.content()
			content.Type, content.Commit, content.Proposal = mls.ContentProposal, nil, &tt.p
			m := c.sign(content)
			if _, err := c.server.StageProposal(m); !errors.Is(err, tt.want) {
				t.Errorf("the server says %v, want %v", err, tt.want)
			}
			if _, err := c.victim.group.ReceiveProposal(m); !errors.Is(err, tt.want) {
				t.Errorf("a member says %v, want %v", err, tt.want)
			}
		})
	}
	p := mls.ProposeRemove(0)
	content := c.content()
	content.Type, content.Commit, content.Proposal = mls.ContentProposal, nil, &p
	m := c.sign(content)
	m.MembershipTag[0] ^= 1
	if _, err := c.victim.group.ReceiveProposal(m); !errors.Is(err, mls.ErrMembershipTag) {
		t.Errorf("a wrong membership tag: %v", err)
	}
	m.MembershipTag = m.MembershipTag[1:]
	if _, err := c.server.StageProposal(m); !errors.Is(err, mls.ErrMembershipTag) {
		t.Errorf("a short membership tag at the server: %v", err)
	}
}

func TestPendingProposalsOfAnEpoch(t *testing.T) {
	c := newCourt(t)
	propose := func(data string) *mls.PublicMessage {
		p := mls.ProposeRemove(0)
		content := c.content()
		content.Type, content.Commit, content.Proposal = mls.ContentProposal, nil, &p
		content.AuthenticatedData = []byte(data)
		return c.sign(content)
	}
	old, err := c.server.StageProposal(propose("of the epoch before"))
	c.check(err)
	c.commit(c.members[0], CommitOptions{}, nil)
	if err := c.server.AddProposal(old); !errors.Is(err, mls.ErrStale) {
		t.Errorf("a proposal of the epoch before: %v", err)
	}
	first, err := c.server.StageProposal(propose("first"))
	c.check(err)
	c.check(c.server.AddProposal(first))
	c.check(c.server.AddProposal(first))
	if n := len(c.server.PendingProposals()); n != 1 {
		t.Errorf("one proposal counts as %d", n)
	}
	for i := range mls.MaxPendingProposals {
		p, err := c.server.StageProposal(propose(fmt.Sprint(i)))
		c.check(err)
		if err := c.server.AddProposal(p); (i == mls.MaxPendingProposals-1) != errors.Is(err, mls.ErrTooManyProposals) {
			t.Fatalf("proposal %d: %v", i, err)
		}
	}
	// They are stored, and gone with their epoch.
	c.check(c.server.Save(c.disk))
	c.server = reopen(t, c.disk)
	if n := len(c.server.PendingProposals()); n != mls.MaxPendingProposals {
		t.Errorf("%d proposals after a reload", n)
	}
	staged, err := c.server.StageCommit(must(mls.ParsePublic(must(c.members[0].group.Commit(CommitOptions{})).Message)))
	c.check(err)
	c.check(c.server.Apply(staged))
	if n := len(c.server.PendingProposals()); n != 0 {
		t.Errorf("%d proposals in the next epoch", n)
	}
	if err := c.server.Apply(staged); !errors.Is(err, mls.ErrStale) {
		t.Errorf("a commit applied twice: %v", err)
	}
}

func TestExternalProposals(t *testing.T) {
	c := newCourt(t)
	service := c.client()
	x, err := mls.ExternalSendersExtension([]mls.ExternalSender{{SignatureKey: service.signer.Public(), Credential: mls.Basic([]byte("service"))}})
	c.check(err)
	list := mls.Extensions{x}
	send := func(sender mls.Sender, by *client, p mls.Proposal) error {
		c.t.Helper()
		context := c.server.Context()
		a := &mls.AuthenticatedContent{WireFormat: mls.WirePublicMessage, Content: mls.FramedContent{
			GroupID: context.GroupID, Epoch: context.Epoch, Sender: sender, Type: mls.ContentProposal, Proposal: &p,
		}}
		c.check(by.signer.signContent(a, &context))
		m := &mls.PublicMessage{Content: a.Content, Auth: a.Auth}
		s, err := c.server.StageProposal(m)
		if err != nil {
			return err
		}
		c.check(c.server.AddProposal(s))
		for _, m2 := range c.members {
			_, err := m2.group.ReceiveProposal(m)
			c.check(err)
		}
		return nil
	}
	external := mls.Sender{Type: mls.SenderExternal}
	gone := c.members[2].group.OwnLeaf()
	if err := send(external, service, mls.ProposeRemove(gone)); !errors.Is(err, mls.ErrSender) {
		t.Errorf("a sender that is not listed: %v", err)
	}
	c.commit(c.members[0], CommitOptions{Extensions: &list}, nil)
	if err := send(external, c.mallory, mls.ProposeRemove(gone)); !errors.Is(err, mls.ErrSignature) {
		t.Errorf("a member in the service's name: %v", err)
	}
	if err := send(mls.Sender{Type: mls.SenderExternal, Index: 1}, service, mls.ProposeRemove(gone)); !errors.Is(err, mls.ErrSender) {
		t.Errorf("a sender beyond the list: %v", err)
	}
	if err := send(external, service, mls.ProposeUpdate(*c.server.Leaf(gone))); !errors.Is(err, mls.ErrSender) {
		t.Errorf("an update by an external sender: %v", err)
	}
	c.check(send(external, service, mls.ProposeRemove(gone)))
	n := c.client()
	kp, private := n.keyPackage(t, c.suite)
	newcomer := mls.Sender{Type: mls.SenderNewMemberProposal}
	if err := send(newcomer, c.mallory, mls.ProposeAdd(kp)); !errors.Is(err, mls.ErrSignature) {
		t.Errorf("another proposes a newcomer in its name: %v", err)
	}
	if err := send(newcomer, n, mls.ProposeRemove(gone)); !errors.Is(err, mls.ErrSender) {
		t.Errorf("a newcomer proposes a removal: %v", err)
	}
	c.check(send(newcomer, n, mls.ProposeAdd(kp)))
	p := c.commit(c.members[0], CommitOptions{IncludePending: true}, map[*client]keyPackage{n: {kp, private}})
	if len(p.Removed) != 1 || p.Removed[0].Index != gone || len(p.Added) != 1 {
		t.Errorf("removed %v, added %v", p.Removed, p.Added)
	}
}

func TestRefusesToJoinWithoutExternalPub(t *testing.T) {
	c := newCourt(t)
	author, stranger := c.members[0], c.client()
	cfg := Config{Signer: stranger.signer, Credential: mls.Basic([]byte("stranger")), Capabilities: testCapabilities()}
	for _, tt := range []struct {
		name string
		x    mls.Extensions
		want error
	}{
		{"none", nil, mls.ErrGroupInfo},
		{"a broken one", mls.Extensions{{Type: mls.ExtensionExternalPub, Data: []byte{9}}}, mls.ErrExtension},
		{"one that is no key", mls.Extensions{mls.ExternalPubExtension([]byte{1})}, mls.ErrEncryptionKey},
	} {
		info := must(mls.ParseGroupInfo(must(author.group.GroupInfo(false))))
		info.Extensions = tt.x
		c.check(author.signer.signInfo(info))
		if _, _, err := JoinExternal(info, must(c.server.Tree()), cfg, ExternalOptions{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	// And a group that uses what the joiner lacks.
	x := mls.Extensions{{Type: testExtension}}
	c.commit(author, CommitOptions{Extensions: &x}, nil)
	lacking := DefaultCapabilities()
	cfg.Capabilities = &lacking
	info := must(mls.ParseGroupInfo(c.info))
	if _, _, err := JoinExternal(info, must(c.server.Tree()), cfg, ExternalOptions{}); !errors.Is(err, mls.ErrExtension) {
		t.Errorf("a joiner that lacks an extension of the group: %v", err)
	}
}
