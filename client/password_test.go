package client_test

import (
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

const otherPassword = "seven lazy badgers"

// failed holds a command to a failure.
func failed(t *testing.T, err error, code api.FailureCode, field string) {
	t.Helper()
	f := api.FailureOf(err)
	if err == nil || f.Code != code || f.Field != field {
		t.Errorf("got %v (field %q), want %s of %q", err, f.Field, code, field)
	}
}

func (w ended) command(act admin.Act, name string) {
	w.TB.Helper()
	if err := admin.Do(w.TB.Context(), w.Dir, act, name); err != nil {
		w.TB.Fatal(act, err)
	}
}

// ended is a world in which administrators end things.
type ended struct{ *testenv.World }

// phase waits until a client stands there.
func phase(c *testenv.Client, want api.Phase) {
	c.TB.Helper()
	c.Until("it is "+string(want), func() bool { return testenv.Do(c, api.GetStatus, api.None{}).Phase == want })
}

func TestAPasswordIsChangedAndTheOtherDevicesSaySo(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann"))
	ann := w.Client("ann")
	two := w.FurtherDevice("ann")
	testenv.Do(two, api.Recover, api.RecoveryKey{Key: ann.RecoveryKey})
	two.Ready()
	_, err := testenv.Ask(ann, api.NewPassword, api.ChangePassword{Old: "a wrong password", New: otherPassword})
	failed(t, err, api.NotFound, "old")
	_, err = testenv.Ask(ann, api.NewPassword, api.ChangePassword{Old: testenv.Password, New: "ann-ann-ann"})
	failed(t, err, api.Guessable, "new")
	_, err = testenv.Ask(ann, api.NewPassword, api.ChangePassword{Old: testenv.Password, New: "short"})
	failed(t, err, api.BadInput, "new")
	testenv.Do(ann, api.NewPassword, api.ChangePassword{Old: testenv.Password, New: otherPassword})
	two.Notice(api.NoticePassword)
	for _, n := range ann.Notices() {
		if n.Code == api.NoticePassword {
			t.Error("who changed it is told too")
		}
	}
	// Told once: not again by the next hello, and again by the next change.
	testenv.Do(two, api.DismissNotice, api.NoticeRef{ID: two.Notice(api.NoticePassword).ID})
	two.Restart()
	two.Ready()
	if n := two.Notices(); len(n) > 0 {
		t.Errorf("told again: %+v", n)
	}
	two.Stop()
	testenv.Do(ann, api.NewPassword, api.ChangePassword{Old: otherPassword, New: testenv.Password})
	two.Start() // was not connected when it happened
	two.Notice(api.NoticePassword)
}

// Whom an administrator has signed out, or shut and opened again, goes on as the
// device that it was, with what it had, after showing the password.
func TestAnEndedSessionGoesOnWithThePassword(t *testing.T) {
	t.Parallel()
	w := ended{testenv.New(t, testenv.WithUsers("ann", "bob"))}
	ann, bob := w.Client("ann"), w.Client("bob")
	ann.Sent(ann.SendTo("bob", "before"))
	room := bob.Open("ann").ID
	bob.Sees(room, "ann", "before")
	device := *testenv.Do(bob, api.GetStatus, api.None{}).Device
	in := api.SignIn{Name: "Bob", Password: testenv.Password, Device: "bob's browser"}
	for _, end := range []struct{ first, then admin.Act }{{admin.SignOut, ""}, {admin.Shut, admin.Open}} {
		w.command(end.first, "bob")
		phase(bob, api.PhaseEnded)
		if got := bob.Texts(room); len(got) == 0 || got[0] != "before" {
			t.Errorf("%s: what is here is gone: %v", end.first, got)
		}
		bob.Restart() // and is still ended
		phase(bob, api.PhaseEnded)
		wrong := in
		wrong.Password = "a wrong password"
		_, err := testenv.Ask(bob, api.DoSignIn, wrong)
		failed(t, err, api.NotFound, "")
		if end.then != "" {
			_, err := testenv.Ask(bob, api.DoSignIn, in)
			failed(t, err, api.NotFound, "") // as long as it is shut
			ann.Until("everybody sees it", func() bool { return shutIs(ann, "bob", true) })
			w.command(end.then, "bob")
			ann.Until("everybody sees it", func() bool { return shutIs(ann, "bob", false) })
		}
		e := testenv.Do(bob, api.DoSignIn, in)
		if e.Phase != api.PhaseReady {
			t.Fatalf("%s: signed in again it is %s", end.first, e.Phase)
		}
		bob.Ready()
		if got := *testenv.Do(bob, api.GetStatus, api.None{}).Device; got != device {
			t.Errorf("%s: it is another device", end.first)
		}
		ann.Sent(ann.SendTo("bob", "after "+string(end.first)))
		bob.Sees(room, "ann", "after "+string(end.first))
	}
}

func shutIs(c *testenv.Client, name string, want bool) bool {
	for _, p := range testenv.Do(c, api.ListPeople, api.None{}).People {
		if p.Name == name {
			return p.Shut == want
		}
	}
	return false
}

// Who signed out does not come back by the session that was, and nobody else signs
// in at an ended device before what it has is forgotten.
func TestAnEndedSessionIsNoWayIn(t *testing.T) {
	t.Parallel()
	w := ended{testenv.New(t, testenv.WithUsers("ann", "bob"))}
	ann, bob := w.Client("ann"), w.Client("bob")
	was := *testenv.Do(bob, api.GetStatus, api.None{}).Device
	testenv.Do(bob, api.SignOut, api.SignOutHow{})
	phase(bob, api.PhaseEnded)
	in := api.SignIn{Name: "bob", Password: testenv.Password, Device: "bob's browser"}
	if e := testenv.Do(bob, api.DoSignIn, in); e.Phase != api.PhaseEnrolling {
		t.Errorf("after signing out, signing in is %s", e.Phase)
	}
	if is := *testenv.Do(bob, api.GetStatus, api.None{}).Device; is == was {
		t.Error("the session that was signed out goes on")
	}
	w.command(admin.SignOut, "ann")
	phase(ann, api.PhaseEnded)
	_, err := testenv.Ask(ann, api.DoSignIn, in)
	failed(t, err, api.Occupied, "name")
	phase(ann, api.PhaseEnded)
	if me := testenv.Do(ann, api.GetStatus, api.None{}).Me; me == nil || me.Name != "ann" {
		t.Errorf("it is %+v", me)
	}
	testenv.Do(ann, api.SignOut, api.SignOutHow{Forget: true})
	if e := testenv.Do(ann, api.DoSignIn, in); e.Phase != api.PhaseEnrolling {
		t.Errorf("as somebody else it is %s", e.Phase)
	}
	if me := testenv.Do(ann, api.GetStatus, api.None{}).Me; me == nil || me.Name != "bob" {
		t.Errorf("it is %+v", me)
	}
}

// A link to a new password sets it and lets nobody in to what is sealed: a new
// device waits for another one or the recovery key.
func TestAResetLinkOpensNothingThatIsSealed(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	_, err := testenv.Ask(bob, api.MakeReset, api.PersonRef{Person: bob.Person("ann")})
	failed(t, err, api.NotFound, "") // no administrator
	testenv.Do(ann, api.Prove, api.Proof{Password: testenv.Password})
	link := testenv.Do(ann, api.MakeReset, api.PersonRef{Person: ann.Person("bob")})
	bob.Notice(api.NoticeResetLink)
	fresh := w.Fresh("bob-2")
	info := testenv.Do(fresh, api.CheckLink, api.Link{Token: link.Token})
	if info.Kind != "reset" || info.Name != "bob" {
		t.Errorf("the link is %+v", info)
	}
	_, err = testenv.Ask(fresh, api.DoReset, api.ResetPassword{Token: link.Token, Password: "bob-bob-bob", Device: "x"})
	failed(t, err, api.Guessable, "password")
	e := testenv.Do(fresh, api.DoReset, api.ResetPassword{Token: link.Token, Password: otherPassword, Device: "x"})
	if e.Phase != api.PhaseEnrolling {
		t.Fatalf("the device of the link is %s", e.Phase)
	}
	bob.Notice(api.NoticeNewPass)
	if rooms := testenv.Do(fresh, api.ListRooms, api.None{}); len(rooms.Rooms) > 0 {
		t.Errorf("it lists %d rooms", len(rooms.Rooms))
	}
	testenv.Do(fresh, api.Recover, api.RecoveryKey{Key: bob.RecoveryKey})
	fresh.Ready()
	// Who is signed in, and has forgotten it, sets another and stays who they are.
	device := *testenv.Do(bob, api.GetStatus, api.None{}).Device
	link = testenv.Do(ann, api.MakeReset, api.PersonRef{Person: ann.Person("bob")})
	_, err = testenv.Ask(ann, api.DoReset, api.ResetPassword{Token: link.Token, Password: testenv.Password, Device: "x"})
	failed(t, err, api.Occupied, "name") // on somebody else's device
	if e := testenv.Do(bob, api.DoReset, api.ResetPassword{Token: link.Token, Password: testenv.Password, Device: "x"}); e.Phase != api.PhaseReady {
		t.Errorf("on their own device it is %s", e.Phase)
	}
	if is := *testenv.Do(bob, api.GetStatus, api.None{}).Device; is != device {
		t.Error("their own device is another one now")
	}
	bob.Ready()
}

// What an administrator does is refused until the password is shown.
func TestAdministratorsAreAskedForThePassword(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann := w.Client("ann")
	bob := api.PersonRef{Person: ann.Person("bob")}
	_, err := testenv.Ask(ann, api.Prove, api.Proof{Password: "a wrong password"})
	failed(t, err, api.NotFound, "password")
	testenv.Do(ann, api.Prove, api.Proof{Password: testenv.Password})
	testenv.Do(ann, api.ShutAccount, bob)
	testenv.Do(ann, api.OpenAccount, bob)
	testenv.Do(ann, api.EndSessions, bob)
	testenv.Do(ann, api.MakeAdmin, api.SetAdmin{Person: bob.Person, Admin: true})
	testenv.Do(ann, api.MakeAdmin, api.SetAdmin{Person: bob.Person})
	_, err = testenv.Ask(ann, api.MakeAdmin, api.SetAdmin{Person: ann.Person("ann")})
	failed(t, err, api.LastAdmin, "")
	_, err = testenv.Ask(ann, api.ShutAccount, api.PersonRef{Person: wire.NewAccountID()})
	failed(t, err, api.NotFound, "")
}
