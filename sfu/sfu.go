package sfu

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"
)

// What callers may test for.
var (
	ErrNoCall   = errors.New("sfu: no such call or participant")
	ErrFull     = errors.New("sfu: the call is full")
	ErrTaken    = errors.New("sfu: the participant's number is taken")
	ErrBadOffer = errors.New("sfu: offer refused")
	ErrClosed   = errors.New("sfu: closed")
)

// CallID names a call.
type CallID [16]byte

// Source is what a participant sends. The numbers are those of the key ids in
// docs/spec/calls.md#keys.
type Source uint8

// The sources.
const (
	Microphone  Source = 0
	Camera      Source = 1
	Screen      Source = 2
	ScreenSound Source = 3
)

// Audio says whether s is sound.
func (s Source) Audio() bool { return s == Microphone || s == ScreenSound }

// Config says what a Server works with. Log is required.
type Config struct {
	UDP     string       // address of the media port, "host:port"; ":0" takes a free one
	TCP     uint16       // port at which ICE-TCP reaches this server, told in candidates; 0: none
	Public  []netip.Addr // addresses told to devices before any other; empty: see Join.Local
	Workers int          // most sockets, each with a worker of its own; 0: as many as there are processors

	Speakers        int // audio streams of a call; 0: 8. At most 32
	MaxParticipants int // in one call; 0: 1,000

	Log *slog.Logger
	Now func() time.Time // nil: time.Now
	Tap Tap              // nil but in tests

	listen func() (socket, error) // opens another socket of the media port; nil but in tests
}

// Join asks that a participant be taken into a call, which begins with its
// first participant and ends with its last.
type Join struct {
	Call        CallID
	Participant uint32     // used once in that call
	Offer       string     // SDP, as docs/spec/calls.md#joining describes it
	Local       netip.Addr // where the device's own connection reached the server; may be zero
	Echo        bool       // a call for one, who hears itself
	Listener    Listener   // required
}

// Answer is what a participant gets for its offer.
type Answer struct {
	SDP string
}

// Slot is what one receiving m-line of a participant carries now.
type Slot struct {
	MID         string
	Participant uint32
	Source      Source
	Layer       string // rid of the forwarded layer: q, h, f or empty
	Paused      bool   // nothing fits through the receiver's network now
}

// View is what a participant wants to see in one of its video slots.
type View struct {
	MID         string
	Participant uint32 // 0: nothing
	Source      Source // Camera or Screen
	Height      int    // pixels of the place where it is shown
}

// Level is how loud a participant is, as its own device states it.
type Level struct {
	Participant uint32
	Level       uint8 // -dBov, 0 is the loudest, 127 silence (RFC 6464)
}

// Layer is one encoding of a source, paused when nobody looks at it.
type Layer struct {
	Source Source
	RID    string
	Paused bool
}

// Quality is how the network between a participant and this server does,
// measured over the last seconds.
type Quality struct {
	Up    float64       // part of what the device sent that did not arrive, 0 to 1
	Down  float64       // part of what was sent to the device that did not arrive, as it reports
	RTT   time.Duration // 0: not known yet
	Rate  int           // estimated downlink in bits per second; 0: not known
	Relay bool          // over TCP
}

// Reason is why a participant is gone.
type Reason string

// The reasons.
const (
	Left   Reason = "left"   // Leave was called
	Silent Reason = "silent" // nothing was heard for 60 s, or the handshake never came
	Closed Reason = "closed" // the device ended its DTLS session, or this server was closed
	Failed Reason = "failed" // a fault of ours or the device's, which was logged
)

// Listener hears what happens to one participant. It is called from the
// forwarder's own goroutines, one call at a time, and must not block.
type Listener interface {
	Slots([]Slot)    // the whole list, when it changed
	Quality(Quality) // every 2 s
	Levels([]Level)  // of those on air in the call, at most every 200 ms, when it changed
	Pause([]Layer)   // the whole list, when it changed
	Alive(bool)      // false after 3 s without a packet, true with the next one
	Gone(Reason)     // once, and the last
}

// Tap sees every RTP payload between opening and sealing. Tests prove with it
// that what is forwarded is what was sent and that nothing in it is plain.
// It is called on the media path and must not keep payload.
type Tap func(call CallID, from uint32, source Source, payload []byte)

// Stats counts what a Server has done since New.
type Stats struct {
	Calls, Participants int
	Workers             int

	PacketsIn, PacketsOut uint64 // RTP and RTCP, SRTP bytes on the wire below
	BytesIn, BytesOut     uint64
	Sends                 uint64 // system calls for PacketsOut would be at most this many
	Dropped               Dropped
}

// Dropped counts packets that were thrown away, by reason.
type Dropped struct {
	Stranger  uint64 // from an address that is nobody's
	Malformed uint64 // neither STUN nor DTLS nor RTP, or longer than allowed
	Rate      uint64 // beyond a participant's or an address's limit
	SSRC      uint64 // a source that was not offered, or one of our own coming back
	Sealed    uint64 // did not open: forged, damaged, replayed
	Quiet     uint64 // not on air
	Full      uint64 // the system would not take them
}
