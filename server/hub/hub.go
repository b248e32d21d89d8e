// Package hub knows which devices are connected and who listens to what, and
// hands them events. It never waits for anybody: a listener that is slow drops
// what it cannot keep and is told to catch up from the log.
//
// What it tells is a hint; the database is the truth. Nouns call it from
// db.Tx.OnCommit, so events leave in the order of commits and never before.
package hub

import (
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/veche-im/veche/wire"
)

// Listener is a connected device. Its methods never block.
type Listener interface {
	Hear(frame []byte)       // an encoded event, shared by many: not to be changed
	Become(wire.DeviceState) // its device's state moved on
	End(code wire.Code)      // its session is over
	Who() (wire.AccountID, wire.DeviceID)
}

// Hub is the set of connected devices. The zero value is not ready: use New.
type Hub struct {
	ended  func(wire.AccountID, wire.DeviceID) // set before anybody comes
	spread spread

	mu       sync.RWMutex // guards all below, and what hangs on it
	accounts map[wire.AccountID]*account
	rooms    map[wire.RoomID]*circle
	everyone *circle
	peers    int
	presence *rate.Limiter
}

// circle is accounts that hear the same.
type circle struct {
	of   map[*account]struct{}
	list atomic.Pointer[[]*account] // of, in a row; nil where it changed since; never written to
}

// account is one with at least one connected device.
type account struct {
	id     wire.AccountID
	peers  []peer                   // few: they are a person's devices
	active int                      // peers that are active
	rooms  map[wire.RoomID]struct{} // that it listens to

	// loading counts Comings that read the account's rooms from the database;
	// left is what the account left meanwhile, which they must not bring back.
	loading int
	left    map[wire.RoomID]struct{}
}

type peer struct {
	Listener
	device wire.DeviceID
	active bool
}

// New returns a hub with nobody in it.
func New() *Hub {
	h := &Hub{
		accounts: make(map[wire.AccountID]*account),
		rooms:    make(map[wire.RoomID]*circle),
		everyone: newCircle(),
		presence: rate.NewLimiter(presencePerSecond, presencePerSecond),
		ended:    func(wire.AccountID, wire.DeviceID) {},
	}
	h.spread.hub, h.spread.room.L = h, &h.spread.mu
	return h
}

// OnEnd has f hear whose session is over. It is called once, before anybody
// comes; f must not block.
func (h *Hub) OnEnd(f func(wire.AccountID, wire.DeviceID)) { h.ended = f }

// Come takes in a listener. Rooms is called without locks held and returns
// the rooms of its account as the database has them; once Come has returned,
// nothing that is committed in them is missed. Gone must be called in the end,
// also after an error.
func (h *Hub) Come(l Listener, state wire.DeviceState, rooms func() ([]wire.RoomID, error)) error {
	id, device := l.Who()
	h.mu.Lock()
	a := h.accounts[id]
	if a == nil {
		a = &account{id: id, rooms: make(map[wire.RoomID]struct{})}
		h.accounts[id] = a
		h.everyone.add(a)
	}
	active := state == wire.DeviceActive
	a.peers = append(a.peers, peer{l, device, active})
	h.peers++
	a.loading++
	first := active && a.active == 0
	if active {
		a.active++
	}
	h.mu.Unlock()

	list, err := rooms()

	h.mu.Lock()
	if h.accounts[id] == a { // else it was ended meanwhile, and nobody would take it out again
		for _, r := range list {
			if _, left := a.left[r]; !left {
				h.join(r, a)
			}
		}
	}
	if a.loading--; a.loading == 0 {
		a.left = nil
	}
	h.mu.Unlock()
	if first {
		h.tellPresence(id)
	}
	return err
}

// Gone forgets a listener.
func (h *Hub) Gone(l Listener) {
	id, _ := l.Who()
	h.mu.Lock()
	a := h.accounts[id]
	at := a.find(l)
	if at < 0 {
		h.mu.Unlock()
		return
	}
	last := false
	if a.peers[at].active {
		a.active--
		last = a.active == 0
	}
	a.peers = slices.Delete(a.peers, at, at+1)
	h.peers--
	if len(a.peers) == 0 {
		for r := range a.rooms {
			h.leave(r, a)
		}
		delete(h.accounts, id)
		h.everyone.remove(a)
	}
	h.mu.Unlock()
	if last {
		h.tellPresence(id)
	}
}

// find returns the place of a listener, -1 where there is none.
func (a *account) find(l Listener) int {
	if a == nil {
		return -1
	}
	return slices.IndexFunc(a.peers, func(p peer) bool { return p.Listener == l })
}

// Join has the account's connected devices listen to r from now on.
func (h *Hub) Join(r wire.RoomID, id wire.AccountID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.accounts[id]; a != nil {
		delete(a.left, r)
		h.join(r, a)
	}
}

// Leave ends that.
func (h *Hub) Leave(r wire.RoomID, id wire.AccountID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.accounts[id]
	if a == nil {
		return
	}
	if a.loading > 0 {
		if a.left == nil {
			a.left = make(map[wire.RoomID]struct{})
		}
		a.left[r] = struct{}{}
	}
	h.leave(r, a)
}

func (h *Hub) join(r wire.RoomID, a *account) {
	if h.rooms[r] == nil {
		h.rooms[r] = newCircle()
	}
	h.rooms[r].add(a)
	a.rooms[r] = struct{}{}
}

func (h *Hub) leave(r wire.RoomID, a *account) {
	delete(a.rooms, r)
	c := h.rooms[r]
	if c == nil {
		return
	}
	if c.remove(a); len(c.of) == 0 {
		delete(h.rooms, r)
	}
}

func newCircle() *circle { return &circle{of: make(map[*account]struct{})} }

func (c *circle) add(a *account) {
	if _, in := c.of[a]; !in {
		c.of[a] = struct{}{}
		c.list.Store(nil)
	}
}

func (c *circle) remove(a *account) {
	if _, in := c.of[a]; in {
		delete(c.of, a)
		c.list.Store(nil)
	}
}

// all returns the accounts in a row. The lock is held, perhaps by several: they
// make the same list.
func (c *circle) all() []*account {
	if l := c.list.Load(); l != nil {
		return *l
	}
	l := make([]*account, 0, len(c.of))
	for a := range c.of {
		l = append(l, a)
	}
	c.list.Store(&l)
	return l
}

// Become tells the connections of a device that its state moved on. One that is
// revoked is ended at once.
func (h *Hub) Become(id wire.AccountID, device wire.DeviceID, state wire.DeviceState) {
	if state == wire.DeviceRevoked {
		h.End(id, device, wire.Unauthenticated)
		return
	}
	h.mu.Lock()
	var came bool
	for _, l := range h.device(id, device) {
		a := h.accounts[id]
		p := &a.peers[a.find(l)]
		if now := state == wire.DeviceActive; now != p.active {
			p.active = now
			if now {
				came = came || a.active == 0
				a.active++
			} else {
				a.active--
			}
		}
		l.Become(state)
	}
	h.mu.Unlock()
	if came {
		h.tellPresence(id)
	}
}

// End closes the connections of a device: it hears nothing more.
func (h *Hub) End(id wire.AccountID, device wire.DeviceID, why wire.Code) {
	h.mu.RLock()
	list := h.device(id, device)
	h.mu.RUnlock()
	for _, l := range list {
		h.Gone(l) // first, so that no event overtakes the end
		l.End(why)
	}
	if why == wire.Unauthenticated {
		h.ended(id, device)
	}
}

// EndAll closes every connection, at the end of the server.
func (h *Hub) EndAll(why wire.Code) {
	h.mu.RLock()
	var list []Listener
	for _, a := range h.accounts {
		for _, p := range a.peers {
			list = append(list, p.Listener)
		}
	}
	h.mu.RUnlock()
	for _, l := range list {
		l.End(why)
	}
}

// device returns the connections of a device. The lock is held.
func (h *Hub) device(id wire.AccountID, device wire.DeviceID) []Listener {
	var list []Listener
	if a := h.accounts[id]; a != nil {
		for _, p := range a.peers {
			if p.device == device {
				list = append(list, p.Listener)
			}
		}
	}
	return list
}

// Online reports whether an active device of the account is connected.
func (h *Hub) Online(id wire.AccountID) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	a := h.accounts[id]
	return a != nil && a.active > 0
}

// DeviceOnline reports whether the device is connected.
func (h *Hub) DeviceOnline(id wire.AccountID, device wire.DeviceID) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.device(id, device)) > 0
}

// Connected lists the devices that are connected.
func (h *Hub) Connected() []wire.DeviceID {
	h.mu.RLock()
	defer h.mu.RUnlock()
	list := make([]wire.DeviceID, 0, h.peers)
	for _, a := range h.accounts {
		for _, p := range a.peers {
			list = append(list, p.device)
		}
	}
	return list
}

// Len returns how many connections there are.
func (h *Hub) Len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.peers
}
