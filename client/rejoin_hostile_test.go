package client_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// usurper is a server with an account of its own. It shows a member a commit that
// does not apply, so that its device joins anew, and offers it another group under
// the room's id, made by that account, in which are whom the server likes.
type usurper struct {
	t    *testing.T
	room wire.RoomID
	g    *group.Group
	offered

	mu     sync.Mutex // guards what follows
	asked  map[uint64]wire.Frame
	commit wire.SendCommit
	log    []wire.Entry // what the victim is shown beyond what it has
	sent   int
}

type offered struct {
	info, tree []byte
	seq        int64 // where the log stood, and the head there
	head       wire.Hash
}

// usurp prepares the group, as one of an epoch that the victim takes for newer.
func usurp(t *testing.T, victim, by *testenv.Client, room wire.RoomID) *usurper {
	t.Helper()
	m, s := stored(t, victim, room), testenv.Do(by, api.GetStatus, api.None{})
	suite := mls.HybridX25519MLKEM768
	signer, err := keysOf(t, by).Signer(suite)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.Policy{Kind: wire.Group, Owners: []wire.AccountID{s.Me.ID}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	caps := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	g, err := group.Create(group.Config{
		Suite: suite, Signer: signer, Credential: identity.Credential(s.Me.ID, *s.Device), Capabilities: &caps,
		GroupID: room[:], Extensions: mls.Extensions{{Type: mls.ExtensionType(policy.Extension), Data: rules}},
	})
	if err != nil {
		t.Fatal(err)
	}
	u := &usurper{t: t, room: room, g: g, asked: map[uint64]wire.Frame{}, offered: offered{seq: m.Seq, head: m.Head}}
	for opts := (group.CommitOptions{Add: []mls.KeyPackage{published(t, victim)}}); g.Epoch() <= m.Epoch; opts = (group.CommitOptions{}) {
		p, err := g.Commit(opts)
		if err != nil {
			t.Fatal(err)
		}
		u.info = p.GroupInfo
		if err := g.MergePending(); err != nil {
			t.Fatal(err)
		}
	}
	if u.tree, err = g.Public().Tree(); err != nil {
		t.Fatal(err)
	}
	victim.Link.Requests(u.request)
	victim.Link.Answers(u.answer)
	return u
}

// strike shows the victim a commit that does not apply.
func (u *usurper) strike(victim *testenv.Client, as *testenv.Client) {
	s := testenv.Do(as, api.GetStatus, api.None{})
	e := wire.Entry{
		Seq: u.seq + 1, Kind: wire.CommitEntry, Account: s.Me.ID, Device: *s.Device, Client: wire.NewClientID(),
		Epoch: 1, Time: 1, Body: []byte("no commit"),
	}
	e.Head = wire.Next(u.head, u.room, &e)
	u.mu.Lock()
	u.seq, u.head = e.Seq, e.Head
	u.log = append(u.log, e)
	u.mu.Unlock()
	victim.Link.Inject(wire.Frame{Method: wire.OnNudge.Name, Body: encode(wire.Nudge{Room: u.room, Seq: e.Seq, Entry: &e})})
}

// request keeps from the true server what is about the room.
func (u *usurper) request(f *wire.Frame) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch f.Method {
	case wire.RoomLog.Name, wire.RoomGroup.Name, wire.RoomGet.Name:
	case wire.RoomCommit.Name:
		if err := wire.Decode(f.Body, &u.commit); err != nil {
			u.t.Error(err)
		}
	case wire.RoomSend.Name:
		u.sent++
	default:
		return
	}
	u.asked[f.ID] = *f
	f.Method, f.Body = wire.SessionPing.Name, encode(wire.None{})
}

func (u *usurper) answer(_ string, f *wire.Frame) {
	u.mu.Lock()
	defer u.mu.Unlock()
	q := u.asked[f.ID]
	delete(u.asked, f.ID)
	switch q.Method {
	case wire.RoomGet.Name:
		f.Body = encode(wire.Room{Room: u.room, Kind: wire.Group, Seq: u.seq, Head: u.head, From: 1, Leaf: true, Cursors: []wire.Cursor{}, Members: []wire.AccountID{}})
	case wire.RoomGroup.Name:
		f.Body = encode(wire.GroupState{Seq: u.seq, Head: u.head, GroupInfo: u.info, Tree: u.tree, LogSeq: u.seq, LogHead: u.head})
	case wire.RoomLog.Name:
		var p wire.ReadLog
		if err := wire.Decode(q.Body, &p); err != nil {
			u.t.Error(err)
		}
		f.Body = encode(wire.LogPage{Seq: u.seq, Entries: slices.DeleteFunc(slices.Clone(u.log), func(e wire.Entry) bool { return e.Seq <= p.After })})
	case wire.RoomCommit.Name:
		f.Body = encode(u.take())
	case wire.RoomSend.Name:
		f.Body, f.Error = nil, &wire.Error{Code: wire.Busy, RetryAfter: 60_000}
	}
}

// take puts the victim's external commit into the log and follows it.
func (u *usurper) take() wire.Receipt {
	var m mls.Message
	if err := mls.Unmarshal(u.commit.Commit, &m); err != nil {
		u.t.Error(err)
		return wire.Receipt{}
	}
	staged, err := u.g.StageCommit(m.Public)
	if err != nil {
		u.t.Error(err)
		return wire.Receipt{}
	}
	by, err := policy.LeafOf(staged.Committer, staged.Joiner)
	if err != nil {
		u.t.Error(err)
		return wire.Receipt{}
	}
	e := wire.Entry{
		Seq: u.seq + 1, Kind: wire.CommitEntry, Account: by.Account, Device: by.Device, Client: u.commit.Client,
		Epoch: u.g.Epoch(), Time: 2, Body: u.commit.Commit,
	}
	e.Head = wire.Next(u.head, u.room, &e)
	u.seq, u.head, u.log = e.Seq, e.Head, append(u.log, e)
	return wire.Receipt{Seq: e.Seq, Time: e.Time, Head: e.Head}
}

// Whoever stands in a group that a device joins anew, and did not when it lost its
// own, came in behind its back: nothing is sealed to them before the person says so.
func TestNobodyIsBroughtInByHavingADeviceJoinAnew(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "eve"))
	ann, bob, eve := w.Client("ann"), w.Client("bob"), w.Client("eve")
	room := ann.Group("council", "bob")
	bob.Open("council")
	ann.Send(room, "honest")
	bob.Sees(room, "ann", "honest")

	u := usurp(t, bob, eve, room)
	u.strike(bob, ann)
	bob.Until("joined anew", func() bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		return len(u.commit.Commit) > 0
	})
	bob.Open("council")
	bob.Send(room, "not for eve")
	bob.Until("waits", func() bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.sent > 0 {
			t.Fatal("it was sealed to eve")
		}
		return slices.Equal(bob.Room("council").Back, []api.Returned{{ID: bob.Person("eve"), Name: "eve"}})
	})
	if n := bob.Notice(api.NoticeBack); n.Room == nil || *n.Room != room || !n.Severe {
		t.Errorf("the notice is %+v", n)
	}
	testenv.Do(bob, api.AcceptRoom, api.RoomPeople{Room: room, Members: bob.People("eve")})
	bob.Until("sealed", func() bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.sent > 0
	})
}
