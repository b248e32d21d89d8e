// Package feed tells front ends what changed in the store.
//
// Whoever changes the store says what, after the commit (store.Tx.OnCommit).
// The feed collects that, reads the rows as they are then, and emits them, one
// event at a time: whole values, never older than the change, and a burst of
// changes to one thing is one event. What had not been emitted when the program
// ended is not emitted again: front ends ask when they start.
package feed

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// A Reader reads what events carry.
type Reader interface {
	Status(ctx context.Context) (api.Status, error)
	Devices(ctx context.Context) (api.Devices, error)
	People(ctx context.Context, ids []wire.AccountID) ([]api.Person, error)
	// Rooms and Items leave out what is no longer there.
	Rooms(ctx context.Context, ids []wire.RoomID) ([]api.Room, error)
	Items(ctx context.Context, room wire.RoomID, ids []string) ([]api.Item, error)
	// Calls leaves out what front ends must not hear of.
	Calls(ctx context.Context, ids []wire.CallID) ([]api.Call, error)
}

// mostItems is how many rows of a timeline go into one event.
const mostItems = 200

// Feed collects changes. Its methods may be called from any goroutine, also
// before Run.
type Feed struct {
	wake chan struct{}

	mu      sync.Mutex // guards what follows
	dirty   dirty
	changed chan struct{} // closed and replaced at every change
}

// dirty is what changed since the last event.
type dirty struct {
	status, devices bool
	people          map[wire.AccountID]bool
	rooms           map[wire.RoomID]bool
	items           map[wire.RoomID]*changed
	order           []wire.RoomID // of items, the first change first
	notices         []api.Notice
	typing          []api.TypingNow
	calls           map[wire.CallID]bool
	said            []said
}

// said is an event that is in no store. Of those with one key the newest counts.
type said struct {
	name  string
	key   string
	value any
}

// mostSaid is how many of them wait; what is beyond is dropped, the oldest first.
const mostSaid = 1000

type changed struct {
	ids  []string
	seen map[string]bool
}

// New returns an empty Feed.
func New() *Feed { return &Feed{wake: make(chan struct{}, 1), changed: make(chan struct{})} }

func (f *Feed) mark(change func(d *dirty)) {
	f.mu.Lock()
	change(&f.dirty)
	close(f.changed)
	f.changed = make(chan struct{})
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Changed returns a channel that is closed at the next change of anything.
func (f *Feed) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// Status says that the overall state changed.
func (f *Feed) Status() { f.mark(func(d *dirty) { d.status = true }) }

// Devices says that the person's own devices changed.
func (f *Feed) Devices() { f.mark(func(d *dirty) { d.devices = true }) }

// People says that these people are new or changed.
func (f *Feed) People(ids ...wire.AccountID) {
	f.mark(func(d *dirty) {
		if d.people == nil {
			d.people = map[wire.AccountID]bool{}
		}
		for _, id := range ids {
			d.people[id] = true
		}
	})
}

// Rooms says that these rooms are new, changed or gone.
func (f *Feed) Rooms(ids ...wire.RoomID) {
	f.mark(func(d *dirty) {
		if d.rooms == nil {
			d.rooms = map[wire.RoomID]bool{}
		}
		for _, id := range ids {
			d.rooms[id] = true
		}
	})
}

// Items says that these rows of a room's timeline are new, changed or gone, and
// with them the room's row.
func (f *Feed) Items(room wire.RoomID, ids ...string) {
	f.mark(func(d *dirty) {
		if d.items == nil {
			d.items = map[wire.RoomID]*changed{}
		}
		c := d.items[room]
		if c == nil {
			c = &changed{seen: map[string]bool{}}
			d.items[room] = c
			d.order = append(d.order, room)
		}
		for _, id := range ids {
			if !c.seen[id] {
				c.seen[id] = true
				c.ids = append(c.ids, id)
			}
		}
	})
	f.Rooms(room)
}

// Typing says that somebody writes.
func (f *Feed) Typing(t api.TypingNow) {
	f.mark(func(d *dirty) {
		d.typing = slices.DeleteFunc(d.typing, func(o api.TypingNow) bool { return o.Room == t.Room && o.Account == t.Account })
		d.typing = append(d.typing, t)
	})
}

// Calls says that these calls are new, changed or over.
func (f *Feed) Calls(ids ...wire.CallID) {
	f.mark(func(d *dirty) {
		if d.calls == nil {
			d.calls = map[wire.CallID]bool{}
		}
		for _, id := range ids {
			d.calls[id] = true
		}
	})
}

// Say tells of something that is in no store. An event that waits under the same
// key is replaced; an empty key replaces nothing.
func Say[T any](f *Feed, ev api.Event[T], key string, v T) {
	f.mark(func(d *dirty) {
		if key != "" {
			d.said = slices.DeleteFunc(d.said, func(s said) bool { return s.name == ev.Name && s.key == key })
		}
		if len(d.said) >= mostSaid {
			d.said = slices.Delete(d.said, 0, 1)
		}
		d.said = append(d.said, said{ev.Name, key, v})
	})
}

// Raise stores a notice with tx and tells it once.
func (f *Feed) Raise(tx *store.Tx, n store.Notice) error {
	fresh, err := store.PutNotice(tx, n)
	if err != nil || !fresh {
		return err
	}
	tx.OnCommit(func() { f.mark(func(d *dirty) { d.notices = append(d.notices, Notice(n)) }) })
	return nil
}

// Notice is a stored notice as front ends see it.
func Notice(n store.Notice) api.Notice {
	a := api.Notice{ID: n.ID, Code: api.NoticeCode(n.Code), Severe: n.Severe, Time: n.Time, Text: n.Text}
	if !n.Room.IsZero() {
		a.Room = &n.Room
	}
	if !n.Account.IsZero() {
		a.Account = &n.Account
	}
	return a
}

// Run emits until ctx ends. A value that cannot be read is left out and logged;
// the next change brings it.
func (f *Feed) Run(ctx context.Context, r Reader, emit func(name string, value any), log *slog.Logger) error {
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		f.mu.Lock()
		d := f.dirty
		f.dirty = dirty{}
		f.mu.Unlock()
		e := emitter{ctx, r, emit, log}
		e.all(&d)
	}
}

// emitter turns one round of changes into events.
type emitter struct {
	ctx  context.Context
	r    Reader
	emit func(name string, value any)
	log  *slog.Logger
}

func (e emitter) all(d *dirty) {
	if d.status {
		tell(e, api.OnStatus, func() (api.Status, error) { return e.r.Status(e.ctx) })
	}
	if len(d.people) > 0 {
		tell(e, api.OnPeople, func() (api.People, error) {
			list, err := e.r.People(e.ctx, keys(d.people))
			return api.People{People: list}, err
		})
	}
	if d.devices {
		tell(e, api.OnDevices, func() (api.Devices, error) { return e.r.Devices(e.ctx) })
	}
	for _, room := range d.order {
		ids := d.items[room].ids
		for part := range slices.Chunk(ids, mostItems) {
			e.items(room, part)
		}
	}
	if len(d.rooms) > 0 {
		e.rooms(keys(d.rooms))
	}
	for _, n := range d.notices {
		e.emit(api.OnNotice.Name, n)
	}
	for _, t := range d.typing {
		e.emit(api.OnTyping.Name, t)
	}
	if len(d.calls) > 0 {
		e.calls(keys(d.calls))
	}
	for _, s := range d.said {
		e.emit(s.name, s.value)
	}
}

func (e emitter) items(room wire.RoomID, ids []string) {
	tell(e, api.OnTimeline, func() (api.TimelineChanged, error) {
		list, err := e.r.Items(e.ctx, room, ids)
		c := api.TimelineChanged{Room: room, Items: list, Gone: []string{}}
		for _, id := range ids {
			if !slices.ContainsFunc(list, func(i api.Item) bool { return i.ID == id }) {
				c.Gone = append(c.Gone, id)
			}
		}
		return c, err
	})
}

func (e emitter) calls(ids []wire.CallID) {
	list, err := e.r.Calls(e.ctx, ids)
	if err != nil && e.ctx.Err() == nil {
		e.log.Error("event was left out", "event", api.OnCall.Name, "err", err)
	}
	for _, c := range list {
		e.emit(api.OnCall.Name, c)
	}
}

func (e emitter) rooms(ids []wire.RoomID) {
	tell(e, api.OnRooms, func() (api.RoomsChanged, error) {
		list, err := e.r.Rooms(e.ctx, ids)
		c := api.RoomsChanged{Rooms: list, Gone: []wire.RoomID{}}
		for _, id := range ids {
			if !slices.ContainsFunc(list, func(r api.Room) bool { return r.ID == id }) {
				c.Gone = append(c.Gone, id)
			}
		}
		return c, err
	})
}

func tell[T any](e emitter, event api.Event[T], read func() (T, error)) {
	v, err := read()
	if err != nil {
		if e.ctx.Err() == nil {
			e.log.Error("event was left out", "event", event.Name, "err", err)
		}
		return
	}
	e.emit(event.Name, v)
}

func keys[K comparable](m map[K]bool) []K {
	list := make([]K, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	return list
}
