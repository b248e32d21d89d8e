package call

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/sframe"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

// sayTime is how long saying one's state again may take.
const sayTime = 15 * time.Second

// Kinds of signals. docs/spec/calls.md#signals.
const (
	signalState    = 1
	signalReaction = 2
	signalMute     = 3
	signalHand     = 4
)

// signal is what is sealed.
type signal struct {
	Kind   int         `cbor:"1,keyasint"`
	Muted  bool        `cbor:"2,keyasint,omitempty"`
	Camera bool        `cbor:"3,keyasint,omitempty"`
	Screen bool        `cbor:"4,keyasint,omitempty"`
	Hand   wire.Millis `cbor:"5,keyasint,omitempty"`
	Emoji  string      `cbor:"6,keyasint,omitempty"`
	Number uint32      `cbor:"7,keyasint,omitempty"` // whom a wish is for
}

// state is what a participant says of itself.
type state struct {
	Muted, Camera, Screen bool
	Hand                  wire.Millis
}

// heardState is a state and where among its sender's signals it stood, so that
// an older one never replaces a newer.
type heardState struct {
	state
	epoch   uint64
	join    uint16
	counter uint64
}

type leafOf = policy.Leaf

const (
	signalPad = 64
	maxEmoji  = 64 // bytes
)

var errSignal = errors.New("call: not a signal")

// pack writes a signal after its length, padded so that all look alike.
func (s signal) pack() ([]byte, error) {
	b, err := wire.Encode(s)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint16(nil, uint16(len(b)))
	out = append(out, b...)
	return append(out, make([]byte, (signalPad-len(out)%signalPad)%signalPad)...), nil
}

func unpack(b []byte) (s signal, err error) {
	if len(b) < 2 || int(binary.BigEndian.Uint16(b)) > len(b)-2 {
		return s, errSignal
	}
	if err := wire.Decode(b[2:2+binary.BigEndian.Uint16(b)], &s); err != nil {
		return s, errSignal
	}
	if s.Emoji != "" && (len(s.Emoji) > maxEmoji || !utf8.ValidString(s.Emoji)) {
		return s, errSignal
	}
	return s, nil
}

// sealSignal seals s in the call's epoch of now.
func (c *Calls) sealSignal(id wire.CallID, s signal) ([]byte, error) {
	plain, err := s.pack()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.live[id]
	if l == nil || l.own == nil {
		return nil, errNotIn
	}
	o := l.own
	e := o.sealing(c.cfg.Now())
	if o.seal == nil || o.sealed != e.Epoch {
		// One for each epoch, and epochs only move on: no counter comes twice.
		o.seal, o.sealed = sframe.NewSealer(e.Base, sframe.NewKID(e.Epoch, sframe.Signals, o.join, e.Own)), e.Epoch
	}
	return o.seal.Seal(nil, plain, 0)
}

// say tells the others about our own state.
func (c *Calls) say(ctx context.Context, id wire.CallID, s state) error {
	b, err := c.sealSignal(id, signal{Kind: signalState, Muted: s.Muted, Camera: s.Camera, Screen: s.Screen, Hand: s.Hand})
	if err != nil {
		return err
	}
	_, err = session.Call(ctx, c.cfg.Session, wire.CallState, wire.CallSealed{Call: id, Body: b})
	return err
}

// SetState tells the others about our own state.
func (c *Calls) SetState(ctx context.Context, p api.OwnCallState) error {
	c.mu.Lock()
	l := c.live[p.Call]
	if l == nil || l.own == nil {
		c.mu.Unlock()
		return errNotIn
	}
	s := state{Muted: p.Muted, Camera: p.Camera, Screen: p.Screen}
	if p.Hand {
		if s.Hand = l.own.last.Hand; s.Hand == 0 {
			s.Hand = wire.Now(c.cfg.Now())
		}
	}
	l.own.last, l.own.said = s, true
	l.own.states[l.own.number] = heardState{state: s}
	c.mu.Unlock()
	if err := c.say(ctx, p.Call, s); err != nil {
		return err
	}
	c.changed(ctx, p.Call, false)
	return nil
}

// React shows everybody an emoji.
func (c *Calls) React(ctx context.Context, p api.CallEmoji) error {
	if p.Emoji == "" || len(p.Emoji) > maxEmoji || !utf8.ValidString(p.Emoji) {
		return &api.Failure{Code: api.BadInput, Field: "emoji"}
	}
	return c.send(ctx, p.Call, 0, signal{Kind: signalReaction, Emoji: p.Emoji})
}

// Mute asks a participant's device to mute itself, LowerHand to lower its hand.
func (c *Calls) Mute(ctx context.Context, p api.CallNumber) error {
	return c.wish(ctx, p, signalMute)
}

// LowerHand asks a participant's device to lower its hand.
func (c *Calls) LowerHand(ctx context.Context, p api.CallNumber) error {
	return c.wish(ctx, p, signalHand)
}

func (c *Calls) wish(ctx context.Context, p api.CallNumber, kind int) error {
	if p.Number <= 0 {
		return &api.Failure{Code: api.BadInput, Field: "number"}
	}
	me, _ := c.cfg.Me()
	c.mu.Lock()
	l := c.live[p.Call]
	allowed := l != nil && l.own != nil && moderates(l.own.newest().Policy, me.Account)
	c.mu.Unlock()
	if !allowed {
		return api.Fail(api.NotAllowed, "only owners of a group may")
	}
	return c.send(ctx, p.Call, uint32(p.Number), signal{Kind: kind, Number: uint32(p.Number)})
}

// moderates reports whether an account may tell others what to do in a call.
func moderates(p policy.Policy, account wire.AccountID) bool {
	return p.Kind == wire.Group && p.Owns(account)
}

func (c *Calls) send(ctx context.Context, id wire.CallID, to uint32, s signal) error {
	b, err := c.sealSignal(id, s)
	if err != nil {
		return err
	}
	_, err = session.Call(ctx, c.cfg.Session, wire.CallSay, wire.CallSealed{Call: id, To: to, Body: b})
	return err
}

// opened is a signal, and who sealed it by the key id.
type opened struct {
	signal
	leaf    leafOf
	kid     sframe.KID
	counter uint64
	epoch   uint64
}

// openSignal opens a signal of a participant: it counts only from the leaf of
// the device that the server names. Calls.mu is held.
func (o *own) openSignal(from wire.CallParticipant, body []byte) (opened, error) {
	h, _, err := sframe.ParseHeader(body)
	if err != nil {
		return opened{}, err
	}
	if h.KID.Source() != sframe.Signals {
		return opened{}, sframe.ErrOpen
	}
	leaf := leafOf{Account: from.Account, Device: from.Device, Index: uint32(h.KID.Leaf())}
	v := opened{leaf: leaf, counter: h.Counter}
	found := false
	for _, e := range o.epochs {
		// The leaf must be that device's in the frame's epoch, and still be now.
		if uint8(e.Epoch) == h.KID.Epoch() && slices.Contains(e.Leaves, leaf) {
			v.epoch, found = e.Epoch, true
		}
	}
	if !found || h.KID.Leaf() > sframe.MaxLeaf || !slices.Contains(o.newest().Leaves, leaf) {
		return opened{}, sframe.ErrOpen
	}
	plain, kid, err := o.open.Open(nil, body, 0)
	if err != nil {
		return opened{}, err
	}
	if v.signal, err = unpack(plain); err != nil {
		return opened{}, err
	}
	v.kid = kid
	return v, nil
}

// hear takes a state, unless a newer one of this participant is known.
func (o *own) hear(number uint32, v opened) bool {
	was, known := o.states[number]
	if known && (v.epoch < was.epoch || v.epoch == was.epoch && v.kid.Join() == was.join && v.counter <= was.counter) {
		return false
	}
	o.states[number] = heardState{
		state: state{v.Muted, v.Camera, v.Screen, v.Hand}, epoch: v.epoch, join: v.kid.Join(), counter: v.counter,
	}
	return true
}

// readStates opens the states that came with a call.
func (c *Calls) readStates(id wire.CallID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.live[id]
	if l == nil || l.own == nil {
		return
	}
	present := map[uint32]bool{}
	for _, p := range l.Call.People {
		present[p.Number] = true
		if len(p.State) == 0 || p.Number == l.own.number {
			continue
		}
		if v, err := l.own.openSignal(p, p.State); err == nil && v.Kind == signalState {
			l.own.hear(p.Number, v)
		}
	}
	for n := range l.own.states {
		if !present[n] && n != l.own.number {
			delete(l.own.states, n)
		}
	}
}

// Signal takes a signal of a participant.
func (c *Calls) Signal(ctx context.Context, g wire.CallSignal) error {
	me, _ := c.cfg.Me()
	c.mu.Lock()
	l := c.live[g.Call]
	if l == nil || l.own == nil {
		c.mu.Unlock()
		return nil
	}
	var from wire.CallParticipant
	for _, p := range l.Call.People {
		if p.Number == g.Number {
			from = p
		}
	}
	v, err := l.own.openSignal(from, g.Body)
	if err != nil {
		c.mu.Unlock()
		c.cfg.Log.Debug("signal does not open", "call", g.Call, "number", g.Number)
		return nil
	}
	stateChanged := v.Kind == signalState && g.Number != l.own.number && l.own.hear(g.Number, v)
	asked := (v.Kind == signalMute || v.Kind == signalHand) && v.Number == l.own.number && v.leaf.Account != me.Account &&
		moderates(l.own.newest().Policy, v.leaf.Account)
	c.mu.Unlock()
	if stateChanged {
		c.changed(ctx, g.Call, false)
		return nil
	}
	who, err := c.name(ctx, v.leaf.Account)
	if err != nil {
		return err
	}
	switch {
	case v.Kind == signalReaction && v.Emoji != "":
		tell(c, api.OnCallReaction, api.CallReaction{Call: g.Call, Number: int(g.Number), Name: who, Emoji: v.Emoji})
	case asked:
		what := api.AskMute
		if v.Kind == signalHand {
			what = api.AskHand
		}
		tell(c, api.OnCallAsked, api.CallAsked{Call: g.Call, What: what, Name: who})
	}
	return nil
}

func (c *Calls) name(ctx context.Context, id wire.AccountID) (who string, err error) {
	err = c.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		who, err = name(tx, id)
		return err
	})
	return who, err
}
