package client_test

import (
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// Statements that a restored site has lost are published again by the account's
// own devices; until then what others have pinned goes on counting, and nobody
// is alarmed.
func TestStatementsThatWereLostArePublishedAgain(t *testing.T) {
	t.Parallel()
	r := restorableSite(t, "ann", "bob")
	ann, bob := r.Client("ann"), r.Client("bob")
	room := ann.Group("council", "bob")
	bob.Open("council")
	two := r.FurtherDevice("ann")
	testenv.Do(two, api.Recover, api.RecoveryKey{Key: ann.RecoveryKey})
	two.Open("council")
	r.people = append(r.people, two)
	r.save()
	for _, c := range r.people {
		c.Ready()
	}
	stolen := testenv.Do(two, api.GetStatus, api.None{}).Device
	// What ann keeps of her chain is not what a server says at that moment.
	own := ann.Person("ann")
	var lied atomic.Bool
	ann.Link.Answers(func(method string, f *wire.Frame) {
		var s wire.Statements
		if method != wire.DirectoryStatements.Name || f.Error != nil || wire.Decode(f.Body, &s) != nil {
			return
		}
		for _, c := range s.Chains {
			if c.Account == own && len(c.Statements) == 3 {
				c.Statements[0].Body = append([]byte{}, c.Statements[1].Body...)
				lied.Store(true)
			}
		}
		f.Body = encode(s)
	})
	testenv.Do(ann, api.RevokeDevice, api.DeviceRef{Device: *stolen})
	ann.Until("was lied to", lied.Load)
	ann.Link.Answers(nil)
	ann.Restart()
	ann.Ready()
	two.Until("out", func() bool { return testenv.Do(two, api.GetStatus, api.None{}).Phase == api.PhaseEnded })
	bob.Until("ann has one device", func() bool {
		for _, m := range testenv.Do(bob, api.GetRoom, api.RoomRef{Room: room}).Members {
			if m.Person.Name == "ann" {
				return m.Devices == 1
			}
		}
		return false
	})
	two.Stop()
	ann.Stop()
	r.restore()
	over(bob)
	q := bob.Send(room, "not for the thief")
	if _, err := testenv.Ask(bob, api.AddMembers, api.RoomPeople{Room: room, Members: []wire.AccountID{}}); err == nil {
		t.Error("the room is in order with a revoked device in it")
	}
	if i := bob.Row(room, q.ID, func(api.Item) bool { return true }); i.State != api.ItemSaved {
		t.Errorf("with the revoked device in the room, what bob said is %s", i.State)
	}
	var published atomic.Int64
	ann.Link.Answers(func(method string, f *wire.Frame) {
		if method == wire.DevicePublish.Name && f.Error == nil {
			published.Add(1)
		}
	})
	ann.Start()
	over(ann)
	if n := published.Load(); n != 1 {
		t.Errorf("%d statements were published again", n)
	}
	bob.Sent(q)
	ann.Sees(room, "bob", "not for the thief")
	if list := testenv.Do(ann, api.ListDevices, api.None{}).Devices; len(list) != 1 {
		t.Errorf("ann's devices: %+v", list)
	}
	noFork(t, ann, bob)
}
