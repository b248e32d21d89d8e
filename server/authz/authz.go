// Package authz answers one question: may this actor do this to that?
//
// Every method of the socket and every HTTP route names its Action where it is
// registered; an action without a row in the table is allowed to nobody. Who is
// refused hears ErrDenied, which is also the answer for what does not exist, so
// that identifiers cannot be probed.
package authz

import (
	"fmt"

	"github.com/veche-im/veche/wire"
)

// ErrDenied is the one refusal. Nouns return it for what does not exist too.
var ErrDenied = wire.Refuse(wire.NotFound, "no such thing")

// ErrLate is ErrDenied for what a device says of itself in a room that its account
// has left: that its person writes there, and how far they have read. It may not
// have heard yet that they are out, so the security log leaves it out. Who asks is
// told the same.
var ErrLate = fmt.Errorf("a member no longer: %w", ErrDenied)

// Actor is who asks: a device with its account, or nobody (all zero).
type Actor struct {
	Account wire.AccountID
	Device  wire.DeviceID
	State   wire.DeviceState
	Admin   bool
}

// Kind says what sort of thing an action is about.
type Kind uint8

const (
	Site    Kind = iota + 1 // the installation as a whole: there is one
	Own                     // the actor's own account: judged when the request arrives
	Account                 // somebody's account, which the request names
	Room                    // a room, which the request names
	Blob                    // sealed bytes, which the request names
	Call                    // a call, which the request names
)

// Membership says what an account is to a room.
type Membership uint8

const (
	Stranger Membership = iota
	Former              // was a member: may read what it could read then
	Member
)

// Resource is what an action is about. Make it with the functions below.
type Resource struct {
	kind   Kind
	owner  wire.AccountID
	member Membership
	owns   bool // the actor owns the room, by its policy
	in     bool // the actor's device takes part in the call
}

// TheSite is the installation.
func TheSite() Resource { return Resource{kind: Site} }

// AccountOf is the account of somebody.
func AccountOf(a wire.AccountID) Resource { return Resource{kind: Account, owner: a} }

// InRoom is a room to which the actor is m.
func InRoom(m Membership) Resource { return Resource{kind: Room, member: m} }

// GroupOf is a group to which the actor is m, and which it owns or not.
func GroupOf(m Membership, owns bool) Resource { return Resource{kind: Room, member: m, owns: owns} }

// CallOf is a call in which the actor's device takes part or not.
func CallOf(in bool) Resource { return Resource{kind: Call, in: in} }

// EntryOf is an entry that account sender sent, in a room to which the actor is m.
func EntryOf(sender wire.AccountID, m Membership) Resource {
	return Resource{kind: Room, owner: sender, member: m}
}

// BlobOf is bytes that account owner uploaded. Member says what the actor is to
// the closest room where a message that it may read holds them.
func BlobOf(owner wire.AccountID, m Membership) Resource {
	return Resource{kind: Blob, owner: owner, member: m}
}

// Can reports whether actor may do this to that.
func Can(actor Actor, do Action, on Resource) bool {
	r, ok := table[do]
	if !ok || !r.admits(actor) {
		return false
	}
	if on.kind != r.on && !(r.on == Own && on.kind == Account) {
		return false
	}
	if r.on == Own && on.owner != actor.Account {
		return false
	}
	return r.when == nil || r.when(actor, on)
}

// Check is Can as an error: nil or ErrDenied.
func Check(actor Actor, do Action, on Resource) error {
	if !Can(actor, do, on) {
		return ErrDenied
	}
	return nil
}

// CheckIn is Check in a room to which actor is m.
func CheckIn(actor Actor, do Action, m Membership) error {
	if Can(actor, do, InRoom(m)) {
		return nil
	}
	if m == Former && (do == RoomTyping || do == RoomCursor) && Can(actor, do, InRoom(Member)) {
		return ErrLate
	}
	return ErrDenied
}

// Arrive judges what can be judged before a request is read: who asks, and for
// actions on the site and on one's own account everything. What is left is
// asked by the noun that finds the thing.
func Arrive(actor Actor, do Action) bool {
	r, ok := table[do]
	switch {
	case !ok:
		return false
	case r.on == Site:
		return Can(actor, do, TheSite())
	case r.on == Own:
		return Can(actor, do, AccountOf(actor.Account))
	default:
		return r.admits(actor)
	}
}

// On returns what do is about, 0 for an action that is not in the table.
func On(do Action) Kind { return table[do].on }

// Anonymous reports whether do is allowed to who has no session.
func Anonymous(do Action) bool { return table[do].who == anybody }
