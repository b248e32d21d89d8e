package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

const another = "seven lazy badgers"

// change asks for another password, and returns the status and the refusal.
func change(site *testenv.Site, token, old, to string) (int, *wire.Error) {
	return site.Post(wire.PathPassword, token, wire.ChangePassword{Old: old, New: to}, nil)
}

// canSignIn reports whether a password is somebody's.
func canSignIn(t *testing.T, site *testenv.Site, name, password string) bool {
	t.Helper()
	s, e := site.Post(wire.PathSignin, "", wire.SignIn{Name: name, Password: password, Device: "x"}, nil)
	if s != 200 && s != 404 {
		t.Fatalf("sign in as %s: %d %v", name, s, e)
	}
	return s == 200
}

// resetLink makes a link to a new password, as the command line does.
func resetLink(t *testing.T, site *testenv.Site, name string) (token string) {
	t.Helper()
	l, err := admin.MakeReset(t.Context(), site.Dir, name)
	if err != nil {
		t.Fatal(err)
	}
	at, token, ok := strings.Cut(l.Link, "#")
	if !ok || at != site.Info.HTTPS+wire.PathResetUI {
		t.Fatalf("the link is %s", at)
	}
	return token
}

func TestAPasswordIsChangedByWhoHasTheOldOne(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	second := ann.AddDevice()
	bob := site.AddPerson("Bob")
	if s, e := change(site, ann.Token, another, "eight eager otters"); s != 404 || e.Code != wire.NotFound {
		t.Errorf("with a wrong old one: %d %v", s, e)
	}
	var done wire.PasswordChange
	if s, e := site.Post(wire.PathPassword, ann.Token, wire.ChangePassword{Old: testenv.Password, New: another}, &done); e != nil {
		t.Fatal(s, e)
	}
	if done.How != wire.PasswordChanged || done.Device != ann.Device || done.Time == 0 {
		t.Errorf("it says %+v", done)
	}
	if canSignIn(t, site, "Ann", testenv.Password) || !canSignIn(t, site, "Ann", another) {
		t.Error("the old password is good, or the new one is not")
	}
	// Other devices stay, hear of it, and are told again when they connect.
	if heard := testenv.Event(second.Socket, wire.OnPassword); heard != done {
		t.Errorf("the other device hears %+v, not %+v", heard, done)
	}
	if hello := second.Connect().Hello; hello.Password != done {
		t.Errorf("hello says %+v", hello.Password)
	}
	if hello := bob.Connect().Hello; hello.Password != (wire.PasswordChange{}) {
		t.Errorf("somebody else is told %+v", hello.Password)
	}
	for _, c := range []*testenv.Socket{ann.Socket, bob.Socket} {
		testenv.Call(c, wire.SessionPing, wire.None{})
		for _, name := range c.Events() {
			if name == wire.OnPassword.Name {
				t.Error("who changed it, or somebody else, hears of it")
			}
		}
	}
}

// Who signed in with the password that was, and was not let in, is out: by a
// change and by a link alike. Who waits with the one that is now, stays.
func TestAnotherPasswordTurnsAwayWhoWaits(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUp("Ann").Activate()
	waits := func(password string) (token string) {
		t.Helper()
		var in wire.SignedIn
		if s, e := site.Post(wire.PathSignin, "", wire.SignIn{Name: "Ann", Password: password, Device: "x"}, &in); e != nil {
			t.Fatal(s, e)
		}
		return in.Token
	}
	isIn := func(token string) bool {
		t.Helper()
		s, _ := site.Post(wire.PathSignout, token, wire.None{}, nil)
		return s != 401
	}
	thief := waits(testenv.Password)
	if s, e := change(site, ann.Token, testenv.Password, another); e != nil {
		t.Fatal(s, e)
	}
	if isIn(thief) {
		t.Error("the password was changed, and who had the old one waits on")
	}

	thief = waits(another)
	var in wire.SignedIn
	if s, e := site.Post(wire.PathReset, "", wire.Reset{Token: resetLink(t, site, "Ann"), Password: "eight eager otters", Device: "new"}, &in); e != nil {
		t.Fatal(s, e)
	}
	if isIn(thief) {
		t.Error("the password was reset, and who had the old one waits on")
	}
	if !isIn(in.Token) {
		t.Error("who reset it is out")
	}
	if !isIn(ann.Token) {
		t.Error("a device of the account is out")
	}
}

// Whoever has somebody's session may fail five times in it, by whichever door. The
// person's other session, and signing in, have counts of their own.
func TestAWrongOldPasswordCountsInItsSession(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	second := ann.AddDevice()
	for i := range 5 {
		to := wire.PathPassword
		var p any = wire.ChangePassword{Old: "a wrong password", New: another}
		if i%2 == 1 {
			to, p = wire.PathProve, wire.Prove{Password: "a wrong password"}
		}
		if s, e := site.Post(to, ann.Token, p, nil); s != 404 {
			t.Fatalf("failure %d: %d %v", i+1, s, e)
		}
	}
	for what, try := range map[string]func() (int, *wire.Error){
		"changing": func() (int, *wire.Error) { return change(site, ann.Token, testenv.Password, another) },
		"proving": func() (int, *wire.Error) {
			return site.Post(wire.PathProve, ann.Token, wire.Prove{Password: testenv.Password}, nil)
		},
	} {
		if s, e := try(); s != 429 || e.Code != wire.Attempts || e.RetryAfter <= 0 {
			t.Errorf("%s after five failures: %d %v", what, s, e)
		}
	}
	if s, e := site.Post(wire.PathProve, second.Token, wire.Prove{Password: testenv.Password}, nil); e != nil {
		t.Errorf("proving in another session: %d %v", s, e)
	}
	if !canSignIn(t, site, "Ann", testenv.Password) {
		t.Error("signing in is refused")
	}
}

// Of several who change it at the same time from the same old one, one does.
func TestAPasswordIsChangedOnceFromEach(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUp("Ann").Activate()
	words := []string{"seven lazy badgers", "eight eager otters", "nine quiet herons", "three green kettles"}
	var wg sync.WaitGroup
	got := make([]int, len(words))
	for i, w := range words {
		wg.Go(func() { got[i], _ = change(site, ann.Token, testenv.Password, w) })
	}
	wg.Wait()
	done := 0
	for i, s := range got {
		switch s {
		case 200:
			done++
			if !canSignIn(t, site, "Ann", words[i]) {
				t.Errorf("%q was answered 200 and is not the password", words[i])
			}
		case 404, 409:
		default:
			t.Errorf("%q: %d", words[i], s)
		}
	}
	if done != 1 {
		t.Errorf("%d of them were changed: %v", done, got)
	}
}

func TestPasswordsThatOthersTryFirstAreRefusedAtEveryDoor(t *testing.T) {
	site := testenv.Start(t)
	setup := wire.SignUp{Token: site.SetupToken(), Org: "Testers of Things", Name: "Ann", Password: "testers123"}
	status(t, site, wire.PathSetup, setup, 400, wire.Guessable, "set-up, the organisation's name")
	ann := site.SetUp("Ann").Activate()
	p := signUp(site.Invite(), "Robert")
	for _, pw := range []string{"password1", "robert2026", "aaaaaaaa", "qwertyui"} {
		p.Password = pw
		status(t, site, wire.PathSignup, p, 400, wire.Guessable, pw)
	}
	p.Password = another
	status(t, site, wire.PathSignup, p, 200, "", "the invite is still good")
	if s, e := change(site, ann.Token, testenv.Password, "password1"); s != 400 || e.Code != wire.Guessable {
		t.Errorf("change: %d %v", s, e)
	}
	token := resetLink(t, site, "Ann")
	status(t, site, wire.PathReset, wire.Reset{Token: token, Password: "testers-ann"}, 400, wire.Guessable, "reset")
	status(t, site, wire.PathReset, wire.Reset{Token: token, Password: another, Device: "x"}, 200, "", "the link is still good")
	dir := t.TempDir()
	err := server.Init(t.Context(), server.InitConfig{Data: dir + "/data", Org: "Testers", Admin: "Ann", Password: "testers99"})
	refused(t, err, wire.Guessable, "veche init")
}

func TestAResetLinkGivesANewPasswordOnce(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	former := resetLink(t, site, "bob")
	token := resetLink(t, site, "Bob")
	status(t, site, wire.PathLink, wire.Link{Token: former}, 404, wire.NotFound, "the one that another followed")
	var info wire.LinkInfo
	if s, e := site.Post(wire.PathLink, "", wire.Link{Token: token}, &info); e != nil || info.Kind != "reset" || info.Name != "Bob" || info.Org != "Testers" {
		t.Errorf("the link is for %+v: %d %v", info, s, e)
	}
	if heard := testenv.Event(bob.Socket, wire.OnPassword); heard.How != wire.PasswordLink {
		t.Errorf("the person's device hears %+v", heard)
	}
	status(t, site, wire.PathSignup, signUp(token, "Eve"), 404, wire.NotFound, "it is no invite")
	var in wire.SignedIn
	if s, e := site.Post(wire.PathReset, "", wire.Reset{Token: token, Password: another, Device: "new"}, &in); e != nil {
		t.Fatal(s, e)
	}
	// It opens nothing: the device is one that waits, as after signing in.
	if in.Account != bob.Account || in.State != wire.DevicePending || in.Device == bob.Device {
		t.Errorf("it opened %+v", in)
	}
	c := (&testenv.Session{SignedIn: in, Site: site}).Connect()
	_, err := testenv.Try(c, wire.RoomList, wire.None{})
	refused(t, err, wire.NotFound, "the device that waits lists rooms")
	heard := testenv.EventThat(bob.Socket, wire.OnPassword, func(p wire.PasswordChange) bool { return p.How == wire.PasswordReset })
	if heard.Device != in.Device {
		t.Errorf("it was reset by %v, and the devices hear of %v", in.Device, heard.Device)
	}
	testenv.Call(bob.Socket, wire.RoomList, wire.None{}) // the devices that are in stay in
	status(t, site, wire.PathReset, wire.Reset{Token: token, Password: "eight eager otters"}, 404, wire.NotFound, "a second time")
	if canSignIn(t, site, "Bob", testenv.Password) || !canSignIn(t, site, "Bob", another) {
		t.Error("the old password is good, or the new one is not")
	}
	// A change of the password ends a link that is open.
	open := resetLink(t, site, "Ann")
	if s, e := change(site, ann.Token, testenv.Password, another); e != nil {
		t.Fatal(s, e)
	}
	status(t, site, wire.PathReset, wire.Reset{Token: open, Password: "eight eager otters"}, 404, wire.NotFound, "after a change")
	if _, err := admin.MakeReset(t.Context(), site.Dir, "Nobody"); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("a link for nobody: %v", err)
	}
}

// Of many who use a reset link at once, one sets the password.
func TestOneResetLinkTakenByManySetsOnePassword(t *testing.T) {
	site := testenv.Start(t)
	site.SetUpPerson("Ann")
	token := resetLink(t, site, "Ann")
	words := []string{"seven lazy badgers", "eight eager otters", "nine quiet herons", "three green kettles"}
	got := make([]int, len(words))
	var wg sync.WaitGroup
	for i, w := range words {
		wg.Go(func() {
			got[i], _ = site.Post(wire.PathReset, "", wire.Reset{Token: token, Password: w, Device: "x"}, nil)
		})
	}
	wg.Wait()
	done := 0
	for i, s := range got {
		if s == 200 {
			done++
			if !canSignIn(t, site, "Ann", words[i]) {
				t.Errorf("%q was answered 200 and is not the password", words[i])
			}
		} else if s != 404 {
			t.Errorf("%q: %d", words[i], s)
		}
	}
	if done != 1 {
		t.Errorf("%d of them were set: %v", done, got)
	}
}

// Who shows the session of a device along keeps that device: somebody who forgot
// the password is not to lose what they have by setting another.
func TestAResetKeepsTheDeviceThatAsks(t *testing.T) {
	site := testenv.Start(t)
	site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	eve := site.AddPerson("Eve")
	reset := func(token string, keep wire.DeviceID) (in wire.SignedIn) {
		t.Helper()
		if s, e := site.Post(wire.PathReset, token, wire.Reset{Token: resetLink(t, site, "Bob"), Password: another, Device: "x", Keep: keep}, &in); e != nil {
			t.Fatal(s, e)
		}
		return in
	}
	if in := reset(bob.Token, bob.Device); in.Device != bob.Device || in.State != wire.DeviceActive || in.Token != "" {
		t.Errorf("with the session: %+v", in)
	}
	if in := reset(bob.Token, wire.DeviceID{}); in.Device == bob.Device || in.State != wire.DevicePending {
		t.Errorf("with the session of a device that it does not ask for: %+v", in)
	}
	if in := reset("", bob.Device); in.Device == bob.Device || in.State != wire.DevicePending {
		t.Errorf("without the session of the device: %+v", in)
	}
	if in := reset(eve.Token, eve.Device); in.Device == eve.Device || in.Account != bob.Account || in.State != wire.DevicePending {
		t.Errorf("with somebody else's session: %+v", in)
	}
	if err := admin.Do(t.Context(), site.Dir, admin.SignOut, "Bob"); err != nil {
		t.Fatal(err)
	}
	bob.Ended()
	if in := reset(bob.Token, bob.Device); in.Device != bob.Device || in.State != wire.DeviceActive {
		t.Errorf("with the session, locked: %+v", in)
	}
	if s, e := site.Do("GET", wire.PathSession, bob.Token, "", nil, nil); e != nil {
		t.Errorf("it is still locked: %d %v", s, e)
	}
}

// A session is locked when the password was shown too long ago, if the site wants
// that; until then it is not, and by default never.
func TestSessionsAreLockedAfterATermIfTheSiteSaysSo(t *testing.T) {
	for _, days := range []int{0, 30} {
		var mu sync.Mutex
		now := time.Now()
		clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
		pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
		site := testenv.Start(t, testenv.WithClock(clock), testenv.WithConfig(func(c *server.Config) { c.SessionMax = time.Duration(days) * 24 * time.Hour }))
		ann := site.SetUpPerson("Ann")
		whoami := func() int {
			s, _ := site.Do("GET", wire.PathSession, ann.Token, "", nil, nil)
			return s
		}
		for range 2 {
			pass(29 * 24 * time.Hour)
			if got := whoami(); got != 200 {
				t.Fatalf("%d days: before its end: %d", days, got)
			}
			pass(24*time.Hour + time.Second)
			want := 200
			if days > 0 {
				want = 401
			}
			if got := whoami(); got != want {
				t.Errorf("%d days: after its end: %d, want %d", days, got, want)
			}
			if err := site.Server.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if days > 0 {
				ann.Ended() // the connection that stood
				if s, e := site.Post(wire.PathProve, ann.Token, wire.Prove{Password: testenv.Password}, nil); e != nil {
					t.Fatal(s, e)
				}
				ann.Socket = ann.Connect()
			}
			testenv.Call(ann.Socket, wire.RoomList, wire.None{})
		}
	}
}

// The note by which a browser is known ends with the password, and the browser
// that changed it gets another.
func TestKnownBrowsersEndWithThePassword(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	ask := func(path string, body any, cookies ...*http.Cookie) *http.Response {
		t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(context.Background(), "POST", site.Info.HTTPS+path, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for _, c := range cookies {
			req.AddCookie(c)
		}
		resp, err := site.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	note := func(resp *http.Response) *http.Cookie {
		for _, c := range resp.Cookies() {
			if c.Name == wire.CookieName+wire.CookieKnown {
				return c
			}
		}
		return nil
	}
	in := wire.SignIn{Name: "Ann", Password: testenv.Password, Device: "x", Cookie: true}
	old := note(ask(wire.PathSignin, in))
	if old == nil {
		t.Fatal("no note at sign-in")
	}
	session := &http.Cookie{Name: wire.CookieName, Value: ann.Token}
	resp := ask(wire.PathPassword, wire.ChangePassword{Old: testenv.Password, New: another}, session)
	fresh := note(resp)
	if resp.StatusCode != 200 || fresh == nil {
		t.Fatalf("changing it: %d, a new note: %t", resp.StatusCode, fresh != nil)
	}
	wrong := in
	wrong.Password = "a wrong password"
	for range 5 {
		ask(wire.PathSignin, wrong)
	}
	in.Password = another
	if s := ask(wire.PathSignin, in, old).StatusCode; s != 429 {
		t.Errorf("with the old note, after strangers have failed: %d", s)
	}
	if s := ask(wire.PathSignin, in, fresh).StatusCode; s != 200 {
		t.Errorf("with the new one: %d", s)
	}
}
