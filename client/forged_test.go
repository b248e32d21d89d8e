package client_test

import (
	"context"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// groupOf loads a member's group from its store: what a malicious client has.
func groupOf(t *testing.T, c *testenv.Client, room wire.RoomID) (g *group.Group) {
	t.Helper()
	err := c.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		g, err = group.Load(store.MLS(tx, room))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// keyPackage makes one for a device with these keys.
func keyPackage(t *testing.T, account wire.AccountID, device wire.DeviceID, keys *identity.DeviceKeys) mls.KeyPackage {
	t.Helper()
	signer, err := keys.Signer(mls.HybridX25519MLKEM768)
	if err != nil {
		t.Fatal(err)
	}
	caps := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	kp, _, err := group.NewKeyPackage(group.KeyPackageConfig{
		Suite: mls.HybridX25519MLKEM768, Signer: signer, Credential: identity.Credential(account, device), Capabilities: &caps,
	})
	if err != nil {
		t.Fatal(err)
	}
	return kp
}

// keysOf reads a device's keys from its store.
func keysOf(t *testing.T, c *testenv.Client) (keys *identity.DeviceKeys) {
	t.Helper()
	err := c.Store.View(context.Background(), func(tx *store.Tx) error {
		b, err := store.GetSecret(tx, store.SecretKeys)
		if err != nil {
			return err
		}
		keys, err = identity.ParseDeviceKeys(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// plot is a commit that a member makes against the rules, and a server lets
// pass: the victim is shown it as the next entry.
func plot(t *testing.T, by, victim *testenv.Client, room wire.RoomID, opts group.CommitOptions, change func(*policy.CommitData, *wire.Entry)) {
	t.Helper()
	m := stored(t, victim, room)
	s := testenv.Do(by, api.GetStatus, api.None{})
	data := policy.CommitData{Client: wire.NewClientID(), Seq: m.Seq, Head: m.Head}
	e := wire.Entry{Seq: m.Seq + 1, Kind: wire.CommitEntry, Account: s.Me.ID, Device: *s.Device, Client: data.Client, Epoch: m.Epoch, Time: m.Time + 1}
	if change != nil {
		change(&data, &e)
	}
	opts.AuthenticatedData = data.Encode()
	p, err := groupOf(t, by, room).Commit(opts)
	if err != nil {
		t.Fatal(err)
	}
	e.Body = p.Message
	e.Head = wire.Next(m.Head, room, &e)
	victim.Link.Inject(wire.Frame{Method: wire.OnNudge.Name, Body: encode(wire.Nudge{Room: room, Seq: e.Seq, Entry: &e})})
}

func TestCommitsAgainstTheRulesAreRefused(t *testing.T) {
	t.Parallel()
	w, ann, bob, cyd, room := trio(t)
	dan := w.Fresh("dan")
	testenv.Do(dan, api.DoSignUp, api.SignUp{Token: w.Invite(), Name: "dan", Password: testenv.Password, Device: "d"})
	dan.Ready()
	danID, danDevice := dan.Person("dan"), *testenv.Do(dan, api.GetStatus, api.None{}).Device
	ghost, err := identity.NewDeviceKeys()
	if err != nil {
		t.Fatal(err)
	}
	leafOf := func(g *group.Group, account wire.AccountID) mls.LeafIndex {
		leaves, err := policy.Leaves(g.Public().Members())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range leaves {
			if l.Account == account {
				return mls.LeafIndex(l.Index)
			}
		}
		t.Fatal("not a member")
		return 0
	}
	usurped := func() *mls.Extensions {
		g := groupOf(t, bob, room)
		data, err := policy.Policy{Kind: wire.Group, Owners: []wire.AccountID{bob.Person("bob")}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		x := g.Public().Context().Extensions.With(mls.ExtensionType(policy.Extension), data)
		return &x
	}
	for _, tt := range []struct {
		name   string
		by     *testenv.Client
		opts   group.CommitOptions
		change func(*policy.CommitData, *wire.Entry)
		want   api.NoticeCode
	}{
		{"a member who is no owner adds somebody", bob, group.CommitOptions{Add: []mls.KeyPackage{keyPackage(t, danID, danDevice, keysOf(t, dan))}}, nil, api.NoticeBadCommit},
		{"a member who is no owner removes somebody", bob, group.CommitOptions{Remove: []mls.LeafIndex{leafOf(groupOf(t, bob, room), bob.Person("ann"))}}, nil, api.NoticeBadCommit},
		{"a member makes itself the owner", bob, group.CommitOptions{Extensions: usurped()}, nil, api.NoticeBadCommit},
		{"a device of somebody that they never listed", bob, group.CommitOptions{Add: []mls.KeyPackage{keyPackage(t, bob.Person("cyd"), wire.NewDeviceID(), ghost)}}, nil, api.NoticeBadDevice},
		{"an owner adds a device of somebody that they never listed", ann, group.CommitOptions{Add: []mls.KeyPackage{keyPackage(t, danID, wire.NewDeviceID(), ghost)}}, nil, api.NoticeBadDevice},
		{"a listed device with another key", ann, group.CommitOptions{Add: []mls.KeyPackage{keyPackage(t, danID, danDevice, ghost)}}, nil, api.NoticeBadDevice},
		{"another history", ann, group.CommitOptions{}, func(d *policy.CommitData, _ *wire.Entry) { d.Head[0] ^= 1 }, api.NoticeSplit},
		{"a history that is longer than ours", ann, group.CommitOptions{}, func(d *policy.CommitData, _ *wire.Entry) { d.Seq += 5 }, api.NoticeSplit},
		{"a commit under another client id", ann, group.CommitOptions{}, func(_ *policy.CommitData, e *wire.Entry) { e.Client = wire.NewClientID() }, api.NoticeForked},
		{"a commit under another name", ann, group.CommitOptions{}, func(_ *policy.CommitData, e *wire.Entry) { e.Account = bob.Person("bob") }, api.NoticeForked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// cyd is the victim each time, with the state from before.
			cyd.Stop()
			before := snapshot(t, cyd)
			cyd.Start()
			defer func() {
				cyd.Stop()
				before()
				cyd.Start()
				cyd.Ready()
			}()
			cyd.Ready()
			plot(t, tt.by, cyd, room, tt.opts, tt.change)
			blocked(t, cyd, tt.want, room)
			if len(testenv.Do(cyd, api.GetRoom, api.RoomRef{Room: room}).Members) != 3 {
				t.Error("the members changed")
			}
		})
	}
}

func TestAWelcomeWithAnUnlistedDeviceIsNotTaken(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	ghost, err := identity.NewDeviceKeys()
	if err != nil {
		t.Fatal(err)
	}
	// ann's client is malicious: it makes a group with a device in bob's name,
	// and the server lets it pass. The answers to bob are those of that server.
	me := testenv.Do(ann, api.GetStatus, api.None{})
	signer, err := keysOf(t, ann).Signer(mls.HybridX25519MLKEM768)
	if err != nil {
		t.Fatal(err)
	}
	room := wire.NewRoomID()
	rules, err := policy.Policy{Kind: wire.Group, Owners: []wire.AccountID{me.Me.ID}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	caps := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	g, err := group.Create(group.Config{
		Suite: mls.HybridX25519MLKEM768, GroupID: room[:], Signer: signer, Capabilities: &caps,
		Credential: identity.Credential(me.Me.ID, *me.Device),
		Extensions: mls.Extensions{{Type: mls.ExtensionType(policy.Extension), Data: rules}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Commit(group.CommitOptions{
		Add: []mls.KeyPackage{
			published(t, bob),
			keyPackage(t, bob.Person("bob"), wire.NewDeviceID(), ghost),
		},
		AuthenticatedData: policy.CommitData{Client: wire.NewClientID()}.Encode(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.MergePending(); err != nil {
		t.Fatal(err)
	}
	tree, err := g.Public().Tree()
	if err != nil {
		t.Fatal(err)
	}
	state := wire.GroupState{Seq: 1, Head: wire.Hash{1}, Welcome: p.Welcome, Tree: tree, LogSeq: 1, LogHead: wire.Hash{1}}
	shown := wire.Room{Room: room, Kind: wire.Group, Seq: 1, Head: wire.Hash{1}, Epoch: 1, From: 1, Leaf: true, Welcome: true, Cursors: []wire.Cursor{}, Members: []wire.AccountID{}}
	bob.Link.Answers(func(method string, f *wire.Frame) {
		switch method {
		case wire.RoomGet.Name:
			f.Error, f.Body = nil, encode(shown)
		case wire.RoomWelcome.Name:
			f.Error, f.Body = nil, encode(state)
		}
	})
	bob.Link.Inject(wire.Frame{Method: wire.OnRoom.Name, Body: encode(shown)})
	n := bob.Notice(api.NoticeBadDevice)
	if n.Room == nil || *n.Room != room || n.Account == nil || *n.Account != bob.Person("bob") {
		t.Errorf("the notice: %+v", n)
	}
	if _, err := testenv.Ask(bob, api.SendMessage, api.Outgoing{Room: &room, Text: "x"}); api.FailureOf(err).Code != api.Distrusted {
		t.Errorf("bob writes into that room: %v", err)
	}
}

// published returns a key package of a client whose secrets it has.
func published(t *testing.T, c *testenv.Client) (kp mls.KeyPackage) {
	t.Helper()
	s := testenv.Do(c, api.GetStatus, api.None{})
	signer, err := keysOf(t, c).Signer(mls.HybridX25519MLKEM768)
	if err != nil {
		t.Fatal(err)
	}
	caps := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	kp, secrets, err := group.NewKeyPackage(group.KeyPackageConfig{
		Suite: mls.HybridX25519MLKEM768, Signer: signer, Credential: identity.Credential(s.Me.ID, *s.Device), Capabilities: &caps,
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := mls.Marshal(kp)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := kp.Ref()
	if err != nil {
		t.Fatal(err)
	}
	err = c.Store.Update(context.Background(), func(tx *store.Tx) error {
		return store.PutKeyPackage(tx, store.KeyPackage{Ref: ref, Package: b, Secrets: secrets.Export(), Made: 1 << 45})
	})
	if err != nil {
		t.Fatal(err)
	}
	return kp
}
