// Package load makes participants of calls that cost next to nothing: they join,
// send packets of sound with nothing in them, and count what comes. With a few
// hundred of them a forwarder is measured. They do ICE, DTLS and SRTP as browsers
// do, as far as a forwarder can tell, and nothing that it cannot see.
package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"

	"github.com/veche-im/veche/sfu/rtp"
	"github.com/veche-im/veche/sfu/srtp"
	"github.com/veche-im/veche/sfu/udp"
)

const (
	checkEvery   = 4 * time.Second // ICE checks, by which the forwarder knows that we are there
	levelID      = 1
	midID        = 2
	opusType     = 111
	headerSize   = rtp.HeaderSize + 8 // with the audio level
	stampSize    = 8                  // of a payload: when it was sent, nanoseconds since 1970
	maxSaid      = 1500               // bytes of a packet
	openEvery    = 8                  // packets, of which one is opened and timed; the others are counted
	connectLimit = 30 * time.Second
)

// Join takes an offer to the forwarder under test and brings its answer.
type Join func(ctx context.Context, participant uint32, offer string) (answer string, err error)

// Caller is one participant.
type Caller struct {
	sock   *udp.Socket
	server netip.AddrPort
	local  credentials
	remote credentials
	ssrc   uint32
	hello  *pipe

	sealer *srtp.Sealer
	opener *srtp.Opener
	index  uint64 // of the newest packet: rollover counter and sequence number
	stamp  uint32
	x      srtp.Scratch

	proved  chan struct{} // closed when the forwarder has checked us
	once    sync.Once
	tasks   sync.WaitGroup
	ready   atomic.Bool
	streams map[uint32]*srtp.Stream
	camera  camera
	failed  error // of the reader, read after tasks are done

	Sent     atomic.Uint64 // packets
	Received atomic.Uint64
	Opened   atomic.Uint64
	Bad      atomic.Uint64 // that did not open
	times    histogram
}

type credentials struct{ ufrag, password string }

// Dial joins as one participant and returns when media can flow.
func Dial(ctx context.Context, join Join, participant uint32, slots int) (*Caller, error) {
	return dial(ctx, join, participant, slots, 0)
}

// dial is Dial with slots for pictures besides.
func dial(ctx context.Context, join Join, participant uint32, slots, pictures int) (*Caller, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	socks, err := udp.Listen(udp.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Buffer: 1 << 20})
	if err != nil {
		return nil, err
	}
	c := &Caller{
		sock: socks[0], local: credentials{token(8), token(24)}, ssrc: random32(),
		proved: make(chan struct{}), hello: newPipe(), streams: map[uint32]*srtp.Stream{},
	}
	c.camera.ssrc = random32()
	c.hello.send = func(b []byte) { _ = c.sock.WriteTo(b, c.server, netip.Addr{}) }
	answer, err := join(ctx, participant, c.offer(slots, pictures))
	if err == nil {
		err = c.read(answer)
	}
	if err != nil {
		_ = c.sock.Close()
		return nil, fmt.Errorf("participant %d joins: %w", participant, err)
	}
	c.tasks.Go(c.listen)
	if err := c.connect(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("participant %d connects: %w", participant, err)
	}
	return c, nil
}

// Close ends the participant without a word.
func (c *Caller) Close() {
	_ = c.sock.Close()
	c.hello.end()
	c.tasks.Wait()
}

// offer is the SDP of a participant with a microphone, a camera of one layer, and
// nothing else.
func (c *Caller) offer(slots, pictures int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0")
	mids := make([]string, 4+slots+pictures)
	for i := range mids {
		mids[i] = strconv.Itoa(i)
	}
	line("a=group:BUNDLE %s", strings.Join(mids, " "))
	for i := range mids {
		if i == 1 || i == 2 || i >= 4+slots {
			line("m=video 9 UDP/TLS/RTP/SAVPF %d %d", vp8Type, repairType)
			pictureLines(line)
		} else {
			line("m=audio 9 UDP/TLS/RTP/SAVPF %d\r\na=rtpmap:%d opus/48000/2", opusType, opusType)
		}
		line("c=IN IP4 0.0.0.0\r\na=mid:%d\r\na=rtcp-mux\r\na=setup:active", i)
		line("a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:%s", c.local.ufrag, c.local.password, certificate().print)
		line("a=extmap:%d urn:ietf:params:rtp-hdrext:ssrc-audio-level", levelID)
		line("a=extmap:%d urn:ietf:params:rtp-hdrext:sdes:mid", midID)
		if i < 4 {
			line("a=sendonly")
		} else {
			line("a=recvonly")
		}
		switch i {
		case 0:
			line("a=ssrc:%d cname:load", c.ssrc)
		case 1:
			line("a=ssrc:%d cname:load", c.camera.ssrc)
		}
	}
	return b.String()
}

// read takes credentials and the first UDP candidate out of an answer.
func (c *Caller) read(answer string) error {
	for l := range strings.SplitSeq(answer, "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(l), ":")
		switch key {
		case "a=ice-ufrag":
			c.remote.ufrag = value
		case "a=ice-pwd":
			c.remote.password = value
		case "a=candidate":
			f := strings.Fields(value)
			if len(f) < 6 || !strings.EqualFold(f[2], "udp") || c.server.IsValid() {
				continue
			}
			a, err := netip.ParseAddrPort(net.JoinHostPort(f[4], f[5]))
			if err != nil {
				return fmt.Errorf("candidate %q: %w", value, err)
			}
			c.server = a
		}
	}
	if c.remote.ufrag == "" || c.remote.password == "" || !c.server.IsValid() {
		return errors.New("an answer without credentials or a candidate")
	}
	return nil
}

// connect does ICE and DTLS.
func (c *Caller) connect(ctx context.Context) error {
	for wait := 20 * time.Millisecond; ; wait *= 2 {
		c.check()
		select {
		case <-c.proved:
		case <-time.After(wait):
			continue
		case <-ctx.Done():
			return fmt.Errorf("ICE: %w", ctx.Err())
		}
		break
	}
	in, out, err := c.hello.keys(ctx)
	if err != nil {
		return err
	}
	if c.sealer, err = srtp.NewSealer(out); err != nil {
		return err
	}
	if c.opener, err = srtp.NewOpener(in); err != nil {
		return err
	}
	c.ready.Store(true)
	return nil
}

// check sends an ICE check that nominates.
func (c *Caller) check() {
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest,
		stun.NewUsername(c.remote.ufrag+":"+c.local.ufrag),
		stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{0x7e, 0xff, 0xff, 0xff}},
		stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)},
		stun.RawAttribute{Type: stun.AttrUseCandidate},
		stun.NewShortTermIntegrity(c.remote.password), stun.Fingerprint)
	if err == nil {
		_ = c.sock.WriteTo(m.Raw, c.server, netip.Addr{})
	}
}

// checked answers a check of the forwarder.
func (c *Caller) checked(b []byte) {
	m := &stun.Message{Raw: append([]byte(nil), b...)}
	if m.Decode() != nil || m.Type != stun.BindingRequest {
		return
	}
	answer, err := stun.Build(m, stun.BindingSuccess,
		&stun.XORMappedAddress{IP: c.server.Addr().AsSlice(), Port: int(c.server.Port())},
		stun.NewShortTermIntegrity(c.local.password), stun.Fingerprint)
	if err != nil {
		return
	}
	_ = c.sock.WriteTo(answer.Raw, c.server, netip.Addr{})
	c.once.Do(func() { close(c.proved) })
}

// listen reads until the socket is closed.
func (c *Caller) listen() {
	batch := udp.NewBatch()
	var x srtp.Scratch
	checked := time.Now()
	for {
		if err := c.sock.Read(batch); err != nil {
			c.failed = err
			return
		}
		now := time.Now()
		if now.Sub(checked) > checkEvery && c.ready.Load() {
			checked = now
			c.check()
		}
		for i := range batch.Packets {
			switch b := batch.Packets[i].Data; {
			case len(b) == 0:
			case b[0] < 4:
				c.checked(b)
			case b[0] < 64:
				c.hello.put(b)
			case c.ready.Load() && !rtp.IsControl(b):
				c.hear(&x, b, now)
			}
		}
		c.word(now)
	}
}

// hear counts a packet, and times one of some.
func (c *Caller) hear(x *srtp.Scratch, b []byte, now time.Time) {
	h, err := rtp.Parse(b)
	if err != nil {
		c.Bad.Add(1)
		return
	}
	at := 0 // where in a payload it stands when it was sent
	if h.Type != opusType {
		if !c.see(&h, now) {
			return
		}
		at = descriptor + clear
	}
	if c.Received.Add(1)%openEvery != 0 {
		return
	}
	ssrc := h.SSRC
	stream := c.streams[ssrc]
	if stream == nil {
		stream = &srtp.Stream{}
		c.streams[ssrc] = stream
	}
	payload, _, err := c.opener.Open(x, stream, b, h.Size)
	if err != nil || len(payload) < at+stampSize {
		c.Bad.Add(1)
		return
	}
	c.Opened.Add(1)
	c.times.add(now.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(payload[at:])))))
}

// Say sends one packet of sound: size bytes as loud as level says, length after the
// one before. It is for one goroutine at a time.
func (c *Caller) Say(level uint8, size int, length time.Duration) {
	var buf [maxSaid]byte
	c.index++
	c.stamp += uint32(length * 48_000 / time.Second)
	payload := buf[headerSize:][:min(max(size, stampSize), maxSaid-headerSize-srtp.TagSize)]
	binary.BigEndian.PutUint64(payload, uint64(time.Now().UnixNano()))
	c.Send(c.seal(buf[:headerSize], c.ssrc, level, payload))
	c.Sent.Add(1)
}

// seal seals the next packet. payload stands behind header, or elsewhere.
func (c *Caller) seal(header []byte, ssrc uint32, level uint8, payload []byte) []byte {
	rtp.Put(header, false, opusType, uint16(c.index), c.stamp, ssrc)
	header[0] |= 1 << 4 // extension
	copy(header[rtp.HeaderSize:], []byte{0xbe, 0xde, 0, 1, levelID << 4, level, 0, 0})
	return c.sealer.Seal(&c.x, header, headerSize, payload, c.index)
}

// Packet is the next packet of sound, sealed and not sent. With an SSRC that is not
// 0 it pretends to be another source. For tests that attack.
func (c *Caller) Packet(ssrc uint32, level uint8, payload []byte) []byte {
	c.index++
	c.stamp += 960
	if ssrc == 0 {
		ssrc = c.ssrc
	}
	return c.seal(make([]byte, headerSize, headerSize+len(payload)+srtp.TagSize), ssrc, level, payload)
}

// Leap moves the next packet's sequence number and timestamp on.
func (c *Caller) Leap(packets uint16, stamp uint32) {
	c.index += uint64(packets)
	c.stamp += stamp
}

// Named is like Packet, and says to which m-line it belongs.
func (c *Caller) Named(mid string, ssrc uint32, level uint8, payload []byte) []byte {
	c.index++
	c.stamp += 960
	b := make([]byte, headerSize+4, headerSize+4+len(payload)+srtp.TagSize)
	rtp.Put(b, false, opusType, uint16(c.index), c.stamp, ssrc)
	b[0] |= 1 << 4
	copy(b[rtp.HeaderSize:], []byte{0xbe, 0xde, 0, 2, levelID << 4, level, midID<<4 | byte(len(mid)-1)})
	copy(b[rtp.HeaderSize+7:], mid)
	return c.sealer.Seal(&c.x, b, len(b), payload, uint64(uint16(c.index))) // a new source begins at counter 0
}

// Control seals an RTCP packet. index must grow.
func (c *Caller) Control(plain []byte, index uint32) ([]byte, error) {
	return c.sealer.SealRTCP(&c.x, append(make([]byte, 0, len(plain)+srtp.Overhead), plain...), index)
}

// Send sends any bytes from this participant's address.
func (c *Caller) Send(b []byte) { _ = c.sock.WriteTo(b, c.server, netip.Addr{}) }
