package authz

import (
	"testing"

	"github.com/veche-im/veche/wire"
)

var (
	me, other = wire.NewAccountID(), wire.NewAccountID()
	nobody    = Actor{}
	waiting   = Actor{Account: me, State: wire.DevicePending}
	present   = Actor{Account: me, State: wire.DeviceActive}
	chief     = Actor{Account: me, State: wire.DeviceActive, Admin: true}
	gone      = Actor{Account: me, State: wire.DeviceRevoked, Admin: true}
	newcomer  = Actor{Account: me, State: wire.DevicePending, Admin: true}
)

func TestWhoMayAtAll(t *testing.T) {
	for _, tt := range []struct {
		do  Action
		may []Actor
		not []Actor
	}{
		{SiteRead, []Actor{nobody, waiting, present, chief, gone}, nil},
		{SessionOpen, []Actor{nobody}, nil},
		{SessionUse, []Actor{waiting, present, chief}, []Actor{nobody, gone}},
		{DevicePublish, []Actor{waiting, present}, []Actor{nobody, gone}},
		{DeviceRepublish, []Actor{waiting, present}, []Actor{nobody, gone}},
		{PeopleRead, []Actor{present, chief}, []Actor{nobody, waiting, gone}},
		{RoomList, []Actor{present}, []Actor{nobody, waiting, gone}},
		{RoomCreate, []Actor{present}, []Actor{nobody, waiting, gone}},
		{PasswordChange, []Actor{present, chief}, []Actor{nobody, waiting, gone, newcomer}},
		{PasswordProve, []Actor{waiting, present, chief}, []Actor{nobody, gone}},
		{AccountReset, []Actor{chief}, []Actor{nobody, waiting, present, gone, newcomer}},
		{AccountShut, []Actor{chief}, []Actor{nobody, waiting, present, gone, newcomer}},
		{AccountOpen, []Actor{chief}, []Actor{nobody, waiting, present, gone, newcomer}},
		{AccountSignOut, []Actor{chief}, []Actor{nobody, waiting, present, gone, newcomer}},
		{AccountAdmin, []Actor{chief}, []Actor{nobody, waiting, present, gone, newcomer}},
		{InviteCreate, []Actor{chief}, []Actor{nobody, waiting, present, gone, newcomer}},
		{"no.such", nil, []Actor{nobody, waiting, present, chief}},
	} {
		for _, a := range tt.may {
			if !Arrive(a, tt.do) {
				t.Errorf("%s is denied to %+v", tt.do, a)
			}
		}
		for _, a := range tt.not {
			if Arrive(a, tt.do) {
				t.Errorf("%s is allowed to %+v", tt.do, a)
			}
		}
	}
}

func TestWhatMayBeDoneToWhat(t *testing.T) {
	for _, tt := range []struct {
		actor Actor
		do    Action
		on    Resource
		want  bool
	}{
		{waiting, StatementsRead, AccountOf(me), true},
		{waiting, StatementsRead, AccountOf(other), false},
		{present, StatementsRead, AccountOf(other), true},
		{present, DeviceRead, AccountOf(me), true},
		{present, DeviceRead, AccountOf(other), false},
		{chief, DeviceDrop, AccountOf(other), false},

		{present, RoomSend, InRoom(Member), true},
		{present, RoomSend, InRoom(Former), false},
		{present, RoomSend, InRoom(Stranger), false},
		{chief, RoomSend, InRoom(Stranger), false},
		{gone, RoomSend, InRoom(Member), false},
		{waiting, RoomSend, InRoom(Member), false},
		{present, RoomRead, InRoom(Former), true},
		{present, RoomRead, InRoom(Stranger), false},
		{present, RoomJoin, InRoom(Former), false},
		{present, RoomErase, EntryOf(me, Member), true},
		{present, RoomErase, EntryOf(other, Member), false},
		{present, RoomErase, EntryOf(me, Stranger), false},

		{present, CallJoin, InRoom(Member), true},
		{present, CallJoin, InRoom(Former), false},
		{waiting, CallJoin, InRoom(Member), false},
		{present, CallTake, CallOf(true), true},
		{present, CallTake, CallOf(false), false},
		{present, CallTake, InRoom(Member), false},
		{gone, CallTake, CallOf(true), false},
		{present, CallLead, GroupOf(Member, true), true},
		{present, CallLead, GroupOf(Member, false), false},
		{present, CallLead, GroupOf(Former, true), false},
		{chief, CallLead, GroupOf(Stranger, false), false},

		{present, BlobRead, BlobOf(other, Member), true},
		{present, BlobRead, BlobOf(other, Stranger), false},
		{present, BlobRead, BlobOf(me, Stranger), true},
		{present, BlobWrite, BlobOf(other, Member), false},

		// A resource of another kind never fits.
		{present, RoomSend, TheSite(), false},
		{present, RoomSend, BlobOf(me, Member), false},
		{chief, InviteCreate, AccountOf(me), false},
	} {
		if got := Can(tt.actor, tt.do, tt.on); got != tt.want {
			t.Errorf("%s by %s on %+v: %v", tt.do, tt.actor.State, tt.on, got)
		}
		if err := Check(tt.actor, tt.do, tt.on); (err == nil) != tt.want || (err != nil && err != ErrDenied) {
			t.Errorf("Check says %v", err)
		}
	}
}

func TestEveryRowSaysWhoAndOnWhat(t *testing.T) {
	for do, r := range table {
		if r.who == 0 || r.on == 0 {
			t.Errorf("%s declares too little: %+v", do, r)
		}
		if (r.on == Room || r.on == Blob || r.on == Call) && r.when == nil {
			t.Errorf("%s is allowed on any room, blob or call", do)
		}
		if r.who == anybody && r.on != Site {
			t.Errorf("%s is open to anybody", do)
		}
	}
}
