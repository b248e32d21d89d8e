package group

import (
	"bytes"
	"errors"
	"testing"

	"github.com/veche-im/veche/mls"
)

// stageEither stages a commit in either wire format.
func stageEither(g *Group, message []byte) (*Staged, error) {
	m, err := mls.ParseMessage(message)
	if err != nil {
		return nil, err
	}
	if m.Private == nil {
		return g.StageCommit(m.Public)
	}
	h, err := g.Unprotect(m.Private)
	if err != nil {
		return nil, err
	}
	return h.Stage()
}

// hear keeps a proposal in either wire format.
func hear(g *Group, message []byte) error {
	m, err := mls.ParseMessage(message)
	if err != nil {
		return err
	}
	if m.Private == nil {
		_, err = g.ReceiveProposal(m.Public)
		return err
	}
	h, err := g.Unprotect(m.Private)
	if err != nil {
		return err
	}
	_, err = h.Receive()
	return err
}

// TestPrivateHandshakes: proposals and commits go as PrivateMessage; nobody
// outside sees who proposes what, and the committer finds its own commit again
// after a crash, although it cannot open it.
func TestPrivateHandshakes(t *testing.T) {
	c := newCourt(t)
	author, gone := c.mallory, c.members[2]
	secret := []byte("a name that only members read")
	extensions := mls.Extensions{{Type: testExtension, Data: secret}}
	proposal := must(c.victim.group.Propose(mls.ProposeExtensions(extensions), ProposeOptions{Private: true, AuthenticatedData: []byte("seen")}))
	if bytes.Contains(proposal, secret) || !bytes.Contains(proposal, []byte("seen")) {
		t.Error("the proposal shows what it should hide, or hides what it should show")
	}
	for _, m := range c.members {
		if m != c.victim {
			c.check(hear(m.group, proposal))
			if err := hear(m.group, proposal); !errors.Is(err, ErrOpen) {
				t.Errorf("a proposal heard twice: %v", err)
			}
		}
	}
	p := must(author.group.Commit(CommitOptions{IncludePending: true, Private: true, Remove: []mls.LeafIndex{gone.group.OwnLeaf()}}))
	if bytes.Contains(p.Message, secret) {
		t.Error("the commit shows what it should hide")
	}
	flipped := bytes.Clone(p.Message)
	flipped[len(flipped)-1] ^= 1
	for _, m := range []*client{author, c.victim} {
		if _, err := stageEither(m.group, flipped); !errors.Is(err, ErrOpen) {
			t.Errorf("a commit with a bit flipped: %v", err)
		}
	}
	author.reload(t)
	staged := must(stageEither(author.group, p.Message))
	if !bytes.Equal(staged.EpochAuthenticator(), p.EpochAuthenticator()) {
		t.Error("after a crash the commit is another")
	}
	c.check(author.group.Apply(staged))
	for _, m := range c.members {
		if m == author {
			continue
		}
		staged := must(stageEither(m.group, p.Message))
		c.check(m.group.Apply(staged))
		if m == gone {
			if m.group.Status() != Removed {
				t.Error("removed and does not know")
			}
			continue
		}
		if !bytes.Equal(m.group.EpochAuthenticator(), author.group.EpochAuthenticator()) {
			t.Errorf("%s arrives elsewhere", m.name)
		}
		context := m.group.Public().Context()
		if data, _ := context.Extensions.Get(testExtension); !bytes.Equal(data, secret) {
			t.Errorf("%s does not have what was proposed", m.name)
		}
	}
}

// TestPrivateCommitGivesWay: a private commit that lost the race is forgotten,
// and the key that it used is not used again.
func TestPrivateCommitGivesWay(t *testing.T) {
	c := newCourt(t)
	lost := must(c.mallory.group.Commit(CommitOptions{Private: true}))
	c.mallory.reload(t)
	c.mallory.group.ClearPending()
	again := must(c.mallory.group.Commit(CommitOptions{Private: true}))
	first, second := must(mls.ParsePrivate(lost.Message)), must(mls.ParsePrivate(again.Message))
	_, g1, ok1 := framingOf(c.victim.group).decrypt(first)
	_, g2, ok2 := framingOf(c.victim.group).decrypt(second)
	if !ok1 || !ok2 || g1 == g2 {
		t.Errorf("two commits under generations %d and %d", g1, g2)
	}
	if _, err := stageEither(c.mallory.group, lost.Message); !errors.Is(err, ErrOpen) {
		t.Errorf("a commit that was given up: %v", err)
	}
}
