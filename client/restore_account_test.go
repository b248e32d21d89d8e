package client_test

import (
	"slices"
	"strings"
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
	r, room := restorableCouncil(t, "ann", "bob")
	ann, bob := r.Client("ann"), r.Client("bob")
	two := r.FurtherDevice("ann")
	testenv.Do(two, api.Recover, api.RecoveryKey{Key: ann.RecoveryKey})
	two.Open("council")
	r.people = append(r.people, two)
	r.save()
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
		if method == wire.DeviceRepublish.Name && f.Error == nil {
			published.Add(1)
		}
	})
	ann.Start()
	over(ann)
	ann.Until("published again", func() bool { return published.Load() > 0 })
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

// A device that was let in after the moment of the backup is unknown to the site.
// Its person signs in, and it is again who it was, whichever of the account's
// devices comes first: what it has said comes back, and nobody lets it in anew.
func TestADeviceThatWasLetInSinceComesBack(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{false, true} {
		name := "after another device of the account"
		if alone {
			name = "as the only one"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, room := restorableCouncil(t, "ann", "bob")
			ann, bob := r.Client("ann"), r.Client("bob")
			r.says(ann, room, "first")
			bob.Sees(room, "ann", "first")
			r.save()
			testenv.Do(ann, api.NewRecovery, api.None{}) // a statement before the one that lets it in
			two := r.FurtherDevice("ann")
			approve(t, ann, two)
			two.Open("council")
			two.Ready()
			two.Sent(r.says(two, room, "from the new one"))
			for _, c := range r.people {
				c.Sees(room, "ann", "from the new one")
			}
			was := *testenv.Do(two, api.GetStatus, api.None{}).Device
			if alone {
				ann.Stop()
			}
			r.restore()
			two.Link.Mend()
			if !alone {
				over(ann)
			}
			two.Until("signed out", func() bool { return testenv.Do(two, api.GetStatus, api.None{}).Phase == api.PhaseEnded })
			e := testenv.Do(two, api.DoSignIn, api.SignIn{Name: "ann", Password: testenv.Password, Device: "the new one"})
			if e.Phase != api.PhaseReady {
				t.Errorf("signed in, it is %s", e.Phase)
			}
			over(two)
			if is := testenv.Do(two, api.GetStatus, api.None{}).Device; *is != was {
				t.Errorf("it comes back as %s, was %s", is, was)
			}
			if alone {
				ann.Start()
				over(ann)
			}
			over(bob)
			two.Sent(r.says(two, room, "back"))
			r.alike(room, []string{"first", "from the new one", "back"}, ann, bob)
			starts := 0
			for _, i := range two.Timeline(room) {
				if i.Kind == api.ItemStart {
					starts++
				}
			}
			if got := two.Texts(room); starts != 1 || !slices.Equal(got, []string{"from the new one", "back"}) {
				t.Errorf("it shows %q, and %d times that it came in", got, starts)
			}
			noFork(t, ann, bob, two)
			if list := testenv.Do(ann, api.ListDevices, api.None{}).Devices; len(list) != 2 {
				t.Errorf("ann's devices: %+v", list)
			}
		})
	}
}

// A list of devices that the server refuses for good is not sent again and again,
// keeps nothing else waiting, and its person is told; also who has just signed up.
func TestAListOfDevicesThatIsRefusedIsTold(t *testing.T) {
	t.Parallel()
	r, room := restorableCouncil(t, "ann", "bob")
	ann, bob := r.Client("ann"), r.Client("bob")
	r.save()
	var vaults atomic.Int64
	ann.Link.Answers(func(method string, _ *wire.Frame) {
		if method == wire.DeviceVault.Name {
			vaults.Add(1)
		}
	})
	testenv.Do(ann, api.NewRecovery, api.None{})
	ann.Until("she keeps what she has published", func() bool { return vaults.Load() > 1 }) // once to make it
	no := func(c *testenv.Client, what string) *atomic.Int64 {
		var n atomic.Int64
		c.Link.Requests(func(f *wire.Frame) {
			if f.Method == what {
				n.Add(1)
				f.Body = encode(map[string]int{"nonsense": 1})
			}
		})
		return &n
	}
	asked := no(ann, wire.DeviceRepublish.Name)
	r.restore()
	if n := ann.Notice(api.NoticeRefused); !n.Severe || !strings.Contains(n.Text, "bad_request") {
		t.Errorf("ann is told %+v", n)
	}
	over(ann)
	over(bob)
	ann.Send(room, "all the same")
	bob.Sees(room, "ann", "all the same")
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}

	dan := r.Fresh("dan")
	asked = no(dan, wire.DevicePublish.Name)
	if _, err := testenv.Ask(dan, api.DoSignUp, api.SignUp{Token: r.Invite(), Name: "dan", Password: testenv.Password, Device: "dan's"}); err == nil {
		t.Error("dan is let in")
	}
	dan.Notice(api.NoticeRefused)
	if n := asked.Load(); n != 1 {
		t.Errorf("dan asked %d times", n)
	}
	dan.Link.Requests(nil) // his clock is right again, say
	dan.Restart()
	dan.Ready()
	if slices.ContainsFunc(dan.Notices(), func(n api.Notice) bool { return n.Code == api.NoticeRefused }) {
		t.Errorf("dan is still told %+v", dan.Notices())
	}
}
