package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/server/session"
	"github.com/veche-im/veche/wire"
)

func newAPI(t *testing.T) *API {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	d, err := db.Open(t.Context(), db.Config{Path: filepath.Join(dir, "veche.db"), Log: log,
		Schemas: []db.Schema{account.Schema, device.Schema, room.Schema, blob.Schema}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	h := hub.New()
	accounts, err := account.New(account.Config{DB: d, Now: time.Now, Cost: account.Cost{Memory: 64, Time: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.New(blob.Config{DB: d, Dir: filepath.Join(dir, "blobs"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(session.Config{Table: session.NewTable(), Hub: h, Limit: limit.New(time.Now), Log: log, Now: time.Now,
		RoomsOf: func(context.Context, wire.AccountID) ([]wire.RoomID, error) { return nil, nil },
		Hello:   func(context.Context, *session.Actor) (wire.Hello, error) { return wire.Hello{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{DB: d, Hub: h, Accounts: accounts, Sessions: sessions, Blobs: blobs, Limit: limit.New(time.Now), Log: log, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Every route declares its action, its cap and its types (A1).
func TestEveryRouteDeclaresWhatItIs(t *testing.T) {
	a := newAPI(t)
	open := 0
	for _, r := range a.routes {
		if authz.On(r.action) == 0 {
			t.Errorf("%s has the action %q, which is not in the table of authz", r.pattern, r.action)
		}
		if r.types == "" || r.handle == nil {
			t.Errorf("%s has no types or no handler", r.pattern)
		}
		method, _, ok := strings.Cut(r.pattern, " ")
		if !ok {
			t.Errorf("%s takes any method", r.pattern)
		}
		if c := r.class; c == nil || c.Network.Burst == 0 {
			t.Errorf("%s has no limit for a network", r.pattern)
		} else if c.Account.Burst == 0 && !authz.Anonymous(r.action) {
			t.Errorf("%s has no limit for an account", r.pattern)
		}
		if (method == "POST" || method == "PUT") && r.max == 0 {
			t.Errorf("%s has no cap", r.pattern)
		}
		if r.max > blob.MaxAppend+1 {
			t.Errorf("%s takes %d bytes", r.pattern, r.max)
		}
		if authz.Anonymous(r.action) {
			open++
		}
	}
	// Who adds a route that needs no session changes this number on purpose.
	if open != 12 {
		t.Errorf("%d routes are open to anybody", open)
	}
}

// What each route tells whom stands in a table of test/doors: a route that nobody
// has tried there fails here.
func TestEveryRouteHasARowInTheTableOfDoors(t *testing.T) {
	table, err := os.ReadFile("../../test/doors/testdata/authz.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range newAPI(t).routes {
		if !strings.Contains(string(table), "\n"+r.pattern+" ") {
			t.Errorf("%s has no row", r.pattern)
		}
	}
}

func TestOverloadIsAnsweredWithATimeToWait(t *testing.T) {
	a := newAPI(t)
	srv := httptest.NewServer(a.Handler(Door{}))
	defer srv.Close()
	for range maxRequests {
		a.requests <- struct{}{}
	}
	get := func() *http.Response {
		resp, err := http.Get(srv.URL + wire.PathSite)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	if r := get(); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("overloaded: %d %q", r.StatusCode, r.Header.Get("Retry-After"))
	}
	<-a.requests
	if r := get(); r.StatusCode != 200 {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
}

func TestDrainingServerSendsPeopleElsewhere(t *testing.T) {
	a := newAPI(t)
	srv := httptest.NewServer(a.Handler(Door{}))
	defer srv.Close()
	a.Drain()
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, wire.PathSession: 503} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || (want == 503 && resp.Header.Get("Retry-After") == "") {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// deadlined remembers the deadlines that were set on its connection.
type deadlined struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlined) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlined) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

// The request before it on the connection may have left a deadline that passed:
// then a refusal would never arrive.
func TestEveryAnswerHasADeadlineOfItsOwn(t *testing.T) {
	a := newAPI(t)
	a.draining.Store(true)
	for name, r := range map[string]*http.Request{
		"from another site": httptest.NewRequest("POST", wire.PathSignin, nil),
		"a wrong method":    httptest.NewRequest("PATCH", wire.PathSignin, nil),
		"while going down":  httptest.NewRequest("GET", wire.PathSession, nil),
		"a file":            httptest.NewRequest("GET", "/", nil),
	} {
		w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		a.Handler(Door{}).ServeHTTP(w, r)
		if w.read.Before(time.Now()) || w.write.Before(time.Now()) {
			t.Errorf("%s: deadlines %v and %v", name, w.read, w.write)
		}
	}
}

// net/http ends the context of a request when its read deadline passes, in the
// middle of a long download too.
func TestLongDownloadOutlivesTheReadDeadline(t *testing.T) {
	a := newAPI(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &call{r: httptest.NewRequest("GET", "/", nil).WithContext(ctx)}
	if err := a.stands(c); wire.CodeOf(err) != wire.Unauthenticated { // nobody's session: that much could be seen
		t.Errorf("got %v", err)
	}
}

func TestPanicCostsOneRequest(t *testing.T) {
	a := newAPI(t)
	a.routes = append(a.routes, route{pattern: "GET /boom", action: authz.SiteRead, handle: func(*call) error { panic("ouch") }})
	srv := httptest.NewServer(a.Handler(Door{}))
	defer srv.Close()
	resp, err := http.Get(srv.URL + "/boom")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 500 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestEveryCodeHasAStatus(t *testing.T) {
	for _, c := range []wire.Code{wire.BadRequest, wire.Unauthenticated, wire.NotFound, wire.Conflict, wire.Stale, wire.Pending,
		wire.Exists, wire.TooLarge, wire.NoSpace, wire.Busy, wire.Cancelled, wire.Internal} {
		if _, ok := statuses[c]; !ok && c != wire.Internal {
			t.Errorf("%s has none", c)
		}
	}
	if statusOf("whatever") != 500 {
		t.Error("an unknown code is not our fault")
	}
}

// slowReader takes the beginning of an answer and then nothing until it is let go.
type slowReader struct {
	*httptest.ResponseRecorder
	begun chan<- struct{}
	goOn  <-chan struct{}
}

func (w *slowReader) SetReadDeadline(time.Time) error  { return nil }
func (w *slowReader) SetWriteDeadline(time.Time) error { return nil }

func (w *slowReader) Write(p []byte) (int, error) {
	w.begun <- struct{}{}
	<-w.goOn
	return w.ResponseRecorder.Write(p)
}

// A stranger who reads the web app slowly, over and over, must not keep people of
// other networks from it.
func TestSlowReadersOfOneNetworkLeaveTheWebAppToOthers(t *testing.T) {
	a := newAPI(t)
	h := a.Handler(Door{})
	get := func(w http.ResponseWriter, from string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = from
		h.ServeHTTP(w, r)
	}
	begun, goOn := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for i := range networkPages {
		all.Go(func() {
			get(&slowReader{httptest.NewRecorder(), begun, goOn}, fmt.Sprintf("[2001:db8::%x]:1", i+1)) // one /64
		})
	}
	for range networkPages {
		<-begun
	}
	for from, want := range map[string]int{"[2001:db8::ffff]:1": 503, "192.0.2.1:1": 200} {
		w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		if get(w, from); w.Code != want {
			t.Errorf("%s is answered %d, want %d", from, w.Code, want)
		}
	}
	close(goOn)
	all.Wait()
	w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
	if get(w, "[2001:db8::1]:1"); w.Code != 200 || len(a.ofPages.n) != 0 {
		t.Errorf("afterwards: %d, %d networks are counted", w.Code, len(a.ofPages.n))
	}
}
