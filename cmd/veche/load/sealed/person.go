package sealed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/veche-im/veche/client"
	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link/ws"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/native"
	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/wire"
)

// hole is how long a number may be missing before it is taken for an entry that
// is no message: a commit that began an epoch, say.
const hole = time.Second

// person is a client core. It is load.Conn.
type person struct {
	t     *Target
	id    wire.AccountID
	core  *client.Client
	store *store.DB
	end   context.CancelFunc
	done  chan error
	once  sync.Once

	mu     sync.Mutex // guards what follows, and is held while events are told
	events load.Events
	acked  map[uint64]bool
	rooms  map[wire.RoomID]*place
	tick   *time.Timer
}

// place is how far a room was told. Rows may come in any order, and more than
// once; what is told is in the order of the log.
type place struct {
	seq   int64
	rows  map[int64]uint64 // that came before their turn
	since time.Time        // when the first of them did
}

func newPerson(ctx context.Context, t *Target, dir string) (*person, error) {
	db, err := native.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	l, err := ws.New(ws.Config{URL: "http://" + t.running.HTTP})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	p := &person{t: t, store: db, done: make(chan error, 1), acked: map[uint64]bool{}, rooms: map[wire.RoomID]*place{}}
	if p.core, err = client.New(client.Config{Link: l, Store: db, Emit: p.emit}); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	p.end = end
	go func() { p.done <- p.core.Run(running) }()
	return p, nil
}

// stop ends the core and closes its profile.
func (p *person) stop() (err error) {
	p.once.Do(func() {
		p.end()
		err = errors.Join(<-p.done, p.store.Close())
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.tick != nil {
			p.tick.Stop()
		}
		if p.events != nil {
			p.events.Ended(errors.New("stopped"))
			p.events = nil
		}
	})
	return err
}

// knows waits until the core has heard of people.
func (p *person) knows(ctx context.Context, others []wire.AccountID) error {
	return until(ctx, "hearing of everybody", func() (bool, error) {
		list, err := api.Do(ctx, p.core.Mux(), api.ListPeople, api.None{})
		known := 0
		for _, who := range list.People {
			if slices.Contains(others, who.ID) {
				known++
			}
		}
		return known == len(others), err
	})
}

// opens waits until the person can write in a room of so many.
func (p *person) opens(ctx context.Context, id wire.RoomID, members int) error {
	return until(ctx, "coming into the room", func() (bool, error) {
		list, err := api.Do(ctx, p.core.Mux(), api.ListRooms, api.None{})
		for _, r := range list.Rooms {
			if r.ID == id {
				return r.State == api.RoomOpen && r.Members == members && r.Named, err
			}
		}
		return false, err
	})
}

// listen has e told of what comes from now on.
func (p *person) listen(ctx context.Context, e load.Events) error {
	list, err := api.Do(ctx, p.core.Mux(), api.ListRooms, api.None{})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range list.Rooms {
		p.rooms[r.ID] = &place{seq: r.Seq, rows: map[int64]uint64{}}
	}
	p.events = e
	p.tick = time.AfterFunc(hole/4, p.flushAll)
	return nil
}

// emit is the core's.
func (p *person) emit(name string, value any) {
	changed, ok := value.(api.TimelineChanged)
	if !ok || name != api.OnTimeline.Name {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.rooms[changed.Room]
	if p.events == nil || at == nil {
		return
	}
	for _, i := range changed.Items {
		n := number(i)
		if i.Kind != api.ItemMessage || i.Seq <= at.seq {
			continue
		}
		if at.rows[i.Seq] = n; len(at.rows) == 1 {
			at.since = time.Now()
		}
		if i.Mine && !p.acked[n] && (i.State == api.ItemSent || i.State == api.ItemDelivered) {
			p.acked[n] = true
			p.events.Acknowledged(n)
		}
	}
	p.flush(changed.Room, at)
}

// flush tells what is next, and passes over what is missing for long.
func (p *person) flush(id wire.RoomID, at *place) {
	for len(at.rows) > 0 {
		n, ok := at.rows[at.seq+1]
		if !ok && time.Since(at.since) < hole {
			return
		}
		at.seq++
		if ok {
			delete(at.rows, at.seq)
			at.since = time.Now()
			p.events.Delivered(p.t.index[id], n)
		}
	}
}

func (p *person) flushAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.events == nil {
		return
	}
	for id, at := range p.rooms {
		p.flush(id, at)
	}
	p.tick.Reset(hole / 4)
}

const mark = "message "

// number is the load's number of a row, 0 for what nobody counts.
func number(i api.Item) (n uint64) {
	if rest, ok := strings.CutPrefix(i.Text, mark); ok {
		_, _ = fmt.Sscanf(rest, "%d", &n)
	}
	return n
}

// Send is load.Conn's.
func (p *person) Send(room int, n uint64) error {
	text := fmt.Sprintf("%s%d ", mark, n)
	text += strings.Repeat("x", load.MessageSize-len(text))
	id := p.t.rooms[room]
	go func() { // storing it takes as long as the disk does
		_, err := api.Do(context.Background(), p.core.Mux(), api.SendMessage, api.Outgoing{Room: &id, Text: text})
		if err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.events != nil {
				p.events.Refused(n, 0, err)
			}
		}
	}()
	return nil
}

// CatchUp is load.Conn's: a core has everything that it was told of, so it only
// looks into its store.
func (p *person) CatchUp(ctx context.Context, rooms []int, last int) (n int, err error) {
	for _, r := range rooms {
		tl, err := api.Do(ctx, p.core.Mux(), api.GetTimeline, api.Window{Room: p.t.rooms[r], Limit: last})
		if err != nil {
			return n, err
		}
		n += len(tl.Items)
	}
	return n, nil
}

// Close is load.Conn's.
func (p *person) Close() { _ = p.stop() }
