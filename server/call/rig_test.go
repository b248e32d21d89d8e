package call_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/call"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// site is calls on a database and a hub, with rooms that a test fills as it
// likes, in virtual time.
type site struct {
	testing.TB
	ctx   context.Context
	dir   string
	db    *db.DB
	hub   *hub.Hub
	rooms *rooms
	media *media
	calls *call.Calls
	size  int
	stop  func()
}

// inSite runs a test in a site and in a bubble of time.
func inSite(t *testing.T, f func(s *site)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &site{TB: t, ctx: context.Background(), dir: dir, hub: hub.New(), media: newMedia(),
			rooms: &rooms{members: map[wire.RoomID][]wire.AccountID{}, kinds: map[wire.RoomID]wire.RoomKind{}, owners: map[wire.RoomID][]wire.AccountID{}}}
		s.open()
		f(s)
		s.close()
	})
}

func (s *site) open() {
	s.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	s.db, err = db.Open(s.ctx, db.Config{Path: filepath.Join(s.dir, "veche.db"), Schemas: []db.Schema{call.Schema}, Log: log})
	s.must(err)
	s.calls, err = call.New(s.ctx, call.Config{DB: s.db, Hub: s.hub, Rooms: s.rooms, People: s.rooms, Media: s.media, Log: log, Size: s.size})
	s.must(err)
	ctx, cancel := context.WithCancel(s.ctx)
	over := make(chan struct{})
	calls := s.calls
	go func() { defer close(over); _ = calls.Run(ctx) }()
	s.stop = func() { cancel(); <-over }
}

func (s *site) close() {
	s.stop()
	s.must(s.db.Close())
}

// restart ends the server and starts it again on the same database.
func (s *site) restart() {
	s.Helper()
	s.close()
	s.media = newMedia()
	s.open()
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) refused(err error, code wire.Code, what string) {
	s.Helper()
	if wire.CodeOf(err) != code {
		s.Errorf("%s: got %v, want %s", what, err, code)
	}
}

// rows counts the calls on disk.
func (s *site) rows() (n int64) {
	s.Helper()
	synctest.Wait()
	s.must(s.db.View(s.ctx, func(tx *db.Tx) error { return tx.QueryRow(`SELECT COUNT(*) FROM call`).Scan(&n) }))
	return n
}

// rooms is what the test says.
type rooms struct {
	mu      sync.Mutex
	members map[wire.RoomID][]wire.AccountID
	kinds   map[wire.RoomID]wire.RoomKind
	owners  map[wire.RoomID][]wire.AccountID
	noLeaf  []wire.DeviceID
	revoked []wire.DeviceID
	judged  func() // called in the middle of each judgement
}

func (r *rooms) Standing(_ *db.Tx, room wire.RoomID, account wire.AccountID, device wire.DeviceID) (authz.Membership, wire.RoomKind, bool, error) {
	r.mu.Lock()
	in := slices.Contains(r.members[room], account)
	kind, leaf, judged := r.kinds[room], !slices.Contains(r.noLeaf, device), r.judged
	r.mu.Unlock()
	if judged != nil {
		judged()
	}
	if !in {
		return authz.Stranger, kind, false, nil
	}
	return authz.Member, kind, leaf, nil
}

func (r *rooms) Members(_ *db.Tx, room wire.RoomID) ([]wire.AccountID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.members[room]), nil
}

func (r *rooms) Owners(_ context.Context, room wire.RoomID) ([]wire.AccountID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.owners[room]), nil
}

func (r *rooms) Of(_ context.Context, account wire.AccountID) (list []wire.RoomID, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for room, members := range r.members {
		if slices.Contains(members, account) {
			list = append(list, room)
		}
	}
	return list, nil
}

func (r *rooms) Listed(_ *db.Tx, _ wire.AccountID, device wire.DeviceID) ([]byte, wire.DeviceState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.revoked, device) {
		return nil, wire.DeviceRevoked, nil
	}
	return nil, wire.DeviceActive, nil
}

// media remembers who is connected.
type media struct {
	mu   sync.Mutex
	in   map[string]call.Joining
	view []wire.CallView
}

func newMedia() *media { return &media{in: map[string]call.Joining{}} }

func key(id wire.CallID, n uint32) string { return fmt.Sprint(id, n) }

func (m *media) Join(_ context.Context, j call.Joining) (call.Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.HasPrefix(j.Offer, "bad") {
		return call.Answer{}, fmt.Errorf("%w: bad", call.ErrOffer)
	}
	m.in[key(j.Call, j.Number)] = j
	return call.Answer{SDP: "answer"}, nil
}

func (m *media) Offer(_ context.Context, id wire.CallID, n uint32, _ string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.in[key(id, n)]; !ok {
		return "", call.ErrGone
	}
	return "answer", nil
}

func (m *media) View(_ wire.CallID, _ uint32, views []wire.CallView) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.view = views
}

func (m *media) Leave(id wire.CallID, n uint32) {
	m.mu.Lock()
	j, ok := m.in[key(id, n)]
	delete(m.in, key(id, n))
	m.mu.Unlock()
	if ok {
		j.Listener.Gone()
	}
}

func (m *media) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.in)
}

func (m *media) of(id wire.CallID, n uint32) call.Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.in[key(id, n)].Listener
}

// device is a connected device that hears everything.
type device struct {
	*site
	authz.Actor
	on *connection
}

// connection is hub.Listener.
type connection struct {
	d     *device
	mu    sync.Mutex
	heard []wire.Frame
	over  bool
}

func (s *site) device(account wire.AccountID) *device {
	d := &device{site: s, Actor: authz.Actor{Account: account, Device: wire.NewDeviceID(), State: wire.DeviceActive}}
	d.connect()
	return d
}

// group makes a room with devices of as many people, the first of whom owns it.
func (s *site) group(kind wire.RoomKind, n int) (wire.RoomID, []*device) {
	room := wire.NewRoomID()
	var list []*device
	s.rooms.kinds[room] = kind
	for range n {
		a := wire.NewAccountID()
		s.rooms.members[room] = append(s.rooms.members[room], a)
		list = append(list, s.device(a))
	}
	s.rooms.owners[room] = []wire.AccountID{list[0].Account}
	return room, list
}

func (d *device) connect() {
	d.on = &connection{d: d}
	d.must(d.hub.Come(d.on, wire.DeviceActive, func() ([]wire.RoomID, error) { return d.rooms.Of(d.ctx, d.Account) }))
}

func (d *device) disconnect() { d.hub.Gone(d.on) }

func (c *connection) Hear(frame []byte) {
	var f wire.Frame
	if err := wire.Decode(socket.Payload(frame), &f); err != nil {
		panic(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, f)
}
func (c *connection) Become(wire.DeviceState)              {}
func (c *connection) End(wire.Code)                        { c.over = true }
func (c *connection) Who() (wire.AccountID, wire.DeviceID) { return c.d.Account, c.d.Device }

// all returns what a device heard of an event.
func all[T any](d *device, ev wire.Event[T]) (list []T) {
	d.Helper()
	synctest.Wait()
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	for _, f := range d.on.heard {
		if f.Method == ev.Name {
			var v T
			d.must(wire.Decode(f.Body, &v))
			list = append(list, v)
		}
	}
	return list
}

// last is the newest of all; it fails when there is none.
func last[T any](d *device, ev wire.Event[T]) (v T) {
	d.Helper()
	list := all(d, ev)
	if len(list) == 0 {
		d.Fatalf("no %s was heard", ev.Name)
	}
	return list[len(list)-1]
}

// forget makes a device as one that heard nothing yet.
func (d *device) forget() {
	synctest.Wait()
	d.on.mu.Lock()
	defer d.on.mu.Unlock()
	d.on.heard = nil
}

func (d *device) start(room wire.RoomID) wire.CallID {
	d.Helper()
	w, err := d.calls.Start(d.ctx, d.Actor, wire.StartCall{Room: room, Call: wire.NewCallID()})
	d.must(err)
	return w.Call
}

func (d *device) tryJoin(id wire.CallID) (wire.CallJoined, error) {
	return d.calls.Join(d.ctx, d.Actor, netip.Addr{}, wire.JoinCall{Call: id, Offer: "offer"})
}

func (d *device) join(id wire.CallID) wire.CallJoined {
	d.Helper()
	j, err := d.tryJoin(id)
	d.must(err)
	return j
}

// people lists the numbers that are in, as a participant is told.
func (d *device) people(id wire.CallID) (list []uint32) {
	d.Helper()
	w, err := d.calls.Get(d.ctx, d.Actor, id)
	d.must(err)
	for _, p := range w.People {
		list = append(list, p.Number)
	}
	return list
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
