package api

import "github.com/veche-im/veche/wire"

// Role is what a person may do in a room.
type Role string

const (
	Owner  Role = "owner"
	Member Role = "member"
)

// RoomState is whether one can write in a room.
type RoomState string

const (
	RoomJoining RoomState = "joining" // this device is not in the group yet
	RoomOpen    RoomState = "open"
	RoomLeft    RoomState = "left"    // the person left or was removed: can be read, not written
	RoomBlocked RoomState = "blocked" // the server showed a forked history: nothing more is taken from it
)

// Returned is somebody who is in a room and whom this device has not seen come in.
type Returned struct {
	ID   wire.AccountID `json:"id"`
	Name string         `json:"name"`
}

// Room is a row of the chat list.
type Room struct {
	ID      wire.RoomID     `json:"id"`
	Kind    wire.RoomKind   `json:"kind"`
	State   RoomState       `json:"state"`
	Title   string          `json:"title"` // group name; direct: the other person; no name yet: the members' names
	Named   bool            `json:"named"`
	Peer    *wire.AccountID `json:"peer,omitempty"` // direct rooms, but not notes to oneself
	Self    bool            `json:"self"`           // notes to oneself
	Role    Role            `json:"role"`
	Members int             `json:"members"`
	Last    *Preview        `json:"last,omitempty"`
	Time    wire.Millis     `json:"time"` // of the last item or of joining; lists are sorted by it, newest first
	Unread  int             `json:"unread"`
	Seq     int64           `json:"seq"`    // newest entry stored here
	Read    int64           `json:"read"`   // up to here the person has seen it, on any device
	Queued  int             `json:"queued"` // own messages that are not on the server yet
	Failed  int             `json:"failed"`
	Draft   string          `json:"draft,omitempty"` // text that was left in the composer

	// Back names people whom a restore of the site has brought back into the room, or
	// who were new in it when this device had to join anew. Nothing is sealed here
	// until they were removed, or the person accepts them.
	Back []Returned `json:"back,omitempty"`
	// Restored: the room was made, or the person came in, after the moment to
	// which the site was restored; that is why it is left.
	Restored bool `json:"restored,omitempty"`
}

// Preview is what the chat list shows of the newest item.
type Preview struct {
	From   *wire.AccountID `json:"from,omitempty"`
	Name   string          `json:"name"`
	Mine   bool            `json:"mine"`
	Text   string          `json:"text"` // first 200 characters, without markup
	Files  int             `json:"files"`
	Photo  bool            `json:"photo"` // the first file is shown as a picture
	State  ItemState       `json:"state"`
	Change *Change         `json:"change,omitempty"`
	Call   *CallItem       `json:"call,omitempty"`
}
type Rooms struct {
	Rooms []Room `json:"rooms"`
}

// RoomsChanged replaces the rows named and takes away those in Gone.
type RoomsChanged struct {
	Rooms []Room        `json:"rooms"`
	Gone  []wire.RoomID `json:"gone"`
}
type RoomRef struct {
	Room wire.RoomID `json:"room"`
}
type RoomMember struct {
	Person  Person `json:"person"`
	Role    Role   `json:"role"`
	Devices int    `json:"devices"` // leaves of the tree
}

// RoomDetails is the details pane. Members are the leaves of the tree.
type RoomDetails struct {
	Room    Room         `json:"room"`
	Members []RoomMember `json:"members"`
	Epoch   uint64       `json:"epoch"`
	Suite   string       `json:"suite"` // e.g. "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519"
	Code    string       `json:"code"`  // of the epoch authenticator: equal for all who are in the same group state
}
type NewGroup struct {
	Name    string           `json:"name"`
	Members []wire.AccountID `json:"members"`
}
type Rename struct {
	Room wire.RoomID `json:"room"`
	Name string      `json:"name"`
}
type RoomPeople struct {
	Room    wire.RoomID      `json:"room"`
	Members []wire.AccountID `json:"members"`
}
type RoomPerson struct {
	Room   wire.RoomID    `json:"room"`
	Member wire.AccountID `json:"member"`
}
type PersonRef struct {
	Person wire.AccountID `json:"person"`
}
type SetOwner struct {
	Room   wire.RoomID    `json:"room"`
	Member wire.AccountID `json:"member"`
	Owner  bool           `json:"owner"`
}
type TypingNow struct {
	Room    wire.RoomID    `json:"room"`
	Account wire.AccountID `json:"account"`
	Name    string         `json:"name"`
	Until   wire.Millis    `json:"until"`
}
type Draft struct {
	Room wire.RoomID `json:"room"`
	Text string      `json:"text"`
}

// ReadTo says that the person has seen a room up to Seq.
type ReadTo struct {
	Room wire.RoomID `json:"room"`
	Seq  int64       `json:"seq"`
}

var (
	ListRooms    = Command[None, Rooms]{"rooms", "All rooms, newest first, from the store: answers offline."}
	GetRoom      = Command[RoomRef, RoomDetails]{"room", "Details and members of a room."}
	OpenDirect   = Command[PersonRef, Room]{"openDirect", "The direct room with a person; made on the server at the first message, so this works offline and leaves nothing behind."}
	CreateGroup  = Command[NewGroup, Room]{"createGroup", "Make a group; the maker owns it."}
	RenameRoom   = Command[Rename, None]{"renameRoom", "Give a group another name."}
	AddMembers   = Command[RoomPeople, None]{"addMembers", "Take people into a group."}
	RemoveMember = Command[RoomPerson, None]{"removeMember", "Take a person out of a group."}
	SetRole      = Command[SetOwner, None]{"setOwner", "Make a member an owner, or no longer one."}
	AcceptRoom   = Command[RoomPeople, None]{"acceptRoom", "Seal to these people whom this device has not seen come into a room: to those whose names the person was shown."}
	LeaveRoom    = Command[RoomRef, None]{"leaveRoom", "Leave a group."}
	SayTyping    = Command[RoomRef, None]{"typing", "The person is writing here; say it at most every 3 seconds."}
	MarkRead     = Command[ReadTo, None]{"markRead", "The person has seen a room up to an entry."}
	LookAway     = Command[None, None]{"lookAway", "The person goes elsewhere, or hides the app: how far they have read is told at once."}
	SaveDraft    = Command[Draft, None]{"saveDraft", "Keep what stands in a composer."}

	OnRooms  = Event[RoomsChanged]{"rooms", "Rooms that are new or changed, whole rows."}
	OnTyping = Event[TypingNow]{"typing", "Somebody is writing."}
)
