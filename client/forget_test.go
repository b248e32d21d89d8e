package client_test

import (
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
)

// Who signs out and wants nothing to stay has that, also where the power goes
// between the two.
func TestACrashWhileForgettingKeepsNothing(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "one")
	bob.Sees(q.Room, "ann", "one")
	testenv.Do(bob, api.SignOut, api.SignOutHow{})
	bob.Stop()
	bob.Plug = testenv.PullAfter(1, true)
	bob.Start()
	if _, ok := try(bob, api.SignOut, api.SignOutHow{Forget: true}); ok {
		t.Error("signing out came through")
	}
	bob.Stop()
	bob.Plug = nil
	bob.Link.Mend()
	bob.Start()
	bob.Until("fresh", func() bool { return testenv.Do(bob, api.GetStatus, api.None{}).Phase == api.PhaseFresh })
	if rooms := testenv.Do(bob, api.ListRooms, api.None{}).Rooms; len(rooms) > 0 {
		t.Errorf("rooms are left: %+v", rooms)
	}
}
