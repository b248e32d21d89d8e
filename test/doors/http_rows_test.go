package doors

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

// waitingAnew has the owner's device that waits sign in again once the owner had
// their try.
func waitingAnew(r row) row {
	try := r.try
	r.try = func(w *world, a *actor) string {
		s := try(w, a)
		if a.name == owner {
			p := w.waits()
			for _, a := range w.actors {
				if a.name == pending {
					a.token, a.who = p.Token, p
				}
			}
		}
		return s
	}
	return r
}

// resetOf makes a link to a new password of somebody.
func (w *world) resetOf(name string) string {
	w.Helper()
	l, err := admin.MakeReset(context.Background(), w.Dir, name)
	if err != nil {
		w.Fatal(err)
	}
	_, token, _ := strings.Cut(l.Link, "#")
	return token
}

// way is how a request comes in: by which door, and what it shows.
type way struct{ local, cookie bool }

var ways = []way{{false, false}, {false, true}, {true, false}, {true, true}}

// request is one that a row makes.
type request struct {
	path string
	body any // JSON, []byte as it is, nil none
	kind string
}

// over is a row of a route. Each cell tries one door with a bearer token, and
// another way in, in turn, which must be told the same.
func over(method, route, to string, with func(w *world, a *actor) request) row {
	turn := len(to)
	return row{do: method + " " + route, to: to, try: func(w *world, a *actor) string {
		first := w.through(ways[0], method, a, with(w, a))
		turn++
		if again := w.through(ways[1+turn%3], method, a, with(w, a)); again != first {
			return first + "/" + again
		}
		return first
	}}
}

func (w *world) through(v way, method string, a *actor, r request) string {
	w.Helper()
	resp := w.raw(v, method, a, r)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	if want, ok := onlyAnswer[resp.StatusCode]; ok && string(b) != want && method != "HEAD" {
		return "NO: " + string(b)
	}
	return fmt.Sprint(resp.StatusCode)
}

// onlyAnswer is the one body that such an answer has, so that nobody can tell
// what is not there from what is not for them.
var onlyAnswer = map[int]string{
	404: `{"code":"not_found","text":"no such thing"}`,
	401: `{"code":"unauthenticated","text":"sign in first"}`,
}

// drain reads a body to its end, so that the connection serves again.
func drain(resp *http.Response) {
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

func (w *world) raw(v way, method string, a *actor, r request) *http.Response {
	w.Helper()
	var body io.Reader = http.NoBody
	kind := r.kind
	switch b := r.body.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			w.Fatal(err)
		}
		body, kind = bytes.NewReader(j), "application/json"
	}
	site := w.Info.HTTPS
	if v.local {
		site = w.Info.HTTP
	}
	req, err := http.NewRequest(method, site+r.path, body)
	if err != nil {
		w.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if a.token != "" {
		name := wire.CookieName
		if v.local {
			name = wire.CookieLocal
		}
		if v.cookie {
			req.AddCookie(&http.Cookie{Name: name, Value: a.token})
		} else {
			req.Header.Set("Authorization", "Bearer "+a.token)
		}
	}
	resp, err := w.HTTP.Do(req)
	if err != nil {
		w.Fatalf("%s %s: %v", method, r.path, err)
	}
	return resp
}

func get(path string) func(*world, *actor) request {
	return func(*world, *actor) request { return request{path: path} }
}

func post(path string, body func(w *world, a *actor) any) func(*world, *actor) request {
	return func(w *world, a *actor) request { return request{path: path, body: body(w, a)} }
}

// guests counts those that sign up, for their names.
var guests atomic.Int64

const routeBlob = wire.PathBlob + "{id}"

func httpRows() []row {
	signUp := func(token func(w *world) string) func(w *world, a *actor) any {
		return func(w *world, _ *actor) any {
			return wire.SignUp{Token: token(w), Name: fmt.Sprintf("Guest %d", guests.Add(1)), Password: testenv.Password, Device: "x"}
		}
	}
	setUp := func(token func(w *world) string) func(w *world, a *actor) any {
		body := signUp(token)
		return func(w *world, a *actor) any {
			p := body(w, a).(wire.SignUp)
			p.Org = "Others"
			return p
		}
	}
	used := ""
	spent := func(w *world) string {
		if used == "" {
			used = w.Invite()
			if s, e := w.Post(wire.PathSignup, "", wire.SignUp{Token: used, Name: "First", Password: testenv.Password}, nil); e != nil {
				w.Fatal(s, e)
			}
		}
		return used
	}
	fresh := func(w *world) string { return w.Invite() }
	nonsense := func(*world) string { return "nonsense" }
	setup := func(w *world) string { return w.Info.SetupToken }
	link := func(token func(w *world) string) func(*world, *actor) request {
		return post(wire.PathLink, func(w *world, _ *actor) any { return wire.Link{Token: token(w)} })
	}
	signIn := func(name, password string) func(*world, *actor) request {
		return post(wire.PathSignin, func(w *world, _ *actor) any {
			w.clock.pass(15 * time.Minute)
			return wire.SignIn{Name: name, Password: password, Device: "x"}
		})
	}
	reset := func(token func(w *world) string) func(*world, *actor) request {
		return post(wire.PathReset, func(w *world, _ *actor) any {
			return wire.Reset{Token: token(w), Password: testenv.Password, Device: "x"}
		})
	}
	later := func(path string, body any) func(*world, *actor) request {
		return func(w *world, a *actor) request {
			w.clock.pass(15 * time.Minute)
			if a.name == locked {
				w.command(admin.SignOut, "Nina") // anew
			}
			return request{path: path, body: body}
		}
	}
	change := func(old, to string) func(*world, *actor) request {
		return later(wire.PathPassword, wire.ChangePassword{Old: old, New: to})
	}
	prove := func(password string) func(*world, *actor) request {
		return later(wire.PathProve, wire.Prove{Password: password})
	}
	list := []row{
		over("GET", wire.PathSite, "", get(wire.PathSite)),
		over("POST", wire.PathLink, "an invite", link(fresh)),
		over("POST", wire.PathLink, "an invite that was used", link(spent)),
		over("POST", wire.PathLink, "a link to a new password", link(func(w *world) string { return w.resetOf("Ted") })),
		over("POST", wire.PathLink, "the set-up link, used", link(setup)),
		over("POST", wire.PathLink, "none", link(nonsense)),
		over("POST", wire.PathSetup, "the set-up link, used", post(wire.PathSetup, setUp(setup))),
		over("POST", wire.PathSetup, "an invite", post(wire.PathSetup, setUp(fresh))),
		over("POST", wire.PathSetup, "no link", post(wire.PathSetup, setUp(nonsense))),
		over("POST", wire.PathSignup, "an invite", post(wire.PathSignup, signUp(fresh))),
		over("POST", wire.PathSignup, "an invite that was used", post(wire.PathSignup, signUp(spent))),
		over("POST", wire.PathSignup, "the set-up link, used", post(wire.PathSignup, signUp(setup))),
		over("POST", wire.PathSignup, "no link", post(wire.PathSignup, signUp(nonsense))),
		over("POST", wire.PathSignin, "with the password", signIn("Zoe", testenv.Password)),
		over("POST", wire.PathSignin, "with another", signIn("Zoe", wrong)),
		over("POST", wire.PathSignin, "as nobody", signIn("Nobody", wrong)),
		over("POST", wire.PathReset, "a link", reset(func(w *world) string { return w.resetOf("Ted") })),
		over("POST", wire.PathReset, "a link, and a password that is easily guessed", post(wire.PathReset, func(w *world, _ *actor) any {
			return wire.Reset{Token: w.resetOf("Ted"), Password: "password1", Device: "x"}
		})),
		over("POST", wire.PathReset, "a link that another one followed", reset(func(w *world) string {
			t := w.resetOf("Ted")
			w.resetOf("Ted")
			return t
		})),
		over("POST", wire.PathReset, "the link of an account that was shut since", reset(func(w *world) string {
			t := w.resetOf("Ted")
			w.command(admin.Shut, "Ted")
			w.command(admin.Open, "Ted")
			return t
		})),
		over("POST", wire.PathReset, "a link that was used", reset(func(w *world) string {
			t := w.resetOf("Ted")
			if s, e := w.Post(wire.PathReset, "", wire.Reset{Token: t, Password: testenv.Password}, nil); e != nil {
				w.Fatal(s, e)
			}
			return t
		})),
		over("POST", wire.PathReset, "an invite", reset(fresh)),
		over("POST", wire.PathReset, "no link", reset(nonsense)),
		over("POST", wire.PathSignup, "a link to a new password", post(wire.PathSignup, signUp(func(w *world) string { return w.resetOf("Ted") }))),
		over("POST", wire.PathSignin, "as somebody who is shut", signIn("Vera", testenv.Password)),
		waitingAnew(over("POST", wire.PathPassword, "the old one", change(testenv.Password, testenv.Password))).
			because("it turns away who waits to be let in; here that one comes back"),
		over("POST", wire.PathPassword, "a wrong one", change(wrong, testenv.Password)),
		over("POST", wire.PathPassword, "to one that is easily guessed", change(testenv.Password, "password1")),
		over("POST", wire.PathPassword, "to one that is too short", change(testenv.Password, "xkq7w")),
		over("POST", wire.PathProve, "the password", prove(testenv.Password)).because("who is locked shows it to go on; the next rows lock them again"),
		over("POST", wire.PathProve, "a wrong one", prove(wrong)),
		over("POST", wire.PathProve, "for another device", post(wire.PathProve, func(*world, *actor) any {
			return wire.Prove{Password: testenv.Password, Device: wire.NewDeviceID()}
		})),
		over("GET", wire.PathSession, "", get(wire.PathSession)),
		over("GET", wire.PathSocket, "without an upgrade", get(wire.PathSocket)).because("426: who may connect is asked to upgrade"),
		over("POST", wire.PathBlobs, "", post(wire.PathBlobs, func(*world, *actor) any { return wire.NewBlob{Size: 5} })),
	}
	list = append(list, blobRows()...)
	return append(list,
		over("GET", "/ca.crt", "", get("/ca.crt")),
		over("GET", "/healthz", "", get("/healthz")),
		over("GET", "/readyz", "", get("/readyz")),
		over("GET", "/.well-known/security.txt", "", get("/.well-known/security.txt")),
		over("GET", "/api/", "no such thing", get("/api/v1/nothing")),
		over("GET", "/", "the web app", get("/")),
		over("GET", "/", "a page of it", get("/room/x")),
		over("GET", "/", "a file of it", get("/assets/main-Ab3dEf9h.js")),
		over("GET", "/", "no such file", get("/none.js")),
		over("GET", "/", "what belongs to the metrics", get("/metrics")).because("the web app's page: metrics are on a port of their own"),
		over("GET", "/", "what belongs to the profiles", get("/debug/pprof/heap")).because("likewise"),
	)
}

// mine makes a file of the actor's account, as somebody who can.
func mine(w *world, a *actor, make func(token string, size int64) wire.BlobID) wire.BlobID {
	token := w.zoe.Token
	if a.who != nil {
		switch a.who.Session.Account {
		case w.olga.Session.Account:
			token = w.olga.Token
		case w.mike.Session.Account:
			token = w.mike.Token
		default:
			if a.live {
				token = a.token
			}
		}
	}
	return make(token, 5)
}

func blobRows() (list []row) {
	states := []struct {
		to string
		id func(w *world, a *actor) wire.BlobID
	}{
		{"no such file", func(*world, *actor) wire.BlobID { return wire.NewBlobID() }},
		{"one's own, complete", func(w *world, a *actor) wire.BlobID { return mine(w, a, w.upload) }},
		{"one's own, begun", func(w *world, a *actor) wire.BlobID { return mine(w, a, w.begin) }},
		{"somebody else's, complete", func(w *world, _ *actor) wire.BlobID { return w.loose }},
		{"somebody else's, begun", func(w *world, _ *actor) wire.BlobID { return w.half }},
		{"in the group, before some left", func(w *world, _ *actor) wire.BlobID { return w.early }},
		{"in the group, after that", func(w *world, _ *actor) wire.BlobID { return w.late }},
		{"in another group", func(w *world, _ *actor) wire.BlobID { return w.far }},
		{"in a message that was erased", func(w *world, _ *actor) wire.BlobID {
			id := w.upload(w.olga.Token, 5)
			testenv.Call(w.olga.Socket, wire.RoomErase, wire.Erase{Room: w.group, Seq: w.olga.send(w.group, id)})
			return id
		}},
	}
	notes := map[string]string{
		"GET in the group, before some left":    "who was removed or has left reads what they could read then",
		"GET in the group, after that":          "the one who came again was out when it was sent",
		"PUT one's own, complete":               "409: a complete file takes nothing more; 404 is not for one's own",
		"DELETE in the group, before some left": "409: a message holds it. Only who uploaded it learns that",
	}
	do := func(method, route, to string, with func(w *world, a *actor, st int) request) {
		for i, s := range states {
			if s.to != to && to != "" {
				continue
			}
			r := over(method, route, s.to, func(w *world, a *actor) request { return with(w, a, i) })
			if !strings.HasSuffix(route, "state") {
				r.note = notes[method+" "+s.to]
			}
			list = append(list, r)
		}
	}
	path := func(w *world, a *actor, st int) string { return wire.PathBlob + states[st].id(w, a).String() }
	do("GET", routeBlob, "", func(w *world, a *actor, st int) request { return request{path: path(w, a, st)} })
	do("GET", routeBlob+"/state", "", func(w *world, a *actor, st int) request { return request{path: path(w, a, st) + "/state"} })
	do("PUT", routeBlob, "", func(w *world, a *actor, st int) request {
		return request{path: path(w, a, st) + "?offset=0", body: []byte("hello")}
	})
	do("DELETE", routeBlob, "", func(w *world, a *actor, st int) request { return request{path: path(w, a, st)} })
	return append(list, over("GET", routeBlob, "what is no name of a file", get(wire.PathBlob+"nonsense")))
}

// wrongMethods are all methods of all paths that no row above has; HEAD goes
// where GET does. A row is a path with the methods that everybody is told the
// same of; a few sorts of people try them.
func wrongMethods(w *world) string {
	has := map[string]bool{}
	var paths []string
	for _, r := range append(httpRows(), lastRows()...) {
		if _, path, _ := strings.Cut(r.do, " "); !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
		has[r.do] = true
	}
	var b strings.Builder
	for _, path := range paths {
		told := map[string][]string{}
		for _, method := range []string{"HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			if has[method+" "+path] {
				continue
			}
			real := strings.ReplaceAll(path, "{id}", wire.NewBlobID().String())
			s := cells(w, row{do: method + " " + path, try: func(w *world, a *actor) string {
				if !slices.Contains([]string{anonymous, revoked, pending, owner, adminS}, a.name) {
					return "."
				}
				return w.through(way{}, method, a, request{path: real, kind: "application/json"})
			}})
			told[s] = append(told[s], method)
		}
		for _, s := range slices.Sorted(maps.Keys(told)) {
			fmt.Fprintf(&b, "%-30s%-48s%s\n", path, strings.Join(told[s], " "), s)
		}
	}
	return b.String()
}

// lastRows end sessions.
func lastRows() []row {
	return []row{{do: "POST " + wire.PathSignout, try: func(w *world, a *actor) string {
		return w.through(way{}, "POST", a, request{path: wire.PathSignout, body: struct{}{}})
	}}, {do: "GET " + wire.PathSession, to: "after that", try: func(w *world, a *actor) string {
		return w.through(way{}, "GET", a, request{path: wire.PathSession})
	}}}
}
