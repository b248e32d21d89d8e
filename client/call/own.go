package call

import (
	"context"
	"encoding/base64"
	"slices"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/e2ee/sframe"
	"github.com/veche-im/veche/wire"
)

// Times of a change of epoch. docs/spec/calls.md#keys.
const (
	sealAfter  = time.Second      // until others have the new key, if nobody was removed
	openBefore = 10 * time.Second // how long frames of the older epoch are opened
)

// own is this device's part in a call. Calls.mu guards it.
type own struct {
	number  uint32
	join    uint16
	epochs  []epoch // oldest first, never empty
	open    *sframe.Opener
	seal    *sframe.Sealer // of signals, in the epoch that is sealed with
	sealed  uint64         // which epoch that is
	reached uint64         // newest epoch that was sealed with
	states  map[uint32]heardState
	last    state // as this device said it last
	said    bool
	timers  []*time.Timer
}

type epoch struct {
	room.CallKey
	from  time.Time // sealed with from then on
	until time.Time // opened with until then; zero while it is the newest
}

func newOwn(number uint32, join uint16, k room.CallKey, now time.Time) *own {
	o := &own{number: number, join: join, open: sframe.NewOpener(), states: map[uint32]heardState{}}
	o.epochs = []epoch{{CallKey: k, from: now}}
	o.open.Install(k.Epoch, k.Base)
	return o
}

// stop ends what o waits for. A nil own has nothing to end.
func (o *own) stop() {
	if o == nil {
		return
	}
	for _, t := range o.timers {
		t.Stop()
	}
	o.timers = nil
}

func (o *own) newest() *epoch { return &o.epochs[len(o.epochs)-1] }

func (o *own) codeText() string { return Code(o.newest().Code) }

// sealing is the epoch that is sealed with at now. It never goes back, whatever
// the clock does: an epoch that was left has counters that were used.
func (o *own) sealing(now time.Time) *epoch {
	at := &o.epochs[0]
	for i := range o.epochs {
		if !o.epochs[i].from.After(now) || o.epochs[i].Epoch <= o.reached {
			at = &o.epochs[i]
		}
	}
	o.reached = at.Epoch
	return at
}

// move takes a newer epoch. It reports false for one that is known.
func (o *own) move(k room.CallKey, now time.Time) bool {
	last := o.newest()
	if k.Epoch <= last.Epoch {
		return false
	}
	from := now.Add(sealAfter)
	if removes(last.CallKey, k) {
		from = now
	}
	last.until = now.Add(openBefore)
	o.epochs = append(o.epochs, epoch{CallKey: k, from: from})
	o.open.Install(k.Epoch, k.Base)
	o.forget(now)
	return true
}

// removes reports whether a device that was in before is not in after.
func removes(before, after room.CallKey) bool {
	for _, l := range before.Leaves {
		if !slices.Contains(after.Leaves, l) {
			return true
		}
	}
	return false
}

// forget drops epochs whose time is over.
func (o *own) forget(now time.Time) {
	for len(o.epochs) > 1 && !o.epochs[0].until.After(now) {
		o.open.Forget(o.epochs[0].Epoch)
		o.epochs = o.epochs[1:]
	}
}

// keys is what frames are sealed and opened with at now.
func (o *own) keys(now time.Time) api.CallKeys {
	o.forget(now)
	sealing := o.sealing(now).Epoch
	k := api.CallKeys{Leaf: int(o.newest().Own), Join: int(o.join), Epochs: []api.CallEpoch{}, Leaves: []api.CallLeaf{}}
	for _, e := range o.epochs {
		k.Epochs = append(k.Epochs, api.CallEpoch{
			Epoch: int(e.Epoch % 256), Key: base64.StdEncoding.EncodeToString(e.Base.Bytes()), Seal: e.Epoch == sealing,
		})
	}
	for _, l := range o.newest().Leaves {
		leaf := api.CallLeaf{Leaf: int(l.Index), Account: l.Account, Device: l.Device, Epochs: []int{}}
		for _, e := range o.epochs {
			if slices.Contains(e.Leaves, l) {
				leaf.Epochs = append(leaf.Epochs, int(e.Epoch%256))
			}
		}
		k.Leaves = append(k.Leaves, leaf)
	}
	return k
}

// Keys returns what a call's frames are sealed and opened with just now.
func (c *Calls) Keys(_ context.Context, id wire.CallID) (api.CallKeys, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.live[id]
	if l == nil || l.own == nil {
		return api.CallKeys{}, errNotIn
	}
	return l.own.keys(c.cfg.Now()), nil
}

var errNotIn = api.Fail(api.NotFound, "this device is not in the call")

// rekey takes the key of the room's epoch as it is stored now into a call that
// this device is in.
func (c *Calls) rekey(ctx context.Context, id wire.CallID) {
	c.mu.Lock()
	l := c.live[id]
	in := l != nil && l.own != nil
	var at wire.RoomID
	if in {
		at = l.Room
	}
	c.mu.Unlock()
	if !in {
		return
	}
	k, ok, err := c.cfg.Rooms.CallKey(ctx, at, id)
	if err != nil || !ok {
		c.cfg.Log.Warn("call keeps its older key", "call", id, "err", err)
		return
	}
	c.mu.Lock()
	l = c.live[id]
	moved := l != nil && l.own != nil && l.own.move(k, c.cfg.Now())
	if moved {
		o := l.own
		again := func() { c.turn(id, o) }
		o.timers = append(o.timers, time.AfterFunc(sealAfter, again), time.AfterFunc(openBefore, again))
	}
	c.mu.Unlock()
	if moved {
		c.turn(id, nil)
	}
}

// turn tells that other keys are in use, and says our own state again under the
// new one. of is whose timer it is, nil for none: what has ended turns nothing.
func (c *Calls) turn(id wire.CallID, of *own) {
	c.mu.Lock()
	l := c.live[id]
	if l == nil || l.own == nil || of != nil && l.own != of {
		c.mu.Unlock()
		return
	}
	now := c.cfg.Now()
	l.own.forget(now)
	again := l.own.said && l.own.seal != nil && l.own.sealing(now).Epoch != l.own.sealed
	last := l.own.last
	c.mu.Unlock()
	tell(c, api.OnCallKeys, api.CallRef{Call: id})
	if again {
		go func() { // the server is asked: not on a timer's time
			ctx, stop := context.WithTimeout(context.Background(), sayTime)
			defer stop()
			if err := c.say(ctx, id, last); err != nil {
				c.cfg.Log.Info("state not said again", "call", id, "err", err)
			}
		}()
	}
}
