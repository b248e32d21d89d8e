package server_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) advance(d time.Duration) { c.mu.Lock(); c.at = c.at.Add(d); c.mu.Unlock() }

func status(t *testing.T, site *testenv.Site, path string, body any, want int, code wire.Code, what string) {
	t.Helper()
	got, e := site.Post(path, "", body, nil)
	if got != want || (e != nil && e.Code != code) || (e == nil && code != "") {
		t.Errorf("%s: %d %v, want %d %s", what, got, e, want, code)
	}
}

func signUp(token, name string) wire.SignUp {
	return wire.SignUp{Token: token, Name: name, Password: testenv.Password, Device: "x"}
}

func TestLinksWorkOnceAndForAWhile(t *testing.T) {
	c := newClock()
	site := testenv.Start(t, testenv.WithClock(c.now))
	setup := wire.SignUp{Token: site.SetupToken(), Org: "Testers", Name: "Ann", Password: testenv.Password, Device: "x"}
	status(t, site, wire.PathLink, wire.Link{Token: "nonsense"}, 404, wire.NotFound, "a link that is none")
	status(t, site, wire.PathSignup, signUp(site.SetupToken(), "Ann"), 404, wire.NotFound, "a set-up link to sign up with")
	bad := setup
	bad.Name = ""
	status(t, site, wire.PathSetup, bad, 400, wire.BadRequest, "a set-up without a name")
	c.advance(wire.SetupTTL + time.Second)
	status(t, site, wire.PathSetup, setup, 404, wire.NotFound, "a set-up link that expired")

	site.Restart()
	old := setup
	setup.Token = site.SetupToken()
	c.advance(-2 * time.Minute) // as if the old one were good again
	status(t, site, wire.PathSetup, old, 404, wire.NotFound, "a set-up link from before the restart")
	status(t, site, wire.PathSetup, setup, 200, "", "the set-up link")
	status(t, site, wire.PathSetup, setup, 404, wire.NotFound, "the set-up link again")
	status(t, site, wire.PathLink, wire.Link{Token: setup.Token}, 404, wire.NotFound, "a used link")

	invite := site.Invite()
	status(t, site, wire.PathSetup, wire.SignUp{Token: invite, Org: "X", Name: "Eve", Password: testenv.Password}, 404, wire.NotFound, "an invite to set up with")
	status(t, site, wire.PathSignup, signUp(invite, "Bob"), 200, "", "an invite")
	status(t, site, wire.PathSignup, signUp(invite, "Cid"), 404, wire.NotFound, "an invite again")
	late := site.Invite()
	c.advance(wire.InviteTTL + time.Second)
	status(t, site, wire.PathSignup, signUp(late, "Dan"), 404, wire.NotFound, "an invite that expired")

	site.Restart()
	if site.SetupToken() != "" {
		t.Error("a site that is set up printed a set-up link")
	}
}

func TestOneLinkTakenByManyMakesOneAccount(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	token := site.Invite()
	var wg sync.WaitGroup
	got := make([]int, 8)
	for i := range got {
		wg.Go(func() { got[i], _ = site.Post(wire.PathSignup, "", signUp(token, fmt.Sprintf("Bob %d", i)), nil) })
	}
	wg.Wait()
	won := 0
	for _, s := range got {
		switch s {
		case 200:
			won++
		case 404:
		default:
			t.Errorf("status %d", s)
		}
	}
	if won != 1 {
		t.Errorf("%d got in", won)
	}
}

func TestANameBelongsToOnePersonWhateverItsCase(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann  Lee")
	token := site.Invite()
	for _, name := range []string{"Ann Lee", "ann lee", "ANN   LEE", " ann lee "} {
		status(t, site, wire.PathSignup, signUp(token, name), 409, wire.Exists, name)
	}
	for _, name := range []string{"", " ", "a\nb", "a\u202eb", "a\x00b", strings.Repeat("x", wire.MaxName+1), strings.Repeat("x", 9000)} {
		status(t, site, wire.PathSignup, signUp(token, name), 400, wire.BadRequest, fmt.Sprintf("%.20q", name))
	}
	status(t, site, wire.PathSignup, signUp(token, "Анна Ли"), 200, "", "the link is still good after all that")
	var in wire.SignedIn
	if s, e := site.Post(wire.PathSignin, "", wire.SignIn{Name: "АННА ЛИ", Password: testenv.Password}, &in); e != nil || in.Name != "Анна Ли" {
		t.Errorf("sign in with other letters: %d %v %q", s, e, in.Name)
	}
}

func TestPasswordsThatCannotBe(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	token := site.Invite()
	for _, pw := range []string{"", "1234567", strings.Repeat("x", wire.MaxPassword+1), "tab\tinside it"} {
		p := signUp(token, "Bob")
		p.Password = pw
		status(t, site, wire.PathSignup, p, 400, wire.BadRequest, fmt.Sprintf("%.20q", pw))
	}
	// Eight characters, not bytes; and other spaces count as spaces (RFC 8265).
	p := signUp(token, "Bob")
	p.Password = "снег\u00a0идё"
	status(t, site, wire.PathSignup, p, 200, "", "eight letters of another script")
	status(t, site, wire.PathSignin, wire.SignIn{Name: "bob", Password: "снег идё"}, 200, "", "with a plain space")
}

func TestWrongNameAndWrongPasswordLookAlike(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	bodies := map[string]bool{}
	for _, p := range []wire.SignIn{{Name: "Ann", Password: "wrong password"}, {Name: "Nobody", Password: "wrong password"}, {Name: "Nobody", Password: "x"}, {Name: "Ann", Password: ""}, {Name: "\x00", Password: "wrong password"}} {
		s, e := site.Post(wire.PathSignin, "", p, nil)
		if s != 404 {
			t.Errorf("%+v: %d", p, s)
		}
		bodies[e.Error()] = true
	}
	if len(bodies) != 1 {
		t.Errorf("answers differ: %v", bodies)
	}
}

func TestTooManyFailuresOfANameAreToldToWait(t *testing.T) {
	c := newClock()
	site := testenv.Start(t, testenv.WithClock(c.now))
	site.SetUp("Ann")
	for range 5 {
		status(t, site, wire.PathSignin, wire.SignIn{Name: "Ann", Password: "wrong password"}, 404, wire.NotFound, "a failure")
	}
	_, e := site.Post(wire.PathSignin, "", wire.SignIn{Name: "ANN", Password: testenv.Password}, nil)
	if e == nil || e.Code != wire.Attempts || e.RetryAfter <= 0 || e.RetryAfter > (15*time.Minute).Milliseconds()+1 {
		t.Fatalf("the sixth, even with the right password: %+v", e)
	}
	// An unknown name is treated alike.
	for range 5 {
		status(t, site, wire.PathSignin, wire.SignIn{Name: "Nobody", Password: "wrong password"}, 404, wire.NotFound, "a failure of nobody")
	}
	status(t, site, wire.PathSignin, wire.SignIn{Name: "Nobody", Password: "wrong password"}, 429, wire.Attempts, "the sixth of nobody")
	c.advance(time.Duration(e.RetryAfter) * time.Millisecond)
	status(t, site, wire.PathSignin, wire.SignIn{Name: "Ann", Password: testenv.Password}, 200, "", "after the time it was told")
}

func TestTooManyFailuresOfAnAddressAreToldToWait(t *testing.T) {
	c := newClock()
	site := testenv.Start(t, testenv.WithClock(c.now))
	site.SetUp("Ann")
	for i := range 20 {
		status(t, site, wire.PathSignin, wire.SignIn{Name: fmt.Sprintf("name %d", i), Password: "wrong password"}, 404, wire.NotFound, "a failure")
	}
	status(t, site, wire.PathSignin, wire.SignIn{Name: "Ann", Password: testenv.Password}, 429, wire.Attempts, "the twenty-first from there")
	c.advance(15 * time.Minute)
	status(t, site, wire.PathSignin, wire.SignIn{Name: "Ann", Password: testenv.Password}, 200, "", "a quarter of an hour later")
}

func TestAttemptsAtOnceDoNotSlipThrough(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	var wg sync.WaitGroup
	got := make([]int, 16)
	for i := range got {
		wg.Go(func() {
			got[i], _ = site.Post(wire.PathSignin, "", wire.SignIn{Name: "Ann", Password: "wrong password"}, nil)
		})
	}
	wg.Wait()
	tried := 0
	for _, s := range got {
		if s == 404 {
			tried++
		}
	}
	if tried > 5 {
		t.Errorf("%d passwords were tried", tried)
	}
}

func TestSessionEndsAfterNinetyDaysWithoutUse(t *testing.T) {
	c := newClock()
	site := testenv.Start(t, testenv.WithClock(c.now))
	ann := site.SetUpPerson("Ann")
	whoami := func() int { s, _ := site.Do("GET", wire.PathSession, ann.Token, "", nil, nil); return s }
	c.advance(89 * 24 * time.Hour)
	if s := whoami(); s != 200 {
		t.Fatalf("on day 89: %d", s)
	}
	c.advance(89 * 24 * time.Hour)
	if s := whoami(); s != 200 {
		t.Errorf("89 days after that: %d", s)
	}
	c.advance(91 * 24 * time.Hour)
	if s := whoami(); s != 401 {
		t.Errorf("after 91 days without use: %d", s)
	}
}

func TestBrowserSessionsAreCookies(t *testing.T) {
	site := testenv.Start(t)
	p := wire.SignUp{Token: site.SetupToken(), Org: "Testers", Name: "Ann", Password: testenv.Password, Cookie: true}
	for _, door := range []struct{ url, cookie string }{{site.Info.HTTPS, wire.CookieName}, {site.Info.HTTP, wire.CookieLocal}} {
		path := wire.PathSetup
		body := `{"token":"` + p.Token + `","org":"Testers","name":"Ann","password":"` + p.Password + `","device":"b","cookie":true}`
		if door.cookie == wire.CookieLocal {
			path, body = wire.PathSignin, `{"name":"Ann","password":"`+p.Password+`","device":"b","cookie":true}`
		}
		resp, err := site.HTTP.Post(door.url+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || bytes.Contains(b, []byte(`"token"`)) {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, b)
		}
		cookies := resp.Cookies()
		if len(cookies) != 2 || cookies[0].Name != door.cookie || cookies[1].Name != door.cookie+wire.CookieKnown {
			t.Fatalf("cookies: %v", cookies)
		}
		local := door.cookie == wire.CookieLocal
		for _, c := range cookies {
			if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure == local || c.Path != "/" || c.Domain != "" || c.MaxAge < 399*24*3600 {
				t.Errorf("the cookie is %+v", c)
			}
		}
		c := cookies[0]
		req, _ := http.NewRequest("GET", door.url+wire.PathSession, nil)
		req.AddCookie(c)
		if resp, err = site.HTTP.Do(req); err != nil || resp.StatusCode != 200 {
			t.Errorf("with the cookie: %v %v", resp, err)
		}
		resp.Body.Close()
	}
}

func TestOtherSitesCannotAct(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	body := `{"name":"Ann","password":"` + testenv.Password + `","device":"x"}`
	host := strings.TrimPrefix(site.Info.HTTPS, "https://")
	for _, tt := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"plain", http.Header{"Content-Type": {"application/json"}}, 200},
		{"from the site itself", http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Origin": {"https://" + host}, "Sec-Fetch-Site": {"same-origin"}}, 200},
		{"from elsewhere", http.Header{"Content-Type": {"application/json"}, "Origin": {"https://evil.example"}}, 403},
		{"from another port", http.Header{"Content-Type": {"application/json"}, "Origin": {"https://127.0.0.1:1"}}, 403},
		{"from nowhere", http.Header{"Content-Type": {"application/json"}, "Origin": {"null"}}, 403},
		{"cross-site", http.Header{"Content-Type": {"application/json"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		{"same-site", http.Header{"Content-Type": {"application/json"}, "Sec-Fetch-Site": {"same-site"}}, 403},
		{"a form", http.Header{"Content-Type": {"text/plain"}}, 403},
		{"no type", http.Header{}, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, _ := http.NewRequest("POST", site.Info.HTTPS+wire.PathSignin, strings.NewReader(body))
			req.Header = tt.header
			resp, err := site.HTTP.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != tt.want {
				t.Errorf("%d", resp.StatusCode)
			}
		})
	}
}

func TestSocketChecksOriginAndSession(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUp("Ann")
	auth := "Bearer " + ann.Token
	for _, tt := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"no session", http.Header{}, 401},
		{"a wrong token", http.Header{"Authorization": {"Bearer " + strings.Repeat("A", 43)}}, 401},
		{"another site's page", http.Header{"Authorization": {auth}, "Origin": {"https://evil.example"}}, 403},
		{"the site's page", http.Header{"Authorization": {auth}, "Origin": {site.Info.HTTPS}}, 101},
		{"no browser", http.Header{"Authorization": {auth}}, 101},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, resp, err := site.DialWith(tt.header)
			if resp == nil || resp.StatusCode != tt.want {
				t.Fatalf("%v %v", resp, err)
			}
			if c != nil {
				c.Close()
			}
		})
	}
}

func TestLocalDoorIsForThisMachineAlone(t *testing.T) {
	site := testenv.Start(t)
	for host, want := range map[string]int{"localhost:1": 200, "127.0.0.1": 200, "[::1]:5": 200, "evil.example": 403, "192.0.2.7:8080": 403} {
		req, _ := http.NewRequest("GET", site.Info.HTTP+wire.PathSite, nil)
		req.Host = host
		resp, err := site.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("asked for as %s: %d", host, resp.StatusCode)
		}
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	site := testenv.Start(t)
	for body, want := range map[string]int{
		`{"token":"x"`:           400,
		`{"token":"x"}{}`:        400,
		`{"token":"x","more":1}`: 400,
		`[]`:                     400,
		``:                       400,
		`{"token":"` + strings.Repeat("x", wire.MaxJSON) + `"}`: 413,
	} {
		got, _ := site.Do("POST", wire.PathLink, "", "application/json", []byte(body), nil)
		if got != want {
			t.Errorf("%.30q: %d, want %d", body, got, want)
		}
	}
}

// What must not be on the server's disk or in its logs: passwords, tokens,
// links.
func TestSecretsAreNowhere(t *testing.T) {
	var mu sync.Mutex
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return logged.Write(b)
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	site := testenv.Start(t, testenv.WithLog(log))
	setup := site.SetupToken()
	ann := site.SetUpPerson("Ann")
	invite := site.Invite()
	bob := site.SignUp("Bob")
	site.Do("GET", "/join?canary-query="+invite, "", "", nil, nil)
	site.Do("GET", wire.PathSession+"?canary-query=1", ann.Token, "", nil, nil)
	site.Post(wire.PathSignin, "", wire.SignIn{Name: "Ann", Password: "canary-wrong-password"}, nil)
	site.Post(wire.PathSignin, "", wire.SignIn{Name: "canary-wrong-name", Password: "canary-wrong-password"}, nil)
	reset := resetLink(t, site, "Ann")
	site.Post(wire.PathReset, "", wire.Reset{Token: reset, Password: "password1"}, nil)
	site.Post(wire.PathPassword, ann.Token, wire.ChangePassword{Old: "canary-wrong-password", New: "canary-new-password"}, nil)
	site.Post(wire.PathPassword, ann.Token, wire.ChangePassword{Old: testenv.Password, New: "canary-new-password"}, nil)
	// What an administrator's tools are shown, while it runs.
	shown := map[string][]byte{}
	for _, path := range []string{"/metrics", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1", "/debug/pprof/allocs?debug=1", "/debug/pprof/cmdline"} {
		resp, err := site.HTTP.Get(strings.TrimSuffix(site.Info.Metrics, "/metrics") + path)
		if err != nil {
			t.Fatal(err)
		}
		shown[path], err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Contains(shown["/debug/pprof/goroutine?debug=2"], []byte("goroutine ")) {
		t.Error("there is nothing to search in")
	}
	state, err := admin.AskState(t.Context(), site.Dir)
	if err != nil {
		t.Fatal(err)
	}
	shown["the admin socket"] = fmt.Appendf(nil, "%+v", state)
	site.Stop()

	secrets := map[string]string{
		"password": testenv.Password, "wrong password": "canary-wrong-password", "session": ann.Token, "another session": bob.Token,
		"set-up link": setup, "invite": invite, "query": "canary-query",
		"reset link": reset, "new password": "canary-new-password", "name that somebody typed": "canary-wrong-name",
	}
	mu.Lock()
	defer mu.Unlock()
	for name, s := range secrets {
		if s == "" {
			t.Errorf("no %s to look for", name)
		}
		if strings.Contains(logged.String(), s) {
			t.Errorf("the log holds the %s", name)
		}
		for place, b := range shown {
			if bytes.Contains(b, []byte(s)) {
				t.Errorf("%s shows the %s", place, name)
			}
		}
	}
	if !strings.Contains(logged.String(), "started") {
		t.Error("nothing was logged at all")
	}
	err = filepath.WalkDir(site.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for name, s := range secrets {
			if bytes.Contains(b, []byte(s)) {
				t.Errorf("%s holds the %s", d.Name(), name)
			}
		}
		if info, _ := d.Info(); info.Mode().Perm()&0o077 != 0 && d.Name() != "admin.sock" {
			t.Errorf("%s has mode %v", d.Name(), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
