package api

import "github.com/veche-im/veche/wire"

// Call is a live call, or one that ended just now. docs/spec/calls.md.
type Call struct {
	ID        wire.CallID       `json:"id"`
	Room      wire.RoomID       `json:"room"`
	By        wire.AccountID    `json:"by"`
	Name      string            `json:"name"` // of By
	Started   wire.Millis       `json:"started"`
	Video     bool              `json:"video"`
	Count     int               `json:"count"`
	People    []CallParticipant `json:"people"`         // all of them when this device is in, else the first few
	Me        int               `json:"me"`             // own number, 0 when this device is not in
	Elsewhere bool              `json:"elsewhere"`      // another device of the person is in
	Code      string            `json:"code,omitempty"` // four groups of four digits, equal for all; when this device is in
	Ended     bool              `json:"ended"`
}

// CallParticipant is a device in a call. Muted to Hand are its own words,
// sealed; Known is false until they were heard.
type CallParticipant struct {
	Number  int            `json:"number"`
	Account wire.AccountID `json:"account"`
	Device  wire.DeviceID  `json:"device"`
	Name    string         `json:"name"`
	Leaf    int            `json:"leaf"` // in the room's tree; -1 when the device has none, then nothing of it opens
	Me      bool           `json:"me"`
	Owner   bool           `json:"owner"`
	Away    bool           `json:"away"`
	Joined  wire.Millis    `json:"joined"`
	Known   bool           `json:"known"`
	Muted   bool           `json:"muted"`
	Camera  bool           `json:"camera"`
	Screen  bool           `json:"screen"`
	Hand    wire.Millis    `json:"hand"` // when it was raised, 0 if it is not
}
type Calls struct {
	Calls []Call `json:"calls"`
	Rings []Ring `json:"rings"`
}
type StartCall struct {
	Room  wire.RoomID `json:"room"`
	Video bool        `json:"video"`
	Ring  bool        `json:"ring"`
}
type CallRef struct {
	Call wire.CallID `json:"call"`
}
type CallOffer struct {
	Call  wire.CallID `json:"call"`
	Offer string      `json:"offer"` // SDP
}

// JoinedCall is what a front end needs to connect.
type JoinedCall struct {
	Number int          `json:"number"`
	Answer string       `json:"answer"` // SDP
	Turn   []TurnServer `json:"turn"`
	Call   Call         `json:"call"`
	Keys   CallKeys     `json:"keys"`
}
type TurnServer struct {
	URLs     []string `json:"urls"`
	Username string   `json:"username"`
	Password string   `json:"password"`
}
type CallAnswer struct {
	Answer string `json:"answer"` // SDP
}

// Source is what a participant sends: wire.Source in words.
type Source string

const (
	Microphone  Source = "microphone"
	Camera      Source = "camera"
	Screen      Source = "screen"
	ScreenSound Source = "sound" // of the screen
)

// CallKeys is all that frames are sealed and opened with: secrets, to be given
// to what seals and to nobody else.
type CallKeys struct {
	Leaf   int         `json:"leaf"`   // own
	Join   int         `json:"join"`   // own
	Epochs []CallEpoch `json:"epochs"` // newest last
	Leaves []CallLeaf  `json:"leaves"` // whose frames may be opened in the newest epoch
}

// CallEpoch is the key of one epoch of the room. One at most has Seal: new
// frames are sealed with it.
type CallEpoch struct {
	Epoch int    `json:"epoch"` // modulo 256
	Key   string `json:"key"`   // base64, 16 bytes
	Seal  bool   `json:"seal"`
}

// CallLeaf is a sender. Epochs are those of the list in which the leaf was the
// device's: what came of it in another one is somebody else's and must not be
// opened.
type CallLeaf struct {
	Leaf    int            `json:"leaf"`
	Account wire.AccountID `json:"account"`
	Device  wire.DeviceID  `json:"device"`
	Epochs  []int          `json:"epochs"` // modulo 256
}
type CallView struct {
	Call  wire.CallID `json:"call"`
	Views []View      `json:"views"`
}
type View struct {
	Mid    string `json:"mid"`
	Number int    `json:"number"`
	Source Source `json:"source"`
	Height int    `json:"height"` // pixels on screen
}
type OwnCallState struct {
	Call   wire.CallID `json:"call"`
	Muted  bool        `json:"muted"`
	Camera bool        `json:"camera"`
	Screen bool        `json:"screen"`
	Hand   bool        `json:"hand"`
}
type CallEmoji struct {
	Call  wire.CallID `json:"call"`
	Emoji string      `json:"emoji"`
}
type CallNumber struct {
	Call   wire.CallID `json:"call"`
	Number int         `json:"number"`
}
type CallAccount struct {
	Call    wire.CallID    `json:"call"`
	Account wire.AccountID `json:"account"`
}
type CallPeople struct {
	Call     wire.CallID      `json:"call"`
	Accounts []wire.AccountID `json:"accounts"` // empty: everybody
}
type DeclineCall struct {
	Call wire.CallID `json:"call"`
	Busy bool        `json:"busy"`
}

// CallLink is a link to a call, "https://…/call/…", or what comes after the site's
// address where that is not known: "/call/…".
type CallLink struct {
	Link string `json:"link"`
}
type Ring struct {
	Call   wire.CallID    `json:"call"`
	Room   wire.RoomID    `json:"room"`
	Direct bool           `json:"direct"`
	By     wire.AccountID `json:"by"`
	Name   string         `json:"name"`  // of By
	Title  string         `json:"title"` // of the room
	Video  bool           `json:"video"`
	Until  wire.Millis    `json:"until"`
}
type RingEnd struct {
	Call wire.CallID        `json:"call"`
	Why  wire.RingEndReason `json:"why"`
}
type RingAnswer struct {
	Call    wire.CallID    `json:"call"`
	Account wire.AccountID `json:"account"`
	Name    string         `json:"name"`
	How     wire.RingState `json:"how"`
}
type CallSlots struct {
	Call  wire.CallID `json:"call"`
	Slots []CallSlot  `json:"slots"`
}
type CallSlot struct {
	Mid    string `json:"mid"`
	Number int    `json:"number"`
	Source Source `json:"source"`
	Layer  string `json:"layer"` // rid of the layer that is sent, video
	Paused bool   `json:"paused"`
}
type CallSpeakers struct {
	Call    wire.CallID `json:"call"`
	Numbers []int       `json:"numbers"` // loudest first
}
type CallQuality struct {
	Call     wire.CallID `json:"call"`
	LossUp   int         `json:"lossUp"`   // of 1,000
	LossDown int         `json:"lossDown"` // of 1,000
	RTT      int         `json:"rtt"`      // milliseconds, 0 unknown
	Down     int         `json:"down"`     // bit/s
	Path     string      `json:"path"`     // "udp", "tcp", "tls"
}
type CallPause struct {
	Call   wire.CallID `json:"call"`
	Layers []CallLayer `json:"layers"`
}
type CallLayer struct {
	Source Source `json:"source"`
	RID    string `json:"rid"`
}
type CallReaction struct {
	Call   wire.CallID `json:"call"`
	Number int         `json:"number"`
	Name   string      `json:"name"`
	Emoji  string      `json:"emoji"`
}

// CallAsk is what a moderator asks for.
type CallAsk string

const (
	AskMute CallAsk = "mute"
	AskHand CallAsk = "hand"
)

type CallAsked struct {
	Call wire.CallID `json:"call"`
	What CallAsk     `json:"what"`
	Name string      `json:"name"` // of who asks
}
type CallKnock struct {
	Call    wire.CallID    `json:"call"`
	Account wire.AccountID `json:"account"`
	Name    string         `json:"name"`
}
type CallGone struct {
	Call wire.CallID         `json:"call"`
	Why  wire.CallGoneReason `json:"why"`
}

// CallEnd says how a call ended.
type CallEnd string

const (
	CallEnded     CallEnd = "ended"
	CallNone      CallEnd = "none" // nobody answered
	CallDeclined  CallEnd = "declined"
	CallBusy      CallEnd = "busy"
	CallCancelled CallEnd = "cancelled" // by the caller, before anybody answered
)

// CallItem is a call as a row of the timeline.
type CallItem struct {
	Call    wire.CallID `json:"call"`
	Video   bool        `json:"video"`
	Ring    bool        `json:"ring"`
	Live    bool        `json:"live"`          // can be joined
	Seconds int         `json:"seconds"`       // once it ended
	People  []string    `json:"people"`        // names, once it ended
	End     CallEnd     `json:"end,omitempty"` // empty while it lives, or when nobody wrote it down
	Missed  bool        `json:"missed"`        // it rang here and I was not in
}

var (
	ListCalls      = Command[None, Calls]{"calls", "Calls that are going on in the person's rooms, and what rings."}
	BeginCall      = Command[StartCall, Call]{"startCall", "Start a call in a room, or find the one that is there; with ring, ring everybody."}
	JoinCall       = Command[CallOffer, JoinedCall]{"joinCall", "Take part with this device."}
	OfferCall      = Command[CallOffer, CallAnswer]{"offerCall", "New ICE credentials or more video slots for a call that this device is in."}
	LeaveCall      = Command[CallRef, None]{"leaveCall", "Leave; the last to leave ends the call."}
	GetCallKeys    = Command[CallRef, CallKeys]{"callKeys", "What frames are sealed and opened with just now."}
	ViewCall       = Command[CallView, None]{"viewCall", "What is on screen, for each video slot."}
	SetCallState   = Command[OwnCallState, None]{"setCallState", "Tell the others about one's microphone, camera, screen and hand."}
	ReactInCall    = Command[CallEmoji, None]{"reactInCall", "Show everybody an emoji for a moment."}
	MuteInCall     = Command[CallNumber, None]{"muteInCall", "Owners: have a participant muted."}
	LowerHand      = Command[CallNumber, None]{"lowerHand", "Owners: have a participant's hand lowered."}
	RemoveFromCall = Command[CallAccount, None]{"removeFromCall", "Owners: take a person out of the call, who stays a member."}
	RingPeople     = Command[CallPeople, None]{"ringPeople", "Ring members who are not in the call."}
	Decline        = Command[DeclineCall, None]{"declineCall", "Stop ringing on all of the person's devices."}
	MakeCallLink   = Command[CallRef, CallLink]{"callLink", "Owners: a link by which others with an account can ask to come in."}
	KnockAtCall    = Command[CallLink, None]{"knock", "Ask to be let into the call of a link."}
	AdmitToCall    = Command[CallAccount, None]{"admit", "Let somebody who knocked in: adds to the group."}
	RefuseKnock    = Command[CallAccount, None]{"refuseKnock", "Do not let in who knocked."}
	TryCall        = Command[CallTry, JoinedTry]{"tryCall", "Connect to the server's echo, to find out which paths work."}

	OnCall         = Event[Call]{"call", "A call began, changed or ended."}
	OnRing         = Event[Ring]{"ring", "Somebody calls."}
	OnRingEnd      = Event[RingEnd]{"ringEnd", "It rings no more."}
	OnRingAnswer   = Event[RingAnswer]{"ringAnswer", "How somebody whom this person rang stands."}
	OnCallSlots    = Event[CallSlots]{"callSlots", "Who is in which slot: the whole list."}
	OnCallSpeakers = Event[CallSpeakers]{"callSpeakers", "Who is heard."}
	OnCallQuality  = Event[CallQuality]{"callQuality", "How one's own network does."}
	OnCallPause    = Event[CallPause]{"callPause", "Which layers anybody looks at; the others may stop."}
	OnCallReaction = Event[CallReaction]{"callReaction", "Somebody shows an emoji."}
	OnCallAsked    = Event[CallAsked]{"callAsked", "A moderator asks to mute, or to lower one's hand; do it."}
	OnCallKnock    = Event[CallKnock]{"callKnock", "Somebody asks to be let in."}
	OnCallGone     = Event[CallGone]{"callGone", "This device is no longer in a call, or was not let in."}
	OnCallKeys     = Event[CallRef]{"callKeys", "The keys of a call changed: ask for them."}
)

// CallTry is an offer like that of a call, of which one audio slot is enough:
// it hears what the device sends.
type CallTry struct {
	Offer string `json:"offer"` // SDP
}
type JoinedTry struct {
	Answer string       `json:"answer"` // SDP
	Turn   []TurnServer `json:"turn"`
}
