package call

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// Start starts a call in a room, or finds the one that is there. With ring it
// rings everybody if it is new.
func (c *Calls) Start(ctx context.Context, p api.StartCall) (api.Call, error) {
	if _, ok := c.cfg.Me(); !ok {
		return api.Call{}, session.ErrOffline
	}
	id := wire.NewCallID()
	begins := content.Call{Call: id, Ring: p.Ring, Video: p.Video}
	at, said, err := c.settle(ctx, p.Room, begins)
	if err != nil {
		return api.Call{}, err
	}
	k, err := session.Call(ctx, c.cfg.Session, wire.CallStart, wire.StartCall{Room: at, Call: id, Video: p.Video})
	if err != nil {
		return api.Call{}, err
	}
	if k.Room != at {
		return api.Call{}, api.Fail(api.Distrusted, "the server names a call of another room")
	}
	fresh := k.Call == id
	c.mu.Lock()
	l := c.live[k.Call]
	began := l == nil
	if began {
		l = c.begin(k)
	}
	if fresh {
		l.mine, l.rang = true, p.Ring
	}
	c.mu.Unlock()
	if fresh && !said {
		if err := c.cfg.Rooms.SayCall(ctx, at, begins); err != nil {
			return api.Call{}, err
		}
	}
	if fresh && p.Ring {
		if err := c.Ringing(ctx, api.CallPeople{Call: k.Call}); err != nil {
			c.cfg.Log.Warn("call does not ring", "call", k.Call, "err", err)
		}
	}
	c.changed(ctx, k.Call, began)
	v, _, err := c.view(ctx, k.Call)
	return v, err
}

// settle brings a room to where a call can begin in it. A direct room that is
// only planned is made by what is said in it first: the beginning of the call.
func (c *Calls) settle(ctx context.Context, id wire.RoomID, begins content.Call) (at wire.RoomID, said bool, err error) {
	var planned bool
	err = c.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		planned, err = room.Planned(tx, id)
		return err
	})
	if err != nil {
		return at, false, err
	}
	if planned {
		if err := c.cfg.Rooms.SayCall(ctx, id, begins); err != nil {
			return at, false, err
		}
	}
	err = c.cfg.Rooms.Do(ctx, id, nil)
	at, again := c.cfg.Rooms.Resolve(ctx, id)
	if at != id && again == nil {
		err = c.cfg.Rooms.Do(ctx, at, nil) // the other side had made it
	}
	return at, planned, errors.Join(err, again)
}

// Join makes this device a participant. What it was in another call, it is no
// longer: one has one mouth.
func (c *Calls) Join(ctx context.Context, p api.CallOffer) (api.JoinedCall, error) {
	if p.Offer == "" || len(p.Offer) > wire.MaxSDP {
		return api.JoinedCall{}, &api.Failure{Code: api.BadInput, Field: "offer"}
	}
	at, err := c.roomOf(ctx, p.Call)
	if err != nil {
		return api.JoinedCall{}, err
	}
	for _, other := range c.others(p.Call) {
		if err := c.Leave(ctx, api.CallRef{Call: other}); err != nil {
			return api.JoinedCall{}, err
		}
	}
	if err := c.cfg.Rooms.Do(ctx, at, nil); err != nil {
		return api.JoinedCall{}, err
	}
	join, err := c.cfg.Rooms.NextJoin(ctx, at)
	if err != nil {
		return api.JoinedCall{}, err
	}
	key, ok, err := c.cfg.Rooms.CallKey(ctx, at, p.Call)
	if err != nil {
		return api.JoinedCall{}, err
	}
	if !ok {
		return api.JoinedCall{}, api.Fail(api.NotAllowed, "this device is not in the room")
	}
	res, err := session.Call(ctx, c.cfg.Session, wire.CallJoin, wire.JoinCall{Call: p.Call, Join: join, Offer: p.Offer})
	if err != nil {
		return api.JoinedCall{}, err
	}
	if res.Call.Call != p.Call || res.Call.Room != at || res.Number == 0 {
		return api.JoinedCall{}, api.Fail(api.Distrusted, "the server answers for another call")
	}
	c.mu.Lock()
	l := c.live[p.Call]
	if l == nil {
		l = c.begin(res.Call)
	}
	l.own.stop()
	l.take(res.Call)
	l.own = newOwn(res.Number, join, key, c.cfg.Now())
	c.mu.Unlock()
	c.ringEnded(p.Call, wire.RingAnswered)
	c.rekey(ctx, p.Call) // the epoch may have moved while the server was asked
	c.readStates(p.Call)
	v, _, err := c.view(ctx, p.Call)
	if err != nil {
		return api.JoinedCall{}, err
	}
	tell(c, api.OnCall, v)
	keys, err := c.Keys(ctx, p.Call)
	return api.JoinedCall{Number: int(res.Number), Answer: res.Answer, Turn: turnServers(res.Turn), Call: v, Keys: keys}, err
}

func turnServers(list []wire.TurnServer) []api.TurnServer {
	out := []api.TurnServer{}
	for _, t := range list {
		out = append(out, api.TurnServer(t))
	}
	return out
}

// roomOf finds the room of a call, asking the server where it is not known.
func (c *Calls) roomOf(ctx context.Context, id wire.CallID) (wire.RoomID, error) {
	c.mu.Lock()
	l := c.live[id]
	c.mu.Unlock()
	if l != nil {
		return l.Room, nil
	}
	k, err := session.Call(ctx, c.cfg.Session, wire.CallGet, wire.CallRef{Call: id})
	if err != nil {
		return wire.RoomID{}, err
	}
	if open, err := c.isOpen(ctx, k.Room); err != nil || !open || k.Call != id {
		return wire.RoomID{}, errors.Join(err, api.Fail(api.NotFound, "no such call"))
	}
	return k.Room, nil
}

// others are the calls besides one that this device is in.
func (c *Calls) others(id wire.CallID) (list []wire.CallID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, l := range c.live {
		if other != id && l.own != nil {
			list = append(list, other)
		}
	}
	return list
}

// Offer renews ICE credentials or appends slots.
func (c *Calls) Offer(ctx context.Context, p api.CallOffer) (api.CallAnswer, error) {
	if p.Offer == "" || len(p.Offer) > wire.MaxSDP {
		return api.CallAnswer{}, &api.Failure{Code: api.BadInput, Field: "offer"}
	}
	a, err := session.Call(ctx, c.cfg.Session, wire.CallOffer, wire.OfferCall{Call: p.Call, Offer: p.Offer})
	return api.CallAnswer{Answer: a.Answer}, err
}

// Leave takes this device out of a call. It is out here even if the server
// cannot be told: that one will notice by itself.
func (c *Calls) Leave(ctx context.Context, p api.CallRef) error {
	c.mu.Lock()
	l := c.live[p.Call]
	if l == nil || l.own == nil {
		c.mu.Unlock()
		return nil
	}
	alone := l.Count <= 1
	l.own.stop()
	l.own = nil
	c.mu.Unlock()
	_, err := session.Call(ctx, c.cfg.Session, wire.CallLeave, wire.CallRef{Call: p.Call})
	if wire.CodeOf(err) == wire.NotFound {
		err = nil
	}
	if alone && err == nil {
		c.ended(ctx, p.Call)
		return nil
	}
	c.changed(ctx, p.Call, false)
	return err
}

// View says what is on screen.
func (c *Calls) View(ctx context.Context, p api.CallView) error {
	if len(p.Views) > wire.MaxCallViews {
		return &api.Failure{Code: api.BadInput, Field: "views"}
	}
	req := wire.ViewCall{Call: p.Call, Views: []wire.CallView{}}
	for _, v := range p.Views {
		if v.Number <= 0 || v.Height < 0 {
			return &api.Failure{Code: api.BadInput, Field: "views"}
		}
		source, ok := sources[v.Source]
		if !ok {
			return &api.Failure{Code: api.BadInput, Field: "source"}
		}
		req.Views = append(req.Views, wire.CallView{Mid: v.Mid, Number: uint32(v.Number), Source: source, Height: v.Height})
	}
	_, err := session.Call(ctx, c.cfg.Session, wire.CallViewing, req)
	return err
}

var sources = map[api.Source]wire.Source{
	api.Microphone: wire.Microphone, api.Camera: wire.Camera, api.Screen: wire.Screen, api.ScreenSound: wire.ScreenSound,
}

func sourceOf(s wire.Source) (api.Source, bool) {
	for name, n := range sources {
		if n == s {
			return name, true
		}
	}
	return "", false
}

// Remove takes a person out of a call.
func (c *Calls) Remove(ctx context.Context, p api.CallAccount) error {
	_, err := session.Call(ctx, c.cfg.Session, wire.CallRemove, wire.CallPerson(p))
	return err
}

// Try connects to the server's echo.
func (c *Calls) Try(ctx context.Context, p api.CallTry) (api.JoinedTry, error) {
	if p.Offer == "" || len(p.Offer) > wire.MaxSDP {
		return api.JoinedTry{}, &api.Failure{Code: api.BadInput, Field: "offer"}
	}
	res, err := session.Call(ctx, c.cfg.Session, wire.CallTry, wire.CallTest{Offer: p.Offer})
	if err != nil {
		return api.JoinedTry{}, fmt.Errorf("try the paths: %w", err)
	}
	return api.JoinedTry{Answer: res.Answer, Turn: turnServers(res.Turn)}, nil
}
