package group

import (
	"errors"
	"fmt"
	"testing"

	"github.com/veche-im/veche/mls"
)

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
