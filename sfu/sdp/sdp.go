// Package sdp reads the offer of a device that joins a call and writes the answer.
//
// An offer has one shape, docs/spec/calls.md#joining: microphone, camera, screen and
// the screen's sound, which the device sends, then slots for sound and slots for
// pictures, which it receives, all in one bundle. Anything else is refused with an
// Error whose text tells what, and nothing of a refused offer is kept. What is
// accepted is turned into a few numbers: the forwarder never sees SDP.
//
// The sources are RFC 8866 (SDP), 8829 (JSEP), 8839 (ICE), 8843 (bundles), 8853 and
// 8851 (simulcast, rid), 8285 (header extensions), 7587 (Opus), 2198 (RED), 7741
// (VP8), 9628 (VP9), 4588 (RTX).
package sdp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/veche-im/veche/sfu/dtls"
	"github.com/veche-im/veche/sfu/ice"
)

// Limits, docs/spec/calls.md#limits.
const (
	MaxSize       = 64 << 10 // bytes of an offer
	MaxSections   = 64
	MaxAudioSlots = 32
	MaxVideoSlots = 25

	maxCandidates = 32
	maxLayers     = 3
	maxSSRCs      = 8 // named by one sending section
	maxAttributes = 2048
	maxToken      = 32 // characters of a mid
)

// Error says what is wrong with an offer, and in which m-line of it, from 0; -1 is
// the whole offer.
type Error struct {
	Section int
	Text    string
}

func (e *Error) Error() string {
	if e.Section < 0 {
		return "sdp: " + e.Text
	}
	return fmt.Sprintf("sdp: m-line %d: %s", e.Section, e.Text)
}

func refuse(section int, format string, args ...any) error {
	return &Error{Section: section, Text: fmt.Sprintf(format, args...)}
}

// Kind is what a section is for.
type Kind uint8

// The kinds, in the order of an offer.
const (
	Microphone Kind = iota
	Camera
	Screen
	ScreenSound
	AudioSlot
	VideoSlot
)

func (k Kind) String() string {
	return [...]string{"microphone", "camera", "screen", "sound of the screen", "audio slot", "video slot"}[k]
}

// Video reports whether k carries pictures.
func (k Kind) Video() bool { return k == Camera || k == Screen || k == VideoSlot }

// Sends reports whether the device sends it.
func (k Kind) Sends() bool { return k <= ScreenSound }

// Coding is a format of media.
type Coding uint8

// The codings that are forwarded.
const (
	Opus Coding = iota
	RED         // of Opus
	VP8
	VP9 // profile 0
	AV1
)

func (c Coding) String() string { return [...]string{"opus", "red", "VP8", "VP9", "AV1"}[c] }

func (c Coding) clock() int {
	if c == Opus || c == RED {
		return 48_000
	}
	return 90_000
}

// Codec is a Coding under the numbers of one device.
type Codec struct {
	Coding Coding
	PT     uint8
	RTX    uint8 // payload type of its retransmissions; 0 is none
}

// SSRC is a source that an offer names, with that of its retransmissions or 0.
type SSRC struct{ Media, RTX uint32 }

// Extensions are the numbers under which a device knows header extensions; 0 is one
// that it has not.
type Extensions struct {
	AudioLevel  uint8 // RFC 6464
	TransportCC uint8 // transport-wide sequence numbers
	MID         uint8 // RFC 9143
	RID         uint8 // RFC 8852
	RepairedRID uint8
}

// uris tells where in Extensions the number of each URI stands.
func (e *Extensions) uris() []extension {
	return []extension{
		{"urn:ietf:params:rtp-hdrext:ssrc-audio-level", &e.AudioLevel},
		{"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", &e.TransportCC},
		{"urn:ietf:params:rtp-hdrext:sdes:mid", &e.MID},
		{"urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", &e.RID},
		{"urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id", &e.RepairedRID},
	}
}

type extension struct {
	uri string
	id  *uint8
}

// Section is one m-line.
type Section struct {
	Kind Kind
	MID  string

	// Codecs are those that are used here. Of a picture that the device sends there
	// is one, the first of its offer that is forwarded; a slot has all, because it
	// shows now this sender, now that one. RED stands before Opus.
	Codecs []Codec

	Extensions Extensions
	Layers     []string // rids of the camera, of "q", "h", "f", in the order of the offer; none without simulcast
	SSRCs      []SSRC   // that the device announced here; a camera with layers announces none
}

// Offer is what a device offers.
type Offer struct {
	ICE         ice.Credentials
	Fingerprint dtls.Fingerprint
	Sections    []Section
	reducedRTCP bool // RFC 5506
	mixed       bool // one- and two-byte header extensions in one stream, RFC 8285
}

// AudioSlots and the like count sections.
func (o *Offer) count(k Kind) (n int) {
	for i := range o.Sections {
		if o.Sections[i].Kind == k {
			n++
		}
	}
	return n
}

// AudioSlots is the number of audio slots.
func (o *Offer) AudioSlots() int { return o.count(AudioSlot) }

// VideoSlots is the number of video slots.
func (o *Offer) VideoSlots() int { return o.count(VideoSlot) }

// Follows checks that o may come after an earlier offer of the same participant: the
// same sections, more video slots at most, the same certificate. It reports whether o
// restarts ICE.
func (o *Offer) Follows(earlier *Offer) (restart bool, err error) {
	if o.Fingerprint.String() != earlier.Fingerprint.String() {
		return false, refuse(-1, "another certificate than in the first offer")
	}
	if len(o.Sections) < len(earlier.Sections) {
		return false, refuse(-1, "%d m-lines, where there were %d", len(o.Sections), len(earlier.Sections))
	}
	for i := range o.Sections {
		s := &o.Sections[i]
		if i >= len(earlier.Sections) {
			if s.Kind != VideoSlot {
				return false, refuse(i, "a new %s: only video slots may be added", s.Kind)
			}
			continue
		}
		if was := &earlier.Sections[i]; !s.same(was) {
			return false, refuse(i, "changes what the %s was", was.Kind)
		}
	}
	return o.ICE != earlier.ICE, nil
}

// same compares what must not change.
func (s *Section) same(t *Section) bool {
	return s.Kind == t.Kind && s.MID == t.MID && s.Extensions == t.Extensions &&
		slices.Equal(s.Codecs, t.Codecs) && slices.Equal(s.Layers, t.Layers)
}

// Candidate is an address at which devices reach the forwarder.
type Candidate struct {
	Addr netip.AddrPort
	TCP  bool // ICE-TCP, passive (RFC 6544)
}

// Source is what the forwarder sends into a slot.
type Source struct {
	SSRC  uint32
	RTX   uint32 // 0 is none; only for video
	CName string // RFC 8834 §4.9; also names the stream
}

// Answer is the forwarder's side.
type Answer struct {
	ICE         ice.Credentials
	Fingerprint dtls.Fingerprint
	Candidates  []Candidate // best first
	Slots       []Source    // for each slot of the offer, in its order
}
