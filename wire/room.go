package wire

import (
	"crypto/sha256"
	"fmt"
)

// RoomKind is what sort of room it is; it never changes.
type RoomKind string

const (
	Direct RoomKind = "direct" // two accounts, at most one such room for each pair
	Group  RoomKind = "group"
)

// EntryKind is what an entry of a log holds.
type EntryKind uint8

const (
	MessageEntry  EntryKind = 1 // MLS PrivateMessage with application data
	CommitEntry   EntryKind = 2 // MLS PublicMessage with a commit: starts the next epoch
	ProposalEntry EntryKind = 3 // MLS PublicMessage with a proposal
)

// Hash is a SHA-256 value.
type Hash [sha256.Size]byte

// MarshalCBOR writes h as a byte string of 32.
func (h Hash) MarshalCBOR() ([]byte, error) { return appendBytes(make([]byte, 0, 34), h[:]), nil }

// UnmarshalCBOR reads a byte string of 32; anything else is ErrFrame.
func (h *Hash) UnmarshalCBOR(b []byte) error {
	if len(b) == 2+len(h) && b[0] == cborBytes|24 && int(b[1]) == len(h) { // as everybody writes it
		copy(h[:], b[2:])
		return nil
	}
	var raw []byte
	if err := Decode(b, &raw); err != nil || len(raw) != len(h) {
		return fmt.Errorf("%w: not a hash", ErrFrame)
	}
	copy(h[:], raw)
	return nil
}

// Entry is one item of a room's log. Seq counts from 1 without gaps.
type Entry struct {
	Seq     int64     `cbor:"seq"`
	Kind    EntryKind `cbor:"kind"`
	Account AccountID `cbor:"account"` // whose device sent it, as the server says; what counts is the MLS sender
	Device  DeviceID  `cbor:"device"`
	Client  ClientID  `cbor:"client"`
	Epoch   uint64    `cbor:"epoch"` // that it was made in
	Time    Millis    `cbor:"time"`  // when the server took it
	Body    Sealed    `cbor:"body,omitempty"`
	Erased  *Hash     `cbor:"erased,omitempty"` // SHA-256 of the body, where the body was deleted
	Head    Hash      `cbor:"head"`             // after this entry
}

// BodyHash returns the hash by which the head binds the body.
func (e *Entry) BodyHash() Hash {
	if e.Erased != nil {
		return *e.Erased
	}
	return sha256.Sum256(e.Body)
}

// headLabel keeps the hash apart from every other use of SHA-256.
const headLabel = "veche log head v1"

// Next returns the head of room after e, given the head before it (all zero
// before the first entry). It covers all that the server says of an entry, so
// that two devices with one head have seen one history. docs/spec/room-log.md.
func Next(prev Hash, room RoomID, e *Entry) Hash {
	var b [256]byte
	return sha256.Sum256(e.appendNext(b[:0], prev, room))
}

// Room is how a room stands for the asking account.
type Room struct {
	Room      RoomID      `cbor:"room"`
	Kind      RoomKind    `cbor:"kind"`
	Seq       int64       `cbor:"seq"`
	Head      Hash        `cbor:"head"`
	Epoch     uint64      `cbor:"epoch"`
	From      int64       `cbor:"from"`            // first entry that the account may read: its own joining
	Until     int64       `cbor:"until,omitempty"` // last one, once it has left or was removed; 0 while it is a member
	Leaf      bool        `cbor:"leaf"`            // this device is in the tree
	Welcome   bool        `cbor:"welcome"`         // a Welcome waits for this device
	Cursors   []Cursor    `cbor:"cursors"`         // room.list leaves out those of others in groups of more than 100 people and in long lists, …
	Members   []AccountID `cbor:"members"`         // … and these; as the server says, to choose a direct room by: what counts is the tree
	Proposals int         `cbor:"proposals,omitempty"`
}

// Cursor is how far an account has come in a room. Read is told to the
// account's own devices alone.
type Cursor struct {
	Account   AccountID `cbor:"account"`
	Delivered int64     `cbor:"delivered"` // up to here everything is stored on at least one of its devices
	Read      int64     `cbor:"read,omitempty"`
}

type Rooms struct {
	Rooms []Room `cbor:"rooms"`
}
type GetRoom struct {
	Room RoomID `cbor:"room"`
}

// GroupUpload is what comes with every commit: how the group is joined from
// the epoch that it starts.
type GroupUpload struct {
	Client    ClientID `cbor:"client"`
	Commit    Sealed   `cbor:"commit"`            // MLSMessage with a PublicMessage
	Welcome   Sealed   `cbor:"welcome,omitempty"` // MLSMessage with a Welcome without tree, if the commit adds devices
	GroupInfo Sealed   `cbor:"info"`              // MLSMessage with the GroupInfo after the commit, with external_pub and without tree
}

// CreateRoom makes a room whose group has the creator's device alone, and
// applies the first commit to it, in one transaction.
type CreateRoom struct {
	Room  RoomID      `cbor:"room"`
	Kind  RoomKind    `cbor:"kind"`
	Info  Sealed      `cbor:"info0"` // MLSMessage with the GroupInfo of epoch 0 with ratchet_tree: one leaf
	First GroupUpload `cbor:"first"` // the commit that adds everybody else, or one with a path alone
}

// SendCommit asks to start the next epoch. Conflict means that another commit
// was first.
type SendCommit struct {
	Room RoomID `cbor:"room"`
	GroupUpload
}

// SendProposal puts a proposal into the log. From then until the next commit
// messages are refused with Pending.
type SendProposal struct {
	Room     RoomID   `cbor:"room"`
	Client   ClientID `cbor:"client"`
	Proposal Sealed   `cbor:"proposal"` // MLSMessage with a PublicMessage
}

// SendMessage appends a message. Stale means that it was sealed in an older
// epoch.
type SendMessage struct {
	Room   RoomID   `cbor:"room"`
	Client ClientID `cbor:"client"`
	Epoch  uint64   `cbor:"epoch"`
	Body   Sealed   `cbor:"body"`            // MLSMessage with a PrivateMessage
	Blobs  []BlobID `cbor:"blobs,omitempty"` // that this message holds
}

// Receipt says where an entry stands. A retry gets the same one.
type Receipt struct {
	Seq  int64  `cbor:"seq"`
	Time Millis `cbor:"time"`
	Head Hash   `cbor:"head"`
}

// ReadLog asks for entries After < seq, oldest first.
type ReadLog struct {
	Room  RoomID `cbor:"room"`
	After int64  `cbor:"after"`
	Limit int    `cbor:"limit,omitempty"` // 0 means MaxLogPage
}
type LogPage struct {
	Entries []Entry `cbor:"entries"`
	Seq     int64   `cbor:"seq"` // newest entry that the account may read
}

// GroupState is what a device needs to join a room.
type GroupState struct {
	Seq       int64  `cbor:"seq"` // entry of the commit that began the epoch
	Head      Hash   `cbor:"head"`
	Welcome   Sealed `cbor:"welcome,omitempty"` // room.welcome: with this device's secrets alone
	GroupInfo Sealed `cbor:"info,omitempty"`    // room.group: for an external commit
	Tree      Sealed `cbor:"tree"`              // ratchet_tree of that epoch
	LogSeq    int64  `cbor:"log_seq"`           // newest entry, and the head there
	LogHead   Hash   `cbor:"log_head"`
}

// Erase deletes the body of a message that the account sent; its place and its
// hash stay. Blobs that no other message holds go with it.
type Erase struct {
	Room RoomID `cbor:"room"`
	Seq  int64  `cbor:"seq"`
}

// SetCursor moves the account's cursors forward; backward is ignored.
type SetCursor struct {
	Room      RoomID `cbor:"room"`
	Delivered int64  `cbor:"delivered,omitempty"`
	Read      int64  `cbor:"read,omitempty"`
}

// Nudge says that a room has reached Seq. A device that is not there yet reads
// the log. All of a room's nudges may be lost but the last.
type Nudge struct {
	Room  RoomID `cbor:"room"`
	Seq   int64  `cbor:"seq"`
	Entry *Entry `cbor:"entry,omitempty"` // the entry at Seq, if it is small: saves the reader a round trip

	Cursors []Cursor `cbor:"cursors,omitempty"` // that moved since the members were told last, as in Cursors
}

// Cursors says that cursors moved in a room: at most MaxCursors, each account
// once, in any order.
type Cursors struct {
	Room    RoomID   `cbor:"room"`
	Cursors []Cursor `cbor:"cursors"`
}

// Typing says that an account is writing in a room just now. It is never stored.
type Typing struct {
	Room    RoomID    `cbor:"room"`
	Account AccountID `cbor:"account,omitzero"` // filled in by the server
}

// Erased says that an entry's body was deleted.
type Erased struct {
	Room RoomID `cbor:"room"`
	Seq  int64  `cbor:"seq"`
}

// CatchUp tells a device whose queue overflowed that events were left out: it
// lists its rooms and reads what it misses.
type CatchUp struct{}

var (
	RoomCreate  = Method[CreateRoom, Receipt]{"room.create", MaxRequest - 1024}
	RoomCommit  = Method[SendCommit, Receipt]{"room.commit", MaxRequest - 1024}
	RoomPropose = Method[SendProposal, Receipt]{"room.propose", MaxMessage}
	RoomSend    = Method[SendMessage, Receipt]{"room.send", MaxMessage + MaxSmall}
	RoomLog     = Method[ReadLog, LogPage]{"room.log", MaxSmall}
	RoomList    = Method[None, Rooms]{"room.list", MaxSmall}
	RoomGet     = Method[GetRoom, Room]{"room.get", MaxSmall}
	RoomWelcome = Method[GetRoom, GroupState]{"room.welcome", MaxSmall} // NotFound if none waits
	RoomJoined  = Method[GetRoom, None]{"room.joined", MaxSmall}        // the Welcome was used and stored: drop it
	RoomGroup   = Method[GetRoom, GroupState]{"room.group", MaxSmall}   // to rejoin, or to join with a further device
	RoomErase   = Method[Erase, None]{"room.erase", MaxSmall}
	RoomCursors = Method[SetCursor, None]{"room.cursor", MaxSmall}
	RoomTyping  = Method[Typing, None]{"room.typing", MaxSmall}

	OnNudge   = Event[Nudge]{"nudge"}
	OnRoom    = Event[Room]{"room"} // the account came into a room, left it, or a Welcome waits
	OnCursor  = Event[Cursors]{"cursor"}
	OnTyping  = Event[Typing]{"typing"}
	OnErased  = Event[Erased]{"erased"}
	OnCatchUp = Event[CatchUp]{"catch_up"}
)
