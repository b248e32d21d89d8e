package call

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// mostRings is how many rings are kept: a server that rings for more is not
// believed.
const mostRings = 32

// Ring takes that somebody calls. It rings only for a room that is here, by one
// of its members; for a room that is just being joined it waits.
func (c *Calls) Ring(ctx context.Context, r wire.Ring) error {
	me, _ := c.cfg.Me()
	if r.By == me.Account || r.Until <= wire.Now(c.cfg.Now()) {
		return nil
	}
	c.mu.Lock()
	if l := c.live[r.Call]; l != nil && l.own != nil || len(c.rings) >= mostRings {
		c.mu.Unlock()
		return nil
	}
	c.rings[r.Call] = r
	c.mu.Unlock()
	v, ok, err := c.ringView(ctx, r)
	if err != nil || !ok {
		return err
	}
	c.mu.Lock()
	_, still := c.rings[r.Call]
	told := c.shown[r.Call]
	if still {
		c.shown[r.Call] = true
	}
	c.mu.Unlock()
	if !still || told {
		return nil
	}
	tell(c, api.OnRing, v)
	time.AfterFunc(r.Until.Time().Sub(c.cfg.Now()), func() { c.ringEnded(r.Call, wire.RingExpired) })
	return nil
}

// ringView is a ring as front ends see it; ok is false when the room or the
// caller is not known here.
func (c *Calls) ringView(ctx context.Context, r wire.Ring) (v api.Ring, ok bool, err error) {
	err = c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		m, err := store.GetRoom(tx, r.Room)
		if err != nil || m.State != store.RoomOpen {
			return ignoreNone(err)
		}
		members, err := store.Members(tx, r.Room)
		if err != nil {
			return err
		}
		ok = slices.ContainsFunc(members, func(o store.RoomMember) bool { return o.Account == r.By })
		v = api.Ring{Call: r.Call, Room: r.Room, Direct: m.Kind == wire.Direct, By: r.By, Title: m.Name, Video: r.Video, Until: r.Until}
		if v.Name, err = name(tx, r.By); err != nil {
			return err
		}
		if v.Direct {
			v.Title = v.Name
		}
		return nil
	})
	return v, ok && err == nil, err
}

// RingEnd takes that it rings no more.
func (c *Calls) RingEnd(_ context.Context, e wire.RingEnd) error {
	c.ringEnded(e.Call, e.Why)
	return nil
}

func (c *Calls) ringEnded(id wire.CallID, why wire.RingEndReason) {
	c.mu.Lock()
	told := c.shown[id]
	delete(c.rings, id)
	delete(c.shown, id)
	c.mu.Unlock()
	if told {
		tell(c, api.OnRingEnd, api.RingEnd{Call: id, Why: why})
	}
}

// Decline stops the ring on all of the person's devices.
func (c *Calls) Decline(ctx context.Context, p api.DeclineCall) error {
	_, err := session.Call(ctx, c.cfg.Session, wire.CallDecline, wire.DeclineCall(p))
	if err == nil || wire.CodeOf(err) == wire.NotFound {
		c.ringEnded(p.Call, wire.RingDeclined)
		return nil
	}
	return err
}

// Ringing rings members who are not in the call.
func (c *Calls) Ringing(ctx context.Context, p api.CallPeople) error {
	_, err := session.Call(ctx, c.cfg.Session, wire.CallRing, wire.RingCall(p))
	if err == nil {
		c.mu.Lock()
		if l := c.live[p.Call]; l != nil {
			l.rang = true
		}
		c.mu.Unlock()
	}
	return err
}

// Answered takes how somebody whom this person rang stands.
func (c *Calls) Answered(ctx context.Context, a wire.RingAnswer) error {
	c.mu.Lock()
	l := c.live[a.Call]
	if l != nil {
		l.how[a.Account] = a.How
	}
	c.mu.Unlock()
	if l == nil {
		return nil
	}
	who, err := c.name(ctx, a.Account)
	if err != nil {
		return err
	}
	tell(c, api.OnRingAnswer, api.RingAnswer{Call: a.Call, Account: a.Account, Name: who, How: a.How})
	return nil
}

// linkPath is what a link to a call begins with.
const linkPath = "/call/"

var errLink = &api.Failure{Code: api.BadInput, Field: "link", Text: "not a link to a call"}

// Link makes a link by which others can ask to come in.
func (c *Calls) Link(ctx context.Context, p api.CallRef) (api.CallLink, error) {
	res, err := session.Call(ctx, c.cfg.Session, wire.CallMakeURL, wire.CallRef(p))
	if err != nil {
		return api.CallLink{}, err
	}
	return api.CallLink{Link: linkPath + p.Call.String() + "/" + base64.RawURLEncoding.EncodeToString(res.Token)}, nil
}

// Knock asks to be let into the call of a link, which may be a whole address.
func (c *Calls) Knock(ctx context.Context, p api.CallLink) error {
	_, rest, ok := strings.Cut(p.Link, linkPath)
	id, secret, both := strings.Cut(rest, "/")
	if !ok || !both {
		return errLink
	}
	var call wire.CallID
	token, err := base64.RawURLEncoding.DecodeString(secret)
	if err := errors.Join(err, call.UnmarshalText([]byte(id))); err != nil || len(token) != 16 {
		return errLink
	}
	_, err = session.Call(ctx, c.cfg.Session, wire.CallKnocks, wire.KnockCall{Call: call, Token: token})
	return err
}

// Knocked takes that somebody asks to be let in.
func (c *Calls) Knocked(ctx context.Context, k wire.CallKnock) error {
	c.mu.Lock()
	in := c.live[k.Call] != nil && c.live[k.Call].own != nil
	c.mu.Unlock()
	if !in {
		return nil
	}
	who, err := c.name(ctx, k.Account)
	if err != nil {
		return err
	}
	tell(c, api.OnCallKnock, api.CallKnock{Call: k.Call, Account: k.Account, Name: who})
	return nil
}

// Admit takes somebody who knocked into the group.
func (c *Calls) Admit(ctx context.Context, p api.CallAccount) error {
	at, err := c.roomOf(ctx, p.Call)
	if err != nil {
		return err
	}
	return c.cfg.Rooms.Add(ctx, at, []wire.AccountID{p.Account})
}

// RefuseKnock does not let somebody in.
func (c *Calls) RefuseKnock(ctx context.Context, p api.CallAccount) error {
	_, err := session.Call(ctx, c.cfg.Session, wire.CallRefuse, wire.CallPerson(p))
	return err
}
