package room

import (
	"errors"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/native"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/wire"
)

// A room of which a restored site has lost everything is still the room that it
// was: what was said in it is not said again in one of another kind, or with
// somebody else.
func TestARoomThatWentBackToNothingIsTheSame(t *testing.T) {
	db, err := native.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	me, bob, mal := wire.NewAccountID(), wire.NewAccountID(), wire.NewAccountID()
	direct := store.Room{ID: wire.NewRoomID(), Kind: wire.Direct, State: store.RoomJoining, Peer: bob}
	group := store.Room{ID: wire.NewRoomID(), Kind: wire.Group, State: store.RoomJoining}
	for _, tt := range []struct {
		name    string
		row     store.Room
		was     bool // it went back; else this device never was in it
		offered policy.Policy
		refused bool
	}{
		{"a direct room is offered as a group", direct, true, policy.Policy{Kind: wire.Group, Owners: policy.Sorted(me)}, true},
		{"a direct room is offered with somebody else", direct, true, policy.Policy{Kind: wire.Direct, Owners: policy.Sorted(me, mal)}, true},
		{"a direct room is offered as it was", direct, true, policy.Policy{Kind: wire.Direct, Owners: policy.Sorted(me, bob)}, false},
		{"a group is offered as a direct room", group, true, policy.Policy{Kind: wire.Direct, Owners: policy.Sorted(me, bob)}, true},
		{"a group is offered as it was", group, true, policy.Policy{Kind: wire.Group, Owners: policy.Sorted(bob)}, false},
		{"of a room that is new nothing is known", group, false, policy.Policy{Kind: wire.Direct, Owners: policy.Sorted(me, bob)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.row.ID = wire.NewRoomID()
			if err := db.Update(t.Context(), func(tx *store.Tx) error {
				if err := store.PutRoom(tx, tt.row); err != nil || !tt.was {
					return err
				}
				return putSetting(tx, notedName(tt.row.ID), noted{Accounts: []wire.AccountID{me, bob}, Gone: []wire.AccountID{}})
			}); err != nil {
				t.Fatal(err)
			}
			w := newWorker(New(Config{Store: db}), tt.row.ID)
			w.row = tt.row
			err := w.judge.same(t.Context(), tt.offered)
			var f *fault
			if refused := errors.As(err, &f) && f.code == api.NoticeBadCommit; refused != tt.refused || err != nil && !refused {
				t.Errorf("%v", err)
			}
			if !tt.refused {
				return
			}
			ext, err := tt.offered.Encode()
			if err != nil {
				t.Fatal(err)
			}
			c := mls.GroupContext{GroupID: tt.row.ID[:], Extensions: mls.Extensions{{Type: mls.ExtensionType(policy.Extension), Data: ext}}}
			if _, err := w.judge.vetPublic(t.Context(), c, nil); !errors.As(err, &f) || f.code != api.NoticeBadCommit {
				t.Errorf("it is joined: %v", err)
			}
		})
	}
}
