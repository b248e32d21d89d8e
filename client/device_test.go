package client_test

import (
	"slices"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// approve lets a waiting device in from another, which compares its code.
func approve(t *testing.T, from, fresh *testenv.Client) {
	t.Helper()
	code := testenv.Do(fresh, api.GetStatus, api.None{}).Code
	var id wire.DeviceID
	from.Until("a device asks", func() bool {
		for _, d := range testenv.Do(from, api.ListDevices, api.None{}).Devices {
			if d.State == wire.DevicePending && d.Code == code && code != "" {
				id = d.ID
				return true
			}
		}
		return false
	})
	testenv.Do(from, api.ApproveDevice, api.DeviceRef{Device: id})
	fresh.Until("let in", func() bool { return testenv.Do(fresh, api.GetStatus, api.None{}).Phase == api.PhaseReady })
}

// Where nobody else could tell, the person's own device tells the other how a room
// is called.
func TestAFurtherDeviceLearnsTheNameOfARoomFromTheFirst(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann"))
	ann := w.Client("ann")
	id := ann.Group("council")
	two := w.FurtherDevice("ann")
	approve(t, ann, two)
	two.Open("council")
	ann.Send(id, "hello")
	two.Sees(id, "ann", "hello")
	noNotices(t, two)
}

func TestAFurtherDeviceByApprovalJoinsRooms(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "before")
	bob.Sees(q.Room, "ann", "before")
	id := ann.Group("council", "bob")
	bob.Open("council")

	two := w.FurtherDevice("ann")
	if _, err := testenv.Ask(two, api.SendMessage, api.Outgoing{Room: &id, Text: "x"}); api.FailureOf(err).Code != api.NotEnrolled {
		t.Errorf("a device that waits writes: %v", err)
	}
	approve(t, ann, two)
	two.Open("council")
	two.Open("bob")
	ann.Until("told of the new device", func() bool {
		return slices.ContainsFunc(ann.Notices(), func(n api.Notice) bool { return n.Code == api.NoticeNewDevice })
	})
	if rows := two.Timeline(q.Room); len(rows) != 1 || rows[0].Kind != api.ItemStart {
		t.Errorf("the new device shows %+v", rows)
	}
	bob.Send(id, "to both")
	ann.Sees(id, "bob", "to both")
	two.Sees(id, "bob", "to both")
	two.Send(id, "from the other")
	if i := ann.Sees(id, "ann", "from the other"); !i.Mine || i.State == api.ItemReceived {
		t.Errorf("ann's first device shows %+v", i)
	}
	bob.Sees(id, "ann", "from the other")
	details := testenv.Do(bob, api.GetRoom, api.RoomRef{Room: id})
	if len(details.Members) != 2 {
		t.Errorf("members: %+v", details.Members)
	}
	noNotices(t, ann, bob, two)

	// Revoked, it hears nothing more.
	self := testenv.Do(two, api.GetStatus, api.None{}).Device
	testenv.Do(ann, api.RevokeDevice, api.DeviceRef{Device: *self})
	two.Until("ended", func() bool { return testenv.Do(two, api.GetStatus, api.None{}).Phase == api.PhaseEnded })
	bob.Until("one leaf", func() bool {
		for _, m := range testenv.Do(bob, api.GetRoom, api.RoomRef{Room: id}).Members {
			if m.Person.Name == "ann" && m.Devices != 1 {
				return false
			}
		}
		return true
	})
	bob.Send(id, "to one")
	ann.Sees(id, "bob", "to one")
	if slices.Contains(two.Texts(id), "to one") {
		t.Error("the revoked device reads on")
	}
	if len(two.Texts(id)) == 0 {
		t.Error("what was stored is gone")
	}
	noNotices(t, ann, bob)
}

func TestAFurtherDeviceByRecoveryKey(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	id := ann.Group("council", "bob")
	bob.Open("council")
	key := ann.RecoveryKey
	ann.Stop() // the only device is away

	two := w.FurtherDevice("ann")
	for _, wrong := range []string{"", "nonsense", bob.RecoveryKey} {
		if _, err := testenv.Ask(two, api.Recover, api.RecoveryKey{Key: wrong}); api.FailureOf(err).Code != api.WrongKey {
			t.Errorf("recover with %q: %v", wrong, err)
		}
	}
	if e := testenv.Do(two, api.Recover, api.RecoveryKey{Key: key}); e.Phase != api.PhaseReady {
		t.Errorf("recovered: %+v", e)
	}
	two.Room("") // the group's name is not known until somebody says it
	two.Open("council")
	two.Send(id, "back")
	bob.Sees(id, "ann", "back")
	noNotices(t, bob, two)

	// A new key stops the old one.
	fresh := testenv.Do(two, api.NewRecovery, api.None{}).Key
	three := w.FurtherDevice("ann")
	if _, err := testenv.Ask(three, api.Recover, api.RecoveryKey{Key: key}); api.FailureOf(err).Code != api.WrongKey {
		t.Errorf("recover with the old key: %v", err)
	}
	testenv.Do(three, api.Recover, api.RecoveryKey{Key: fresh})
	three.Open("council")
	noNotices(t, bob, two, three)
}

func TestARejectedDeviceIsTurnedAway(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann"))
	ann := w.Client("ann")
	two := w.FurtherDevice("ann")
	self := testenv.Do(two, api.GetStatus, api.None{}).Device
	testenv.Do(ann, api.RejectDevice, api.DeviceRef{Device: *self})
	two.Until("ended", func() bool { return testenv.Do(two, api.GetStatus, api.None{}).Phase == api.PhaseEnded })
	if _, err := testenv.Ask(ann, api.ApproveDevice, api.DeviceRef{Device: *self}); api.FailureOf(err).Code != api.NotFound {
		t.Errorf("approve what was rejected: %v", err)
	}
}

func TestSigningOutAndInAgain(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "one")
	bob.Sees(q.Room, "ann", "one")
	ann.Sent(q)
	was := *testenv.Do(ann, api.GetStatus, api.None{}).Device

	testenv.Do(ann, api.SignOut, api.SignOutHow{})
	if s := testenv.Do(ann, api.GetStatus, api.None{}); s.Phase != api.PhaseEnded {
		t.Errorf("after signing out: %s", s.Phase)
	}
	if texts := ann.Texts(q.Room); !slices.Equal(texts, []string{"one"}) {
		t.Errorf("what was stored: %q", texts)
	}
	bob.Send(q.Room, "two") // while ann is away
	ann.Restart()
	e := testenv.Do(ann, api.DoSignIn, api.SignIn{Name: "ann", Password: testenv.Password, Device: "again"})
	if e.Phase != api.PhaseEnrolling {
		t.Fatalf("signed in again: %+v", e)
	}
	testenv.Do(ann, api.Recover, api.RecoveryKey{Key: ann.RecoveryKey})
	ann.Open("bob")
	bob.Send(q.Room, "three")
	ann.Sees(q.Room, "bob", "three")
	if texts := ann.Texts(q.Room); !slices.Equal(texts, []string{"one", "three"}) {
		t.Errorf("ann has %q", texts)
	}
	if !slices.ContainsFunc(ann.Timeline(q.Room), func(i api.Item) bool { return i.Kind == api.ItemUnopenable }) {
		t.Error("nothing says that a message is missing")
	}
	ann.Until("the former device is gone", func() bool {
		list := testenv.Do(ann, api.ListDevices, api.None{}).Devices
		return len(list) == 1 && list[0].ID != was && list[0].This
	})
	noNotices(t, ann, bob)

	testenv.Do(ann, api.SignOut, api.SignOutHow{Forget: true})
	if s := testenv.Do(ann, api.GetStatus, api.None{}); s.Phase != api.PhaseFresh {
		t.Errorf("after forgetting: %s", s.Phase)
	}
	if rooms := testenv.Do(ann, api.ListRooms, api.None{}).Rooms; len(rooms) > 0 {
		t.Errorf("rooms are left: %+v", rooms)
	}
	e = testenv.Do(ann, api.DoSignIn, api.SignIn{Name: "ann", Password: testenv.Password, Device: "once more"})
	if e.Phase != api.PhaseEnrolling {
		t.Errorf("after forgetting, signed in: %+v", e)
	}
}
