package group

import (
	"testing"

	"github.com/veche-im/veche/mls"
)

// TestProposalsThatDoNotGoTogether: two hostile members propose Updates to the
// same key, each of which is fine. Nobody could commit both, so a committer takes
// the first, and the group goes on.
func TestProposalsThatDoNotGoTogether(t *testing.T) {
	c := newCourt(t)
	_, key, err := newKeyPair(c.suite)
	c.check(err)
	update := func(by *client) *mls.PublicMessage {
		at := by.group.OwnLeaf()
		leaf := *c.server.Leaf(at)
		leaf.Source, leaf.ParentHash, leaf.EncryptionKey = mls.LeafUpdate, nil, key
		c.check(by.signer.signLeaf(&leaf, []byte("town"), at))
		p := mls.ProposeUpdate(leaf)
		content := c.content()
		content.Sender, content.Type, content.Commit, content.Proposal = mls.MemberSender(at), mls.ContentProposal, nil, &p
		return c.signAs(by.signer, content)
	}
	for _, by := range []*client{c.mallory, c.members[2]} {
		m := update(by)
		staged, err := c.server.StageProposal(m)
		c.check(err)
		c.check(c.server.AddProposal(staged))
		for _, other := range c.members {
			if other != by {
				_, err := other.group.ReceiveProposal(m)
				c.check(err)
			}
		}
	}
	author := c.members[0]
	gone := c.members[4].group.OwnLeaf()
	p, err := author.group.Commit(CommitOptions{IncludePending: true, Remove: []mls.LeafIndex{gone}})
	if err != nil {
		t.Fatalf("two members keep everybody else from committing: %v", err)
	}
	first := 0
	for _, u := range p.Updated {
		if u.Index == c.mallory.group.OwnLeaf() {
			first++
		}
	}
	if first != 1 || len(p.Updated) != 2 || len(p.Removed) != 1 {
		t.Errorf("updated %d, of which the first proposer %d times; removed %v", len(p.Updated), first, p.Removed)
	}
	m := must(mls.ParsePublic(p.Message))
	staged, err := c.server.StageCommit(m)
	c.check(err)
	c.check(c.server.Apply(staged))
	if _, err := c.victim.group.StageCommit(m); err != nil {
		t.Errorf("a member does not take what is left: %v", err)
	}
	// What was asked for by value is not left out: it fails.
	if _, err := c.members[3].group.Commit(CommitOptions{IncludePending: true, Remove: []mls.LeafIndex{7}}); err == nil {
		t.Error("a removal of nobody was left out without a word")
	}
}
