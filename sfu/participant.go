package sfu

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/sfu/audio"
	"github.com/veche-im/veche/sfu/bwe"
	"github.com/veche-im/veche/sfu/dtls"
	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/rtp"
	"github.com/veche-im/veche/sfu/sdp"
	"github.com/veche-im/veche/sfu/srtp"
)

// Limits of one participant, docs/spec/calls.md#limits.
const (
	packetRate  = 2000           // RTP packets a second
	byteRate    = 12_000_000 / 8 // and bytes
	soundRate   = 150            // packets a second of one source of sound: 10 ms in each, and half as many again
	reportRate  = 200            // RTCP packets a second
	helloRate   = 50             // DTLS packets a second
	maxInputs   = 16             // SSRCs: 6 sources and layers, their RTX, and room to change one
	maxRetired  = 32             // SSRCs that were given up; nobody changes that often
	maxStreams  = 32             // audio slots that are used
	touchEvery  = 100 * time.Millisecond
	silentAfter = 3 * time.Second
	goneAfter   = 60 * time.Second
)

// coding is what is inside a payload, as far as a receiver must be told: each of
// them chose its own payload type for it.
type coding uint8

const (
	codingNone coding = iota
	codingOpus
	codingRED
	codingVP8
	codingVP9
	codingRepair // RTX
	codings
)

// A participant is one device in one call.
type participant struct {
	call     *call // call, id, agent and listener never change
	id       uint32
	agent    *ice.Agent
	listener Listener
	plan     *plan
	viewer   *viewer // never nil; without video slots it has no places
	session  *dtls.Session
	joined   time.Duration
	local    netip.Addr // where its own connection reached the server

	egress atomic.Pointer[egress] // nil until the handshake is done
	last   atomic.Int64           // when an authentic packet came, as Server.now; -1: none yet
	rtcpNo atomic.Uint32          // index of the last RTCP packet to it
	down   atomic.Uint32          // loss that it reports, smoothed, in 1/65536
	gone   atomic.Bool
	owes   atomic.Bool // key frames are wanted of it

	farewell atomic.Pointer[ice.Path] // where it was when it ended

	negotiating sync.Mutex // guards what follows
	offer       *sdp.Offer
	sources     []sdp.Source // of the slots, in the order of offer

	mu       sync.Mutex // guards what follows; taken before call.mu
	opener   *srtp.Opener
	inputs   []*input
	retired  []uint32 // SSRCs that others replaced
	arrivals bwe.Recorder
	limit    limit
	reports  bucket
	hellos   bucket

	told told // the keeper's own
}

func newParticipant(c *call, j Join, offer *sdp.Offer) *participant {
	plan, sources := newPlan(c, offer)
	p := &participant{
		call: c, id: j.Participant, listener: j.Listener, plan: plan, joined: c.s.now(), local: j.Local,
		offer: offer, sources: sources,
		limit:   limit{packets: newBucket(packetRate), bytes: newBucket(byteRate)},
		reports: newBucket(reportRate), hellos: newBucket(helloRate),
	}
	p.last.Store(-1)
	p.viewer = newViewer()
	p.viewer.take(offer, sources)
	p.inputs = plan.inputs(p)
	return p
}

// track is one source of a participant.
type track struct {
	source Source
	mid    string
	clock  uint32 // Hz
	types  map[uint8]coding
	ssrcs  []sdp.SSRC // that the offer announces
	rids   []string   // in the order of the offer

	limit    bucket    // of sound; guarded by participant.mu
	pictures *pictures // nil for sound, and for codings that are not forwarded

	voice audio.Voice // guarded by call.mu
	onAir atomic.Bool // voice has a stream; changes under call.mu
}

// egress is what sealing for a receiver needs. It never changes, so that any
// worker may use it: a receiver's audio has no other state.
type egress struct {
	sealer *srtp.Sealer
	types  [codings]uint8
	// base is, for each stream, the index that this receiver gets as 0. A receiver
	// begins each SSRC with rollover counter 0 (RFC 3711 section 3.3.1), so a
	// stream that has turned over must not look so to who comes later; and nobody
	// may begin shortly before a turn, or the first packet lost would put its
	// counter wrong for ever.
	base []uint64
}

// input is one SSRC of a participant. Its mu guards it, but what is said.
type input struct {
	ssrc    uint32
	track   *track
	owner   *participant
	rid     string
	repairs bool // RTX
	seen    srtp.Stream
	got     reception
	skipped uint8 // packets in a row that were not opened
	kept    *kept
}

// handshakes takes a DTLS packet, unless there are too many.
func (p *participant) handshakes(b []byte, now time.Duration) bool {
	p.mu.Lock()
	ok := p.hellos.take(1, now)
	p.mu.Unlock()
	if ok {
		p.session.Receive(b)
	}
	return ok
}

// heard notes that an authentic packet came.
func (p *participant) heard(now time.Duration) {
	if last := p.last.Load(); int64(now)-last > int64(touchEvery) || last < 0 {
		p.last.Store(int64(now))
	}
}

// input finds the source of a packet by its SSRC, or by its mid and rid if the
// SSRC is new (RFC 9143 section 9.2); nil if it was not offered. mu is held.
func (p *participant) input(h *rtp.Header) (in *input, known bool) {
	for _, in := range p.inputs {
		if in.ssrc == h.SSRC {
			return in, true
		}
	}
	mid := h.Extension(p.plan.mid)
	if len(mid) == 0 || p.call.owns(h.SSRC) || slices.Contains(p.retired, h.SSRC) {
		return nil, false
	}
	for _, t := range p.plan.tracks {
		if t.mid != string(mid) {
			continue
		}
		in := &input{ssrc: h.SSRC, track: t, owner: p}
		rid := h.Extension(p.plan.rid)
		if repaired := h.Extension(p.plan.rrid); len(repaired) > 0 {
			rid, in.repairs = repaired, true
		}
		if !t.has(rid) {
			return nil, false
		}
		in.rid = string(rid)
		return in, false
	}
	return nil, false
}

// has says whether rid is a layer of t, or absent where there are none.
func (t *track) has(rid []byte) bool {
	for _, l := range t.rids {
		if l == string(rid) {
			return true
		}
	}
	return len(t.rids) == 0 && len(rid) == 0
}

// learn takes an SSRC that proved to be p's, in place of the one that had its mid
// and rid before, which must not come back: what was seen of it is forgotten, so its
// packets could be played again. mu is held.
func (p *participant) learn(in *input) bool {
	for i, old := range p.inputs {
		if old.track != in.track || old.rid != in.rid || old.repairs != in.repairs {
			continue
		}
		if len(p.retired) >= maxRetired {
			return false
		}
		p.retired = append(p.retired, old.ssrc)
		p.inputs[i] = in
		return true
	}
	if len(p.inputs) >= maxInputs {
		return false
	}
	p.inputs = append(p.inputs, in)
	return true
}

// keyed begins media: the handshake is done.
func (p *participant) keyed(in, out srtp.Key, now time.Duration) error {
	opener, err := srtp.NewOpener(in)
	if err != nil {
		return err
	}
	sealer, err := srtp.NewSealer(out)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.opener = opener
	p.mu.Unlock()
	p.heard(now)
	p.call.begin(p, sealer)
	return nil
}

// reception is what a receiver report says of one SSRC (RFC 3550 section 6.4.1).
type reception struct {
	started        bool
	first, highest uint64
	packets        uint64
	transit        int64 // of the newest packet, in units of its clock
	jitter         int64 // the same, times 16

	lastNTP uint32 // the middle bits of the last sender report's time
	lastAt  time.Duration

	wasExpected, wasPackets uint64 // at the last report
}

// add counts an authentic packet.
func (r *reception) add(index uint64, stamp, clock uint32, now time.Duration) {
	r.packets++
	transit := int64(uint32(int64(now)*int64(clock)/int64(time.Second)) - stamp)
	if !r.started {
		r.started, r.first, r.highest, r.transit = true, index, index, transit
		return
	}
	if index <= r.highest {
		r.first = min(r.first, index)
		return
	}
	r.highest = index
	d := int64(int32(transit - r.transit))
	r.transit = transit
	if d < 0 {
		d = -d
	}
	r.jitter += d - (r.jitter+8)>>4
}

// limit bounds what one participant may send.
type limit struct{ packets, bytes bucket }

func (l *limit) take(size int, now time.Duration) bool {
	return l.packets.take(1, now) && l.bytes.take(float64(size), now)
}

// bucket is a token bucket that holds what a second gives. It begins full.
type bucket struct {
	rate   float64 // a second
	tokens float64
	at     time.Duration
}

func newBucket(rate float64) bucket { return bucket{rate: rate, tokens: rate} }

func (b *bucket) take(n float64, now time.Duration) bool {
	if passed := now - b.at; passed > 0 {
		b.tokens = min(b.rate, b.tokens+b.rate*passed.Seconds())
		b.at = now
	}
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}
