package api

import "github.com/veche-im/veche/wire"

// ItemState is how far a message has come.
type ItemState string

const (
	ItemSaved     ItemState = "saved"     // clock: stored here, on its way
	ItemSent      ItemState = "sent"      // tick: on the server's disk
	ItemDelivered ItemState = "delivered" // double tick: on a device of every other member
	ItemFailed    ItemState = "failed"    // was refused; the person may try again or drop it
	ItemReceived  ItemState = "received"  // somebody else's
)

// ItemKind is what a row of the timeline is.
type ItemKind string

const (
	ItemMessage    ItemKind = "message"
	ItemChange     ItemKind = "change"     // members, name
	ItemUnopenable ItemKind = "unopenable" // could not be opened here
	ItemUnknown    ItemKind = "unknown"    // content of a newer version
	ItemDeleted    ItemKind = "deleted"
	ItemCall       ItemKind = "call"  // a call: going on, or how it was
	ItemStart      ItemKind = "start" // this device joined here; older messages are not on it
)

// Item is one row of a room's timeline. ID never changes, Seq comes with the
// server's receipt. Rows are in the order of Order: that of the log, and what
// is still on its way after it in the order of sending.
type Item struct {
	ID     string          `json:"id"`
	Order  int64           `json:"order"`
	Seq    int64           `json:"seq"` // 0: not on the server yet
	Kind   ItemKind        `json:"kind"`
	From   *wire.AccountID `json:"from,omitempty"`
	Name   string          `json:"name"` // of From, as known now
	Mine   bool            `json:"mine"`
	State  ItemState       `json:"state"`
	Fail   FailureCode     `json:"fail,omitempty"` // why it was refused; of one that is saved, why the server cannot take it yet
	Time   wire.Millis     `json:"time"`
	Text   string          `json:"text"`           // as written (Markdown)
	Rich   []Block         `json:"rich,omitempty"` // Text parsed, for showing
	Files  []File          `json:"files,omitempty"`
	Reply  *Quote          `json:"reply,omitempty"`
	Edited bool            `json:"edited,omitempty"`
	Change *Change         `json:"change,omitempty"`
	Call   *CallItem       `json:"call,omitempty"`

	// Alone: the site was restored to a moment before this row, and nobody has
	// sent it again yet: it is only on the devices that had it.
	Alone bool `json:"alone,omitempty"`
}

// Quote is the message that another one answers.
type Quote struct {
	ID   string `json:"id"`
	Seq  int64  `json:"seq"`
	Name string `json:"name"`
	Text string `json:"text"` // first 200 characters
}

// ChangeKind is what happened to a room.
type ChangeKind string

const (
	ChangeCreated      ChangeKind = "created"
	ChangeAdded        ChangeKind = "added"
	ChangeRemoved      ChangeKind = "removed"
	ChangeLeft         ChangeKind = "left"
	ChangeRenamed      ChangeKind = "renamed"
	ChangeOwner        ChangeKind = "owner"
	ChangeNoOwner      ChangeKind = "no_owner"
	ChangeDeviceJoined ChangeKind = "device_joined" // a further device of a member
	ChangeDeviceGone   ChangeKind = "device_gone"
)

// Change is an event in a room's life, as the log proves it.
type Change struct {
	Kind ChangeKind `json:"kind"`
	By   string     `json:"by"`            // name
	Me   bool       `json:"me"`            // By is me
	Who  []string   `json:"who,omitempty"` // names
	You  bool       `json:"you,omitempty"` // I am among Who
	Name string     `json:"name,omitempty"`
}

// Block and Span are parsed Markdown. There is no HTML in them.
type Block struct {
	Kind  string   `json:"kind"` // "paragraph" "quote" "code" "list" "ordered"
	Spans []Span   `json:"spans,omitempty"`
	Items [][]Span `json:"items,omitempty"` // of lists
	Lang  string   `json:"lang,omitempty"`  // of code
}
type Span struct {
	Kind  string `json:"kind"` // "text" "bold" "italic" "strike" "code" "link" "mention" "break"
	Text  string `json:"text,omitempty"`
	Href  string `json:"href,omitempty"` // http, https, mailto only
	Spans []Span `json:"spans,omitempty"`
}

// File is an attachment. Name has been made safe to show and to save.
type File struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	Size     int64     `json:"size"` // plain bytes
	Width    int       `json:"width,omitempty"`
	Height   int       `json:"height,omitempty"`
	Thumb    string    `json:"thumb,omitempty"`    // thumbhash, base64
	Preview  string    `json:"preview,omitempty"`  // small picture, base64 …
	PrevType string    `json:"prevType,omitempty"` // … and its type: image/webp or image/jpeg
	Transfer *Transfer `json:"transfer,omitempty"` // while it goes up or down
	Here     bool      `json:"here"`               // all of it is on this device
}

// Transfer is the progress of a file.
type Transfer struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// Outgoing is a message to send, to a room or to a person (whose direct room
// is made if need be).
type Outgoing struct {
	Room   *wire.RoomID    `json:"room,omitempty"`
	Person *wire.AccountID `json:"person,omitempty"`
	Text   string          `json:"text,omitempty"`
	Files  []OutgoingFile  `json:"files,omitempty"`
	Reply  string          `json:"reply,omitempty"` // id of the item that this answers
}

// OutgoingFile names its bytes by Source: a path natively, in the browser the
// number under which the bridge holds a Blob.
type OutgoingFile struct {
	Source   string `json:"source"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	Width    int    `json:"width,omitempty"`
	Height   int    `json:"height,omitempty"`
	Thumb    string `json:"thumb,omitempty"`
	Preview  string `json:"preview,omitempty"` // base64, at most 12 KiB decoded
	PrevType string `json:"prevType,omitempty"`
}

// Queued says that a message is stored here and will leave.
type Queued struct {
	Room wire.RoomID `json:"room"`
	ID   string      `json:"id"`
}
type ItemRef struct {
	Room wire.RoomID `json:"room"`
	ID   string      `json:"id"`
}
type Edit struct {
	Room wire.RoomID `json:"room"`
	ID   string      `json:"id"`
	Text string      `json:"text"`
}

// Window asks for rows of a timeline around a place. With neither Before nor
// After it is the newest rows, or, if Unread, those around the first unread.
type Window struct {
	Room   wire.RoomID `json:"room"`
	Before int64       `json:"before,omitempty"` // Order: rows with a smaller one, nearest first kept
	After  int64       `json:"after,omitempty"`
	Unread bool        `json:"unread,omitempty"`
	Limit  int         `json:"limit,omitempty"` // 0 means 60, at most 200
}
type Timeline struct {
	Room        wire.RoomID `json:"room"`
	Items       []Item      `json:"items"` // oldest first
	Older       bool        `json:"older"` // there are rows before the first
	Newer       bool        `json:"newer"`
	FirstUnread string      `json:"firstUnread,omitempty"` // id of the first unread row, wherever it is
}

// TimelineChanged carries rows that are new or changed, whole.
type TimelineChanged struct {
	Room  wire.RoomID `json:"room"`
	Items []Item      `json:"items"`
	Gone  []string    `json:"gone"` // ids
}
type FileRef struct {
	Room  wire.RoomID `json:"room"`
	ID    string      `json:"id"`
	Index int         `json:"index"`
	Sink  string      `json:"sink,omitempty"` // where to put it: a path natively; the bridge fills it in
}

// Opened is a file, opened and checked. Source is a path natively; in the
// browser the bridge turns it into a Blob.
type Opened struct {
	Source string `json:"source"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	Size   int64  `json:"size"`
}

var (
	GetTimeline   = Command[Window, Timeline]{"timeline", "Rows of a room from the store: answers offline."}
	SendMessage   = Command[Outgoing, Queued]{"send", "Store a message and send it as soon as may be; answers when it is stored."}
	RetryItem     = Command[ItemRef, None]{"retry", "Try a failed message again."}
	DropItem      = Command[ItemRef, None]{"drop", "Take back a message that is not on the server yet."}
	EditMessage   = Command[Edit, None]{"edit", "Change the text of an own message."}
	DeleteMessage = Command[ItemRef, None]{"delete", "Delete an own message for everybody."}
	OpenFile      = Command[FileRef, Opened]{"openFile", "Fetch, check and open a file; progress comes with timeline events."}
	CancelFile    = Command[FileRef, None]{"cancelFile", "Stop fetching a file."}

	OnTimeline = Event[TimelineChanged]{"timeline", "Rows that are new or changed."}
)

// Commands returns the table of all commands.
func Commands() []Spec {
	return []Spec{
		command(GetStatus), command(GetSite), command(CheckLink), command(DoSignUp), command(DoSignIn),
		command(DoReset), command(NewPassword), command(Prove),
		command(Recover), command(SignOut), command(NewRecovery),
		command(ListDevices), command(ApproveDevice), command(RejectDevice), command(RevokeDevice),
		command(ListPeople), command(CreateInvite),
		command(MakeReset), command(ShutAccount), command(OpenAccount), command(EndSessions), command(MakeAdmin),
		command(ListNotices), command(DismissNotice),
		command(ListRooms), command(GetRoom), command(OpenDirect), command(CreateGroup), command(RenameRoom),
		command(AddMembers), command(RemoveMember), command(SetRole), command(AcceptRoom), command(LeaveRoom),
		command(SayTyping), command(MarkRead), command(LookAway), command(SaveDraft),
		command(GetTimeline), command(SendMessage), command(RetryItem), command(DropItem),
		command(EditMessage), command(DeleteMessage), command(OpenFile), command(CancelFile),
		command(ListCalls), command(BeginCall), command(JoinCall), command(OfferCall), command(LeaveCall),
		command(GetCallKeys), command(ViewCall), command(SetCallState), command(ReactInCall),
		command(MuteInCall), command(LowerHand), command(RemoveFromCall), command(RingPeople), command(Decline),
		command(MakeCallLink), command(KnockAtCall), command(AdmitToCall), command(RefuseKnock), command(TryCall),
	}
}

// Events returns the table of all events.
func Events() []Spec {
	return []Spec{
		event(OnStatus), event(OnPeople), event(OnDevices), event(OnNotice),
		event(OnRooms), event(OnTyping), event(OnTimeline),
		event(OnCall), event(OnRing), event(OnRingEnd), event(OnRingAnswer), event(OnCallSlots), event(OnCallSpeakers),
		event(OnCallQuality), event(OnCallPause), event(OnCallReaction), event(OnCallAsked), event(OnCallKnock),
		event(OnCallGone), event(OnCallKeys),
	}
}
