package doors

import (
	"context"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

// clock is the site's, so that what has a rate or a term of its own can be waited
// for.
type clock struct {
	mu sync.Mutex // guards what follows
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// actor is somebody who tries a door.
type actor struct {
	name  string
	what  string
	token string
	who   *member // nil for who has no account
	live  bool    // has a session: its socket stands
}

// world is a site in which much has happened.
//
// The owner has a direct room with the member, and a group with all others below
// but the stranger and the administrator. Zoe, who is none of the actors, has a
// group of her own, where a call goes on.
type world struct {
	testing.TB
	*testenv.Site
	clock  *clock
	actors []*actor

	olga, mike, zoe *member
	spare           *member // the member's device that has signed out
	ted, tess       *member // to whom administrators do things: the first's account is open, the other's is shut

	direct, group, foreign        wire.RoomID
	call, foreignCall             wire.CallID
	link, foreignLink             []byte
	early, late, loose, half, far wire.BlobID
	said                          map[*member]int64     // a message in the group of those that are out
	before                        map[wire.RoomID]int64 // newest entries when a test began
}

// Names of the actors, as the columns of the table have them.
const (
	anonymous = "anon"
	garbage   = "junk"
	unknown   = "unkn"
	expired   = "expd"
	signedOut = "outd"
	revoked   = "revk"
	pending   = "pend"
	owner     = "ownr"
	plain     = "memb"
	leafless  = "leafl"
	former    = "frmr"
	left      = "left"
	again     = "again"
	stranger  = "strg"
	adminS    = "admn"
	shutOut   = "shut"
	locked    = "lckd"
)

// app stands for the web app.
var app = fstest.MapFS{
	"index.html":              {Data: []byte("<!doctype html>app")},
	"assets/main-Ab3dEf9h.js": {Data: []byte("main()")},
	"sw.js":                   {Data: []byte("worker")},
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, clock: &clock{at: time.Now()}}
	w.Site = testenv.Start(t, testenv.WithClock(w.clock.now), testenv.WithWeb(app),
		testenv.WithConfig(func(c *server.Config) { c.Contact, c.Ticks = "mailto:security@example.org", w.clock.now }))
	adam := newMember(t, w.SetUpPerson("Adam"))
	person := func(name string) *member { return newMember(t, w.AddPerson(name)) }
	w.olga, w.mike, w.zoe = person("Olga"), person("Mike"), person("Zoe")
	fred, lena, rita, stan := person("Fred"), person("Lena"), person("Rita"), person("Stan")
	further := func(m *member) *member { return newMember(t, m.AddDevice()) }
	unused, stolen := further(w.olga), further(w.olga)
	w.spare = further(w.mike)
	all := []*member{adam, w.olga, w.mike, w.zoe, fred, lena, rita, stan, stolen, w.spare}

	w.direct = w.olga.create(w.olga.with(w.mike.Session.Account), w.mike)
	w.group = w.olga.create(w.olga.owns(), w.mike, fred, lena, rita, unused, stolen, w.spare)
	w.foreign = w.zoe.create(w.zoe.owns())

	w.early = w.upload(w.olga.Token, 100)
	w.olga.send(w.group, w.early)
	w.said = map[*member]int64{fred: fred.send(w.group), lena: lena.send(w.group)}
	w.remove(fred)
	w.remove(rita)
	w.late = w.upload(w.olga.Token, 100)
	w.olga.send(w.group, w.late)
	w.add(rita)
	lena.sync(w.group)
	testenv.Call(lena.Socket, wire.RoomPropose, lena.leaving(w.group))
	delete(lena.in, w.group)
	w.olga.commit(w.group, group.CommitOptions{IncludePending: true})
	w.olga.send(w.group)
	w.far = w.upload(w.zoe.Token, 100)
	w.zoe.send(w.foreign, w.far)
	w.loose = w.upload(w.zoe.Token, 100)
	w.half = w.begin(w.zoe.Token, 100)

	w.call = w.startCall(w.olga, w.group)
	w.foreignCall = w.startCall(w.zoe, w.foreign)
	w.link = testenv.Call(w.olga.Socket, wire.CallMakeURL, wire.CallRef{Call: w.call}).Token
	w.foreignLink = testenv.Call(w.zoe.Socket, wire.CallMakeURL, wire.CallRef{Call: w.foreignCall}).Token

	// A device of the owner, in the group, of which nobody has heard for ninety
	// days, while all others were used.
	for _, d := range []time.Duration{60 * 24 * time.Hour, 31 * 24 * time.Hour} {
		w.clock.pass(d)
		for _, m := range all {
			if s, e := w.Do("GET", wire.PathSession, m.Token, "", nil, nil); e != nil {
				t.Fatal(m.Session.Name, s, e)
			}
		}
	}
	// Another was revoked, and its leaf still stands in the tree.
	w.olga.Root.Publish(w.olga.Socket, testenv.Revoke(stolen.Session.Device))
	// One of the member signed out; it is active, and in the tree.
	if s, e := w.Post(wire.PathSignout, w.spare.Token, struct{}{}, nil); e != nil {
		t.Fatal(s, e)
	}
	// Another is active, and was never in the tree.
	second := further(w.mike)
	// And one of the owner waits to be let in.
	p := w.waits()

	w.ted, w.tess = person("Ted"), person("Tess")
	vera, nina := person("Vera"), person("Nina")
	w.command(admin.Shut, "Tess")
	w.command(admin.Shut, "Vera")
	w.command(admin.SignOut, "Nina")

	w.actors = []*actor{
		{anonymous, "nobody: no token", "", nil, false},
		{garbage, "a token that is none", "garbage", nil, false},
		{unknown, "a token that nobody has", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", nil, false},
		{expired, "the owner's second device, unused for 91 days", unused.Token, unused, false},
		{signedOut, "the member's second device, signed out", w.spare.Token, w.spare, false},
		{revoked, "the owner's third device, revoked; its leaf is still in the group", stolen.Token, stolen, false},
		{pending, "the owner's fourth device, not let in yet", p.Token, p, true},
		{owner, "the owner of the group", w.olga.Token, w.olga, true},
		{plain, "a member of the group; has a direct room with the owner", w.mike.Token, w.mike, true},
		{leafless, "the member's third device, which is not in the group yet", second.Token, second, true},
		{former, "was removed from the group", fred.Token, fred, true},
		{left, "has left the group", lena.Token, lena, true},
		{again, "was removed from the group and added again", rita.Token, rita, true},
		{stranger, "was never in any of the rooms", stan.Token, stan, true},
		{adminS, "an administrator who was never in any of the rooms", adam.Token, adam, true},
		{shutOut, "somebody whose account was shut", vera.Token, vera, false},
		{locked, "somebody whom an administrator has signed out", nina.Token, nina, false},
	}
	return w
}

// waits makes a device of the owner that waits to be let in.
func (w *world) waits() *member {
	w.Helper()
	s := w.SignIn("Olga")
	p := newMember(w, &testenv.Person{Session: s, Socket: s.Connect(), Root: w.olga.Root, Keys: testenv.NewKeys(w)})
	testenv.Call(p.Socket, wire.DeviceEnrol, p.Keys.Enrol())
	return p
}

// command does something to a person's account on the server's own command line.
func (w *world) command(act admin.Act, name string) {
	w.Helper()
	if err := admin.Do(context.Background(), w.Dir, act, name); err != nil {
		w.Fatalf("%s %s: %v", act, name, err)
	}
}

// prove has an actor show the password.
func (w *world) prove(a *actor) {
	w.Helper()
	if s, e := w.Post(wire.PathProve, a.token, wire.Prove{Password: testenv.Password}, nil); e != nil {
		w.Fatal(a.name, s, e)
	}
}

// begin makes room for a file, as a token's device.
func (w *world) begin(token string, size int64) wire.BlobID {
	w.Helper()
	var st wire.BlobState
	if s, e := w.Post(wire.PathBlobs, token, wire.NewBlob{Size: size}, &st); e != nil {
		w.Fatal(s, e)
	}
	return st.Blob
}

// upload makes a complete file.
func (w *world) upload(token string, size int64) wire.BlobID {
	w.Helper()
	id := w.begin(token, size)
	if s, e := w.Do("PUT", wire.PathBlob+id.String()+"?offset=0", token, "", make([]byte, size), nil); e != nil {
		w.Fatal(s, e)
	}
	return id
}

// startCall starts a call and takes part in it.
func (w *world) startCall(m *member, room wire.RoomID) wire.CallID {
	w.Helper()
	id := wire.NewCallID()
	testenv.Call(m.Socket, wire.CallStart, wire.StartCall{Room: room, Call: id})
	testenv.Call(m.Socket, wire.CallJoin, wire.JoinCall{Call: id, Offer: "offer"})
	return id
}

// remove has the owner take a device out of the group.
func (w *world) remove(m *member) {
	w.Helper()
	if leaf := w.olga.leaf(w.group, m.Session.Device); leaf != nil {
		w.olga.commit(w.group, group.CommitOptions{Remove: []mls.LeafIndex{*leaf}})
	}
	delete(m.in, w.group)
}

// add has the owner take a device into the group.
func (w *world) add(m *member) {
	w.Helper()
	w.olga.commit(w.group, group.CommitOptions{Add: []mls.KeyPackage{m.keyPackage()}})
	m.join(w.group)
}
