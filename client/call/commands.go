package call

import (
	"context"
	"encoding/base32"
	"errors"
	"strings"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// Start makes a call in a room, or finds the one that is there.
func (c *Calls) Start(ctx context.Context, id wire.RoomID, p api.StartCall) (api.Call, error) {
	if err := c.cfg.Rooms.Open(ctx, id); err != nil {
		return api.Call{}, err
	}
	call := wire.NewCallID()
	w, err := session.Call(ctx, c.cfg.Session, wire.CallStart, wire.StartCall{Room: id, Call: call, Video: p.Video})
	if err != nil {
		return api.Call{}, err
	}
	if w.Room != id {
		return api.Call{}, api.Fail(api.Distrusted, "the server answered with another room's call")
	}
	if err := c.told(ctx, w); err != nil {
		return api.Call{}, err
	}
	if w.Call == call {
		if err := c.begin(ctx, &w, p.Ring); err != nil {
			return api.Call{}, err
		}
	}
	return c.one(ctx, w.Call)
}

// begin has the log say that this person called, and rings the others.
func (c *Calls) begin(ctx context.Context, w *wire.Call, rings bool) error {
	c.mu.Lock()
	if l := c.live[w.Call]; l != nil {
		l.began, l.rung, l.first = true, rings, c.cfg.Now()
	}
	c.mu.Unlock()
	made, err := content.NewCall(content.Call{Call: w.Call, Ring: rings, Video: w.Video})
	if err != nil {
		return err
	}
	err = c.cfg.Store.Update(ctx, func(tx *store.Tx) error { return c.cfg.Rooms.SayCall(tx, w.Room, made.Content) })
	if err != nil || !rings {
		return err
	}
	_, err = session.Call(ctx, c.cfg.Session, wire.CallRing, wire.RingCall{Call: w.Call})
	return err
}

func (c *Calls) one(ctx context.Context, id wire.CallID) (api.Call, error) {
	list, err := c.Views(ctx, []wire.CallID{id})
	if err != nil {
		return api.Call{}, err
	}
	if len(list) == 0 {
		return api.Call{}, api.Fail(api.NotFound, "no such call")
	}
	return list[0], nil
}

// find returns a call that goes on, asking the server for one that is not known
// here: its event may be under way.
func (c *Calls) find(ctx context.Context, id wire.CallID) (*live, error) {
	for try := range 2 {
		c.mu.Lock()
		l := c.live[id]
		c.mu.Unlock()
		if l != nil {
			return l, nil
		}
		if try == 0 {
			w, err := session.Call(ctx, c.cfg.Session, wire.CallGet, wire.CallRef{Call: id})
			if err != nil {
				return nil, err
			}
			if err := c.told(ctx, w); err != nil {
				return nil, err
			}
		}
	}
	return nil, api.Fail(api.NotFound, "no such call")
}

// Join takes part with this device. What it was in another call it is no longer:
// one has one mouth.
func (c *Calls) Join(ctx context.Context, p api.CallOffer) (out api.JoinedCall, err error) {
	if len(p.Offer) > wire.MaxSDP {
		return out, &api.Failure{Code: api.TooLarge, Field: "offer"}
	}
	l, err := c.find(ctx, p.Call)
	if err != nil {
		return out, err
	}
	for _, other := range c.others(p.Call) {
		if err := c.Leave(ctx, other); err != nil && api.FailureOf(err).Code != api.NotFound {
			return out, err
		}
	}
	t, err := c.prepare(ctx, l)
	if err != nil {
		return out, err
	}
	res, err := session.Call(ctx, c.cfg.Session, wire.CallJoin, wire.JoinCall{Call: p.Call, Join: t.keys.join, Offer: p.Offer})
	if err == nil && res.Call.Call != p.Call {
		err = api.Fail(api.Distrusted, "the server answered with another call")
	}
	if err == nil {
		err = c.entered(l, t, &res)
	}
	if err != nil {
		c.mu.Lock()
		if l.coming == t {
			l.coming = nil
		}
		c.mu.Unlock()
		t.keys.close()
		c.Refresh() // it is over, perhaps, or this device is out of it
		return out, err
	}
	c.quiet(p.Call, wire.RingAnswered)
	c.hearStates(p.Call, res.Call.People)
	c.do(func(ctx context.Context) { c.refreshRow(ctx, l.call.Room, p.Call, true) })
	c.cfg.Feed.Calls(p.Call)
	out = api.JoinedCall{Number: int(res.Number), Answer: res.Answer, Turn: turn(res.Turn), Keys: t.keys.keys()}
	out.Call, err = c.one(ctx, p.Call)
	return out, err
}

// others are the calls besides one that this device is in.
func (c *Calls) others(id wire.CallID) (list []wire.CallID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, l := range c.live {
		if other != id && l.in != nil {
			list = append(list, other)
		}
	}
	return list
}

func turn(list []wire.TurnServer) []api.TurnServer {
	out := []api.TurnServer{}
	for _, s := range list {
		out = append(out, api.TurnServer(s))
	}
	return out
}

// prepare takes a join number, which is on disk before it is used, and the keys
// of the epoch in which the room is.
func (c *Calls) prepare(ctx context.Context, l *live) (*part, error) {
	c.mu.Lock()
	id, r := l.call.Call, l.call.Room
	c.mu.Unlock()
	for range 3 {
		var t *part
		ok := false
		err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
			var e room.Epoch
			var err error
			if e, ok, err = c.cfg.Rooms.Epoch(tx, r); err != nil || !ok {
				return err
			}
			join, err := store.NextJoin(tx, r, e.Number)
			if err != nil {
				return err
			}
			t = c.newPart(id, join)
			c.mu.Lock()
			if l.coming != nil {
				l.coming.keys.close()
			}
			l.coming = t // from now on it hears of new epochs
			c.putTree(&e)
			c.mu.Unlock()
			return t.keys.install(&e)
		})
		if err != nil && t != nil {
			c.mu.Lock()
			if l.coming == t {
				l.coming = nil // its number is not on disk
			}
			c.mu.Unlock()
			t.keys.close()
		}
		switch {
		case errors.Is(err, store.ErrJoins):
			err = c.cfg.Rooms.Renew(ctx, r)
		case err == nil && ok:
			return t, nil
		case err == nil:
			err = c.cfg.Rooms.Open(ctx, r)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, api.Fail(api.Busy, "the room changes all the time")
}

// entered takes the server's answer to a joining.
func (c *Calls) entered(l *live, t *part, res *wire.CallJoined) error {
	c.mu.Lock()
	if l.coming != t || c.live[l.call.Call] != l {
		c.mu.Unlock()
		return api.Fail(api.Cancelled, "the call ended, or it was joined again")
	}
	if res.Number == 0 || l.used[res.Number] {
		c.mu.Unlock()
		return api.Fail(api.Distrusted, "the server gave a number that was used before")
	}
	if l.in != nil {
		t.own, t.hand = l.in.own, l.in.hand // as the person left it
		l.in.keys.close()
	}
	l.used[res.Number] = true
	l.in, l.coming, l.ours, l.quit = t, nil, true, false
	t.number, t.version = res.Number, res.Call.Version
	l.people = map[uint32]wire.CallParticipant{}
	c.mu.Unlock()
	if !c.takePeople(l, t, &res.Call) {
		c.leave(l, "")
		return api.Fail(api.Distrusted, "the server does not name this device as a participant")
	}
	return nil
}

// Offer renews the connection of this device, or appends slots.
func (c *Calls) Offer(ctx context.Context, p api.CallOffer) (api.CallAnswer, error) {
	if _, _, err := c.partOf(p.Call); err != nil {
		return api.CallAnswer{}, err
	}
	a, err := session.Call(ctx, c.cfg.Session, wire.CallOffer, wire.OfferCall{Call: p.Call, Offer: p.Offer})
	return api.CallAnswer{Answer: a.Answer}, err
}

// Leave takes this device out of a call. Without a connection it is out here; the
// server notices by itself.
func (c *Calls) Leave(ctx context.Context, id wire.CallID) error {
	c.mu.Lock()
	l := c.live[id]
	if l == nil || l.in == nil && !l.began {
		c.mu.Unlock()
		return api.Fail(api.NotFound, "this device is not in that call")
	}
	last := len(l.people) == 0 || l.in != nil && len(l.people) == 1
	l.quit = last
	c.mu.Unlock()
	c.leave(l, "")
	_, err := session.Call(ctx, c.cfg.Session, wire.CallLeave, wire.CallRef{Call: id})
	switch {
	case errors.Is(err, session.ErrOffline), wire.CodeOf(err) == wire.NotFound:
		return nil
	case err != nil || !last:
		return err
	}
	// It is over, unless somebody came in the same moment.
	_, err = session.Call(ctx, c.cfg.Session, wire.CallGet, wire.CallRef{Call: id})
	if wire.CodeOf(err) == wire.NotFound {
		c.ended(ctx, l)
	}
	return nil
}

// Keys is what media is sealed and opened with just now.
func (c *Calls) Keys(id wire.CallID) (api.CallKeys, error) {
	p, _, err := c.partOf(id)
	if err != nil {
		return api.CallKeys{}, err
	}
	return p.keys.keys(), nil
}

// View says what is on screen.
func (c *Calls) View(ctx context.Context, p api.CallView) error {
	if _, _, err := c.partOf(p.Call); err != nil {
		return err
	}
	v := wire.ViewCall{Call: p.Call, Views: []wire.CallView{}}
	for _, o := range p.Views {
		s, ok := sourceOf(o.Source)
		if !ok || o.Number < 0 || o.Height < 0 {
			return &api.Failure{Code: api.BadInput, Field: "views", Text: "no such view"}
		}
		v.Views = append(v.Views, wire.CallView{Mid: o.Mid, Number: uint32(o.Number), Source: s, Height: o.Height})
	}
	_, err := session.Call(ctx, c.cfg.Session, wire.CallViewing, v)
	return err
}

// SetState tells the others how this device is, now or as soon as may be.
func (c *Calls) SetState(ctx context.Context, s api.OwnCallState) error {
	p, _, err := c.partOf(s.Call)
	if err != nil {
		return err
	}
	c.mu.Lock()
	switch {
	case !s.Hand:
		p.hand = 0
	case p.hand == 0:
		p.hand = wire.Now(c.cfg.Now().Add(-c.skew)) // by the server's clock, which is everybody's
	}
	p.own = &s
	c.mu.Unlock()
	c.cfg.Feed.Calls(s.Call)
	err = c.sayState(ctx, s.Call)
	if errors.Is(err, session.ErrOffline) {
		return nil // said when there is a connection again
	}
	return err
}

// React shows everybody an emoji.
func (c *Calls) React(ctx context.Context, p api.CallEmoji) error {
	if !isEmoji(p.Emoji) {
		return &api.Failure{Code: api.BadInput, Field: "emoji", Text: "not an emoji"}
	}
	return c.say(ctx, p.Call, wire.CallSay, 0, signal{Kind: reactionSignal, Emoji: p.Emoji})
}

// Ask asks a participant to be muted, or to lower the hand.
func (c *Calls) Ask(ctx context.Context, p api.CallNumber, what api.CallAsk) error {
	_, l, err := c.partOf(p.Call)
	if err != nil {
		return err
	}
	if err := c.owns(l); err != nil {
		return err
	}
	if p.Number <= 0 {
		return &api.Failure{Code: api.BadInput, Field: "number", Text: "no such participant"}
	}
	kind := muteSignal
	if what == api.AskHand {
		kind = handSignal
	}
	return c.say(ctx, p.Call, wire.CallSay, uint32(p.Number), signal{Kind: kind})
}

// owns refuses what only owners of a group may do.
func (c *Calls) owns(l *live) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	me, _ := c.cfg.Me()
	if t := c.trees[l.call.Room]; t == nil || t.policy.Kind != wire.Group || !t.policy.Owns(me.Account) {
		return api.Fail(api.NotAllowed, "only an owner of a group may do that")
	}
	return nil
}

// ownersOnly is find for owners.
func (c *Calls) ownersOnly(ctx context.Context, id wire.CallID) (*live, error) {
	l, err := c.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return l, c.owns(l)
}

// Remove takes a person out of a call.
func (c *Calls) Remove(ctx context.Context, p api.CallAccount) error {
	if _, err := c.ownersOnly(ctx, p.Call); err != nil {
		return err
	}
	_, err := session.Call(ctx, c.cfg.Session, wire.CallRemove, wire.CallPerson(p))
	return err
}

// Ring rings members who are not in.
func (c *Calls) Ring(ctx context.Context, p api.CallPeople) error {
	if _, _, err := c.partOf(p.Call); err != nil {
		return err
	}
	_, err := session.Call(ctx, c.cfg.Session, wire.CallRing, wire.RingCall{Call: p.Call, Accounts: p.Accounts})
	return err
}

// Decline stops the ringing on all of the person's devices.
func (c *Calls) Decline(ctx context.Context, p api.DeclineCall) error {
	c.mu.Lock()
	r := c.rings[p.Call]
	c.mu.Unlock()
	if r == nil {
		return api.Fail(api.NotFound, "it does not ring")
	}
	_, err := session.Call(ctx, c.cfg.Session, wire.CallDecline, wire.DeclineCall(p))
	if err != nil && wire.CodeOf(err) != wire.NotFound {
		return err
	}
	c.quiet(p.Call, wire.RingDeclined)
	c.do(func(ctx context.Context) { c.refreshRow(ctx, r.ring.Room, p.Call, true) })
	return nil
}

// linkPath is where the link of a call leads; its token comes after the hash, so
// that no server sees it in an address.
const linkPath = "/call/"

var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Link makes a link by which others may ask to come in.
func (c *Calls) Link(ctx context.Context, id wire.CallID) (api.CallLink, error) {
	if _, err := c.ownersOnly(ctx, id); err != nil {
		return api.CallLink{}, err
	}
	l, err := session.Call(ctx, c.cfg.Session, wire.CallMakeURL, wire.CallRef{Call: id})
	return api.CallLink{Link: linkPath + id.String() + "#" + tokenText.EncodeToString(l.Token)}, err
}

// Knock asks to be let into the call of a link.
func (c *Calls) Knock(ctx context.Context, p api.CallLink) error {
	bad := &api.Failure{Code: api.BadInput, Field: "link", Text: "not a link to a call"}
	_, rest, ok := strings.Cut(p.Link, linkPath)
	call, secret, hash := strings.Cut(rest, "#")
	token, err := tokenText.DecodeString(strings.ToLower(secret))
	var k wire.KnockCall
	if !ok || !hash || err != nil || k.Call.UnmarshalText([]byte(strings.ToLower(call))) != nil || len(token) == 0 {
		return bad
	}
	k.Token = token
	_, err = session.Call(ctx, c.cfg.Session, wire.CallKnocks, k)
	return err
}

// Admit lets somebody in who knocked: into the group, which only an owner can.
func (c *Calls) Admit(ctx context.Context, p api.CallAccount) error {
	l, err := c.ownersOnly(ctx, p.Call)
	if err != nil {
		return err
	}
	return c.cfg.Rooms.Add(ctx, l.call.Room, []wire.AccountID{p.Account})
}

// Refuse does not let in who knocked.
func (c *Calls) Refuse(ctx context.Context, p api.CallAccount) error {
	if _, err := c.ownersOnly(ctx, p.Call); err != nil {
		return err
	}
	_, err := session.Call(ctx, c.cfg.Session, wire.CallRefuse, wire.CallPerson(p))
	return err
}

// Try connects to the server's echo.
func (c *Calls) Try(ctx context.Context, p api.CallTry) (api.JoinedTry, error) {
	if len(p.Offer) > wire.MaxSDP {
		return api.JoinedTry{}, &api.Failure{Code: api.TooLarge, Field: "offer"}
	}
	res, err := session.Call(ctx, c.cfg.Session, wire.CallTry, wire.CallTest(p))
	return api.JoinedTry{Answer: res.Answer, Turn: turn(res.Turn)}, err
}
