package sfu

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	pionrtp "github.com/pion/rtp"
	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"
)

// videoAPI is a client as browsers are, with everything that pictures need: NACK and
// RTX, transport-wide feedback, rids. on is its network; nil is the machine's.
func videoAPI(t testing.TB, on transport.Net) *webrtc.API {
	t.Helper()
	var engine webrtc.SettingEngine
	engine.SetNet(on)
	engine.SetIncludeLoopbackCandidate(on == nil)
	engine.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	engine.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	engine.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM)
	engine.SetICETimeouts(30*time.Second, 60*time.Second, time.Second)
	media, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(media.RegisterDefaultCodecs())
	check(media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}, webrtc.RTPCodecTypeAudio))
	check(media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: "urn:ietf:params:rtp-hdrext:sdes:mid"}, webrtc.RTPCodecTypeAudio))
	check(webrtc.ConfigureSimulcastExtensionHeaders(media))
	check(webrtc.ConfigureNack(media, registry))
	check(webrtc.ConfigureRTCPReports(registry))
	check(webrtc.ConfigureTWCCHeaderExtensionSender(media, registry))
	check(webrtc.ConfigureTWCCSender(media, registry))
	return webrtc.NewAPI(webrtc.WithSettingEngine(engine), webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry))
}

// newVideoPeer makes a participant with a camera of three layers, a screen, and
// slots for pictures.
func newVideoPeer(t testing.TB, s *Server, call CallID, id uint32, slots int) *videoPeer {
	t.Helper()
	return newVideoPeerBy(t, s, call, id, slots, videoAPI(t, nil))
}

// newVideoPeerBy is newVideoPeer for a network of another kind.
func newVideoPeerBy(t testing.TB, s *Server, call CallID, id uint32, slots int, by *webrtc.API) *videoPeer {
	t.Helper()
	pc, err := by.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	p := &videoPeer{peer: peer{t: t, s: s, call: call, id: id, pc: pc, heard: map[string][]*pionrtp.Packet{}}, views: map[string]*screenView{}, stop: make(chan struct{})}
	t.Cleanup(func() {
		close(p.stop)
		_ = pc.Close()
		p.tasks.Wait()
	})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p.mic, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "mic", "mic")
	check(err)
	send := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}
	_, err = pc.AddTransceiverFromTrack(p.mic, send)
	check(err)
	vp8 := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
	var camera *webrtc.RTPTransceiver
	for i, rid := range rids {
		track, err := webrtc.NewTrackLocalStaticRTP(vp8, "camera", "camera", webrtc.WithRTPStreamID(rid))
		check(err)
		if i == 0 {
			camera, err = pc.AddTransceiverFromTrack(track, send)
			check(err)
		} else {
			check(camera.Sender().AddEncoding(track))
		}
		p.layers = append(p.layers, &cameraLayer{p: p, id: i, rid: rid, source: Camera, track: track, sender: camera.Sender()})
	}
	track, err := webrtc.NewTrackLocalStaticRTP(vp8, "screen", "screen")
	check(err)
	screen, err := pc.AddTransceiverFromTrack(track, send)
	check(err)
	p.layers = append(p.layers, &cameraLayer{p: p, id: 3, source: Screen, track: track, sender: screen.Sender()})
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, send)
	check(err)
	receive := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, receive)
	check(err)
	for range slots {
		_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, receive)
		check(err)
	}
	pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		if track.Kind() != webrtc.RTPCodecTypeVideo {
			return
		}
		for _, tr := range pc.GetTransceivers() {
			if tr.Receiver() == receiver {
				p.watch(tr.Mid(), track)
			}
		}
	})
	return p
}

// videoPeer is a peer with pictures.
type videoPeer struct {
	peer
	layers []*cameraLayer
	stop   chan struct{}
	tasks  sync.WaitGroup

	viewMu sync.Mutex
	views  map[string]*screenView
}

// joinVideo joins, through p.via if that is set, and begins to send pictures.
func (p *videoPeer) joinVideo() *videoPeer {
	p.t.Helper()
	a, err := p.s.Join(p.t.Context(), Join{Call: p.call, Participant: p.id, Offer: p.offer(nil), Local: netip.MustParseAddr("127.0.0.1"), Listener: &p.ear})
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
	return p
}

// mids of the video slots.
func (p *videoPeer) mid(slot int) string {
	n := 0
	for _, tr := range p.pc.GetTransceivers() {
		if tr.Kind() == webrtc.RTPCodecTypeVideo && tr.Direction() == webrtc.RTPTransceiverDirectionRecvonly {
			if n == slot {
				return tr.Mid()
			}
			n++
		}
	}
	p.t.Fatal("no such slot")
	return ""
}

func (p *videoPeer) look(slot int, at uint32, source Source, height int) *screenView {
	p.t.Helper()
	mid := p.mid(slot)
	p.s.View(p.call, p.id, []View{{MID: mid, Participant: at, Source: source, Height: height}})
	return p.view(mid)
}

func (p *videoPeer) view(mid string) *screenView {
	p.viewMu.Lock()
	defer p.viewMu.Unlock()
	if p.views[mid] == nil {
		p.views[mid] = &screenView{p: p}
	}
	return p.views[mid]
}

// cameraLayer sends frames as a browser's encoder does.
type cameraLayer struct {
	p      *videoPeer
	id     int
	rid    string
	source Source
	track  *webrtc.TrackLocalStaticRTP
	sender *webrtc.RTPSender

	key    atomic.Bool
	asked  atomic.Int32 // key frames
	frames atomic.Int32
}

const frameEvery = 50 * time.Millisecond

// frameBytes of the layers of a camera and a screen: about 100, 300, 900, and 400
// kbit/s.
var frameBytes = []int{600, 1900, 5600, 2500}

// send sends until the peer is done.
func (l *cameraLayer) send() {
	l.key.Store(true)
	l.p.tasks.Go(func() {
		for {
			var packets []rtcp.Packet
			var err error
			if l.rid != "" {
				packets, _, err = l.sender.ReadSimulcastRTCP(l.rid)
			} else {
				packets, _, err = l.sender.ReadRTCP()
			}
			if err != nil {
				return
			}
			for _, r := range packets {
				if _, ok := r.(*rtcp.PictureLossIndication); ok {
					l.key.Store(true)
					l.asked.Add(1)
				}
			}
		}
	})
	l.p.tasks.Go(func() {
		clock := time.NewTicker(frameEvery)
		defer clock.Stop()
		seq, stamp, picture := uint16(rand.Uint32()), rand.Uint32(), uint16(rand.Uint32())
		for {
			select {
			case <-l.p.stop:
				return
			case <-clock.C:
			}
			stamp += uint32(frameEvery.Seconds() * 90000)
			if get(&l.p.ear, func(e *ear) bool { return e.paused(l.source, l.rid) }) {
				l.key.Store(true)
				continue
			}
			picture++
			seq = l.frame(seq, stamp, picture)
		}
	})
}

func (l *cameraLayer) frame(seq uint16, stamp uint32, picture uint16) uint16 {
	key, size := l.key.Swap(false), frameBytes[l.id]
	if key {
		size *= 2
	}
	number := l.frames.Add(1)
	n := (size + 1099) / 1100
	for i := range n {
		b := []byte{0x80, 0xc0, 0x80 | byte(picture>>8&0x7f), byte(picture), 0}
		if i == 0 {
			b[0] |= 0x10
		}
		head := make([]byte, size/n)
		if !key {
			head[0] = 1
		}
		height := []uint16{180, 360, 720, 1080}[l.id]
		copy(head[3:], []byte{0x9d, 1, 0x2a, 0, 8, byte(height), byte(height >> 8)})
		binary.BigEndian.PutUint32(head[10:], l.p.id)
		binary.BigEndian.PutUint32(head[14:], uint32(number))
		head[18], head[19], head[20] = byte(l.id), byte(i), byte(n)
		if key {
			head[21] = 1
		}
		packet := &pionrtp.Packet{Header: pionrtp.Header{Version: 2, SequenceNumber: seq, Timestamp: stamp, Marker: i == n-1}, Payload: append(b, head...)}
		seq++
		_ = l.track.WriteRTP(packet) // fails when the peer is closed
	}
	return seq
}

// paused says what the listener was told of a layer.
func (e *ear) paused(s Source, rid string) bool {
	for _, l := range e.layers {
		if l.Source == s && l.RID == rid {
			return l.Paused
		}
	}
	return false
}

// screenView decodes, as far as we can tell, what comes in a slot.
type screenView struct {
	p    *videoPeer
	ssrc uint32

	mu      sync.Mutex
	parts   map[frameID]*frameParts
	last    frameID // decoded
	lastAt  time.Time
	decoded map[layerID]int
	longest time.Duration // between two frames, by their timestamps
	packets int
	faults  []string
	stamp   uint32
	plis    int
}

type layerID struct {
	from  uint32
	layer int
}

type frameID struct {
	layerID
	number uint32
}

type frameParts struct {
	have, need int
	key        bool
	stamp      uint32
}

func (p *videoPeer) watch(mid string, track *webrtc.TrackRemote) {
	v := p.view(mid)
	v.mu.Lock()
	v.ssrc = uint32(track.SSRC())
	v.mu.Unlock()
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		v.take(packet)
	}
}

func (v *screenView) take(packet *pionrtp.Packet) {
	if len(packet.Payload) < 27 {
		return // padding
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	head := packet.Payload[5:]
	if v.parts == nil {
		v.parts, v.decoded, v.lastAt = map[frameID]*frameParts{}, map[layerID]int{}, time.Now()
	}
	v.packets++
	id := frameID{layerID{binary.BigEndian.Uint32(head[10:]), int(head[18])}, binary.BigEndian.Uint32(head[14:])}
	f := v.parts[id]
	if f == nil {
		f = &frameParts{need: int(head[20]), key: head[21] == 1, stamp: packet.Timestamp}
		v.parts[id] = f
	}
	f.have++
	if f.stamp != packet.Timestamp {
		v.faults = append(v.faults, "a frame with two timestamps")
	}
	v.decode()
	if time.Since(v.lastAt) > 400*time.Millisecond { // as decoders do
		v.lastAt = v.lastAt.Add(200 * time.Millisecond)
		v.plis++
		_ = v.p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: v.ssrc}})
	}
}

// decode takes the frames that are whole and follow the last one.
func (v *screenView) decode() {
	for again := true; again; {
		again = false
		for id, f := range v.parts {
			next := id.layerID == v.last.layerID && id.number == v.last.number+1
			newer := len(v.decoded) == 0 || int32(f.stamp-v.stamp) > 0
			if f.have < f.need || !newer || !f.key && !next {
				continue
			}
			if len(v.decoded) > 0 { // by the stream's own time: the machine that tests may be slow
				v.longest = max(v.longest, time.Duration(f.stamp-v.stamp)*time.Second/90000)
			}
			v.last, v.stamp = id, f.stamp
			v.lastAt = time.Now()
			v.decoded[id.layerID]++
			delete(v.parts, id)
			again = true
		}
	}
}

// seen is how many frames of a layer were decoded.
func (v *screenView) seen(from uint32, layer int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.decoded[layerID{from, layer}]
}

// begin forgets what was seen so far.
func (v *screenView) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.decoded, v.longest, v.lastAt, v.packets = map[layerID]int{}, 0, time.Now(), 0
}

func (v *screenView) stats() (longest time.Duration, faults []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.longest, v.faults
}

// badLink is a network between a peer and the server that can be made bad.
type badLink struct {
	front, back net.PacketConn
	server      netip.AddrPort
	client      atomic.Pointer[net.Addr]
	loss        atomic.Int64 // of 1,000, both ways
	rate        atomic.Int64 // bits per second towards the peer, 0: no limit
	dead        atomic.Bool
	dropped     atomic.Int64
}

func newBadLink(t testing.TB, server netip.AddrPort) *badLink {
	t.Helper()
	listen := func() *net.UDPConn {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadBuffer(2 << 20)
		return c
	}
	return newBadLinkBetween(t, listen(), listen(), server)
}

// newBadLinkBetween makes one of two sockets: peers are to send to front, and the
// server hears from back.
func newBadLinkBetween(t testing.TB, front, back net.PacketConn, server netip.AddrPort) *badLink {
	t.Helper()
	l := &badLink{front: front, back: back, server: server}
	var tasks sync.WaitGroup
	t.Cleanup(func() {
		_ = l.front.Close()
		_ = l.back.Close()
		tasks.Wait()
	})
	tasks.Go(l.up)
	tasks.Go(l.down)
	return l
}

// redirect puts the link's address into an answer.
func (l *badLink) redirect(answer string, server netip.AddrPort) string {
	port := func(p netip.AddrPort) string {
		return " " + p.Addr().String() + " " + strconv.Itoa(int(p.Port())) + " "
	}
	return strings.ReplaceAll(answer, port(server), port(addrPort(l.front.LocalAddr())))
}

func (l *badLink) lost() bool {
	if l.dead.Load() || rand.Int64N(1000) < l.loss.Load() {
		l.dropped.Add(1)
		return true
	}
	return false
}

func (l *badLink) up() {
	b, to := make([]byte, 2048), net.UDPAddrFromAddrPort(l.server)
	for {
		n, from, err := l.front.ReadFrom(b)
		if err != nil {
			return
		}
		l.client.Store(&from)
		if !l.lost() {
			_, _ = l.back.WriteTo(b[:n], to)
		}
	}
}

func (l *badLink) down() {
	var free time.Time
	for {
		b := make([]byte, 2048)
		n, _, err := l.back.ReadFrom(b)
		if err != nil {
			return
		}
		to := l.client.Load()
		if to == nil || l.lost() {
			continue
		}
		rate := l.rate.Load()
		if rate == 0 {
			_, _ = l.front.WriteTo(b[:n], *to)
			continue
		}
		now := time.Now()
		if free.Before(now) {
			free = now
		}
		if free.Sub(now) > 250*time.Millisecond { // the queue is full
			l.dropped.Add(1)
			continue
		}
		free = free.Add(time.Duration(int64(n) * 8 * int64(time.Second) / rate))
		time.AfterFunc(free.Sub(now), func() { _, _ = l.front.WriteTo(b[:n], *to) })
	}
}

// sendAll begins to send camera and screen.
func (p *videoPeer) sendAll() *videoPeer {
	for _, l := range p.layers {
		l.send()
	}
	return p
}

func (p *videoPeer) sendCamera() *videoPeer {
	for _, l := range p.layers[:3] {
		l.send()
	}
	return p
}

// sendingLayers takes out of a later offer of this client the layers that the answer
// said it would receive, which the client puts there as if it received them.
func sendingLayers(offer string) string {
	var keep strings.Builder
	for l := range strings.Lines(offer) {
		if received := strings.HasPrefix(l, "a=rid:") && strings.HasSuffix(strings.TrimSpace(l), " recv"); !received && !strings.HasPrefix(l, "a=simulcast:recv ") {
			keep.WriteString(l)
		}
	}
	return keep.String()
}

func TestSlotsGrow(t *testing.T) {
	virtually(t, func(t *testing.T, n *virtual) {
		n.peer(1, 0).joinVideo().sendAll()
		bob := n.peer(2, 1).joinVideo()
		first := bob.look(0, 1, Camera, 150)
		wait(t, "the first slot", func() bool { return first.seen(1, 0) > 5 })
		for range 3 {
			if _, err := bob.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
				t.Fatal(err)
			}
		}
		answer, err := n.s.Offer(t.Context(), testCall, 2, sendingLayers(bob.offer(nil)))
		if err != nil {
			t.Fatal(err)
		}
		bob.answer(answer)
		last := bob.look(3, 1, Screen, 1080)
		first.begin()
		wait(t, "the slot that was added", func() bool { return last.seen(1, 3) > 5 })
		wait(t, "the first slot, as before", func() bool { return first.seen(1, 0) > 5 })
	})
}

func TestEachSeesTheLayerForItsHeight(t *testing.T) {
	virtually(t, func(t *testing.T, n *virtual) {
		ann := n.peer(1, 0).joinVideo().sendAll()
		bob := n.peer(2, 2).joinVideo()
		cid := n.peer(3, 1).joinVideo()
		big, screen := bob.look(0, 1, Camera, 720), bob.look(1, 1, Screen, 1080)
		small := cid.look(0, 1, Camera, 150)
		wait(t, "the large layer", func() bool { return big.seen(1, 2) > 20 })
		wait(t, "the small layer", func() bool { return small.seen(1, 0) > 20 })
		wait(t, "the screen", func() bool { return screen.seen(1, 3) > 20 })
		wait(t, "the slots told", func() bool {
			return get(&bob.ear, func(e *ear) bool {
				return len(e.slots) == 2 && e.slots[0] == Slot{MID: bob.mid(0), Participant: 1, Source: Camera, Layer: "f"} && e.slots[1].Source == Screen
			})
		})
		wait(t, "the pause of the layer that nobody looks at", func() bool {
			return get(&ann.ear, func(e *ear) bool {
				return e.paused(Camera, "h") && !e.paused(Camera, "q") && !e.paused(Camera, "f") && !e.paused(Screen, "")
			})
		})
		cid.look(0, 1, Camera, 350)
		wait(t, "the middle layer, woken", func() bool { return small.seen(1, 1) > 10 })
		for _, v := range []*screenView{big, screen, small} {
			if longest, faults := v.stats(); len(faults) > 0 || longest > 2*time.Second {
				t.Errorf("longest freeze %v, faults %v", longest, faults)
			}
		}
		if asked := ann.layers[2].asked.Load(); asked > 8 {
			t.Errorf("asked for %d key frames", asked)
		}
		n.s.Leave(testCall, 1)
		wait(t, "empty slots", func() bool { return get(&bob.ear, func(e *ear) bool { return len(e.slots) == 0 }) })
	})
}
