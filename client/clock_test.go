package client_test

import (
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
)

// A statement has the time of whoever signed it, an entry that of the server.
// A device that came in and was removed again from one whose clock is wrong is
// no reason to suspect anybody of anything.
func TestAWrongClockRaisesNoAlarm(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	dan := w.Fresh("dan")
	dan.Stop()
	dan.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	dan.Start()
	testenv.Do(dan, api.DoSignUp, api.SignUp{Token: w.Invite(), Name: "dan", Password: testenv.Password, Device: "d"})
	dan.Ready()
	id := ann.Group("council", "bob", "dan")
	bob.Open("council")
	dan.Open("council")
	ann.Send(id, "before")
	bob.Sees(id, "ann", "before")

	bob.Stop()
	two := w.FurtherDevice("dan")
	approve(t, dan, two)
	two.Open("council")
	two.Send(id, "from the other device")
	ann.Sees(id, "dan", "from the other device")
	testenv.Do(dan, api.RevokeDevice, api.DeviceRef{Device: *testenv.Do(two, api.GetStatus, api.None{}).Device})
	dan.Send(id, "after")
	ann.Sees(id, "dan", "after")
	bob.Start()
	bob.Sees(id, "dan", "from the other device")
	bob.Sees(id, "dan", "after")
	noNotices(t, ann, bob, dan)
}
