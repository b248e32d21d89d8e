package room_test

import (
	"testing"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// crowd makes devices of one account.
func crowd(first *device, n int) []*device {
	all := []*device{first}
	for len(all) < n {
		all = append(all, first.another())
	}
	return all
}

func TestACommitInALargeRoomWritesAPath(t *testing.T) {
	s := newSite(t)
	ann := s.person()
	others := crowd(s.person(), 299)
	g, c := ann.founding(ann.owns(), others...)
	got, err := s.rooms.Create(s.ctx, ann.Actor, c)
	s.must(err)
	s.must(g.MergePending())
	id := c.Room
	ann.in[id] = &place{group: g, seq: got.Seq, head: got.Head}
	for range 2 { // the first path fills what was blank
		s.must(ann.commit(id, group.CommitOptions{}))
	}
	written := s.count(`SELECT COUNT(*) FROM room_node WHERE since_epoch = 3`)
	if written < 9 || written > 12 { // context, leaf, 9 nodes above it
		t.Errorf("a commit among 300 leaves wrote %d rows", written)
	}
	if all := s.count(`SELECT COUNT(*) FROM room_node WHERE until_epoch = 0`); all < 590 {
		t.Errorf("the tree has %d rows", all)
	}
	for _, d := range []*device{others[0], others[150], others[298]} {
		d.join(id) // into epoch 1, with its tree
		d.sync(id)
		if d.in[id].head != ann.in[id].head || d.in[id].group.Epoch() != 3 {
			t.Error("a device that joined late sees something else")
		}
	}
	_, err = others[298].send(id, "hello")
	s.must(err)
}

func TestARoomHas5000DevicesAtMost(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup()
	c := ann.committing(id, group.CommitOptions{Add: keyPackages(bob)})
	// It is refused before anything is verified, so one forgery will do.
	c.Commit = public(t, c.Commit, func(m *mls.PublicMessage) {
		for len(m.Content.Commit.Proposals) < wire.MaxLeaves {
			m.Content.Commit.Proposals = append(m.Content.Commit.Proposals, m.Content.Commit.Proposals[0])
		}
	})
	check := s.unchanged()
	_, err := s.rooms.Commit(s.ctx, ann.Actor, c)
	s.want(err, wire.TooLarge)
	check()
}
