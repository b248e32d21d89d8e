package server_test

import (
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

// of names an account to a method.
func of(p *testenv.Person) wire.AccountRef { return wire.AccountRef{Account: p.Account} }

// person returns what the directory says of somebody.
func person(c *testenv.Socket, id wire.AccountID) (p wire.Person) {
	for _, p := range testenv.Call(c, wire.DirectoryPeople, wire.ListPeople{}).People {
		if p.Account == id {
			return p
		}
	}
	return p
}

func TestAShutAccountIsOutAtOnceAndComesBackAsItWas(t *testing.T) {
	site := testenv.Start(t)
	ann, bob := site.SetUpPerson("Ann"), site.AddPerson("Bob")
	second := bob.AddDevice()
	testenv.Call(bob.Socket, wire.KeyUpload, wire.UploadKeys{Packages: [][]byte{makerOf(bob).make(t, nil)}, LastResort: makerOf(bob).make(t, last)})
	claim := func() int {
		t.Helper()
		return len(testenv.Call(ann.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: []wire.AccountID{bob.Account}}).Packages)
	}
	link := resetLink(t, site, "Bob")
	testenv.Call(ann.Socket, wire.AccountShut, of(bob))
	// It has answered, so it is on disk and in force.
	for _, d := range []*testenv.Person{bob, second} {
		if got := d.Ended(); got != 4001 {
			t.Errorf("a connection ended with %d", got)
		}
		if s, _ := site.Do("GET", wire.PathSession, d.Token, "", nil, nil); s != 401 {
			t.Errorf("a session answers %d", s)
		}
		if _, resp, err := site.Dial(d.Token); err == nil || resp == nil || resp.StatusCode != 401 {
			t.Errorf("a device connected: %v", err)
		}
		if s, _ := site.Post(wire.PathProve, d.Token, wire.Prove{Password: testenv.Password}, nil); s != 401 {
			t.Errorf("showing the password: %d", s)
		}
	}
	if canSignIn(t, site, "Bob", testenv.Password) {
		t.Error("one can sign in to it")
	}
	status(t, site, wire.PathReset, wire.Reset{Token: link, Password: another}, 404, wire.NotFound, "a link that was made before")
	_, err := testenv.Try(ann.Socket, wire.AccountReset, of(bob))
	refused(t, err, wire.NotFound, "a link that is made now")
	if n := claim(); n != 0 {
		t.Errorf("%d of its key packages were given", n)
	}
	if p := person(ann.Socket, bob.Account); !p.Shut || p.Online {
		t.Errorf("the directory says %+v", p)
	}
	testenv.EventThat(ann.Socket, wire.OnAccount, func(c wire.AccountChange) bool { return c.Person.Account == bob.Account && c.Person.Shut })

	testenv.Call(ann.Socket, wire.AccountOpen, of(bob))
	for _, d := range []*testenv.Person{bob, second} {
		testenv.Call(d.Connect(), wire.RoomList, wire.None{})
	}
	if n := claim(); n != 1 {
		t.Errorf("opened again, %d key packages were given", n)
	}
	if !canSignIn(t, site, "Bob", testenv.Password) {
		t.Error("opened again, one cannot sign in to it")
	}
	testenv.EventThat(ann.Socket, wire.OnAccount, func(c wire.AccountChange) bool { return c.Person.Account == bob.Account && !c.Person.Shut })
	status(t, site, wire.PathReset, wire.Reset{Token: link, Password: another}, 404, wire.NotFound, "the link of before, afterwards")
}

// What one shut administrator has made to let others in lets nobody in.
func TestAShutAdministratorsInvitesAreVoid(t *testing.T) {
	site := testenv.Start(t)
	site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	do := func(act admin.Act) {
		t.Helper()
		if err := admin.Do(t.Context(), site.Dir, act, "Bob"); err != nil {
			t.Fatal(act, err)
		}
	}
	do(admin.MakeAdmin)
	bob.Ended() // and comes back with other rights
	bob.Socket = bob.Connect()
	if !bob.Socket.Hello.Admin {
		t.Error("hello says no administrator")
	}
	inv := testenv.Call(bob.Socket, wire.InviteCreate, wire.None{})
	do(admin.Shut)
	status(t, site, wire.PathSignup, signUp(inv.Token, "Eve"), 404, wire.NotFound, "their invite")
	do(admin.Open)
	do(admin.TakeAdmin)
	_, err := testenv.Try(bob.Connect(), wire.InviteCreate, wire.None{})
	refused(t, err, wire.NotFound, "inviting as no administrator any more")
}

// Who loses the rights keeps no link by which to take them back.
func TestAFormerAdministratorsLinksAreVoid(t *testing.T) {
	site := testenv.Start(t)
	ann, bob, cay := site.SetUpPerson("Ann"), site.AddPerson("Bob"), site.AddPerson("Cay")
	testenv.Call(ann.Socket, wire.AccountAdmin, wire.MakeAdmin{Account: bob.Account, Admin: true})
	bob.Ended()
	bob.Socket = bob.Connect()
	inv := testenv.Call(bob.Socket, wire.InviteCreate, wire.None{})
	link := testenv.Call(bob.Socket, wire.AccountReset, of(ann))
	others := testenv.Call(ann.Socket, wire.AccountReset, of(cay))
	testenv.Call(ann.Socket, wire.AccountAdmin, wire.MakeAdmin{Account: bob.Account})
	status(t, site, wire.PathReset, wire.Reset{Token: link.Token, Password: another}, 404, wire.NotFound, "their link to an administrator's password")
	status(t, site, wire.PathSignup, signUp(inv.Token, "Eve"), 404, wire.NotFound, "their invite")
	if s, e := site.Post(wire.PathReset, "", wire.Reset{Token: others.Token, Password: another, Device: "x"}, nil); s != 200 {
		t.Errorf("a link of somebody else's: %d %v", s, e)
	}
}

// Sessions that are locked are good for nothing until the password is shown, and
// then are those of the same devices.
func TestEndedSessionsGoOnWithThePassword(t *testing.T) {
	site := testenv.Start(t)
	ann, bob := site.SetUpPerson("Ann"), site.AddPerson("Bob")
	testenv.Call(bob.Socket, wire.KeyUpload, wire.UploadKeys{LastResort: makerOf(bob).make(t, last)})
	waiting := site.SignIn("Bob")
	c := waiting.Connect()
	testenv.Call(ann.Socket, wire.AccountSignOut, of(bob))
	bob.Ended()
	c.Ended()
	for path, token := range map[string]string{wire.PathSession: bob.Token, wire.PathSession + "?waiting": waiting.Token} {
		if s, _ := site.Do("GET", path, token, "", nil, nil); s != 401 {
			t.Errorf("%s answers %d", path, s)
		}
	}
	if s, _ := change(site, bob.Token, testenv.Password, another); s != 401 {
		t.Errorf("changing the password with it: %d", s)
	}
	if n := len(testenv.Call(ann.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: []wire.AccountID{bob.Account}}).Packages); n != 0 {
		t.Errorf("%d of its key packages were given", n)
	}
	if s, _ := site.Post(wire.PathProve, bob.Token, wire.Prove{Password: another}, nil); s != 404 {
		t.Errorf("a wrong password: %d", s)
	}
	if s, _ := site.Post(wire.PathProve, bob.Token, wire.Prove{Password: testenv.Password, Device: ann.Device}, nil); s != 401 {
		t.Errorf("for another device: %d", s)
	}
	if s, _ := site.Do("GET", wire.PathSession, bob.Token, "", nil, nil); s != 401 {
		t.Errorf("after a wrong password it answers %d", s)
	}
	if s, _ := site.Post(wire.PathProve, waiting.Token, wire.Prove{Password: testenv.Password}, nil); s != 401 {
		t.Errorf("a device that waited to be let in: %d", s)
	}
	if s, e := site.Post(wire.PathProve, bob.Token, wire.Prove{Password: testenv.Password, Device: bob.Device}, nil); e != nil {
		t.Fatalf("the password: %d %v", s, e)
	}
	again := bob.Connect()
	if again.Hello.State != wire.DeviceActive {
		t.Errorf("it is %s", again.Hello.State)
	}
	testenv.Call(again, wire.RoomList, wire.None{})
	testenv.Call(ann.Socket, wire.RoomList, wire.None{}) // nobody else's session ended
}

// What an administrator does to accounts asks for the password again, unless it
// was shown within ten minutes; who leaves a screen open gives nobody a site.
func TestAdministratorsShowThePasswordAgain(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	site := testenv.Start(t, testenv.WithClock(clock), testenv.WithConfig(func(c *server.Config) { c.Ticks = clock }))
	ann, bob := site.SetUpPerson("Ann"), site.AddPerson("Bob")
	second := ann.AddDevice()
	acts := map[string]func(c *testenv.Socket) error{
		"reset":    func(c *testenv.Socket) error { _, err := testenv.Try(c, wire.AccountReset, of(bob)); return err },
		"shut":     func(c *testenv.Socket) error { _, err := testenv.Try(c, wire.AccountShut, of(bob)); return err },
		"open":     func(c *testenv.Socket) error { _, err := testenv.Try(c, wire.AccountOpen, of(bob)); return err },
		"sign out": func(c *testenv.Socket) error { _, err := testenv.Try(c, wire.AccountSignOut, of(bob)); return err },
		"administrator": func(c *testenv.Socket) error {
			_, err := testenv.Try(c, wire.AccountAdmin, wire.MakeAdmin{Account: bob.Account, Admin: true})
			return err
		},
	}
	pass(wire.ProofTTL)
	for name, act := range acts {
		refused(t, act(ann.Socket), wire.ProveFirst, name)
	}
	if p := person(ann.Socket, bob.Account); p.Shut || p.Admin {
		t.Errorf("it was done: %+v", p)
	}
	if s, _ := site.Post(wire.PathProve, ann.Token, wire.Prove{Password: another}, nil); s != 404 {
		t.Errorf("a wrong password: %d", s)
	}
	refused(t, acts["shut"](ann.Socket), wire.ProveFirst, "after a wrong password")
	if s, e := site.Post(wire.PathProve, ann.Token, wire.Prove{Password: testenv.Password}, nil); e != nil {
		t.Fatal(s, e)
	}
	refused(t, acts["shut"](second.Socket), wire.ProveFirst, "on the device where it was not shown")
	for _, name := range []string{"reset", "shut", "open", "sign out", "administrator"} {
		if err := acts[name](ann.Socket); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// There is always somebody who can let others in. Of two administrators who shut
// one another at once, one stays.
func TestTheLastAdministratorStays(t *testing.T) {
	site := testenv.Start(t)
	ann, bob := site.SetUpPerson("Ann"), site.AddPerson("Bob")
	_, err := testenv.Try(ann.Socket, wire.AccountShut, of(ann))
	refused(t, err, wire.LastAdmin, "shutting oneself")
	_, err = testenv.Try(ann.Socket, wire.AccountAdmin, wire.MakeAdmin{Account: ann.Account})
	refused(t, err, wire.LastAdmin, "being none any more")
	for _, act := range []admin.Act{admin.Shut, admin.TakeAdmin} {
		if err := admin.Do(t.Context(), site.Dir, act, "Ann"); wire.CodeOf(err) != wire.LastAdmin {
			t.Errorf("%s on the command line: %v", act, err)
		}
	}
	testenv.Call(ann.Socket, wire.AccountAdmin, wire.MakeAdmin{Account: bob.Account, Admin: true})
	bob.Ended()
	bob.Socket = bob.Connect()
	var wg sync.WaitGroup
	for by, to := range map[*testenv.Person]*testenv.Person{ann: bob, bob: ann} {
		wg.Go(func() { _, _ = testenv.Try(by.Socket, wire.AccountShut, of(to)) })
	}
	wg.Wait()
	out := 0
	for _, p := range []*testenv.Person{ann, bob} {
		if s, _ := site.Do("GET", wire.PathSession, p.Token, "", nil, nil); s == 401 {
			out++
		}
	}
	if out != 1 {
		t.Errorf("%d of the two administrators are shut", out)
	}
}
