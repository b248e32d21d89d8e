package room_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

func TestOneCommitWinsAnEpoch(t *testing.T) {
	s := newSite(t)
	const members = 8
	devices := []*device{s.person()}
	for range members - 1 {
		devices = append(devices, s.person())
	}
	id := devices[0].makeGroup(devices[1:]...)
	for round := range 5 {
		commits := make([]wire.SendCommit, members)
		for i, d := range devices {
			commits[i] = d.committing(id, group.CommitOptions{})
		}
		errs := make([]error, members)
		var all sync.WaitGroup
		for i, d := range devices {
			all.Go(func() { _, errs[i] = s.rooms.Commit(s.ctx, d.Actor, commits[i]) })
		}
		all.Wait()
		won := 0
		for i, err := range errs {
			switch {
			case err == nil:
				won++
			case wire.CodeOf(err) != wire.Conflict:
				t.Errorf("commit %d of round %d: %v", i, round, err)
			}
		}
		if won != 1 {
			t.Fatalf("%d commits won in round %d", won, round)
		}
		for _, d := range devices {
			d.sync(id) // the losers drop theirs
			d.in[id].group.ClearPending()
			if got := d.in[id].group.Epoch(); got != uint64(round+2) {
				t.Fatalf("a device is in epoch %d after round %d", got, round)
			}
		}
	}
}

// A commit and a proposal for the same epoch race: whichever comes first, the
// other is told to look again.
func TestACommitAndAProposalRace(t *testing.T) {
	s := newSite(t)
	seen := make(map[wire.Code]int)
	for range 20 {
		ann, bob, cid := s.person(), s.person(), s.person()
		id := ann.makeGroup(bob, cid)
		c := ann.committing(id, group.CommitOptions{})
		p := bob.leaving(id, bob.in[id].group.OwnLeaf())
		q := cid.leaving(id, cid.in[id].group.OwnLeaf())
		var all sync.WaitGroup
		var errC, errP, errQ error
		all.Go(func() { _, errC = s.rooms.Commit(s.ctx, ann.Actor, c) })
		all.Go(func() { _, errP = s.rooms.Propose(s.ctx, bob.Actor, p) })
		all.Go(func() { _, errQ = s.rooms.Propose(s.ctx, cid.Actor, q) })
		all.Wait()
		seen[wire.CodeOf(errC)]++
		for _, err := range []error{errP, errQ} {
			if code := wire.CodeOf(err); err != nil && code != wire.Stale {
				t.Errorf("a proposal got %v", err)
			}
		}
		if errC == nil && errP == nil && errQ == nil {
			// The commit came first of all, or the proposals would be in its way;
			// then they were made in another epoch.
			t.Error("all three were taken")
		}
		if errC != nil && wire.CodeOf(errC) != wire.Pending {
			t.Errorf("the commit got %v", errC)
		}
		ann.sync(id)
		ann.in[id].group.ClearPending()
		if err := ann.commit(id, group.CommitOptions{IncludePending: true}); err != nil {
			t.Errorf("the room is stuck: %v", err)
		}
	}
	t.Logf("commits: %v", seen)
}

func TestSendersGetADenseLog(t *testing.T) {
	s := newSite(t)
	const senders, each = 16, 20
	reader := s.person()
	var devices []*device
	for range senders {
		devices = append(devices, s.person())
	}
	id := reader.makeGroup(devices...)
	reader.listen()
	sealed := make([][]wire.SendMessage, senders)
	for i, d := range devices {
		for n := range each {
			sealed[i] = append(sealed[i], d.sealing(id, fmt.Sprintf("%d/%d", i, n)))
		}
	}
	receipts := make([]map[int64]bool, senders)
	var all sync.WaitGroup
	for i, d := range devices {
		receipts[i] = make(map[int64]bool)
		all.Go(func() {
			last := int64(0)
			for _, m := range sealed[i] {
				// Every one is sent twice at once, as after a lost connection.
				var got [2]wire.Receipt
				var errs [2]error
				var both sync.WaitGroup
				for k := range 2 {
					both.Go(func() { got[k], errs[k] = s.rooms.Send(s.ctx, d.Actor, m) })
				}
				both.Wait()
				if err := errors.Join(errs[:]...); err != nil || got[0] != got[1] || got[0].Seq <= last {
					t.Errorf("sent twice: %v, %v, %v", got[0], got[1], err)
				}
				last = got[0].Seq
				receipts[i][last] = true
			}
		})
	}
	all.Wait()
	reader.sync(id) // checks that seq is dense and heads chain
	if p := reader.in[id]; p.seq != 1+senders*each || len(p.read) != senders*each {
		t.Errorf("the log has %d entries, %d were read", p.seq, len(p.read))
	}
	seqs := make(map[int64]bool)
	for _, of := range receipts {
		for seq := range of {
			seqs[seq] = true
		}
	}
	if len(seqs) != senders*each {
		t.Errorf("%d receipts for %d messages", len(seqs), senders*each)
	}
	// Nudges come in the order of the log.
	last := int64(1)
	for _, n := range events(reader, wire.OnNudge) {
		if n.Seq != last+1 {
			t.Fatalf("nudge %d after %d", n.Seq, last)
		}
		last = n.Seq
	}
	if last != 1+senders*each {
		t.Errorf("the last nudge is of %d", last)
	}
}

func TestOneDirectRoomIsMadeOfMany(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	var made []wire.CreateRoom
	by := []*device{ann, bob, ann, bob, ann, bob}
	for _, d := range by {
		other := ann
		if d == ann {
			other = bob
		}
		_, c := d.founding(d.with(other), other)
		made = append(made, c)
	}
	errs := make([]error, len(by))
	var all sync.WaitGroup
	for i, d := range by {
		all.Go(func() { _, errs[i] = s.rooms.Create(s.ctx, d.Actor, made[i]) })
	}
	all.Wait()
	var winner wire.RoomID
	for i, err := range errs {
		if err == nil {
			if !winner.IsZero() {
				t.Error("two were made")
			}
			winner = made[i].Room
		}
	}
	for _, err := range errs {
		var e *wire.Error
		if err != nil && (!errors.As(err, &e) || e.Code != wire.Exists || e.Room != winner) {
			t.Errorf("a loser got %v", err)
		}
	}
}
