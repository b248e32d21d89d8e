package authz

import "github.com/veche-im/veche/wire"

// Action is what an actor wants to do.
type Action string

const (
	SiteRead      Action = "site.read"      // name, version, the web app's files, health
	SiteAddress   Action = "site.address"   // where people reach it
	LinkRead      Action = "link.read"      // what a link is good for: the token is the right to know
	AccountCreate Action = "account.create" // with a link: the token is the right
	SessionOpen   Action = "session.open"   // with a password
	SessionUse    Action = "session.use"    // to connect, to ping, to ask who one is
	SessionClose  Action = "session.close"
	InviteCreate  Action = "invite.create"

	PasswordChange Action = "password.change"
	PasswordProve  Action = "password.prove" // by a locked session too
	PasswordReset  Action = "password.reset" // with a link: the token is the right
	AccountReset   Action = "account.reset"
	AccountShut    Action = "account.shut"
	AccountOpen    Action = "account.open"
	AccountSignOut Action = "account.signout"
	AccountAdmin   Action = "account.admin"

	PeopleRead      Action = "people.read"
	StatementsRead  Action = "statements.read"
	DevicePublish   Action = "device.publish"
	DeviceRepublish Action = "device.republish" // what a restored site has lost
	DeviceEnrol     Action = "device.enrol"
	DeviceRead      Action = "device.read" // one's own devices, one's own vault
	DeviceDrop      Action = "device.drop"
	KeyUpload       Action = "key.upload"
	KeyRead         Action = "key.read"
	KeyClaim        Action = "key.claim"

	RoomCreate  Action = "room.create"
	RoomList    Action = "room.list"
	RoomRead    Action = "room.read"    // its state and its log
	RoomJoin    Action = "room.join"    // its Welcome, its group
	RoomCommit  Action = "room.commit"  //
	RoomPropose Action = "room.propose" //
	RoomSend    Action = "room.send"    //
	RoomErase   Action = "room.erase"   // a message of one's own
	RoomCursor  Action = "room.cursor"
	RoomTyping  Action = "room.typing"

	CallList  Action = "call.list"
	CallRead  Action = "call.read"
	CallStart Action = "call.start"
	CallJoin  Action = "call.join"
	CallTake  Action = "call.take"  // what participants do: leave, view, offer, speak, ring
	CallReply Action = "call.reply" // decline, busy
	CallLead  Action = "call.lead"  // remove people, make a link, refuse who knocks
	CallKnock Action = "call.knock" // the link's token is the right
	CallTest  Action = "call.test"

	BlobCreate Action = "blob.create"
	BlobWrite  Action = "blob.write" // append, ask how far it is, delete
	BlobRead   Action = "blob.read"
)

// who may at all.
type who uint8

const (
	anybody who = iota + 1 // without a session too
	pending                // a session whose device is not in the statement yet, and those below
	active                 // a device that the account's statement lists
	admin                  // … of an administrator
)

type rule struct {
	who  who
	on   Kind
	when func(Actor, Resource) bool // nil: always
}

func (r rule) admits(a Actor) bool {
	switch r.who {
	case anybody:
		return true
	case pending:
		return a.State == wire.DevicePending || a.State == wire.DeviceActive
	case active:
		return a.State == wire.DeviceActive
	case admin:
		return a.State == wire.DeviceActive && a.Admin
	default:
		return false
	}
}

var table = map[Action]rule{
	SiteRead:      {anybody, Site, nil},
	SiteAddress:   {active, Site, nil},
	LinkRead:      {anybody, Site, nil},
	AccountCreate: {anybody, Site, nil},
	SessionOpen:   {anybody, Site, nil},
	SessionUse:    {pending, Own, nil},
	SessionClose:  {pending, Own, nil},
	InviteCreate:  {admin, Site, nil},

	PasswordChange: {active, Own, nil},
	PasswordProve:  {pending, Own, nil},
	PasswordReset:  {anybody, Site, nil},
	AccountReset:   {admin, Account, nil},
	AccountShut:    {admin, Account, nil},
	AccountOpen:    {admin, Account, nil},
	AccountSignOut: {admin, Account, nil},
	AccountAdmin:   {admin, Account, nil},

	PeopleRead:      {active, Site, nil},
	StatementsRead:  {pending, Account, ownWhilePending},
	DevicePublish:   {pending, Own, nil},
	DeviceRepublish: {pending, Own, nil},
	DeviceEnrol:     {pending, Own, nil},
	DeviceRead:      {pending, Own, nil},
	DeviceDrop:      {active, Own, nil},
	KeyUpload:       {active, Own, nil},
	KeyRead:         {active, Own, nil},
	KeyClaim:        {active, Account, nil},

	RoomCreate:  {active, Site, nil},
	RoomList:    {active, Own, nil},
	RoomRead:    {active, Room, wasMember},
	RoomJoin:    {active, Room, isMember},
	RoomCommit:  {active, Room, isMember},
	RoomPropose: {active, Room, isMember},
	RoomSend:    {active, Room, isMember},
	RoomErase:   {active, Room, func(a Actor, r Resource) bool { return r.owner == a.Account && wasMember(a, r) }},
	RoomCursor:  {active, Room, isMember},
	RoomTyping:  {active, Room, isMember},

	CallList:  {active, Own, nil},
	CallRead:  {active, Room, isMember},
	CallStart: {active, Room, isMember},
	CallJoin:  {active, Room, isMember},
	CallTake:  {active, Call, func(_ Actor, r Resource) bool { return r.in }},
	CallReply: {active, Room, isMember},
	CallLead:  {active, Room, func(a Actor, r Resource) bool { return r.owns && isMember(a, r) }},
	CallKnock: {active, Site, nil},
	CallTest:  {active, Site, nil},

	BlobCreate: {active, Site, nil},
	BlobWrite:  {active, Blob, owns},
	BlobRead:   {active, Blob, func(a Actor, r Resource) bool { return owns(a, r) || wasMember(a, r) }},
}

func ownWhilePending(a Actor, r Resource) bool {
	return a.State == wire.DeviceActive || r.owner == a.Account
}

func owns(a Actor, r Resource) bool      { return r.owner == a.Account }
func isMember(_ Actor, r Resource) bool  { return r.member == Member }
func wasMember(_ Actor, r Resource) bool { return r.member >= Former }
