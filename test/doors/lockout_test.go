package doors

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/wire"
)

// from returns a client at another address of this machine.
func from(site *testenv.Site, address string) *http.Client {
	tr := site.HTTP.Transport.(*http.Transport).Clone()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	tr.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		return d.DialContext(ctx, network, "127.0.0.1"+to[strings.LastIndex(to, ":"):])
	}
	site.TB.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// signIn tries a password, and returns the status and the cookies that came.
func signIn(t *testing.T, site *testenv.Site, c *http.Client, name, password string, show ...*http.Cookie) (int, []*http.Cookie) {
	t.Helper()
	b, err := json.Marshal(wire.SignIn{Name: name, Password: password, Device: "x", Cookie: true})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest("POST", site.Info.HTTPS+wire.PathSignin, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, k := range show {
		req.AddCookie(k)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Cookies()
}

func known(t *testing.T, cookies []*http.Cookie) *http.Cookie {
	t.Helper()
	for _, c := range cookies {
		if c.Name == wire.CookieName+wire.CookieKnown {
			return c
		}
	}
	t.Fatalf("no cookie says that somebody was signed in: %v", cookies)
	return nil
}

const wrong = "wrong password"

func TestStrangersLockNobodyOut(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	site.SignUp("Bob")
	home, office := from(site, "127.0.0.2"), from(site, "127.0.0.3")
	_, cookies := signIn(t, site, home, "Ann", testenv.Password)
	browser := known(t, cookies)
	for range 5 {
		if s, _ := signIn(t, site, home, "Ann", wrong); s != 404 {
			t.Fatalf("a failure: %d", s)
		}
	}
	if s, _ := signIn(t, site, home, "Ann", testenv.Password); s != 429 {
		t.Errorf("a browser that nobody knows, from where five have failed: %d", s)
	}
	if s, _ := signIn(t, site, home, "Bob", testenv.Password); s != 200 {
		t.Errorf("somebody else from there: %d", s)
	}
	if s, _ := signIn(t, site, office, "Ann", testenv.Password); s != 200 {
		t.Errorf("the person from elsewhere: %d", s)
	}
	if s, _ := signIn(t, site, home, "Ann", testenv.Password, browser); s != 200 {
		t.Errorf("the person's own browser: %d", s)
	}
	// Fifty failures from many networks; from each of them fewer than five.
	for i := range 12 {
		c := from(site, fmt.Sprintf("127.0.%d.1", i+1))
		for range 4 {
			signIn(t, site, c, "Ann", wrong)
		}
	}
	if s, _ := signIn(t, site, from(site, "127.0.99.1"), "Ann", wrong); s != 429 {
		t.Errorf("a guess more from yet another network: %d", s)
	}
	if s, _ := signIn(t, site, home, "Ann", testenv.Password, browser); s != 200 {
		t.Errorf("the person's own browser, after the whole network tried: %d", s)
	}
}

// prove shows the password in a session, and returns the status.
func prove(t *testing.T, site *testenv.Site, c *http.Client, token, password string, show ...*http.Cookie) int {
	t.Helper()
	b, err := json.Marshal(wire.Prove{Password: password})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest("POST", site.Info.HTTPS+wire.PathProve, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	for _, k := range show {
		req.AddCookie(k)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// A device that is no browser has no note of being known. Whoever fails under its
// person's name, from wherever, does not keep it from showing the password.
func TestStrangersKeepNoSessionFromProving(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	for i := range 13 { // as far as one name may fail; the first networks are the person's own
		c := from(site, fmt.Sprintf("127.0.%d.1", i))
		for range 4 {
			signIn(t, site, c, "Ann", wrong)
		}
	}
	home := from(site, "127.0.0.1")
	if s, _ := signIn(t, site, home, "Ann", testenv.Password); s != 429 {
		t.Fatalf("a sign-in after so many failures: %d", s)
	}
	if s := prove(t, site, home, ann.Token, testenv.Password); s != 200 {
		t.Errorf("proving: %d", s)
	}
	to := wire.ChangePassword{Old: testenv.Password, New: "seven lazy badgers"}
	if s, e := site.Post(wire.PathPassword, ann.Token, to, nil); e != nil {
		t.Errorf("changing it: %d %v", s, e)
	}
}

// Who has stolen a session guesses five times, wherever they go and whatever they
// show, and then twenty times an hour.
func TestAStolenSessionGuessesSlowly(t *testing.T) {
	c := &clock{at: time.Now()}
	site := testenv.Start(t, testenv.WithClock(c.now), testenv.WithConfig(func(cfg *server.Config) { cfg.Ticks = c.now }))
	ann := site.SetUpPerson("Ann")
	_, cookies := signIn(t, site, from(site, "127.0.0.2"), "Ann", testenv.Password)
	browser := known(t, cookies)
	var thieves []*http.Client
	for i := range 8 {
		thieves = append(thieves, from(site, fmt.Sprintf("127.0.%d.1", i+1)))
	}
	guesses := func(by []*http.Client) (n int) {
		for _, c := range by {
			if prove(t, site, c, ann.Token, wrong, browser) == 404 {
				n++
			}
		}
		return n
	}
	if n := guesses(thieves); n != 5 {
		t.Errorf("%d guesses at once, want 5", n)
	}
	if s := prove(t, site, site.HTTP, ann.Token, testenv.Password); s != 429 {
		t.Errorf("the right one after that: %d", s)
	}
	if s, _ := signIn(t, site, from(site, "127.0.0.2"), "Ann", testenv.Password); s != 200 {
		t.Errorf("the person's sign-in: %d", s)
	}
	n := 0
	for range 20 {
		c.pass(3 * time.Minute)
		n += guesses(thieves[:2])
	}
	if n != 20 {
		t.Errorf("%d guesses in an hour more, want 20", n)
	}
}

// What a known browser shows lets nobody guess faster, and works for one name.
func TestAKnownBrowserIsNoWayAround(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	site.SignUp("Bob")
	c := from(site, "127.0.0.2")
	_, cookies := signIn(t, site, c, "Ann", testenv.Password)
	anns := known(t, cookies)
	for i := range 6 {
		want := 404
		if i == 5 {
			want = 429
		}
		if s, _ := signIn(t, site, c, "Ann", wrong, anns); s != want {
			t.Errorf("attempt %d with the cookie: %d", i+1, s)
		}
	}
	if s, _ := signIn(t, site, c, "Ann", testenv.Password); s != 200 {
		t.Errorf("without it, from where no stranger failed: %d", s)
	}
	// Under another name, spoilt, or empty it is nothing: those failures count as
	// anybody's.
	spoilt := *anns
	spoilt.Value = strings.Repeat("A", len(anns.Value))
	empty := *anns
	empty.Value = ""
	for i, k := range []*http.Cookie{anns, &spoilt, &empty, anns, anns} {
		if s, _ := signIn(t, site, c, "Bob", wrong, k); s != 404 {
			t.Errorf("failure %d: %d", i+1, s)
		}
	}
	if s, _ := signIn(t, site, c, "Bob", testenv.Password, anns); s != 429 {
		t.Errorf("the sixth, with the cookie of another: %d", s)
	}
	// It opens no door.
	for _, path := range []string{wire.PathSession, wire.PathSocket} {
		req, _ := http.NewRequest("GET", site.Info.HTTPS+path, nil)
		req.AddCookie(anns)
		req.AddCookie(&http.Cookie{Name: wire.CookieName, Value: anns.Value})
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("%s with that cookie alone: %d", path, resp.StatusCode)
		}
	}
}

// An office behind one address, with the browsers of nobody known there yet: each
// mistypes, nobody is kept out. Who only fails there is slowed down.
func TestAnOfficeMayMistype(t *testing.T) {
	c := &clock{at: time.Now()}
	site := testenv.Start(t, testenv.WithClock(c.now), testenv.WithConfig(func(cfg *server.Config) { cfg.Ticks = c.now }))
	site.SetUp("Ann")
	office := from(site, "127.0.0.2")
	for i := range 30 {
		name := fmt.Sprint("Clerk ", i)
		site.SignUp(name)
		if s, _ := signIn(t, site, office, name, wrong); s != 404 {
			t.Fatalf("%s's mistake: %d", name, s)
		}
		if s, _ := signIn(t, site, office, name, testenv.Password); s != 200 {
			t.Fatalf("%s: %d", name, s)
		}
	}
	guesses := func() (n int) {
		for i := range 60 {
			if s, _ := signIn(t, site, office, fmt.Sprint("Name ", i), wrong); s == 404 {
				n++
			}
		}
		return n
	}
	if n := guesses(); n != 20 { // thirty of the fifty are used up
		t.Errorf("%d guesses at once, want 20", n)
	}
	c.pass(3 * time.Minute)
	if n := guesses(); n != 4 {
		t.Errorf("%d guesses in three minutes, want 4", n)
	}
}

// saying is a transport that says for whom it asks, as a proxy does.
type saying struct {
	http.RoundTripper
	client string
}

func (s saying) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Forwarded-For", s.client)
	return s.RoundTripper.RoundTrip(r)
}

// Behind a proxy that the site was told of people are counted by their own
// addresses, and nobody else is believed.
func TestAProxyIsBelievedAndNobodyElse(t *testing.T) {
	site := testenv.Start(t, testenv.WithConfig(func(cfg *server.Config) { cfg.Proxies = []string{"127.0.0.5"} }))
	site.SetUp("Ann")
	by := func(peer, said string) *http.Client {
		c := from(site, peer)
		return &http.Client{Transport: saying{c.Transport, said}, Timeout: c.Timeout}
	}
	try := func(what string, c *http.Client, password string, want int) {
		t.Helper()
		if s, _ := signIn(t, site, c, "Ann", password); s != want {
			t.Errorf("%s: %d, want %d", what, s, want)
		}
	}
	for range 5 {
		try("a failure of somebody", by("127.0.0.5", "203.0.113.1"), wrong, 404)
	}
	try("their next", by("127.0.0.5", "203.0.113.1"), testenv.Password, 429)
	try("with another address in front", by("127.0.0.5", "198.51.100.77, 203.0.113.1"), testenv.Password, 429)
	try("somebody else behind the proxy", by("127.0.0.5", "198.51.100.1"), testenv.Password, 200)
	for i := range 5 {
		try("a failure of who is no proxy", by("127.0.9.6", fmt.Sprintf("192.0.2.%d", i)), wrong, 404)
	}
	try("their next under yet another name", by("127.0.9.6", "192.0.2.99"), testenv.Password, 429)
}
