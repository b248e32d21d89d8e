package sfu

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	pionrtp "github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// newServer starts a Server on a free port of loopback.
func newServer(t testing.TB, change ...func(*Config)) *Server {
	t.Helper()
	cfg := Config{UDP: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ear is a Listener that remembers.
type ear struct {
	mu      sync.Mutex
	slots   []Slot
	layers  []Layer
	levels  []Level
	quality []Quality
	alive   []bool
	gone    []Reason
	late    int // calls after Gone
}

func (e *ear) hear(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.gone) > 0 {
		e.late++
	}
	f()
}

func (e *ear) Slots(s []Slot)    { e.hear(func() { e.slots = s }) }
func (e *ear) Levels(l []Level)  { e.hear(func() { e.levels = l }) }
func (e *ear) Quality(q Quality) { e.hear(func() { e.quality = append(e.quality, q) }) }
func (e *ear) Pause(l []Layer)   { e.hear(func() { e.layers = l }) }
func (e *ear) Alive(a bool)      { e.hear(func() { e.alive = append(e.alive, a) }) }
func (e *ear) Gone(r Reason)     { e.hear(func() { e.gone = append(e.gone, r) }) }

// get reads from e under its lock.
func get[T any](e *ear, f func(*ear) T) T {
	e.mu.Lock()
	defer e.mu.Unlock()
	return f(e)
}

// peer is a participant made of another implementation.
type peer struct {
	ear
	t    testing.TB
	s    *Server
	call CallID
	id   uint32
	pc   *webrtc.PeerConnection
	mic  *webrtc.TrackLocalStaticRTP
	echo bool

	level, mid uint8 // of header extensions

	heardMu sync.Mutex
	heard   map[string][]*packet // by mid of the slot
	via     *badLink             // nil: none
}

type packet = pionrtp.Packet

var restart = &webrtc.OfferOptions{ICERestart: true}

var testCall = CallID{1, 2, 3}

// api is a client as browsers are: GCM offered, on loopback.
func api(t testing.TB) *webrtc.API { return apiOn(t, webrtc.NetworkTypeUDP4) }

func apiOn(t testing.TB, networks ...webrtc.NetworkType) *webrtc.API {
	t.Helper()
	var engine webrtc.SettingEngine
	engine.SetIncludeLoopbackCandidate(true)
	engine.SetIPFilter(nil)
	engine.SetNetworkTypes(networks)
	engine.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM)
	engine.SetICETimeouts(20*time.Second, 40*time.Second, time.Second)
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{"urn:ietf:params:rtp-hdrext:ssrc-audio-level", "urn:ietf:params:rtp-hdrext:sdes:mid"} {
		if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeAudio); err != nil {
			t.Fatal(err)
		}
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(engine), webrtc.WithMediaEngine(media))
}

// newPeer makes a participant that has not joined yet.
func newPeer(t testing.TB, s *Server, call CallID, id uint32, slots int) *peer {
	t.Helper()
	return newPeerBy(t, s, call, id, slots, api(t), webrtc.Configuration{})
}

// newPeerBy is newPeer for a network of another kind.
func newPeerBy(t testing.TB, s *Server, call CallID, id uint32, slots int, by *webrtc.API, cfg webrtc.Configuration) *peer {
	t.Helper()
	pc, err := by.NewPeerConnection(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, s: s, call: call, id: id, pc: pc, heard: map[string][]*packet{}}
	t.Cleanup(func() { _ = pc.Close() })
	p.mic, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "mic", "mic")
	if err != nil {
		t.Fatal(err)
	}
	send := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}
	receive := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	if _, err := pc.AddTransceiverFromTrack(p.mic, send); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := pc.AddTransceiverFromKind(kind, send); err != nil {
			t.Fatal(err)
		}
	}
	for range slots {
		if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, receive); err != nil {
			t.Fatal(err)
		}
	}
	pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		mid := ""
		for _, tr := range pc.GetTransceivers() {
			if tr.Receiver() == receiver {
				mid = tr.Mid()
			}
		}
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			p.heardMu.Lock()
			p.heard[mid] = append(p.heard[mid], packet)
			p.heardMu.Unlock()
		}
	})
	return p
}

// offer makes an offer and waits for its candidates.
func (p *peer) offer(options *webrtc.OfferOptions) string {
	p.t.Helper()
	o, err := p.pc.CreateOffer(options)
	if err != nil {
		p.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(o); err != nil {
		p.t.Fatal(err)
	}
	<-gathered
	return p.pc.LocalDescription().SDP
}

// connected says whether media can flow. pc.ConnectionState may call it "connecting"
// for ever: the library stores what it finds when ICE is ready, and when DTLS is, and
// where both are at once the older of the two may be stored last.
func connected(pc *webrtc.PeerConnection) bool {
	return pc.ICEConnectionState() == webrtc.ICEConnectionStateConnected && pc.SCTP().Transport().State() == webrtc.DTLSTransportStateConnected
}

func (p *peer) answer(text string) {
	p.t.Helper()
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: text}); err != nil {
		p.t.Fatalf("the answer is not taken: %v\n%s", err, text)
	}
}

// join joins, through p.via if that is set, and waits until media can flow.
func (p *peer) join() *peer {
	p.t.Helper()
	a, err := p.s.Join(context.Background(), Join{Call: p.call, Participant: p.id, Offer: p.offer(nil), Local: netip.MustParseAddr("127.0.0.1"), Listener: &p.ear, Echo: p.echo})
	if err != nil {
		p.t.Fatal(err)
	}
	if p.via != nil {
		a.SDP = p.via.redirect(a.SDP, p.s.Addr())
	}
	p.answer(a.SDP)
	p.wait("the connection", func() bool { return connected(p.pc) })
	p.wait("the server's side", func() bool {
		q, err := p.s.find(p.call, p.id)
		return err == nil && q.egress.Load() != nil
	})
	for _, e := range p.pc.GetSenders()[0].GetParameters().HeaderExtensions {
		switch e.URI {
		case "urn:ietf:params:rtp-hdrext:ssrc-audio-level":
			p.level = uint8(e.ID)
		case "urn:ietf:params:rtp-hdrext:sdes:mid":
			p.mid = uint8(e.ID)
		}
	}
	return p
}

// wait waits for a condition, and fails the test after a minute.
func wait(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (p *peer) wait(what string, done func() bool) {
	p.t.Helper()
	wait(p.t, what, done)
}

// say sends one packet.
func (p *peer) say(seq uint16, time uint32, level uint8, payload string) {
	p.t.Helper()
	out := &packet{Header: pionrtp.Header{Version: 2, SequenceNumber: seq, Timestamp: time}, Payload: []byte(payload)}
	if p.level != 0 {
		if err := out.SetExtension(p.level, []byte{level}); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := p.mic.WriteRTP(out); err != nil {
		p.t.Fatal(err)
	}
}

// texts are the payloads that came, of all slots, in the order of each.
func (p *peer) texts() []string {
	p.heardMu.Lock()
	defer p.heardMu.Unlock()
	var all []string
	for _, mid := range slices.Sorted(func(yield func(string) bool) {
		for m := range p.heard {
			if !yield(m) {
				return
			}
		}
	}) {
		for _, packet := range p.heard[mid] {
			all = append(all, string(packet.Payload))
		}
	}
	return all
}
