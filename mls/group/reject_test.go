package group

import (
	"bytes"
	"errors"
	"testing"

	"github.com/veche-im/veche/mls"
)

func TestRefusesLeafThatDropsWhatTheGroupUses(t *testing.T) {
	c := newCourt(t)
	x := mls.Extensions{{Type: testExtension, Data: []byte("in use")}}
	c.commit(c.members[0], CommitOptions{Extensions: &x}, nil)
	content := c.content()
	content.Commit.Path = c.path()
	leaf := &content.Commit.Path.Leaf
	leaf.Capabilities.Extensions = nil
	c.check(c.mallory.signer.signLeaf(leaf, content.GroupID, c.mallory.group.OwnLeaf()))
	c.refused(c.sign(content), mls.ErrExtension)
}

func TestReInitClosesTheGroup(t *testing.T) {
	c := newCourt(t)
	g := c.members[0].group
	b, err := g.Propose(mls.Proposal{Type: mls.ProposalReInit, ReInit: &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, Suite: mls.HybridX25519MLKEM768}}, ProposeOptions{})
	c.check(err)
	c.propose(c.members[0], b)
	p := c.commit(c.members[0], CommitOptions{IncludePending: true}, nil)
	if p.ReInit == nil || !bytes.Equal(p.ReInit.GroupID, []byte("next")) {
		t.Fatal("the commit does not say what comes next")
	}
	for _, m := range c.members {
		m.reload(t)
		if _, err := m.group.Seal(nil, nil); !errors.Is(err, mls.ErrReInit) {
			t.Errorf("sealed in a closed group: %v", err)
		}
		if _, err := m.group.Commit(CommitOptions{}); !errors.Is(err, mls.ErrReInit) {
			t.Errorf("committed in a closed group: %v", err)
		}
	}
	content := c.content()
	content.Commit.Path = &mls.UpdatePath{Leaf: *c.server.Leaf(0)}
	c.refused(c.sign(content), mls.ErrReInit)
}
