package room

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/veche-im/veche/client/people"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// founder makes a planned room on the server.
type founder struct{ *worker }

// A plan is a room that is to be made on the server. A direct room is made at
// its first message, a group as soon as the server can be reached.
type plan struct {
	Kind    wire.RoomKind    `cbor:"kind"`
	Members []wire.AccountID `cbor:"members"` // besides me; for notes to oneself none
	Waits   bool             `cbor:"waits,omitempty"`
}

// ErrNoDevice is returned when a person has no device that could be added: they
// have not signed in yet.
var ErrNoDevice = errors.New("room: the person has no device yet")

// PlanDirect returns the direct room with a person, or notes to oneself. If
// there is none yet it is only planned: nothing leaves before the first message.
func (r *Rooms) PlanDirect(ctx context.Context, peer wire.AccountID) (id wire.RoomID, err error) {
	me, ok := r.cfg.Me()
	if !ok {
		return id, session.ErrOffline
	}
	err = r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		found, err := findDirect(tx, me.Account, peer)
		if err == nil {
			id = found.ID
			return nil
		}
		if !errors.Is(err, store.ErrNone) {
			return err
		}
		id = wire.NewRoomID()
		m := store.Room{ID: id, Kind: wire.Direct, State: store.RoomJoining, Time: wire.Now(r.cfg.Now())}
		p := plan{Kind: wire.Direct, Members: []wire.AccountID{}, Waits: true}
		if peer != me.Account {
			m.Peer = peer
			p.Members = append(p.Members, peer)
		}
		return r.putPlan(tx, m, p)
	})
	return id, err
}

func findDirect(tx *store.Tx, me, peer wire.AccountID) (store.Room, error) {
	if peer != me {
		return store.DirectRoom(tx, peer)
	}
	rooms, err := store.Rooms(tx)
	if err != nil {
		return store.Room{}, err
	}
	for _, m := range rooms {
		if m.Kind == wire.Direct && m.Peer.IsZero() {
			return m, nil
		}
	}
	return store.Room{}, store.ErrNone
}

// PlanGroup makes a group with these members besides oneself and that name. It
// returns when it is stored here; the worker makes it on the server.
func (r *Rooms) PlanGroup(ctx context.Context, name string, members []wire.AccountID) (id wire.RoomID, err error) {
	id = wire.NewRoomID()
	err = r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		m := store.Room{ID: id, Kind: wire.Group, State: store.RoomJoining, Name: name, Time: wire.Now(r.cfg.Now())}
		if err := r.putPlan(tx, m, plan{Kind: wire.Group, Members: members}); err != nil {
			return err
		}
		return r.enqueueName(tx, id, name)
	})
	if err != nil {
		return id, err
	}
	r.Wake(id)
	return id, nil
}

func (r *Rooms) putPlan(tx *store.Tx, m store.Room, p plan) error {
	if err := store.PutRoom(tx, m); err != nil {
		return err
	}
	tx.OnCommit(func() { r.cfg.Feed.Rooms(m.ID) })
	return putSetting(tx, planName(m.ID), p)
}

// Planned reports whether this device planned a room that is not made yet: one
// may write in it at once, and what is written waits.
func Planned(tx *store.Tx, id wire.RoomID) (bool, error) {
	_, err := store.GetSetting(tx, planName(id))
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	return err == nil, err
}

// create makes a planned room on the server. planned is false if the room is
// not one that this device planned.
func (w founder) create(ctx context.Context) (planned bool, err error) {
	var p plan
	var req wire.CreateRoom
	var made, waiting bool
	err = w.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		if planned, err = getSetting(tx, planName(w.id), &p); err != nil || !planned {
			return err
		}
		if made, err = getSetting(tx, createName(w.id), &req); err != nil {
			return err
		}
		_, err = store.Waiting(tx, w.id)
		waiting = err == nil
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	if err != nil || !planned {
		return planned, err
	}
	if p.Waits && !waiting {
		return true, fmt.Errorf("%w: no message yet", ErrShut)
	}
	if !made {
		if req, err = w.found(ctx, p); err != nil {
			if errors.Is(err, ErrNoDevice) {
				w.due(keysRetry) // and when the person signs in, see Rooms.Enrolled
				return true, fmt.Errorf("%w: %w", ErrShut, err)
			}
			return true, err
		}
	}
	err = w.offerRoom(ctx, req)
	if errors.Is(err, errFirst) {
		return false, w.unplan(ctx)
	}
	return true, err
}

// errFirst: somebody else has made the room by now, under the same id.
var errFirst = errors.New("room: it is there already")

// found makes the group and its first commit, and stores both before anything
// leaves.
func (w founder) found(ctx context.Context, p plan) (wire.CreateRoom, error) {
	me := w.me()
	packages, err := w.commits.claim(ctx, append([]wire.AccountID{me.Account}, p.Members...), nil)
	if err != nil {
		return wire.CreateRoom{}, err
	}
	rules := policy.Policy{Kind: p.Kind, Owners: []wire.AccountID{me.Account}}
	if p.Kind == wire.Direct {
		rules.Owners = policy.Sorted(append(p.Members, me.Account)...)
	}
	data, err := rules.Encode()
	if err != nil {
		return wire.CreateRoom{}, err
	}
	cfg := me.config()
	cfg.GroupID = w.id[:]
	cfg.Extensions = mls.Extensions{{Type: mls.ExtensionType(policy.Extension), Data: data}}
	g, err := group.Create(cfg)
	if err != nil {
		return wire.CreateRoom{}, fmt.Errorf("create the group of %s: %w", w.id, err)
	}
	info, err := g.GroupInfo(true)
	if err != nil {
		return wire.CreateRoom{}, err
	}
	client := wire.NewClientID()
	c, err := g.Commit(group.CommitOptions{
		Add: packages, NoPath: len(packages) > 0, Now: w.cfg.Now(),
		AuthenticatedData: policy.CommitData{Client: client}.Encode(),
	})
	if err != nil {
		return wire.CreateRoom{}, fmt.Errorf("first commit of %s: %w", w.id, err)
	}
	req := wire.CreateRoom{Room: w.id, Kind: p.Kind, Info: info, First: wire.GroupUpload{
		Client: client, Commit: c.Message, Welcome: c.Welcome, GroupInfo: c.GroupInfo,
	}}
	return req, w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		if err := putSetting(tx, createName(w.id), req); err != nil {
			return err
		}
		return g.Save(store.MLS(tx, w.id))
	})
}

// offerRoom asks the server to make the room, again and again with the same
// bytes, until it says yes or that there is one already.
func (w founder) offerRoom(ctx context.Context, req wire.CreateRoom) error {
	receipt, err := session.Call(ctx, w.cfg.Session, wire.RoomCreate, req)
	var refused *wire.Error
	if errors.As(err, &refused) {
		switch {
		case refused.Code == wire.Exists && refused.Room == w.id, refused.Code == wire.Conflict && w.isThere(ctx):
			return errFirst
		case refused.Code == wire.Exists && !refused.Room.IsZero():
			return w.moveTo(ctx, refused.Room)
		case refused.Code == wire.Conflict, refused.Code == wire.BadRequest, refused.Code == wire.NotFound:
			// A key package was used up, expired or revoked meanwhile: make the
			// group anew.
			return errors.Join(err, w.unmake(ctx))
		}
	}
	if err != nil {
		return err
	}
	// The room is there, with our commit as its first entry: it is read like
	// any other.
	if err := w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		row.State, row.Joined = store.RoomOpen, receipt.Seq
		for _, name := range []string{planName(w.id), createName(w.id)} {
			if err := store.DeleteSetting(tx, name); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	w.raiseTarget(receipt.Seq)
	return nil
}

func (w founder) unmake(ctx context.Context) error {
	w.g = nil
	return w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		if err := store.DeleteSetting(tx, createName(w.id)); err != nil {
			return err
		}
		return store.DropMLS(tx, w.id)
	})
}

// claim takes a key package of each device of accounts that their statements
// list, but this one and those in the room already. An account other than our
// own of which there is none is ErrNoDevice.
func (w committer) claim(ctx context.Context, accounts []wire.AccountID, in []policy.Leaf) ([]mls.KeyPackage, error) {
	me := w.me()
	known, err := w.cfg.People.Current(ctx, accounts...)
	if err != nil {
		return nil, err
	}
	have := map[wire.DeviceID]bool{me.Device: true}
	for _, l := range in {
		have[l.Device] = true
	}
	ask := wire.ClaimKeys{Accounts: accounts, Devices: []wire.DeviceID{}}
	for _, a := range accounts {
		if v := known[a]; v != nil {
			for _, d := range v.Active() {
				if !have[d.ID] {
					ask.Devices = append(ask.Devices, d.ID)
				}
			}
		}
	}
	for try := 0; ; try++ {
		packages, missing, err := w.claimOnce(ctx, ask, known, have)
		if err != nil || missing.IsZero() {
			return packages, err
		}
		if known[missing] == nil || len(known[missing].Active()) == 0 || try >= keysTries {
			return nil, fmt.Errorf("%w: %s", ErrNoDevice, missing)
		}
		// The device is listed and has not uploaded its key packages yet.
		select {
		case <-time.After(keysWait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// A device uploads key packages right after it was listed; keysWait is how long
// to wait for that, keysTries how often, keysRetry when to try again then.
const (
	keysWait  = 300 * time.Millisecond
	keysTries = 10
	keysRetry = 15 * time.Second
)

// claimOnce asks once; missing is an account of which there is none.
func (w committer) claimOnce(ctx context.Context, ask wire.ClaimKeys, known people.Statements, in map[wire.DeviceID]bool) (packages []mls.KeyPackage, missing wire.AccountID, err error) {
	me := w.me()
	have := maps.Clone(in)
	got := map[wire.AccountID]bool{me.Account: true}
	if len(ask.Devices) > 0 {
		res, err := session.Call(ctx, w.cfg.Session, wire.KeyClaim, ask)
		if err != nil {
			return nil, missing, err
		}
		for _, c := range res.Packages {
			kp, err := vetPackage(c, known, me.Suite, have, w.cfg.Now())
			if err != nil {
				w.cfg.Log.Warn("key package refused", "account", c.Account, "device", c.Device, "err", err)
				continue
			}
			have[c.Device] = true
			got[c.Account] = true
			packages = append(packages, kp)
		}
	}
	for _, a := range ask.Accounts {
		if !got[a] {
			return nil, a, nil
		}
	}
	return packages, missing, nil
}

// vetPackage checks that a key package is the one it was claimed as, by the
// statement of its account.
func vetPackage(c wire.ClaimedKey, known people.Statements, suite mls.Suite, have map[wire.DeviceID]bool, now time.Time) (mls.KeyPackage, error) {
	var kp mls.KeyPackage
	if err := mls.Unmarshal(c.Package, &kp); err != nil {
		return kp, err
	}
	switch {
	case have[c.Device]:
		return kp, errors.New("its device is in the room already")
	case kp.Suite != suite:
		return kp, mls.ErrSuite
	case string(kp.Leaf.Credential.Identity) != string(identity.Credential(c.Account, c.Device).Identity):
		return kp, errors.New("it is another device's")
	case !known.Allows(c.Account, c.Device, kp.Leaf.SignatureKey):
		return kp, errors.New("its device is not listed with that key")
	}
	return kp, kp.Verify(now)
}

// moveTo gives up a planned direct room for the one that the two have already:
// what was written goes there, and the planned room's id leads to it.
func (w founder) moveTo(ctx context.Context, to wire.RoomID) error {
	err := w.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		from, err := store.GetRoom(tx, w.id)
		if err != nil {
			return err
		}
		if _, err := store.GetRoom(tx, to); errors.Is(err, store.ErrNone) {
			m := store.Room{ID: to, Kind: wire.Direct, State: store.RoomJoining, Peer: from.Peer, Draft: from.Draft, Time: from.Time}
			if err := store.PutRoom(tx, m); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if err := moveItems(tx, w.id, to); err != nil {
			return err
		}
		if err := moveOutbox(tx, w.id, to); err != nil {
			return err
		}
		for _, name := range []string{planName(w.id), createName(w.id), commitName(w.id)} {
			if err := store.DeleteSetting(tx, name); err != nil {
				return err
			}
		}
		if err := store.PutSetting(tx, aliasName(w.id), to[:]); err != nil {
			return err
		}
		tx.OnCommit(func() {
			w.cfg.Feed.Rooms(w.id)
			w.cfg.Feed.Rooms(to)
		})
		return store.DeleteRoom(tx, w.id)
	})
	w.g = nil
	if err != nil {
		return fmt.Errorf("move %s to %s: %w", w.id, to, err)
	}
	w.Wake(to)
	return fmt.Errorf("%w: moved to %s", ErrShut, to)
}

// unplan takes that the other one was first to make the room again that a
// restored site has lost: it is joined like any other.
func (w founder) unplan(ctx context.Context) error {
	if err := w.unmake(ctx); err != nil {
		return err
	}
	return w.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.DeleteSetting(tx, planName(w.id)) })
}

// isThere reports whether the server has a room of this id, for this account.
func (w founder) isThere(ctx context.Context) bool {
	s, err := session.Call(ctx, w.cfg.Session, wire.RoomGet, wire.GetRoom{Room: w.id})
	return err == nil && s.Until == 0
}

func moveItems(tx *store.Tx, from, to wire.RoomID) error {
	items, err := store.ItemsBefore(tx, from, store.Newest, 1<<20)
	if err != nil {
		return err
	}
	for _, i := range items {
		if i.Content, err = store.ItemContent(tx, from, i.ID); err != nil {
			return err
		}
		files, err := store.Files(tx, from, i.ID)
		if err != nil {
			return err
		}
		if err := store.DeleteItem(tx, from, i.ID); err != nil {
			return err
		}
		i.Room = to
		if err := store.PutItem(tx, i); err != nil {
			return err
		}
		for _, f := range files {
			f.Room = to
			if err := store.PutFile(tx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func moveOutbox(tx *store.Tx, from, to wire.RoomID) error {
	waiting, err := store.Outbox(tx, from)
	if err != nil {
		return err
	}
	for _, o := range waiting {
		if err := store.Dequeue(tx, o.N); err != nil {
			return err
		}
		o.Room, o.Body, o.Epoch = to, nil, 0
		if _, err := store.Enqueue(tx, o); err != nil {
			return err
		}
	}
	return nil
}

func aliasName(room wire.RoomID) string { return "alias " + room.String() }

// Resolve returns the room that a planned one has become, or id itself.
func (r *Rooms) Resolve(ctx context.Context, id wire.RoomID) (wire.RoomID, error) {
	err := r.cfg.Store.View(ctx, func(tx *store.Tx) error {
		b, err := store.GetSetting(tx, aliasName(id))
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err == nil && len(b) == len(id) {
			id = wire.RoomID(b)
		}
		return err
	})
	return id, err
}

// Enrolled wakes the planned rooms that wait for a person's first device.
func (r *Rooms) Enrolled(ctx context.Context, account wire.AccountID) error {
	var waiting []wire.RoomID
	err := r.cfg.Store.View(ctx, func(tx *store.Tx) error {
		all, err := store.Rooms(tx)
		if err != nil {
			return err
		}
		for _, m := range all {
			if m.State == store.RoomJoining && (m.Peer == account || m.Kind == wire.Group) {
				waiting = append(waiting, m.ID)
			}
		}
		return nil
	})
	for _, id := range waiting {
		r.Wake(id)
	}
	return err
}

// Forget gives up a planned room with all that was written there.
func (r *Rooms) Forget(ctx context.Context, id wire.RoomID) error {
	return r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		for _, name := range []string{planName(id), createName(id)} {
			if err := store.DeleteSetting(tx, name); err != nil {
				return err
			}
		}
		tx.OnCommit(func() { r.cfg.Feed.Rooms(id) })
		return store.DeleteRoom(tx, id)
	})
}
