// Package client is one account on one device: it signs in, keeps the
// connection, reads and opens what the server delivers, seals and sends what
// the person writes, and keeps it all in the device's own database.
//
// It believes the server nothing that can be checked: who is in a room stands
// in the group's tree, which devices are somebody's in statements that their
// owner signed, what was said in logs whose hashes must fit. What does not hold
// is refused and told as a notice; what the device has, it keeps.
//
// It has no interface of its own: front ends speak package api. The same code
// runs natively and in a browser's worker. docs/spec/client.md.
package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/veche-im/veche/client/account"
	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/call"
	"github.com/veche-im/veche/client/cursor"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/files"
	"github.com/veche-im/veche/client/people"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// Client is one account on one device. Its methods may be called from any
// goroutine.
type Client struct {
	cfg     Config
	mux     *api.Mux
	feed    *feed.Feed
	session *session.Session
	account *account.Account
	people  *people.People
	rooms   *room.Rooms
	files   *files.Files
	calls   *call.Calls
	events  *queue
	cursors *cursor.Cursors
	healer  *healer
	view    view
	loaded  chan struct{} // closed once the store was read

	mu   sync.Mutex // guards what follows
	life *life      // nil while nobody is signed in
}

// life is the time in which one session is kept connected.
type life struct {
	stop func()
	over chan struct{}
}

// lastWords is how long the end of Run waits for the server to hear how far the
// person has read.
const lastWords = 500 * time.Millisecond

// New checks cfg. The Client does nothing until Run is called.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, feed: feed.New(), events: newQueue(), loaded: make(chan struct{})}
	var err error
	c.session, err = session.New(session.Config{
		Link: cfg.Link, Log: cfg.Log,
		Handle: func(name string, body []byte) { c.heard(name, body) },
		Hello: func(h wire.Hello) {
			c.healer.greeted(h)
			c.events.hello(h)
		},
		Changed: func(s session.State, err error) {
			c.account.Connection(s, err)
			if s == session.Offline {
				c.people.Gone() // who is online is not known any more
				c.cursors.Gone()
			}
		},
	})
	if err != nil {
		return nil, err
	}
	c.people = people.New(people.Config{
		Store: cfg.Store, Session: c.session, Feed: c.feed, Log: cfg.Log, Now: cfg.Now, Moved: c.events.moved,
	})
	c.account = account.New(account.Config{
		Link: cfg.Link, Store: cfg.Store, Session: c.session, People: c.people, Feed: c.feed, Log: cfg.Log, Now: cfg.Now, Version: cfg.Version,
		Keys: cfg.Keys,
	})
	c.files = files.New(files.Config{
		Link: cfg.Link, Store: cfg.Store, Feed: c.feed, Account: c.account.ID, OpenSource: cfg.OpenSource, CreateSink: cfg.CreateSink,
		Token: func() string { t, _ := c.account.Session(); return t }, Log: cfg.Log, Now: cfg.Now, Cache: cfg.Cache,
	})
	c.rooms = room.New(room.Config{
		Store: cfg.Store, Session: c.session, People: c.people, Feed: c.feed, Files: c.files, Me: c.account.Me, Log: cfg.Log, Now: cfg.Now,
		Read:   func(id wire.RoomID) { c.cursors.Moved(id) },
		Unread: func(id wire.RoomID) { c.cursors.Again(id) },
		Epoch:  func(e room.Epoch) { c.calls.Epoch(e) }, Shut: func(id wire.RoomID) { c.calls.Shut(id) },
	})
	c.calls = call.New(call.Config{
		Store: cfg.Store, Session: c.session, Feed: c.feed, Rooms: c.rooms, Me: c.account.Me, Log: cfg.Log, Now: cfg.Now,
	})
	c.cursors, c.healer = newCursors(c), newHealer(c)
	c.view = view{c}
	c.mux = newMux(c)
	return c, nil
}

// Run works until ctx ends, and returns when all that it started has stopped.
// It can be called once. The error is nil after ctx, else what stopped it:
// store.ErrDamaged and its like.
func (c *Client) Run(ctx context.Context) error {
	if err := c.account.Load(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	close(c.loaded)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = c.feed.Run(ctx, c.view, c.cfg.Emit, c.cfg.Log) })
	for ctx.Err() == nil {
		changed := c.account.Changed()
		if token, ok := c.account.Session(); ok {
			c.live(ctx, token)
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil
}

// live keeps one session connected until it ends, or ctx does, or it is signed
// out.
func (c *Client) live(ctx context.Context, token string) {
	ctx, cancel := context.WithCancel(ctx)
	l := &life{stop: cancel, over: make(chan struct{})}
	c.mu.Lock()
	c.life = l
	c.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.rooms.Run(ctx) })
	wg.Go(func() { c.handle(ctx) })
	wg.Go(func() { _ = c.calls.Run(ctx) })
	// Hung up last, so that how far the person has read can still be told.
	line, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	wg.Go(func() {
		defer hangUp()
		c.cursors.Run(ctx)
		last, cancel := context.WithTimeout(line, lastWords)
		defer cancel()
		c.cursors.Rest(last)
	})
	err := c.session.Run(line, token)
	if errors.Is(err, session.ErrEnded) {
		if err := c.account.End(ctx); err != nil {
			c.cfg.Log.Error("note the end of the session", "err", err)
		}
	}
	cancel()
	wg.Wait()
	c.account.Connection(session.Offline, err)
	c.people.Gone()
	c.events.clear()
	c.mu.Lock()
	c.life = nil
	c.mu.Unlock()
	close(l.over)
}

// stopLife ends the running session and waits until nothing of it runs.
func (c *Client) stopLife(ctx context.Context) error {
	c.mu.Lock()
	l := c.life
	c.mu.Unlock()
	if l == nil {
		return nil
	}
	l.stop()
	select {
	case <-l.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// signOut ends the session, and with forget wipes what is stored, after all
// that works with it has stopped.
func (c *Client) signOut(ctx context.Context, forget bool) error {
	if err := c.account.SignOut(ctx, forget); err != nil {
		return err
	}
	if err := c.stopLife(ctx); err != nil || !forget {
		return err
	}
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		rooms, err := store.Rooms(tx)
		if err != nil {
			return err
		}
		tx.OnCommit(func() {
			for _, m := range rooms {
				c.feed.Rooms(m.ID)
			}
		})
		return store.Wipe(tx)
	})
	if err != nil {
		return err
	}
	return c.account.Load(ctx)
}

// Mux answers every command of package api.
func (c *Client) Mux() *api.Mux { return c.mux }
