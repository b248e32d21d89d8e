package doors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// trials is how often a test tries what must hold every time: n, or what
// VECHE_TRIALS says.
func trials(t *testing.T, n int) int {
	t.Helper()
	s := os.Getenv("VECHE_TRIALS")
	if s == "" {
		return n
	}
	long, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("VECHE_TRIALS=%s is no number", s)
	}
	return long
}

// enter posts to one of the ways in, showing a cookie, and returns the session's
// cookie that came.
func enter(t *testing.T, site *testenv.Site, path string, body any, shown string) string {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest("POST", site.Info.HTTPS+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if shown != "" {
		req.AddCookie(&http.Cookie{Name: wire.CookieName, Value: shown})
	}
	resp, err := site.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	drain(resp)
	for _, c := range resp.Cookies() {
		if c.Name == wire.CookieName {
			return c.Value
		}
	}
	t.Fatalf("%s: %d and no cookie", path, resp.StatusCode)
	return ""
}

// whoIs returns the status of asking who one is, with a cookie.
func whoIs(t *testing.T, site *testenv.Site, cookie string) (status int, who wire.SignedIn) {
	t.Helper()
	req, err := http.NewRequest("GET", site.Info.HTTPS+wire.PathSession, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: wire.CookieName, Value: cookie})
	resp, err := site.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == 200 {
		if err := json.Unmarshal(b, &who); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, who
}

// A session that stood before somebody signs in is never theirs after it: neither
// one that an attacker has put into their browser, nor their own.
func TestASessionBeginsAnewWithEachSignIn(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	mallory := site.SignUp("Mallory")
	made := strings.Repeat("A", 43) // of the right form, and nobody's
	in := wire.SignIn{Name: "Ann", Password: testenv.Password, Device: "x", Cookie: true}
	seen := map[string]bool{made: true, mallory.Token: true}
	last := ""
	for _, way := range []struct {
		path, shown string
		body        any
	}{
		{wire.PathSignin, made, in}, {wire.PathSignin, mallory.Token, in}, {wire.PathSignin, "", in},
		{wire.PathSignup, made, wire.SignUp{Token: site.Invite(), Name: "Bob", Password: testenv.Password, Device: "x", Cookie: true}},
		{wire.PathSignup, mallory.Token, wire.SignUp{Token: site.Invite(), Name: "Cid", Password: testenv.Password, Device: "x", Cookie: true}},
	} {
		got := enter(t, site, way.path, way.body, way.shown)
		if seen[got] {
			t.Errorf("%s with %.6s… adopted a session", way.path, way.shown)
		}
		seen[got], last = true, got
	}
	if s, _ := whoIs(t, site, made); s != 401 {
		t.Errorf("the token that was put there is good: %d", s)
	}
	if s, who := whoIs(t, site, mallory.Token); s != 200 || who.Name != "Mallory" {
		t.Errorf("the attacker's own session is %d, %q", s, who.Name)
	}
	// Signing in again over a session of one's own makes another device, and
	// signing out ends that one alone.
	first := enter(t, site, wire.PathSignin, in, "")
	second := enter(t, site, wire.PathSignin, in, first)
	if s, e := site.Post(wire.PathSignout, second, struct{}{}, nil); e != nil {
		t.Fatal(s, e)
	}
	for token, want := range map[string]int{first: 200, second: 401, last: 200} {
		if s, _ := whoIs(t, site, token); s != want {
			t.Errorf("a session answers %d, want %d", s, want)
		}
	}
	// A token is taken where it belongs and nowhere else.
	for _, path := range []string{"?token=", "?access_token=", "?" + wire.CookieName + "="} {
		if s, _ := site.Do("GET", wire.PathSession+path+first, "", "", nil, nil); s != 401 {
			t.Errorf("a token in the address: %d", s)
		}
	}
	for _, h := range []string{"Basic " + first, "bearer  " + first, "Bearer" + first, "Bearer " + first + " ", "Bearer " + first + "=", "Token " + first} {
		req, _ := http.NewRequest("GET", site.Info.HTTPS+wire.PathSession, nil)
		req.Header["Authorization"] = []string{h}
		req.AddCookie(&http.Cookie{Name: wire.CookieName, Value: first}) // what is said first counts
		resp, err := site.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		drain(resp)
		if want := 401; resp.StatusCode != want && h != "Bearer "+first+" " { // the standard library trims a header's value
			t.Errorf("Authorization: %.9s…: %d", h, resp.StatusCode)
		}
	}
}

// slowly gives what is sent to it, until it is closed.
type slowly struct {
	more chan []byte
	left []byte
}

func (s *slowly) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		b, ok := <-s.more
		if !ok {
			return 0, io.EOF
		}
		s.left = b
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

// A device that is revoked hears nothing more: its socket ends, what waits for it
// is not told, no request is answered, and a file on its way breaks off (A3). The
// room goes on talking all the time.
func TestARevokedDeviceHearsNothingMore(t *testing.T) {
	site := testenv.Start(t)
	ann := newMember(t, site.SetUpPerson("Ann"))
	bob := newMember(t, site.AddPerson("Bob"))
	room := ann.create(ann.with(bob.Session.Account), bob)
	n := trials(t, 50)
	var lived []time.Duration // on after their revocation
	for i := range n {
		d := ann.AddDevice() // hears the room, being the account's
		up := uploadSlowly(t, site, d, i%10 == 0)
		ann.Root.Publish(ann.Socket, testenv.Revoke(d.Session.Device))
		revoked := time.Now()
		// From here on nothing is for this device.
		seq := ann.send(room)
		if s, _ := site.Do("GET", wire.PathSession, d.Token, "", nil, nil); s != 401 {
			t.Fatalf("trial %d: a request was answered with %d", i, s)
		}
		if _, resp, err := site.Dial(d.Token); err == nil || resp.StatusCode != 401 {
			t.Fatalf("trial %d: it connected again: %v %v", i, resp, err)
		}
		if s := d.Ended(); s != 4001 {
			t.Fatalf("trial %d: the socket ended with %d", i, s)
		}
		lived = append(lived, time.Since(revoked))
		for _, f := range d.Frames() {
			if f.Method != wire.OnNudge.Name {
				continue
			}
			var told wire.Nudge
			if err := wire.Decode(f.Body, &told); err != nil {
				t.Fatal(err)
			}
			if told.Seq >= seq {
				t.Fatalf("trial %d: it heard of entry %d, after its revocation", i, told.Seq)
			}
		}
		up()
		if i%25 == 24 { // the statement would grow beyond what an account has
			ann = replaced(t, site, ann, bob, &room)
		}
	}
	slices.Sort(lived)
	longest := lived[n-1]
	t.Logf("%d revocations; sockets lived on for %v in the median, %v at the 99th percentile, %v at most",
		n, lived[n/2], lived[n*99/100], longest)
	if os.Getenv("VECHE_TRIALS") != "" && longest > time.Second {
		t.Errorf("a socket lived on for %v", longest)
	}
}

// replaced makes another person with a room, since an account's chain lists every
// device that it ever had.
func replaced(t *testing.T, site *testenv.Site, old, bob *member, room *wire.RoomID) *member {
	t.Helper()
	old.Socket.Close()
	p := newMember(t, site.AddPerson(fmt.Sprintf("Ann %d", time.Now().UnixNano())))
	*room = p.create(p.with(bob.Session.Account), bob)
	return p
}

// uploadSlowly begins to upload a file, and returns what tries to go on with it
// after the device was revoked.
func uploadSlowly(t *testing.T, site *testenv.Site, d *testenv.Person, really bool) func() {
	t.Helper()
	if !really {
		return func() {}
	}
	var st wire.BlobState
	if s, e := site.Post(wire.PathBlobs, d.Token, wire.NewBlob{Size: 1 << 20}, &st); e != nil {
		t.Fatal(s, e)
	}
	body := &slowly{more: make(chan []byte)}
	req, err := http.NewRequest("PUT", site.Info.HTTPS+wire.PathBlob+st.Blob.String()+"?offset=0", io.MultiReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.Token)
	status := make(chan int, 1)
	go func() {
		resp, err := site.HTTP.Do(req)
		if err != nil {
			status <- 0 // broken off
			return
		}
		drain(resp)
		status <- resp.StatusCode
	}()
	body.more <- make([]byte, 1000)
	return func() {
		// Drop by drop, until the server has had enough of it.
		for end := time.After(time.Minute); ; {
			select {
			case body.more <- make([]byte, 1000):
				time.Sleep(20 * time.Millisecond)
			case s := <-status:
				if s != 401 && s != 0 {
					t.Errorf("the upload of a revoked device ended with %d", s)
				}
				return
			case <-end:
				t.Fatal("the upload of a revoked device goes on")
			}
		}
	}
}

// An invite is for one: of a hundred who come at once one gets in, and no other
// leaves anything behind.
func TestAHundredComeWithOneInvite(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	token := site.Invite()
	const n = 100
	var wg sync.WaitGroup
	got := make([]int, n)
	for i := range n {
		wg.Go(func() {
			p := wire.SignUp{Token: token, Name: fmt.Sprintf("Guest %d", i), Password: testenv.Password, Device: "x"}
			for {
				s, e := site.Post(wire.PathSignup, "", p, nil)
				if got[i] = s; s != 503 { // so many passwords are hashed one after the other
					return
				}
				time.Sleep(time.Duration(e.RetryAfter) * time.Millisecond / 20)
			}
		})
	}
	wg.Wait()
	won := 0
	for i, s := range got {
		if s == 200 {
			won++
		} else if s != 404 {
			t.Errorf("guest %d was told %d", i, s)
		}
	}
	people := testenv.Call(ann.Socket, wire.DirectoryPeople, wire.ListPeople{})
	if won != 1 || len(people.People) != 2 {
		t.Errorf("%d got in, %d people are there", won, len(people.People))
	}
}
