package session

import (
	"context"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/wire"
)

type rooms struct{ *room.Rooms }

// RoomMethods registers what devices do in rooms. Package room opens its own
// transactions, because a commit is judged before the writer is asked, and asks
// authz about the room that it found.
func RoomMethods(t *Table, r *room.Rooms) {
	h := rooms{r}
	Writes(t, wire.RoomCreate, authz.RoomCreate, limit.Change, h.create)
	Writes(t, wire.RoomCommit, authz.RoomCommit, limit.Change, h.commit)
	Writes(t, wire.RoomPropose, authz.RoomPropose, limit.Change, h.propose)
	Writes(t, wire.RoomSend, authz.RoomSend, limit.Send, h.send)
	Reads(t, wire.RoomLog, authz.RoomRead, limit.Read, h.log)
	Reads(t, wire.RoomList, authz.RoomList, limit.Read, h.list)
	Reads(t, wire.RoomGet, authz.RoomRead, limit.Read, h.get)
	Reads(t, wire.RoomWelcome, authz.RoomJoin, limit.Read, h.welcome)
	Writes(t, wire.RoomJoined, authz.RoomJoin, limit.Note, h.joined)
	Reads(t, wire.RoomGroup, authz.RoomJoin, limit.Read, h.group)
	Writes(t, wire.RoomErase, authz.RoomErase, limit.Note, h.erase)
	Writes(t, wire.RoomCursors, authz.RoomCursor, limit.Note, h.cursor)
	Reads(t, wire.RoomTyping, authz.RoomTyping, limit.Note, h.typing) // it changes nothing that is kept
}

func (h rooms) create(ctx context.Context, a *Actor, p wire.CreateRoom) (wire.Receipt, error) {
	return h.Create(ctx, a.Actor, p)
}

func (h rooms) commit(ctx context.Context, a *Actor, p wire.SendCommit) (wire.Receipt, error) {
	return h.Commit(ctx, a.Actor, p)
}

func (h rooms) propose(ctx context.Context, a *Actor, p wire.SendProposal) (wire.Receipt, error) {
	return h.Propose(ctx, a.Actor, p)
}

func (h rooms) send(ctx context.Context, a *Actor, p wire.SendMessage) (wire.Receipt, error) {
	return h.Send(ctx, a.Actor, p)
}

func (h rooms) log(ctx context.Context, a *Actor, p wire.ReadLog) (wire.LogPage, error) {
	return h.Log(ctx, a.Actor, p)
}

func (h rooms) list(ctx context.Context, a *Actor, _ wire.None) (wire.Rooms, error) {
	return h.List(ctx, a.Actor)
}

func (h rooms) get(ctx context.Context, a *Actor, p wire.GetRoom) (wire.Room, error) {
	return h.Get(ctx, a.Actor, p.Room)
}

func (h rooms) welcome(ctx context.Context, a *Actor, p wire.GetRoom) (wire.GroupState, error) {
	return h.Welcome(ctx, a.Actor, p.Room)
}

func (h rooms) joined(ctx context.Context, a *Actor, p wire.GetRoom) (none wire.None, err error) {
	return none, h.Joined(ctx, a.Actor, p.Room)
}

func (h rooms) group(ctx context.Context, a *Actor, p wire.GetRoom) (wire.GroupState, error) {
	return h.Group(ctx, a.Actor, p.Room)
}

func (h rooms) erase(ctx context.Context, a *Actor, p wire.Erase) (none wire.None, err error) {
	return none, h.Erase(ctx, a.Actor, p)
}

func (h rooms) cursor(ctx context.Context, a *Actor, p wire.SetCursor) (none wire.None, err error) {
	return none, h.SetCursor(ctx, a.Actor, p)
}

func (h rooms) typing(ctx context.Context, a *Actor, p wire.Typing) (none wire.None, err error) {
	return none, h.Typing(ctx, a.Actor, p)
}
