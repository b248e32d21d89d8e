package room_test

import (
	"errors"
	"testing"
	"time"

	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// A member that changes the room again and again keeps nobody from speaking in it,
// nor an owner from taking it out.
func TestAMemberThatChangesARoomAllTheTimeIsSlowedDown(t *testing.T) {
	s := newSite(t)
	ann, mal := s.person(), s.person()
	id := ann.makeGroup(mal)
	other := mal.makeGroup()
	s.rooms.ChangeRate(limit.Rate{Every: time.Second, Burst: 5})
	for range 5 {
		s.must(mal.commit(id, group.CommitOptions{}))
	}
	err := mal.commit(id, group.CommitOptions{})
	s.want(err, wire.Busy)
	var e *wire.Error
	if !errors.As(err, &e) || e.RetryAfter != 1000 {
		t.Errorf("told to wait %+v", e)
	}
	s.must(mal.commit(other, group.CommitOptions{})) // it is counted for each room
	s.want(mal.leave(id), wire.Busy)                 // and a proposal is a change

	ann.sync(id)
	_, err = ann.send(id, "heard all the same")
	s.must(err)
	s.must(ann.commit(id, group.CommitOptions{}))
	mal.sync(id)
	s.clock.pass(time.Second)
	s.must(mal.commit(id, group.CommitOptions{}))
	s.want(mal.commit(id, group.CommitOptions{}), wire.Busy)
}

// What is repeated because its answer was lost, and what comes after another
// commit, is not counted.
func TestARepeatedOrOutdatedCommitIsNotCounted(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	s.rooms.ChangeRate(limit.Rate{Every: time.Hour, Burst: 2})
	first := ann.committing(id, group.CommitOptions{})
	late := bob.committing(id, group.CommitOptions{})
	for range 3 {
		_, err := s.rooms.Commit(s.ctx, ann.Actor, first)
		s.must(err)
		_, err = s.rooms.Commit(s.ctx, bob.Actor, late)
		s.want(err, wire.Conflict)
	}
	ann.sync(id)
	bob.in[id].group.ClearPending()
	bob.sync(id)
	for range 2 {
		s.must(bob.commit(id, group.CommitOptions{}))
	}
	ann.sync(id)
	s.must(ann.commit(id, group.CommitOptions{}))
	s.want(ann.commit(id, group.CommitOptions{}), wire.Busy)
}
