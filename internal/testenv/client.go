package testenv

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/client"
	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/native"
	"github.com/veche-im/veche/wire"
)

// Users are people who are signed up, each with one client, when New returns.
type Users []string

// WithUsers names the people of a World. The first is the administrator.
func WithUsers(names ...string) Users { return names }

// World is a site with clients in the same process.
type World struct {
	*Site
	clients map[string]*Client
}

// New starts a site and signs the users up.
//
//	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
//	id := w.Client("ann").SendTo("bob", "hello")
//	w.Client("bob").Sees("ann", "hello")
func New(t testing.TB, users Users, opts ...Option) *World {
	t.Helper()
	w := &World{Site: Start(t, opts...), clients: map[string]*Client{}}
	for i, name := range users {
		c := w.Fresh(name)
		w.clients[name] = c
		p := api.SignUp{Name: name, Password: Password, Device: name + "'s device"}
		if i == 0 {
			p.Token, p.Org = w.SetupToken(), "Testers"
		} else {
			p.Token = w.Invite()
		}
		e := Do(c, api.DoSignUp, p)
		c.RecoveryKey = e.RecoveryKey
		c.Ready()
	}
	return w
}

// Client returns a person's first client.
func (w *World) Client(name string) *Client {
	w.TB.Helper()
	c := w.clients[name]
	if c == nil {
		w.TB.Fatalf("there is no %s", name)
	}
	return c
}

// Fresh starts a client at which nobody is signed in.
func (w *World) Fresh(name string) *Client {
	w.TB.Helper()
	c := &Client{
		TB: w.TB, World: w, Name: name, Dir: filepath.Join(w.TB.TempDir(), "profile"), Link: newLink(w.Site),
		more: make(chan struct{}), Now: time.Now,
	}
	c.Start()
	w.TB.Cleanup(c.Stop)
	return c
}

// FurtherDevice signs a person in on a new client, which then waits to be let in.
func (w *World) FurtherDevice(name string) *Client {
	w.TB.Helper()
	c := w.Fresh(name + "-2")
	e := Do(c, api.DoSignIn, api.SignIn{Name: name, Password: Password, Device: name + "'s other device"})
	if e.Phase != api.PhaseEnrolling {
		w.TB.Fatalf("a further device of %s is %s", name, e.Phase)
	}
	return c
}

// Client is one device's core with what it has told.
type Client struct {
	TB          testing.TB
	World       *World
	Name        string
	Dir         string // its profile
	Link        *Link
	RecoveryKey string
	Now         func() time.Time // read at Start
	Plug        *Plug            // read at Start; nil: the profile works

	*client.Client
	Store *store.DB
	stop  context.CancelFunc
	done  chan error

	mu     sync.Mutex // guards what follows
	events []Told
	more   chan struct{} // closed and replaced when events grows
}

// Told is an event that a client has emitted.
type Told struct {
	Name  string
	Value any
}

// Start opens the profile and runs the core.
func (c *Client) Start() {
	c.TB.Helper()
	db, err := native.OpenThrough(context.Background(), c.Dir, func(conn store.Conn) store.Conn {
		if c.Plug == nil {
			return conn
		}
		c.Plug.link = c.Link
		return &plugged{conn, c.Plug}
	})
	if err != nil {
		c.TB.Fatalf("open the profile of %s: %v", c.Name, err)
	}
	c.Store = db
	c.Plug.arm()
	level := slog.LevelError
	if os.Getenv("VECHE_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(errorsOnly{c.TB}, &slog.HandlerOptions{Level: level})).With("client", c.Name)
	now := c.Now
	c.Client, err = client.New(client.Config{
		Link: c.Link, Store: db, Log: log, Version: "test", Keys: 6, // each costs milliseconds, many more under the race detector
		Now:        func() time.Time { return now() },
		OpenSource: OpenFile, CreateSink: CreateFile,
		Emit: func(name string, value any) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.events = append(c.events, Told{name, value})
			close(c.more)
			c.more = make(chan struct{})
		},
	})
	if err != nil {
		c.TB.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop, c.done = stop, make(chan error, 1)
	core := c.Client
	go func() { c.done <- core.Run(ctx) }()
}

// Stop ends the core and closes the profile.
func (c *Client) Stop() {
	if c.stop == nil {
		return
	}
	c.stop()
	c.stop = nil
	if err := <-c.done; err != nil && !c.Plug.Pulled() {
		c.TB.Errorf("the client of %s ended with: %v", c.Name, err)
	}
	if err := c.Store.Close(); err != nil && !c.Plug.Pulled() {
		c.TB.Errorf("close the profile of %s: %v", c.Name, err)
	}
}

// Restart stops the core and starts it again on the same profile.
func (c *Client) Restart() {
	c.TB.Helper()
	c.Stop()
	c.Start()
}

// Ready waits until the client is connected and has read everything.
func (c *Client) Ready() {
	c.TB.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := c.WaitCaughtUp(ctx)
		if err == nil {
			return
		}
		if api.FailureOf(err).Code != api.Offline || ctx.Err() != nil {
			c.TB.Fatalf("%s does not catch up: %v", c.Name, err)
		}
		time.Sleep(10 * time.Millisecond) // dialling again
	}
}

// Do asks a client for a command that must succeed.
func Do[P, R any](c *Client, cmd api.Command[P, R], p P) R {
	c.TB.Helper()
	r, err := Ask(c, cmd, p)
	if err != nil {
		c.TB.Fatalf("%s of %s: %v", cmd.Name, c.Name, err)
	}
	return r
}

// Ask asks a client for a command.
func Ask[P, R any](c *Client, cmd api.Command[P, R], p P) (R, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return api.Do(ctx, c.Mux(), cmd, p)
}

// Until waits until cond holds. It is asked again after every event.
func (c *Client) Until(what string, cond func() bool) {
	c.TB.Helper()
	deadline := time.After(patience)
	for {
		more := c.Changed()
		if cond() {
			return
		}
		select {
		case <-more:
		case <-time.After(200 * time.Millisecond): // what has no event of its own
		case <-deadline:
			c.TB.Fatalf("%s: %s did not come about\n%s", c.Name, what, c.dump())
		}
	}
}

// dump is what the client shows, for a test that failed.
func (c *Client) dump() string {
	var b strings.Builder
	s, _ := Ask(c, api.GetStatus, api.None{})
	fmt.Fprintf(&b, "status %s %s\n", s.Phase, s.Connection)
	rooms, _ := Ask(c, api.ListRooms, api.None{})
	for _, m := range rooms.Rooms {
		fmt.Fprintf(&b, "room %s %s %q %s seq %d queued %d\n", m.ID, m.Kind, m.Title, m.State, m.Seq, m.Queued)
		tl, _ := Ask(c, api.GetTimeline, api.Window{Room: m.ID})
		for _, i := range tl.Items {
			fmt.Fprintf(&b, "  %d %s %s %s %q %+v\n", i.Seq, i.Kind, i.State, i.Name, i.Text, i.Change)
		}
	}
	for _, n := range c.Notices() {
		fmt.Fprintf(&b, "notice %s %s\n", n.Code, n.Text)
	}
	return b.String()
}

// Changed returns a channel that is closed with the next event.
func (c *Client) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.more
}

// Told returns the events that were emitted so far.
func (c *Client) Told() []Told {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// Notices returns what the person is told.
func (c *Client) Notices() []api.Notice {
	n, err := Ask(c, api.ListNotices, api.None{})
	if err != nil {
		c.TB.Fatal(err)
	}
	return n.Notices
}

// Notice waits for a notice of a kind.
func (c *Client) Notice(code api.NoticeCode) (n api.Notice) {
	c.TB.Helper()
	c.Until("notice "+string(code), func() bool {
		for _, n = range c.Notices() {
			if n.Code == code {
				return true
			}
		}
		return false
	})
	return n
}

// Person returns somebody's id.
func (c *Client) Person(name string) (id wire.AccountID) {
	c.TB.Helper()
	c.Until("person "+name, func() bool {
		for _, p := range Do(c, api.ListPeople, api.None{}).People {
			if p.Name == name {
				id = p.ID
				return true
			}
		}
		return false
	})
	return id
}

// People returns the ids of several.
func (c *Client) People(names ...string) []wire.AccountID {
	c.TB.Helper()
	ids := []wire.AccountID{}
	for _, n := range names {
		ids = append(ids, c.Person(n))
	}
	return ids
}

// Room waits for a room by its title.
func (c *Client) Room(title string) (room api.Room) {
	c.TB.Helper()
	c.Until("room "+title, func() bool {
		for _, m := range Do(c, api.ListRooms, api.None{}).Rooms {
			if m.Title == title {
				room = m
				return true
			}
		}
		return false
	})
	return room
}

// Open waits for a room by its title until one can write in it.
func (c *Client) Open(title string) (room api.Room) {
	c.TB.Helper()
	c.Until("open room "+title, func() bool {
		for _, m := range Do(c, api.ListRooms, api.None{}).Rooms {
			if m.Title == title && m.State == api.RoomOpen {
				room = m
				return true
			}
		}
		return false
	})
	return room
}

// Group makes a group and returns its id.
func (c *Client) Group(name string, members ...string) wire.RoomID {
	c.TB.Helper()
	return Do(c, api.CreateGroup, api.NewGroup{Name: name, Members: c.People(members...)}).ID
}

// SendTo sends a text to a person.
func (c *Client) SendTo(name, text string) api.Queued {
	c.TB.Helper()
	id := c.Person(name)
	return Do(c, api.SendMessage, api.Outgoing{Person: &id, Text: text})
}

// Send sends a text to a room.
func (c *Client) Send(room wire.RoomID, text string) api.Queued {
	c.TB.Helper()
	return Do(c, api.SendMessage, api.Outgoing{Room: &room, Text: text})
}

// Timeline returns all rows of a room.
func (c *Client) Timeline(room wire.RoomID) []api.Item {
	c.TB.Helper()
	var all []api.Item
	for before := int64(0); ; {
		tl := Do(c, api.GetTimeline, api.Window{Room: room, Before: before, Limit: 200})
		all = append(slices.Clone(tl.Items), all...)
		if !tl.Older || len(tl.Items) == 0 {
			return all
		}
		before = tl.Items[0].Order
	}
}

// Texts returns the texts of a room's messages that are in the log.
func (c *Client) Texts(room wire.RoomID) []string {
	c.TB.Helper()
	texts := []string{}
	for _, i := range c.Timeline(room) {
		if i.Kind == api.ItemMessage && i.Seq > 0 {
			texts = append(texts, i.Text)
		}
	}
	return texts
}

// Sees waits until a room shows a text from a person, and returns its row.
func (c *Client) Sees(room wire.RoomID, from, text string) (item api.Item) {
	c.TB.Helper()
	c.Until(fmt.Sprintf("%q from %s", text, from), func() bool {
		tl, err := Ask(c, api.GetTimeline, api.Window{Room: room, Limit: 200})
		if err != nil {
			return false
		}
		for _, item = range tl.Items {
			if item.Kind == api.ItemMessage && item.Name == from && item.Text == text && item.Seq > 0 {
				return true
			}
		}
		return false
	})
	return item
}

// Row waits until a row of a room is as wanted.
func (c *Client) Row(room wire.RoomID, id string, want func(api.Item) bool) (item api.Item) {
	c.TB.Helper()
	c.Until("row "+id, func() bool {
		for _, item = range c.Timeline(room) {
			if item.ID == id && want(item) {
				return true
			}
		}
		return false
	})
	return item
}

// Sent waits until the server has a message, and returns its row.
func (c *Client) Sent(q api.Queued) api.Item {
	c.TB.Helper()
	return c.Row(q.Room, q.ID, func(i api.Item) bool { return i.State == api.ItemSent || i.State == api.ItemDelivered })
}
