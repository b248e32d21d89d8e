package store_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

func newKey() store.Key { return seal.NewKey() }

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is\n%+v\nwant\n%+v", what, got, want)
	}
}

// none checks that err says that there is no such row.
func none(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrNone) {
		t.Errorf("%s: %v", what, err)
	}
}

// room makes a room that others belong to.
func room(t *testing.T, db *store.DB) wire.RoomID {
	t.Helper()
	id := wire.NewRoomID()
	update(t, db, func(tx *store.Tx) error {
		return store.PutRoom(tx, store.Room{ID: id, Kind: wire.Group, State: store.RoomOpen})
	})
	return id
}

func TestWhoThisDeviceIs(t *testing.T) {
	db := open(t)
	s := store.Self{Account: wire.NewAccountID(), Device: wire.NewDeviceID(), State: wire.DeviceActive, Name: "Аня",
		DeviceName: "Firefox", Org: "Veche", Server: "https://veche.example", Admin: true, VaultVersion: 7}
	update(t, db, func(tx *store.Tx) error {
		_, err := store.GetSelf(tx)
		none(t, "before signing in", err)
		if err := store.PutSelf(tx, s); err != nil {
			return err
		}
		s.VaultVersion++
		return store.PutSelf(tx, s)
	})
	view(t, db, func(tx *store.Tx) error {
		got, err := store.GetSelf(tx)
		equal(t, "self", got, s)
		return err
	})
}

func TestSecretsAndSettings(t *testing.T) {
	db := open(t)
	update(t, db, func(tx *store.Tx) error {
		_, err := store.GetSecret(tx, "x")
		none(t, "secret", err)
		for _, v := range []string{"one", "two", ""} {
			if err := errors.Join(store.PutSecret(tx, "x", []byte(v)), store.PutSetting(tx, "x", []byte(v))); err != nil {
				return err
			}
			s, err1 := store.GetSecret(tx, "x")
			g, err2 := store.GetSetting(tx, "x")
			if string(s) != v || string(g) != v || err1 != nil || err2 != nil {
				t.Errorf("%q: %q %v, %q %v", v, s, err1, g, err2)
			}
		}
		if err := errors.Join(store.DeleteSecret(tx, "x"), store.DeleteSetting(tx, "x"), store.DeleteSecret(tx, "y")); err != nil {
			return err
		}
		_, err = store.GetSecret(tx, "x")
		none(t, "deleted secret", err)
		_, err = store.GetSetting(tx, "x")
		none(t, "deleted setting", err)
		return nil
	})
}

// chain is two statements of an account.
func chain(t *testing.T, account wire.AccountID) []*statement.Verified {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	b := statement.Body{Version: 1, Account: account, Seq: 1, Root: statement.Key(key.Public().(ed25519.PublicKey)), Time: 1000,
		Devices: []statement.Device{{ID: wire.DeviceID{1}, Key: statement.Key{1}, Added: 1}}}
	var list []*statement.Verified
	var prev *statement.Verified
	for range 2 {
		body, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		prev, err = statement.Next(prev, account, wire.SignedStatement{Body: body, Signature: ed25519.Sign(key, statement.ToSign(body))})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, prev)
		b.Seq, b.Prev = b.Seq+1, prev.Hash
	}
	return list
}

func TestPinsOnlyMoveForward(t *testing.T) {
	db := open(t)
	ann := wire.NewAccountID()
	c := chain(t, ann)
	other := *c[1]
	other.Signed.Body = bytes.Clone(other.Signed.Body)
	other.Signed.Body[10] ^= 1
	update(t, db, func(tx *store.Tx) error {
		if v, err := store.GetPin(tx, ann); v != nil || err != nil {
			t.Errorf("before: %v, %v", v, err)
		}
		for _, v := range []*statement.Verified{c[0], c[1], c[1]} {
			if err := store.PutPin(tx, v); err != nil {
				return err
			}
			got, err := store.GetPin(tx, ann)
			if err != nil || got.Hash != v.Hash {
				t.Errorf("pin %d: %v", v.Seq, err)
			}
		}
		return nil
	})
	for name, v := range map[string]*statement.Verified{"an older one": c[0], "another at the same place": &other} {
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return store.PutPin(tx, v) }); !errors.Is(err, store.ErrBackward) {
			t.Errorf("%s: %v", name, err)
		}
	}
	update(t, db, func(tx *store.Tx) error { // the directory's word leaves the pin alone
		return store.PutPerson(tx, store.Person{Account: ann, Name: "Ann", Admin: true, Head: 2})
	})
	view(t, db, func(tx *store.Tx) error {
		p, err := store.GetPerson(tx, ann)
		equal(t, "person", p, store.Person{Account: ann, Name: "Ann", Admin: true, Head: 2, Pinned: 2})
		_, missing := store.GetPerson(tx, wire.NewAccountID())
		none(t, "a stranger", missing)
		all, err2 := store.People(tx)
		equal(t, "people", all, []store.Person{p})
		return errors.Join(err, err2)
	})
}

func TestNoticesAreToldOnce(t *testing.T) {
	db := open(t)
	n := store.Notice{ID: "x", Code: "log_forked", Severe: true, Room: wire.NewRoomID(), Time: 5, Text: "at 7"}
	update(t, db, func(tx *store.Tx) error {
		fresh, err := store.PutNotice(tx, n)
		again, err2 := store.PutNotice(tx, n)
		if !fresh || again {
			t.Error("told twice or not at all")
		}
		list, err3 := store.Notices(tx)
		equal(t, "notices", list, []store.Notice{n})
		if err := errors.Join(err, err2, err3, store.DismissNotice(tx, "x")); err != nil {
			return err
		}
		list, err = store.Notices(tx)
		equal(t, "after dismissing", len(list), 0)
		fresh, err2 = store.PutNotice(tx, n)
		if fresh {
			t.Error("told again after it was dismissed")
		}
		return errors.Join(err, err2)
	})
}

func TestRooms(t *testing.T) {
	db := open(t)
	bob := wire.NewAccountID()
	a := store.Room{ID: wire.NewRoomID(), Kind: wire.Direct, State: store.RoomOpen, Seq: 5, Head: wire.Hash{1}, Epoch: 3, Joined: 2,
		Peer: bob, Name: "", Draft: "unsent", Time: 100}
	b := store.Room{ID: wire.NewRoomID(), Kind: wire.Group, State: store.RoomJoining, Name: "Совет", Named: 4, Time: 200}
	update(t, db, func(tx *store.Tx) error { return errors.Join(store.PutRoom(tx, a), store.PutRoom(tx, b)) })
	update(t, db, func(tx *store.Tx) error {
		list, err := store.Rooms(tx)
		equal(t, "rooms", list, []store.Room{b, a})
		direct, err2 := store.DirectRoom(tx, bob)
		equal(t, "direct room", direct, a)
		_, missing := store.DirectRoom(tx, wire.NewAccountID())
		none(t, "direct room with nobody", missing)
		if err := store.PutDraft(tx, a.ID, "more"); err != nil {
			return err
		}
		a.Draft = "more"
		a.Seq++
		got, err3 := store.GetRoom(tx, a.ID)
		got.Seq++
		equal(t, "room", got, a)
		return errors.Join(err, err2, err3, store.PutRoom(tx, a))
	})
	back := a
	back.Seq--
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return store.PutRoom(tx, back) }); !errors.Is(err, store.ErrBackward) {
		t.Errorf("an older entry: %v", err)
	}
	members := []store.RoomMember{{Account: wire.AccountID{1}, Leaves: 2, Owner: true}, {Account: wire.AccountID{2}, Leaves: 1}}
	update(t, db, func(tx *store.Tx) error {
		err := errors.Join(store.SetMembers(tx, a.ID, members[:1]), store.SetMembers(tx, a.ID, members))
		got, err2 := store.Members(tx, a.ID)
		equal(t, "members", got, members)
		with, err3 := store.RoomsWith(tx, wire.AccountID{2})
		equal(t, "rooms with", with, []wire.RoomID{a.ID})
		return errors.Join(err, err2, err3)
	})
}

func TestHeadsAreNotRewritten(t *testing.T) {
	db := open(t)
	r := room(t, db)
	e := wire.Entry{Seq: 4, Device: wire.NewDeviceID(), Client: wire.NewClientID(), Head: wire.Hash{4}}
	update(t, db, func(tx *store.Tx) error {
		err := errors.Join(store.PutHead(tx, r, 3, wire.Hash{3}), store.PutHead(tx, r, 3, wire.Hash{3}), store.PutEntry(tx, r, &e))
		h, err2 := store.HeadAt(tx, r, 4)
		equal(t, "head", h, e.Head)
		seq, err3 := store.EntryOf(tx, r, e.Device, e.Client)
		equal(t, "entry", seq, int64(4))
		_, missing := store.HeadAt(tx, r, 5)
		none(t, "a head to come", missing)
		_, missing = store.EntryOf(tx, r, wire.NewDeviceID(), e.Client)
		none(t, "an entry of another device", missing)
		return errors.Join(err, err2, err3)
	})
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return store.PutHead(tx, r, 3, wire.Hash{9}) }); !errors.Is(err, store.ErrBackward) {
		t.Errorf("another head: %v", err)
	}
}

func TestCursorsOnlyMoveForward(t *testing.T) {
	db := open(t)
	r, ann := room(t, db), wire.NewAccountID()
	update(t, db, func(tx *store.Tx) error {
		for _, tt := range []struct {
			to    wire.Cursor
			moved bool
			want  wire.Cursor
		}{
			{wire.Cursor{Account: ann, Delivered: 5, Read: 2}, true, wire.Cursor{Account: ann, Delivered: 5, Read: 2}},
			{wire.Cursor{Account: ann, Delivered: 4, Read: 3}, true, wire.Cursor{Account: ann, Delivered: 5, Read: 3}},
			{wire.Cursor{Account: ann, Delivered: 4, Read: 1}, false, wire.Cursor{Account: ann, Delivered: 5, Read: 3}},
			{wire.Cursor{Account: ann, Delivered: 6}, true, wire.Cursor{Account: ann, Delivered: 6, Read: 3}},
		} {
			moved, err := store.MoveCursor(tx, r, tt.to)
			got, err2 := store.GetCursor(tx, r, ann)
			if moved != tt.moved || got != tt.want || err != nil || err2 != nil {
				t.Errorf("to %+v: %v, %+v, %v %v", tt.to, moved, got, err, err2)
			}
		}
		all, err := store.Cursors(tx, r)
		equal(t, "cursors", len(all), 1)
		unknown, err2 := store.GetCursor(tx, r, wire.AccountID{9})
		equal(t, "nobody's", unknown, wire.Cursor{Account: wire.AccountID{9}})
		return errors.Join(err, err2)
	})
}

// The slowest of the others counts, and who never told has nothing.
func TestDelivered(t *testing.T) {
	me, ann, bob := wire.AccountID{1}, wire.AccountID{2}, wire.AccountID{3}
	for _, tt := range []struct {
		name    string
		members []wire.AccountID
		at      map[wire.AccountID]int64
		want    int64
	}{
		{"nobody else is there", []wire.AccountID{me}, map[wire.AccountID]int64{me: 9}, 0},
		{"one other", []wire.AccountID{me, ann}, map[wire.AccountID]int64{me: 2, ann: 7}, 7},
		{"the slowest counts", []wire.AccountID{me, ann, bob}, map[wire.AccountID]int64{me: 9, ann: 7, bob: 5}, 5},
		{"who never told has nothing", []wire.AccountID{me, ann, bob}, map[wire.AccountID]int64{me: 9, ann: 7}, 0},
		{"who has left does not count", []wire.AccountID{me, ann}, map[wire.AccountID]int64{ann: 7, bob: 5}, 7},
		{"my own device is not in it yet", []wire.AccountID{ann, bob}, map[wire.AccountID]int64{ann: 7, bob: 8}, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := open(t)
			r, other := room(t, db), room(t, db)
			update(t, db, func(tx *store.Tx) error {
				var members []store.RoomMember
				for _, a := range tt.members {
					members = append(members, store.RoomMember{Account: a, Leaves: 1})
				}
				err := errors.Join(store.SetMembers(tx, r, members), store.SetMembers(tx, other, members))
				for a, to := range tt.at {
					_, err2 := store.MoveCursor(tx, r, wire.Cursor{Account: a, Delivered: to})
					_, err3 := store.MoveCursor(tx, other, wire.Cursor{Account: a, Delivered: 100})
					err = errors.Join(err, err2, err3)
				}
				got, err2 := store.Delivered(tx, r, me)
				equal(t, "delivered", got, tt.want)
				return errors.Join(err, err2)
			})
		})
	}
}

func TestGroupState(t *testing.T) {
	db := open(t)
	r, other := room(t, db), room(t, db)
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(store.MLS(tx, r).Put("a", []byte("1")), store.MLS(tx, r).Put("b/1", []byte{}), store.MLS(tx, other).Put("a", []byte("other")))
	})
	update(t, db, func(tx *store.Tx) error {
		s := store.MLS(tx, r)
		get := func(key string) []byte {
			v, err := s.Get(key)
			if err != nil {
				t.Error(err)
			}
			return v
		}
		equal(t, "a", get("a"), []byte("1"))
		equal(t, "an empty value", get("b/1"), []byte{})
		equal(t, "nothing", get("c"), []byte(nil))
		if err := errors.Join(s.Put("a", []byte("2")), s.Put("c", []byte("3")), s.Delete("b/1"), s.Delete("d")); err != nil {
			return err
		}
		for _, s2 := range []interface {
			Get(string) ([]byte, error)
		}{s, store.MLS(tx, r)} {
			for key, want := range map[string]string{"a": "2", "c": "3", "b/1": ""} {
				v, err := s2.Get(key)
				if string(v) != want || err != nil {
					t.Errorf("%s is %q, %v", key, v, err)
				}
			}
		}
		return store.DropMLS(tx, r)
	})
	view(t, db, func(tx *store.Tx) error {
		v, err := store.MLS(tx, r).Get("a")
		equal(t, "a dropped group", v, []byte(nil))
		w, err2 := store.MLS(tx, other).Get("a")
		equal(t, "another group", w, []byte("other"))
		return errors.Join(err, err2)
	})
}

func TestKeyPackages(t *testing.T) {
	db := open(t)
	one := store.KeyPackage{Ref: []byte{1}, Package: []byte("public"), Secrets: []byte("secret"), Made: 10}
	last := store.KeyPackage{Ref: []byte{2}, Package: []byte("public 2"), Secrets: []byte("secret 2"), LastResort: true, Made: 20}
	update(t, db, func(tx *store.Tx) error {
		n, made, err := store.CountKeyPackages(tx)
		equal(t, "count", []any{n, made}, []any{0, wire.Millis(0)})
		if err := errors.Join(err, store.PutKeyPackage(tx, one), store.PutKeyPackage(tx, last)); err != nil {
			return err
		}
		n, made, err = store.CountKeyPackages(tx)
		equal(t, "count", []any{n, made}, []any{1, wire.Millis(20)})
		got, err2 := store.GetKeyPackage(tx, one.Ref)
		equal(t, "key package", got, one)
		if err := errors.Join(err, err2, store.DeleteKeyPackage(tx, one.Ref)); err != nil {
			return err
		}
		_, missing := store.GetKeyPackage(tx, one.Ref)
		none(t, "a used one", missing)
		if err := store.DeleteKeyPackages(tx, 21); err != nil {
			return err
		}
		_, missing = store.GetKeyPackage(tx, last.Ref)
		none(t, "an expired one", missing)
		return nil
	})
}

func TestDeletingARoomTakesAllOfIt(t *testing.T) {
	db := open(t)
	r, kept := room(t, db), room(t, db)
	for _, id := range []wire.RoomID{r, kept} {
		update(t, db, func(tx *store.Tx) error {
			_, err := store.Enqueue(tx, store.Outgoing{Room: id, Client: wire.NewClientID()})
			_, err2 := store.MoveCursor(tx, id, wire.Cursor{Delivered: 1})
			return errors.Join(err, err2,
				store.PutItem(tx, store.Item{Room: id, ID: "i"}),
				store.PutFile(tx, store.File{Room: id, Item: "i", Key: []byte("k")}),
				store.PutHead(tx, id, 1, wire.Hash{}),
				store.SetMembers(tx, id, []store.RoomMember{{Account: wire.AccountID{1}}}),
				store.MLS(tx, id).Put("a", []byte("b")))
		})
	}
	update(t, db, func(tx *store.Tx) error { return store.DeleteRoom(tx, r) })
	view(t, db, func(tx *store.Tx) error {
		for _, table := range []string{"room_member", "room_head", "mls_state", "cursor", "item", "file", "outbox"} {
			res, err := store.Exec(tx, `SELECT DISTINCT room FROM `+table)
			if err != nil {
				return err
			}
			if len(res.Rows) != 1 || !slices.Equal(res.Rows[0][0].([]byte), kept[:]) {
				t.Errorf("%s: %v", table, res.Rows)
			}
		}
		return nil
	})
	update(t, db, func(tx *store.Tx) error { return store.Wipe(tx) })
	view(t, db, func(tx *store.Tx) error {
		res, err := store.Exec(tx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
		if err != nil {
			return err
		}
		for _, row := range res.Rows {
			n, err := store.Exec(tx, `SELECT count(*) FROM `+row[0].(string))
			if err != nil {
				return err
			}
			want := int64(0)
			if row[0] == "secret" {
				want = 1 // the store key's check
			}
			equal(t, "rows left in "+row[0].(string), n.Rows[0][0], want)
		}
		return nil
	})
}
