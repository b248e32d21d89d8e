package room

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Welcome returns the Welcome that waits for the actor's device, with the tree
// of the epoch into which it leads; NotFound if none waits.
func (rs *Rooms) Welcome(ctx context.Context, a authz.Actor, id wire.RoomID) (wire.GroupState, error) {
	return rs.groupState(ctx, a, id, func(tx *db.Tx, r room, g *wire.GroupState) (epoch uint64, err error) {
		var e int64
		var body []byte
		const get = `SELECT epoch, seq, head, body FROM room_welcome WHERE room_id = $1 AND device_id = $2`
		err = tx.QueryRow(get, id, a.Device).Scan(&e, &g.Seq, &g.Head, &body)
		if errors.Is(err, db.ErrNone) {
			return 0, authz.ErrDenied
		}
		if err != nil {
			return 0, fmt.Errorf("read the Welcome of %s to %s: %w", a.Device, id, err)
		}
		g.Welcome = body
		return uint64(e), nil
	})
}

// Group returns what a member's device needs to join a room by external commit,
// as it stands now.
func (rs *Rooms) Group(ctx context.Context, a authz.Actor, id wire.RoomID) (wire.GroupState, error) {
	return rs.groupState(ctx, a, id, func(tx *db.Tx, r room, g *wire.GroupState) (epoch uint64, err error) {
		var body []byte
		if err := tx.QueryRow(`SELECT body FROM room_info WHERE room_id = $1`, id).Scan(&body); err != nil {
			return 0, fmt.Errorf("read the GroupInfo of %s: %w", id, err)
		}
		g.GroupInfo, g.Seq, g.Head = body, r.epochSeq, r.epochHead
		return r.epoch, nil
	})
}

// groupState reads one moment of a room: what fill says, and the tree of the
// epoch that it returns.
func (rs *Rooms) groupState(ctx context.Context, a authz.Actor, id wire.RoomID, fill func(*db.Tx, room, *wire.GroupState) (uint64, error)) (g wire.GroupState, err error) {
	var s *state
	var key treeKey
	err = rs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		r, _, err := enter(tx, a, authz.RoomJoin, id)
		if err != nil {
			return err
		}
		g.LogSeq, g.LogHead = r.seq, r.head
		epoch, err := fill(tx, r, &g)
		if err != nil {
			return err
		}
		key = treeKey{id, epoch}
		if g.Tree = rs.trees.get(key); g.Tree != nil {
			return nil
		}
		s, err = readState(tx, id, epoch)
		return err
	})
	if err != nil {
		return wire.GroupState{}, err
	}
	if g.Tree == nil {
		group, err := s.load()
		if err != nil {
			return wire.GroupState{}, err
		}
		if g.Tree, err = group.Tree(); err != nil {
			return wire.GroupState{}, fmt.Errorf("encode the tree of %s: %w", id, err)
		}
		rs.trees.put(key, g.Tree)
	}
	return g, nil
}

// Joined drops the Welcome of the actor's device, which it has used and stored.
// That there is none is no error: the answer may have been lost.
func (rs *Rooms) Joined(ctx context.Context, a authz.Actor, id wire.RoomID) error {
	return rs.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		if _, _, err := enter(tx, a, authz.RoomJoin, id); err != nil {
			return err
		}
		if err := checkActive(tx, rs.cfg.People, a); err != nil {
			return err
		}
		if err := dropWelcome(tx, id, a.Device); err != nil {
			return err
		}
		return prune(tx, id)
	})
}

// maxTrees is how many bytes of trees are kept for the next who joins.
const maxTrees = 64 << 20

// treeCache keeps the encoded trees that were asked for last: after a room was
// made, all that were added ask for the same one. A tree of an epoch never
// changes.
type treeCache struct {
	mu    sync.Mutex // guards what follows
	trees map[treeKey]*list.Element
	order list.List // of *tree, the last asked for in front
	size  int
}

type treeKey struct {
	room  wire.RoomID
	epoch uint64
}

type tree struct {
	key  treeKey
	body []byte
}

func (c *treeCache) get(k treeKey) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.trees[k]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*tree).body
}

func (c *treeCache) put(k treeKey, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trees == nil {
		c.trees = make(map[treeKey]*list.Element)
	}
	if c.trees[k] != nil || len(body) > maxTrees {
		return
	}
	c.trees[k] = c.order.PushFront(&tree{k, body})
	for c.size += len(body); c.size > maxTrees; {
		last := c.order.Back()
		t := c.order.Remove(last).(*tree)
		delete(c.trees, t.key)
		c.size -= len(t.body)
	}
}
