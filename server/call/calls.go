package call

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

const (
	grace      = 60 * time.Second // how long a call waits with nobody in it
	ringTime   = 60 * time.Second
	briefEvery = time.Second            // to those who are not in
	deltaEvery = 100 * time.Millisecond // to those who are
	testTime   = 60 * time.Second
)

// ErrOffer is what Media returns, wrapped, for an offer that it does not take;
// ErrFull when it has no room, ErrGone when it does not know the participant.
var (
	ErrOffer = errors.New("call: offer refused")
	ErrFull  = errors.New("call: full")
	ErrGone  = errors.New("call: no such participant")
)

// Media forwards what participants send. Methods may be called from any
// goroutine.
type Media interface {
	Join(ctx context.Context, j Joining) (Answer, error)
	Offer(ctx context.Context, call wire.CallID, number uint32, offer string) (answer string, err error)
	View(call wire.CallID, number uint32, views []wire.CallView) // Number 0: nothing
	Leave(call wire.CallID, number uint32)
}

// Joining asks that a participant be connected.
type Joining struct {
	Call     wire.CallID
	Number   uint32
	Account  wire.AccountID // whose credentials for the relay are made
	Offer    string
	Local    netip.Addr // where the device's connection reached the server; may be zero
	Echo     bool       // alone, and hears itself
	Listener Listener
}

// Answer is what the device gets.
type Answer struct {
	SDP  string
	Turn []wire.TurnServer
}

// Listener hears of one participant, one thing at a time. Its methods do not
// block, and may be called with locks held that Media's methods take: it calls
// none of those on the same goroutine.
type Listener interface {
	Slots([]wire.CallSlot)
	Quality(wire.CallQuality) // Call is not set
	Levels([]uint32)          // who is heard, loudest first
	Pause([]wire.CallLayer)   // that are wanted
	Alive(bool)               // false after 3 s without a packet
	Gone()                    // the last
}

// silence is how long nothing was heard when Alive(false) is said.
const silence = 3 * time.Second

// Rooms is what calls need to know of rooms. server/room has it.
type Rooms interface {
	// Standing says how an account stands to a room, of what kind the room is, and
	// whether a device of the account has a leaf in its tree.
	Standing(tx *db.Tx, room wire.RoomID, account wire.AccountID, device wire.DeviceID) (m authz.Membership, kind wire.RoomKind, leaf bool, err error)
	Members(tx *db.Tx, room wire.RoomID) ([]wire.AccountID, error)
	// Owners reads the room's policy.
	Owners(ctx context.Context, room wire.RoomID) ([]wire.AccountID, error)
	Of(ctx context.Context, account wire.AccountID) ([]wire.RoomID, error)
}

// People is what calls need to know of accounts.
type People interface {
	// Listed returns the state that the account's newest statement gives a device.
	Listed(tx *db.Tx, account wire.AccountID, device wire.DeviceID) (key []byte, state wire.DeviceState, err error)
}

// Config says what Calls work with. All is required but Media, Now and Size.
type Config struct {
	DB     *db.DB
	Hub    *hub.Hub
	Rooms  Rooms
	People People
	Media  Media // nil: this site has no calls
	Log    *slog.Logger
	Now    func() time.Time // nil means time.Now
	Limit  *limit.Limiter   // nil: one of its own
	Size   int              // participants of a call at most; 0 means wire.MaxParticipants
}

// Calls is all calls of a site. Refusals are *wire.Error.
type Calls struct {
	cfg  Config
	wake chan struct{} // there are rows to forget

	mu     sync.Mutex // guards what follows, and all calls; not held while the database or Media works
	byID   map[wire.CallID]*call
	byRoom map[wire.RoomID]*call
	busy   map[wire.AccountID]int // in how many calls its devices are
	tests  map[wire.DeviceID]wire.CallID
	dead   map[wire.CallID]bool // that ended, whose rows are still there
	later  []func()             // to be run without the lock
	closed bool                 // nothing ends any more
}

// call is a meeting. Its fields belong to Calls.mu.
type call struct {
	id      wire.CallID
	room    wire.RoomID
	by      wire.AccountID
	device  wire.DeviceID
	started wire.Millis
	video   bool
	starts  int64
	link    *wire.Hash

	last     uint32 // number that was given out last
	version  int64
	people   []*participant // in the order of their numbers
	ready    int            // of them those that others see
	ever     bool           // somebody was in since the server started
	devices  map[wire.DeviceID]*participant
	rings    map[wire.AccountID]*ring
	removed  map[wire.AccountID]bool // by an owner: may not come back by themselves
	knocking map[wire.AccountID]bool
	empty    *time.Timer // runs while nobody is in
	brief    pace        // of what is told to the room
	delta    pace        // of what is told to participants
	joined   []*participant
	left     []uint32
	ended    bool
}

func newCall() *call {
	return &call{
		devices: map[wire.DeviceID]*participant{}, rings: map[wire.AccountID]*ring{},
		removed: map[wire.AccountID]bool{}, knocking: map[wire.AccountID]bool{},
	}
}

// startsShift leaves room for a million participants in each start of the
// server, and for 4,096 starts in the life of one call.
const startsShift = 20

func (c *call) base() uint32 { return uint32(c.starts) << startsShift }

// New checks cfg and reads the calls that had not ended when the server did.
func New(ctx context.Context, cfg Config) (*Calls, error) {
	if cfg.DB == nil || cfg.Hub == nil || cfg.Rooms == nil || cfg.People == nil || cfg.Log == nil {
		return nil, errors.New("call: DB, Hub, Rooms, People and Log are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Limit == nil {
		cfg.Limit = limit.New(cfg.Now)
	}
	if cfg.Size == 0 {
		cfg.Size = wire.MaxParticipants
	}
	cs := &Calls{
		cfg: cfg, wake: make(chan struct{}, 1), byID: map[wire.CallID]*call{}, byRoom: map[wire.RoomID]*call{},
		busy: map[wire.AccountID]int{}, tests: map[wire.DeviceID]wire.CallID{}, dead: map[wire.CallID]bool{},
	}
	list, err := load(ctx, cfg.DB)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		c.last, c.version = c.base(), c.starts<<32
		cs.byID[c.id], cs.byRoom[c.room] = c, c
		if cfg.Media == nil {
			cs.end(c) // calls were turned off
		}
	}
	return cs, nil
}

// On reports whether this site has calls.
func (cs *Calls) On() bool { return cs.cfg.Media != nil }

// Run ends calls in which nobody is for a minute, and forgets the rows of those
// that ended. It returns when ctx ends; after that nothing ends any more, so
// that what was going on is there after a restart.
func (cs *Calls) Run(ctx context.Context) error {
	cs.lock()
	for _, c := range cs.byID {
		cs.waitEmpty(c)
	}
	cs.unlock()
	for {
		select {
		case <-cs.wake:
			cs.forget(ctx)
		case <-ctx.Done():
			cs.shut()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			cs.forget(ctx)
			return nil
		}
	}
}

// forget deletes the rows of calls that ended. One that could not be deleted is
// tried again with the next; after a restart it would be a call with nobody in
// it, for a minute.
func (cs *Calls) forget(ctx context.Context) {
	cs.mu.Lock()
	dead := slices.Collect(maps.Keys(cs.dead))
	cs.mu.Unlock()
	if len(dead) == 0 {
		return
	}
	err := cs.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		for _, id := range dead {
			if err := drop(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		cs.cfg.Log.Error("forget calls that ended", "calls", len(dead), "err", err)
		return
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, id := range dead {
		delete(cs.dead, id)
	}
}

// shut stops all timers.
func (cs *Calls) shut() {
	cs.lock()
	defer cs.unlock()
	cs.closed = true
	for _, c := range cs.byID {
		c.stop()
	}
}

func (c *call) stop() {
	stop(c.empty)
	stop(c.brief.timer)
	stop(c.delta.timer)
	for _, r := range c.rings {
		stop(r.timer)
	}
	for _, p := range c.people {
		stop(p.watch)
	}
}

func stop(t *time.Timer) {
	if t != nil {
		t.Stop()
	}
}

// lock and unlock are those of mu; unlock runs then what must not be done under
// it.
func (cs *Calls) lock() { cs.mu.Lock() }

func (cs *Calls) unlock() {
	later := cs.later
	cs.later = nil
	cs.mu.Unlock()
	for _, f := range later {
		f()
	}
}

// after runs f under the lock when d has passed, unless everything was shut.
func (cs *Calls) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() {
		cs.lock()
		defer cs.unlock()
		if !cs.closed {
			f()
		}
	})
}

// waitEmpty ends c in a minute if nobody is in it then. Who is coming just then may
// fail to, so it is looked at again.
func (cs *Calls) waitEmpty(c *call) {
	stop(c.empty)
	c.empty = cs.after(grace, func() {
		switch {
		case c.ended || c.ready > 0:
		case len(c.people) == 0:
			cs.end(c)
		default:
			cs.waitEmpty(c)
		}
	})
}

// end is the end of a call.
func (cs *Calls) end(c *call) {
	if c.ended || cs.closed {
		return
	}
	c.ended = true
	c.stop()
	for _, r := range c.rings {
		cs.endRing(c, r, wire.RingCancelled)
	}
	for len(c.people) > 0 {
		cs.out(c, c.people[len(c.people)-1], wire.GoneEnded)
	}
	stop(c.delta.timer)
	delete(cs.byID, c.id)
	if cs.byRoom[c.room] == c {
		delete(cs.byRoom, c.room)
	}
	cs.dead[c.id] = true
	select {
	case cs.wake <- struct{}{}:
	default:
	}
	hub.Tell(cs.cfg.Hub, hub.Room(c.room), wire.OnCall, c.describe(wire.MaxCallBrief))
	cs.cfg.Log.Info("call ended", "call", c.id, "room", c.room, "took", cs.cfg.Now().Sub(c.started.Time()).Round(time.Second))
}

// describe returns a call with at most n of its participants.
func (c *call) describe(n int) wire.Call {
	w := wire.Call{
		Call: c.id, Room: c.room, By: c.by, Device: c.device, Started: c.started, Video: c.video,
		Count: c.ready, People: []wire.CallParticipant{}, Version: c.version, Ended: c.ended,
	}
	for _, p := range c.people {
		if len(w.People) == n {
			break
		}
		if p.ready {
			w.People = append(w.People, p.describe())
		}
	}
	return w
}
