package wire

// Source is what a participant sends.
type Source uint8

const (
	Microphone  Source = 0
	Camera      Source = 1
	Screen      Source = 2
	ScreenSound Source = 3
)

// Call is how a call stands that has not ended, or that ended just now.
type Call struct {
	Call    CallID            `cbor:"call"`
	Room    RoomID            `cbor:"room"`
	By      AccountID         `cbor:"by"`
	Device  DeviceID          `cbor:"device"` // that started it
	Started Millis            `cbor:"started"`
	Video   bool              `cbor:"video,omitempty"` // as it was started
	Count   int               `cbor:"count"`           // participants
	People  []CallParticipant `cbor:"people"`          // all of them to participants, the first MaxCallBrief to others
	Version int64             `cbor:"version"`         // grows with each change of People
	Ended   bool              `cbor:"ended,omitempty"`
}

// CallParticipant is a device in a call. Number is used once in a call.
type CallParticipant struct {
	Number  uint32    `cbor:"n"`
	Account AccountID `cbor:"account"`
	Device  DeviceID  `cbor:"device"`
	Joined  Millis    `cbor:"joined"`
	Away    bool      `cbor:"away,omitempty"`  // nothing heard of its media just now
	State   Sealed    `cbor:"state,omitempty"` // newest call.state
}

type Calls struct {
	Calls []Call `cbor:"calls"`
}

// StartCall makes a call, or finds the one that the room has: the answer's Call
// says which.
type StartCall struct {
	Room  RoomID `cbor:"room"`
	Call  CallID `cbor:"call"`
	Video bool   `cbor:"video,omitempty"`
}

type CallRef struct {
	Call CallID `cbor:"call"`
}

// JoinCall makes the asking device a participant; a former one of the same
// device is replaced.
type JoinCall struct {
	Call  CallID `cbor:"call"`
	Join  uint16 `cbor:"join"` // join number, below 8192
	Offer string `cbor:"offer"`
}

// CallJoined is what a device needs to connect.
type CallJoined struct {
	Number uint32       `cbor:"n"`
	Answer string       `cbor:"answer"` // SDP with all candidates
	Turn   []TurnServer `cbor:"turn,omitempty"`
	Call   Call         `cbor:"state"`
}
type TurnServer struct {
	URLs     []string `cbor:"urls"`
	Username string   `cbor:"username"`
	Password string   `cbor:"password"`
}

// OfferCall renews ICE credentials or appends video slots.
type OfferCall struct {
	Call  CallID `cbor:"call"`
	Offer string `cbor:"offer"`
}
type CallAnswer struct {
	Answer string `cbor:"answer"`
}

// ViewCall says what a receiver shows in its video slots; slots that are not
// named are empty.
type ViewCall struct {
	Call  CallID     `cbor:"call"`
	Views []CallView `cbor:"views"`
}
type CallView struct {
	Mid    string `cbor:"mid"`
	Number uint32 `cbor:"n"`
	Source Source `cbor:"source"`
	Height int    `cbor:"height"` // pixels that it has on screen
}

// CallSealed carries a sealed signal: with call.state it is kept for who comes
// later, with call.signal it goes to all, or to To alone.
type CallSealed struct {
	Call CallID `cbor:"call"`
	To   uint32 `cbor:"to,omitempty"`
	Body Sealed `cbor:"body"`
}

// RingCall asks people to answer; none named means all members but those who
// are in, up to MaxRing.
type RingCall struct {
	Call     CallID      `cbor:"call"`
	Accounts []AccountID `cbor:"accounts,omitempty"`
}

// DeclineCall ends the ring on all of the account's devices.
type DeclineCall struct {
	Call CallID `cbor:"call"`
	Busy bool   `cbor:"busy,omitempty"`
}

// CallPerson names somebody in a call: to remove, or to refuse who knocks.
type CallPerson struct {
	Call    CallID    `cbor:"call"`
	Account AccountID `cbor:"account"`
}

// CallLink is the secret part of a link to a call.
type CallLink struct {
	Token []byte `cbor:"token"` // 16 bytes
}
type KnockCall struct {
	Call  CallID `cbor:"call"`
	Token []byte `cbor:"token"`
}

// CallTest are the paths to the server that a device may try, each with a
// token that makes the server answer.
type CallTest struct {
	Offer string `cbor:"offer"` // of a connection that sends and receives its own sound
}

// Ring is told to the devices of who is called.
type Ring struct {
	Call  CallID    `cbor:"call"`
	Room  RoomID    `cbor:"room"`
	By    AccountID `cbor:"by"`
	Video bool      `cbor:"video,omitempty"`
	Until Millis    `cbor:"until"`
}

// RingEndReason says why it rings no more.
type RingEndReason string

const (
	RingAnswered  RingEndReason = "answered"  // on some device of the account
	RingDeclined  RingEndReason = "declined"  // on some device of the account
	RingCancelled RingEndReason = "cancelled" // the caller left or the call ended
	RingExpired   RingEndReason = "expired"
)

type RingEnd struct {
	Call CallID        `cbor:"call"`
	Why  RingEndReason `cbor:"why"`
}

// RingState is how somebody who was rung stands.
type RingState string

const (
	RingRinging RingState = "ringing"
	RingRefused RingState = "declined"
	RingBusy    RingState = "busy"
	RingNone    RingState = "none" // no device, or nobody answered in time
)

type RingAnswer struct {
	Call    CallID    `cbor:"call"`
	Account AccountID `cbor:"account"`
	How     RingState `cbor:"how"`
}

// CallPeople says who came and who went, to participants. A device that missed
// a version asks call.get.
type CallPeople struct {
	Call    CallID            `cbor:"call"`
	Version int64             `cbor:"version"`
	Joined  []CallParticipant `cbor:"joined,omitempty"` // or changed
	Left    []uint32          `cbor:"left,omitempty"`
}

// CallSlots is who is in the asking participant's slots: the whole list.
type CallSlots struct {
	Call  CallID     `cbor:"call"`
	Slots []CallSlot `cbor:"slots"`
}
type CallSlot struct {
	Mid    string `cbor:"mid"`
	Number uint32 `cbor:"n"`
	Source Source `cbor:"source"`
	Layer  string `cbor:"layer,omitempty"`  // rid of the layer that is sent, video
	Paused bool   `cbor:"paused,omitempty"` // the receiver's bandwidth does not carry it
}

// CallSpeakers is who is heard just now, loudest first, at most five times a
// second.
type CallSpeakers struct {
	Call    CallID   `cbor:"call"`
	Numbers []uint32 `cbor:"numbers"`
}

// CallQuality is how the asking participant's network does, every 2 seconds.
type CallQuality struct {
	Call     CallID `cbor:"call"`
	LossUp   int    `cbor:"loss_up"`   // of 1,000 packets
	LossDown int    `cbor:"loss_down"` // of 1,000 packets
	RTT      int    `cbor:"rtt"`       // milliseconds, 0 unknown
	Down     int    `cbor:"down"`      // bit/s that the server thinks it may send
	Path     string `cbor:"path"`      // "udp", "tcp", "tls"
}

// CallPause tells a sender which layers nobody looks at.
type CallPause struct {
	Call   CallID      `cbor:"call"`
	Layers []CallLayer `cbor:"layers"` // that are wanted; the others may stop
}
type CallLayer struct {
	Source Source `cbor:"source"`
	RID    string `cbor:"rid,omitempty"`
}

// CallSignal is a sealed signal of a participant; State if it is a call.state.
type CallSignal struct {
	Call   CallID `cbor:"call"`
	Number uint32 `cbor:"n"`
	Body   Sealed `cbor:"body"`
	State  bool   `cbor:"state,omitempty"`
}

// CallKnock asks owners whether somebody may come in.
type CallKnock struct {
	Call    CallID    `cbor:"call"`
	Account AccountID `cbor:"account"`
}

// CallGoneReason says why a device is no longer a participant.
type CallGoneReason string

const (
	GoneRemoved  CallGoneReason = "removed"  // by an owner, or taken out of the room
	GoneReplaced CallGoneReason = "replaced" // the device joined again
	GoneLost     CallGoneReason = "lost"     // nothing was heard of it
	GoneEnded    CallGoneReason = "ended"
	GoneRefused  CallGoneReason = "refused" // the owner does not let the guest in
)

// CallGone tells a device that it takes part no longer. Number is zero for who
// was never in.
type CallGone struct {
	Call   CallID         `cbor:"call"`
	Number uint32         `cbor:"n,omitempty"`
	Why    CallGoneReason `cbor:"why"`
}

const (
	MaxSDP          = 64 << 10
	MaxCallSealed   = 1 << 10
	MaxCallViews    = 25
	MaxCallBrief    = 12 // participants named to who is not in the call
	MaxRing         = 32
	MaxParticipants = 1000
)

var (
	CallStart   = Method[StartCall, Call]{"call.start", MaxSmall}
	CallList    = Method[None, Calls]{"call.list", MaxSmall} // of all the account's rooms
	CallGet     = Method[CallRef, Call]{"call.get", MaxSmall}
	CallJoin    = Method[JoinCall, CallJoined]{"call.join", MaxSDP + MaxSmall}
	CallOffer   = Method[OfferCall, CallAnswer]{"call.offer", MaxSDP + MaxSmall}
	CallLeave   = Method[CallRef, None]{"call.leave", MaxSmall}
	CallViewing = Method[ViewCall, None]{"call.view", MaxSmall}
	CallState   = Method[CallSealed, None]{"call.state", MaxSmall}
	CallSay     = Method[CallSealed, None]{"call.signal", MaxSmall}
	CallRing    = Method[RingCall, None]{"call.ring", MaxSmall}
	CallDecline = Method[DeclineCall, None]{"call.decline", MaxSmall}
	CallRemove  = Method[CallPerson, None]{"call.remove", MaxSmall}
	CallMakeURL = Method[CallRef, CallLink]{"call.link", MaxSmall}
	CallKnocks  = Method[KnockCall, None]{"call.knock", MaxSmall}
	CallRefuse  = Method[CallPerson, None]{"call.refuse", MaxSmall}
	CallTry     = Method[CallTest, CallJoined]{"call.test", MaxSDP + MaxSmall}

	OnCall         = Event[Call]{"call"}
	OnRing         = Event[Ring]{"ring"}
	OnRingEnd      = Event[RingEnd]{"ring_end"}
	OnRingAnswer   = Event[RingAnswer]{"call_answer"}
	OnCallPeople   = Event[CallPeople]{"call_people"}
	OnCallSlots    = Event[CallSlots]{"call_slots"}
	OnCallSpeakers = Event[CallSpeakers]{"call_speakers"}
	OnCallQuality  = Event[CallQuality]{"call_quality"}
	OnCallPause    = Event[CallPause]{"call_pause"}
	OnCallSignal   = Event[CallSignal]{"call_signal"}
	OnCallKnock    = Event[CallKnock]{"call_knock"}
	OnCallGone     = Event[CallGone]{"call_gone"}
)
