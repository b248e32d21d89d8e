package group

import (
	"bytes"
	"errors"
	"testing"

	"github.com/veche-im/veche/mls"
)

func TestExternalPSK(t *testing.T) {
	c := newCourt(t)
	known := PSK{[]byte("over the phone"), NewSecret([]byte("swordfish"))}
	author, poor, rich := c.members[0], c.members[1], c.members[2]
	if _, err := author.group.Commit(CommitOptions{PSKs: [][]byte{known.ID}}); !errors.Is(err, mls.ErrPSK) {
		t.Fatalf("committed a key that we lack: %v", err)
	}
	c.check(author.group.AddPSK(known))
	c.check(rich.group.AddPSK(known))
	joiner := c.client()
	kp, private := joiner.keyPackage(t, c.suite)
	p := must(author.group.Commit(CommitOptions{PSKs: [][]byte{known.ID}, Add: []mls.KeyPackage{kp}, TreeInWelcome: true}))
	m := must(mls.ParsePublic(p.Message))
	if _, err := poor.group.StageCommit(m); !errors.Is(err, mls.ErrPSK) {
		t.Errorf("one who lacks the key: %v", err)
	}
	c.check(poor.group.AddPSK(PSK{known.ID, NewSecret([]byte("swordfisch"))}))
	if _, err := poor.group.StageCommit(m); !errors.Is(err, mls.ErrConfirmation) {
		t.Errorf("one who has another key: %v", err)
	}
	staged := must(rich.group.StageCommit(m))
	if !bytes.Equal(staged.EpochAuthenticator(), p.EpochAuthenticator()) {
		t.Error("one who has the key arrives elsewhere")
	}
	w := must(mls.ParseWelcome(p.Welcome))
	if _, err := Join(w, kp, private, JoinOptions{}); !errors.Is(err, mls.ErrPSK) {
		t.Errorf("a joiner who lacks the key: %v", err)
	}
	if _, err := Join(w, kp, private, JoinOptions{PSKs: []PSK{{known.ID, NewSecret([]byte("x"))}}}); !errors.Is(err, mls.ErrWelcome) {
		t.Errorf("a joiner who has another key: %v", err)
	}
	g := must(Join(w, kp, private, JoinOptions{PSKs: []PSK{known}}))
	if !bytes.Equal(g.EpochAuthenticator(), p.EpochAuthenticator()) {
		t.Error("a joiner who has the key arrives elsewhere")
	}
	// The commit survives a crash although the key is not stored.
	author.reload(t)
	c.check(author.group.MergePending())
	if !bytes.Equal(author.group.EpochAuthenticator(), p.EpochAuthenticator()) {
		t.Error("after a crash the committer arrives elsewhere")
	}
}

// TestResumptionPSK: a key of an epoch that is over proves that one was there,
// for as long as it is kept.
func TestResumptionPSK(t *testing.T) {
	c := newCourt(t)
	for range keepPast + 2 {
		c.commit(c.members[0], CommitOptions{}, nil)
	}
	for _, m := range c.members {
		m.reload(t)
	}
	now := c.server.Epoch()
	for back := range uint64(keepPast + 2) {
		author := c.members[0]
		m := &making{
			g: author.group, sender: mls.MemberSender(author.group.OwnLeaf()), init: author.group.epoch.init,
			leaf: *author.group.public.Leaf(author.group.OwnLeaf()),
			list: []mls.ProposalOrRef{byValue(mls.ProposePSK(mls.PreSharedKeyID{
				Type: mls.PSKResumption, Usage: mls.PSKApplication, GroupID: []byte("town"),
				Epoch: now - back, Nonce: randomBytes(32),
			}))},
		}
		p, err := m.make()
		if back > keepPast {
			if !errors.Is(err, mls.ErrPSK) {
				t.Errorf("%d epochs back: %v", back, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d epochs back: %v", back, err)
		}
		author.group.ClearPending()
		if _, err := c.victim.group.StageCommit(must(mls.ParsePublic(p.Message))); err != nil {
			t.Errorf("%d epochs back, at another member: %v", back, err)
		}
	}
}
