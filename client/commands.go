package client

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

// newMux says which function answers which command.
func newMux(c *Client) *api.Mux {
	m, answers := api.NewMux(), commands{c}
	answers.handleAccount(m)
	answers.handleRooms(m)
	answers.handleMessages(m)
	answers.handleCalls(m)
	return m
}

// commands answers what front ends ask.
type commands struct{ *Client }

// handle registers f for a command, with its errors turned into failures.
func handle[P, R any](m *api.Mux, cmd api.Command[P, R], c commands, f func(context.Context, P) (R, error)) {
	api.Handle(m, cmd, func(ctx context.Context, p P) (R, error) {
		var none R
		select {
		case <-c.loaded:
		case <-ctx.Done():
			return none, api.FailureOf(ctx.Err())
		}
		r, err := f(ctx, p)
		if err != nil {
			return none, failure(err)
		}
		return r, nil
	})
}

// handleNone is handle for commands without a result.
func handleNone[P any](m *api.Mux, cmd api.Command[P, api.None], c commands, f func(context.Context, P) error) {
	handle(m, cmd, c, func(ctx context.Context, p P) (api.None, error) { return api.None{}, f(ctx, p) })
}

// failure says how much of err a front end can use.
func failure(err error) error {
	var f *api.Failure
	if errors.As(err, &f) {
		return f
	}
	for _, k := range knownErrors {
		if errors.Is(err, k.err) {
			return api.Fail(k.code, "%v", err)
		}
	}
	var refused *wire.Error
	if errors.As(err, &refused) && codes[refused.Code] != "" {
		return &api.Failure{Code: codes[refused.Code], Text: err.Error(), Retry: refused.RetryAfter}
	}
	return api.FailureOf(err)
}

var knownErrors = []struct {
	err  error
	code api.FailureCode
}{
	{session.ErrOffline, api.Offline},
	{link.ErrUnreachable, api.Offline},
	{link.ErrUntrusted, api.Distrusted},
	{store.ErrFull, api.NoSpace},
	{store.ErrDamaged, api.Damaged},
	{store.ErrClosed, api.Damaged},
	{room.ErrNoDevice, api.NotFound},
	{room.ErrShut, api.NotAllowed},
	{room.ErrPaused, api.Busy},
	{policy.ErrRefused, api.NotAllowed},
	{content.ErrTooLarge, api.TooLarge},
	{store.ErrNone, api.NotFound},
}

var codes = map[wire.Code]api.FailureCode{
	wire.BadRequest:      api.BadInput,
	wire.Unauthenticated: api.SignedOut,
	wire.NotFound:        api.NotFound,
	wire.Conflict:        api.Busy,
	wire.Stale:           api.Busy,
	wire.Pending:         api.Busy,
	wire.Exists:          api.Taken,
	wire.TooLarge:        api.TooLarge,
	wire.NoSpace:         api.NoSpace,
	wire.Busy:            api.Busy,
	wire.Attempts:        api.Attempts,
	wire.Damaged:         api.ServerHurt,
	wire.Guessable:       api.Guessable,
	wire.ProveFirst:      api.ProveFirst,
	wire.LastAdmin:       api.LastAdmin,
	wire.Cancelled:       api.Cancelled,
	wire.Internal:        api.InternalFail,
}

func (c commands) handleAccount(m *api.Mux) {
	handle(m, api.GetStatus, c, func(ctx context.Context, _ api.None) (api.Status, error) { return c.view.Status(ctx) })
	handle(m, api.GetSite, c, func(ctx context.Context, _ api.None) (api.Site, error) { return c.account.Site(ctx) })
	handle(m, api.CheckLink, c, c.account.CheckLink)
	handle(m, api.DoSignUp, c, c.account.SignUp)
	handle(m, api.DoSignIn, c, c.account.SignIn)
	handle(m, api.DoReset, c, c.account.Reset)
	handleNone(m, api.NewPassword, c, c.account.ChangePassword)
	handleNone(m, api.Prove, c, func(ctx context.Context, p api.Proof) error { return c.account.Prove(ctx, p.Password) })
	handle(m, api.Recover, c, c.recover)
	handleNone(m, api.SignOut, c, func(ctx context.Context, p api.SignOutHow) error { return c.signOut(ctx, p.Forget) })
	handle(m, api.NewRecovery, c, func(ctx context.Context, _ api.None) (api.RecoveryKey, error) {
		key, err := c.account.NewRecovery(ctx)
		return api.RecoveryKey{Key: key}, err
	})
	handle(m, api.ListDevices, c, func(ctx context.Context, _ api.None) (api.Devices, error) {
		if _, err := c.account.Refresh(ctx); err != nil {
			return api.Devices{}, err
		}
		return c.account.Devices(ctx)
	})
	handleNone(m, api.ApproveDevice, c, func(ctx context.Context, p api.DeviceRef) error { return c.account.Approve(ctx, p.Device) })
	handleNone(m, api.RejectDevice, c, func(ctx context.Context, p api.DeviceRef) error { return c.account.Reject(ctx, p.Device) })
	handleNone(m, api.RevokeDevice, c, func(ctx context.Context, p api.DeviceRef) error { return c.account.Revoke(ctx, p.Device) })
	handle(m, api.ListPeople, c, func(ctx context.Context, _ api.None) (api.People, error) {
		list, err := c.view.People(ctx, nil)
		return api.People{People: list}, err
	})
	handle(m, api.CreateInvite, c, c.invite)
	c.handlePeople(m)
	handle(m, api.ListNotices, c, c.notices)
	handleNone(m, api.DismissNotice, c, func(ctx context.Context, p api.NoticeRef) error {
		return c.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.DismissNotice(tx, p.ID) })
	})
}

// handlePeople answers what administrators do to accounts.
func (c commands) handlePeople(m *api.Mux) {
	handle(m, api.MakeReset, c, c.makeReset)
	to := func(do wire.Method[wire.AccountRef, wire.None]) func(context.Context, api.PersonRef) error {
		return func(ctx context.Context, p api.PersonRef) error {
			_, err := session.Call(ctx, c.session, do, wire.AccountRef{Account: p.Person})
			return err
		}
	}
	handleNone(m, api.ShutAccount, c, to(wire.AccountShut))
	handleNone(m, api.OpenAccount, c, to(wire.AccountOpen))
	handleNone(m, api.EndSessions, c, to(wire.AccountSignOut))
	handleNone(m, api.MakeAdmin, c, func(ctx context.Context, p api.SetAdmin) error {
		_, err := session.Call(ctx, c.session, wire.AccountAdmin, wire.MakeAdmin{Account: p.Person, Admin: p.Admin})
		return err
	})
}

func (c commands) makeReset(ctx context.Context, p api.PersonRef) (api.ResetLink, error) {
	l, err := session.Call(ctx, c.session, wire.AccountReset, wire.AccountRef{Account: p.Person})
	if err != nil {
		return api.ResetLink{}, err
	}
	return api.ResetLink{Link: c.whole(ctx, wire.PathResetUI+"#"+l.Token), Token: l.Token, Expires: l.Expires}, nil
}

func (c commands) handleRooms(m *api.Mux) {
	handle(m, api.ListRooms, c, func(ctx context.Context, _ api.None) (api.Rooms, error) {
		list, err := c.view.Rooms(ctx, nil)
		return api.Rooms{Rooms: list}, err
	})
	handle(m, api.GetRoom, c, func(ctx context.Context, p api.RoomRef) (api.RoomDetails, error) {
		id, err := c.rooms.Resolve(ctx, p.Room)
		if err != nil {
			return api.RoomDetails{}, err
		}
		return c.view.details(ctx, id)
	})
	handle(m, api.OpenDirect, c, c.openDirect)
	handle(m, api.CreateGroup, c, c.createGroup)
	handleNone(m, api.RenameRoom, c, func(ctx context.Context, p api.Rename) error { return c.rooms.Rename(ctx, p.Room, p.Name) })
	handleNone(m, api.AddMembers, c, func(ctx context.Context, p api.RoomPeople) error {
		return c.online(func() error { return c.rooms.Add(ctx, p.Room, p.Members) })
	})
	handleNone(m, api.RemoveMember, c, func(ctx context.Context, p api.RoomPerson) error {
		return c.online(func() error { return c.rooms.Remove(ctx, p.Room, p.Member) })
	})
	handleNone(m, api.SetRole, c, func(ctx context.Context, p api.SetOwner) error {
		return c.online(func() error { return c.rooms.SetOwner(ctx, p.Room, p.Member, p.Owner) })
	})
	handleNone(m, api.AcceptRoom, c, func(ctx context.Context, p api.RoomPeople) error {
		id, err := c.rooms.Resolve(ctx, p.Room)
		if err != nil {
			return err
		}
		return c.rooms.Accept(ctx, id, p.Members)
	})
	handleNone(m, api.LeaveRoom, c, func(ctx context.Context, p api.RoomRef) error {
		return c.online(func() error { return c.rooms.Leave(ctx, p.Room) })
	})
	handleNone(m, api.SayTyping, c, c.sayTyping)
	handleNone(m, api.MarkRead, c, c.markRead)
	handleNone(m, api.LookAway, c, c.lookAway)
	handleNone(m, api.SaveDraft, c, c.saveDraft)
}

func (c commands) handleMessages(m *api.Mux) {
	handle(m, api.GetTimeline, c, func(ctx context.Context, p api.Window) (api.Timeline, error) {
		id, err := c.rooms.Resolve(ctx, p.Room)
		if err != nil {
			return api.Timeline{}, err
		}
		p.Room = id
		return c.view.timeline(ctx, p)
	})
	handle(m, api.SendMessage, c, c.send)
	on := func(f func(context.Context, wire.RoomID, string) error) func(context.Context, api.ItemRef) error {
		return func(ctx context.Context, p api.ItemRef) error {
			id, err := c.rooms.Resolve(ctx, p.Room)
			if err != nil {
				return err
			}
			return f(ctx, id, p.ID)
		}
	}
	handleNone(m, api.RetryItem, c, on(c.rooms.Retry))
	handleNone(m, api.DropItem, c, on(func(ctx context.Context, id wire.RoomID, item string) error {
		c.files.CancelItem(id, item)
		return c.rooms.Drop(ctx, id, item)
	}))
	handleNone(m, api.DeleteMessage, c, on(c.rooms.Delete))
	handleNone(m, api.EditMessage, c, func(ctx context.Context, p api.Edit) error {
		id, err := c.rooms.Resolve(ctx, p.Room)
		if err != nil {
			return err
		}
		return c.rooms.Edit(ctx, id, p.ID, p.Text)
	})
	handle(m, api.OpenFile, c, func(ctx context.Context, p api.FileRef) (api.Opened, error) {
		id, err := c.rooms.Resolve(ctx, p.Room)
		if err != nil {
			return api.Opened{}, err
		}
		p.Room = id
		return c.files.Open(ctx, p)
	})
	handleNone(m, api.CancelFile, c, func(_ context.Context, p api.FileRef) error { return c.files.Cancel(p.Room, p.ID, p.Index) })
}

// online refuses at once what needs the server when there is none.
func (c commands) online(f func() error) error {
	if _, ok := c.account.Me(); !ok {
		return c.notReady()
	}
	if c.account.Status().Connection != api.Online {
		return api.Fail(api.Offline, "the server cannot be reached")
	}
	return f()
}

// notReady says why this device may not take part yet.
func (c commands) notReady() error {
	if s := c.account.Status(); s.Phase == api.PhaseEnrolling {
		return api.Fail(api.NotEnrolled, "this device waits to be let in")
	}
	return api.Fail(api.SignedOut, "nobody is signed in")
}

func (c commands) recover(ctx context.Context, p api.RecoveryKey) (api.Entered, error) {
	e, err := c.account.Recover(ctx, p.Key)
	if err != nil {
		return e, err
	}
	c.events.add(letIn{})
	return e, nil
}

func (c commands) invite(ctx context.Context, _ api.None) (api.Invite, error) {
	i, err := session.Call(ctx, c.session, wire.InviteCreate, wire.None{})
	if err != nil {
		return api.Invite{}, err
	}
	return api.Invite{Link: c.whole(ctx, wire.PathJoinUI+"#"+i.Token), Token: i.Token, Expires: i.Expires}, nil
}

func (c commands) notices(ctx context.Context, _ api.None) (api.Notices, error) {
	out := api.Notices{Notices: []api.Notice{}}
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		list, err := store.Notices(tx)
		for _, n := range list {
			out.Notices = append(out.Notices, notice(n))
		}
		return err
	})
	return out, err
}

func (c *Client) oneRoom(ctx context.Context, id wire.RoomID) (api.Room, error) {
	list, err := c.view.Rooms(ctx, []wire.RoomID{id})
	if err != nil {
		return api.Room{}, err
	}
	if len(list) == 0 {
		return api.Room{}, api.Fail(api.NotFound, "no such room")
	}
	return list[0], nil
}

func (c commands) known(ctx context.Context, ids ...wire.AccountID) error {
	return c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			if _, err := store.GetPerson(tx, id); err != nil {
				if errors.Is(err, store.ErrNone) {
					return api.Fail(api.NotFound, "no such person")
				}
				return err
			}
		}
		return nil
	})
}

func (c commands) openDirect(ctx context.Context, p api.PersonRef) (api.Room, error) {
	if _, ok := c.account.Me(); !ok {
		return api.Room{}, c.notReady()
	}
	if err := c.known(ctx, p.Person); err != nil {
		return api.Room{}, err
	}
	id, err := c.rooms.PlanDirect(ctx, p.Person)
	if err != nil {
		return api.Room{}, err
	}
	return c.oneRoom(ctx, id)
}

// createGroup answers once the group is on the server, or, without connection,
// once it is stored here.
func (c commands) createGroup(ctx context.Context, p api.NewGroup) (api.Room, error) {
	me, ok := c.account.Me()
	if !ok {
		return api.Room{}, c.notReady()
	}
	if err := c.known(ctx, p.Members...); err != nil {
		return api.Room{}, err
	}
	members := policy.Sorted(p.Members...)
	others := members[:0]
	for _, a := range members {
		if a != me.Account {
			others = append(others, a)
		}
	}
	id, err := c.rooms.PlanGroup(ctx, p.Name, others)
	if err != nil {
		return api.Room{}, err
	}
	err = c.rooms.Do(ctx, id, nil)
	switch {
	case err == nil, errors.Is(err, session.ErrOffline):
	case errors.Is(err, room.ErrNoDevice):
		return api.Room{}, errors.Join(err, c.rooms.Forget(ctx, id))
	default:
		return api.Room{}, err
	}
	return c.oneRoom(ctx, id)
}

func (c commands) sayTyping(ctx context.Context, p api.RoomRef) error {
	id, err := c.rooms.Resolve(ctx, p.Room)
	if err != nil {
		return err
	}
	m, err := c.oneRoom(ctx, id)
	if err != nil || m.State != api.RoomOpen || c.account.Status().Connection != api.Online {
		return err
	}
	_, err = session.Call(ctx, c.session, wire.RoomTyping, wire.Typing{Room: id})
	return err
}

func (c commands) markRead(ctx context.Context, p api.ReadTo) error {
	id, err := c.rooms.Resolve(ctx, p.Room)
	if err != nil {
		return err
	}
	err = c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		m, err := store.GetRoom(tx, id)
		if err != nil {
			return noRoom(err)
		}
		return c.moveCursors(tx, id, wire.Cursor{Account: c.account.ID(), Read: min(p.Seq, m.Seq)})
	})
	if err != nil {
		return err
	}
	c.cursors.Moved(id)
	return nil
}

func (c commands) lookAway(context.Context, api.None) error {
	c.cursors.Hurry()
	return nil
}

func (c commands) saveDraft(ctx context.Context, p api.Draft) error {
	if utf8.RuneCountInString(p.Text) > content.MaxText {
		return &api.Failure{Code: api.TooLarge, Field: "text"}
	}
	id, err := c.rooms.Resolve(ctx, p.Room)
	if err != nil {
		return err
	}
	return c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := store.GetRoom(tx, id); err != nil {
			return noRoom(err)
		}
		tx.OnCommit(func() { c.feed.Rooms(id) })
		return store.PutDraft(tx, id, p.Text)
	})
}

func (c commands) send(ctx context.Context, p api.Outgoing) (api.Queued, error) {
	if _, ok := c.account.Me(); !ok {
		return api.Queued{}, c.notReady()
	}
	var id wire.RoomID
	var err error
	switch {
	case p.Room != nil:
		id, err = c.rooms.Resolve(ctx, *p.Room)
	case p.Person != nil:
		if err = c.known(ctx, *p.Person); err == nil {
			id, err = c.rooms.PlanDirect(ctx, *p.Person)
		}
	default:
		err = &api.Failure{Code: api.BadInput, Field: "room", Text: "neither a room nor a person"}
	}
	if err != nil {
		return api.Queued{}, err
	}
	d := room.Draft{Text: p.Text, Reply: p.Reply}
	for _, f := range p.Files {
		row, err := c.draftFile(ctx, f)
		if err != nil {
			return api.Queued{}, err
		}
		d.Files = append(d.Files, row)
	}
	item, err := c.rooms.Send(ctx, id, d)
	return api.Queued{Room: id, ID: item}, err
}

// draftFile looks at a file that is to be sent, so that one that cannot be read
// or is too large is refused before anything is stored.
func (c commands) draftFile(ctx context.Context, f api.OutgoingFile) (store.File, error) {
	if c.cfg.OpenSource == nil {
		return store.File{}, api.Fail(api.Unsupported, "files cannot be read here")
	}
	src, err := c.cfg.OpenSource(ctx, f.Source)
	if err != nil {
		return store.File{}, &api.Failure{Code: api.BadInput, Field: "files", Text: err.Error()}
	}
	size := src.Size()
	if err := src.Close(); err != nil {
		return store.File{}, err
	}
	if most := c.account.Status().MaxFile; size > most {
		return store.File{}, api.Fail(api.TooLarge, "%d bytes, the server takes %d", size, most)
	}
	return room.DraftFile(f, size)
}
