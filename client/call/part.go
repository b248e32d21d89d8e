package call

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/wire"
)

const (
	// holdSignal is how long a signal of an epoch that is not known yet is kept,
	// mostHeld how many of them.
	holdSignal = 400 * time.Millisecond
	mostHeld   = 64
	// In a crowd not all say at once how they are when an epoch begins: each waits
	// a random time, crowdWait for each other that has said something at most.
	crowd     = 20
	crowdWait = 5 * time.Millisecond
	// mostReactions is how many reactions of one participant are shown in a second.
	mostReactions = 6
)

// part is this device in a call, under one join number. But for keys, its fields
// belong to Calls.mu.
type part struct {
	keys    *keyring
	number  uint32 // 0 as long as the server has not answered
	version int64
	states  map[uint32]said     // by number, as last opened
	sealed  map[uint32][]byte   // states that did not open yet: their epoch may come
	held    int                 // signals that wait for their epoch
	shown   map[uint32]*allowed // reactions
	own     *api.OwnCallState   // what this device says of itself, nil before it did
	hand    wire.Millis         // when the person raised it
	saying  chan struct{}       // holds one while this device says how it is
}

type said struct {
	place place
	state signal
}

// allowed counts what somebody does in a second.
type allowed struct {
	since time.Time
	n     int
}

func (c *Calls) newPart(id wire.CallID, join uint16) *part {
	p := &part{states: map[uint32]said{}, sealed: map[uint32][]byte{}, shown: map[uint32]*allowed{}, saying: make(chan struct{}, 1)}
	p.keys = newKeyring(id, join, func(sealing bool) { c.keysChanged(id, p, sealing) })
	return p
}

// keysChanged tells front ends, tries again what did not open, and says once
// more, in the new epoch, how this device is: who came with it has heard nothing
// yet.
func (c *Calls) keysChanged(id wire.CallID, p *part, sealing bool) {
	feed.Say(c.cfg.Feed, api.OnCallKeys, id.String(), api.CallRef{Call: id})
	c.cfg.Feed.Calls(id)
	c.do(func(ctx context.Context) {
		c.mu.Lock()
		l := c.live[id]
		mine := l != nil && l.in == p
		var again map[uint32][]byte
		if mine {
			again = p.sealed
			p.sealed = map[uint32][]byte{}
		}
		own := p.own != nil
		var wait time.Duration
		if n := len(p.states); sealing && n > crowd {
			wait = rand.N(time.Duration(n) * crowdWait)
		}
		c.mu.Unlock()
		if !mine {
			return
		}
		for number, body := range again {
			c.hear(id, wire.CallSignal{Call: id, Number: number, Body: body, State: true})
		}
		switch {
		case !sealing || !own:
		case wait > 0:
			c.later(wait, func(ctx context.Context) { c.sayStateAgain(ctx, id) })
		default:
			c.sayStateAgain(ctx, id)
		}
	})
}

func (c *Calls) sayStateAgain(ctx context.Context, id wire.CallID) {
	if err := c.sayState(ctx, id); err != nil && ctx.Err() == nil && api.FailureOf(err).Code != api.NotFound {
		c.cfg.Log.Info("state of a call was not told", "call", id, "err", err)
	}
}

// partOf returns this device in a call; api.NotFound if it is not in.
func (c *Calls) partOf(id wire.CallID) (*part, *live, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.live[id]
	if l == nil || l.in == nil {
		return nil, nil, api.Fail(api.NotFound, "this device is not in that call")
	}
	return l.in, l, nil
}

// say seals a signal and has the server pass it on.
func (c *Calls) say(ctx context.Context, id wire.CallID, m wire.Method[wire.CallSealed, wire.None], to uint32, s signal) error {
	p, _, err := c.partOf(id)
	if err != nil {
		return err
	}
	s.From, s.To = p.number, to
	plain, err := s.encode()
	if err != nil {
		return api.Fail(api.BadInput, "%v", err)
	}
	body, err := p.keys.sealed(plain)
	if err != nil {
		return api.Fail(api.Busy, "%v", err)
	}
	_, err = session.Call(ctx, c.cfg.Session, m, wire.CallSealed{Call: id, To: to, Body: body})
	return err
}

// sayState says how this device is. Others take what was sealed last for what is
// true, so one says it at a time: or what was read before somebody was muted could
// be sealed after it.
func (c *Calls) sayState(ctx context.Context, id wire.CallID) error {
	p, _, err := c.partOf(id)
	if err != nil {
		return err
	}
	select {
	case p.saying <- struct{}{}:
		defer func() { <-p.saying }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	if p.own == nil {
		c.mu.Unlock()
		return nil
	}
	s := signal{Kind: stateSignal, Muted: p.own.Muted, Camera: p.own.Camera, Screen: p.own.Screen, Hand: p.hand}
	c.mu.Unlock()
	return c.say(ctx, id, wire.CallState, 0, s)
}

// hear takes a signal that the server passed on. One of an epoch or a participant
// that is not known yet is kept for a moment: word of it may be under way.
func (c *Calls) hear(id wire.CallID, m wire.CallSignal) { c.hearOr(id, m, c.hold) }

func (c *Calls) hearOr(id wire.CallID, m wire.CallSignal, early func(wire.CallID, *part, wire.CallSignal)) {
	p, l, err := c.partOf(id)
	if err != nil || len(m.Body) > wire.MaxCallSealed {
		return
	}
	c.mu.Lock()
	who, known := l.people[m.Number]
	c.mu.Unlock()
	if !known { // not opened either: it opens once
		early(id, p, m)
		return
	}
	got, err := p.keys.open(m.Body)
	switch {
	case errors.Is(err, errEpoch):
		early(id, p, m)
		return
	case err != nil:
		c.cfg.Log.Debug("signal does not open", "call", id, "err", err)
		return
	}
	s, err := decodeSignal(got.plain)
	// It counts for the participant that sealed it, not for whom the server names.
	if err != nil || s.From != m.Number || who.Device != got.from.Device || who.Account != got.from.Account {
		c.cfg.Log.Debug("signal is not that participant's", "call", id)
		return
	}
	c.obey(id, p, m.Number, got, s)
}

// hold keeps a signal for a moment; a state until its epoch or its participant
// has come.
func (c *Calls) hold(id wire.CallID, p *part, m wire.CallSignal) {
	c.mu.Lock()
	if m.State {
		if len(p.sealed) < wire.MaxParticipants {
			p.sealed[m.Number] = m.Body
		}
	}
	full := m.State || p.held >= mostHeld
	if !full {
		p.held++
	}
	c.mu.Unlock()
	if full {
		return
	}
	c.later(holdSignal, func(context.Context) {
		c.mu.Lock()
		p.held--
		c.mu.Unlock()
		if got, _, err := c.partOf(id); err != nil || got != p {
			return
		}
		c.hearOr(id, m, func(wire.CallID, *part, wire.CallSignal) {}) // then it is dropped
	})
}

// obey does what a signal says.
func (c *Calls) obey(id wire.CallID, p *part, from uint32, got opened, s signal) {
	switch s.Kind {
	case stateSignal:
		c.mu.Lock()
		was, known := p.states[from]
		newer := !known || got.place.after(was.place)
		if newer {
			p.states[from] = said{got.place, s}
		}
		c.mu.Unlock()
		if newer {
			c.cfg.Feed.Calls(id)
		}
	case reactionSignal:
		if c.mayShow(p, from) {
			feed.Say(c.cfg.Feed, api.OnCallReaction, "", api.CallReaction{Call: id, Number: int(from), Name: c.nameOf(got.from.Account), Emoji: s.Emoji})
		}
	case muteSignal, handSignal:
		if !got.owner || s.To != p.number {
			c.cfg.Log.Info("request in a call refused: not of an owner, or for another", "call", id)
			return
		}
		what := api.AskMute
		if s.Kind == handSignal {
			what = api.AskHand
		}
		feed.Say(c.cfg.Feed, api.OnCallAsked, id.String()+string(what), api.CallAsked{Call: id, What: what, Name: c.nameOf(got.from.Account)})
	}
}

// mayShow bounds what one participant can put on everybody's screen.
func (c *Calls) mayShow(p *part, from uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	a := p.shown[from]
	if a == nil || now.Sub(a.since) >= time.Second || now.Before(a.since) {
		p.shown[from] = &allowed{now, 1}
		return true
	}
	a.n++
	return a.n <= mostReactions
}
