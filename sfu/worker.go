package sfu

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/rtp"
	"github.com/veche-im/veche/sfu/srtp"
	"github.com/veche-im/veche/sfu/udp"
)

const (
	maxPacket  = 1500 // bytes of a packet that is forwarded; longer ones do not come from WebRTC
	outPackets = 128  // that one send collects; beyond, it is sent and begun anew
	sideSize   = 16 << 10
)

// A source of packets: a socket, or all streams together.
type source interface {
	Read(*udp.Batch) error // net.ErrClosed at its end
}

// A socket is one of the media port: a *udp.Socket but in tests whose network, and
// time, are virtual.
type socket interface {
	source
	Send(*udp.Out) error
	WriteTo(data []byte, to netip.AddrPort, from netip.Addr) error
	Addr() netip.AddrPort
	Stats() udp.Stats
	Close() error
}

// A worker reads one source and sends what comes of it to everybody, whichever way
// they come in by. All of its fields are its goroutine's own, but for the
// counters.
type worker struct {
	s    *Server
	from source
	in   *udp.Batch
	outlet

	now   time.Duration
	x     srtp.Scratch
	stun  ice.Exchange
	items []item // of this read, to be sent
	group []int  // those of one call
	side  []byte // payloads that were kept by a participant and are in items
	guilt *participant

	shots   []shot // of this read, to be sent
	missing []uint16
	word    []byte // RTCP in the making

	busy  effort
	count tally // of this read; added to the server's at its end
}

// An item is a packet that everybody else in its call gets.
type item struct {
	from    *participant
	stream  int
	ssrc    uint32
	index   uint64
	time    uint32
	mark    bool
	coding  coding
	payload []byte
	taken   bool
}

func newWorker(s *Server, from source, sock socket) *worker {
	return &worker{s: s, from: from, outlet: newOutlet(sock, s.streams), in: udp.NewBatch(), side: make([]byte, 0, sideSize), word: make([]byte, 0, maxPacket)}
}

// run works until the source is closed.
func (w *worker) run() {
	for {
		if pause := w.busy.tick; pause > 0 {
			time.Sleep(pause)
		}
		w.busy.rest(w.s.now())
		err := w.from.Read(w.in)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			w.s.log.Error("read media", "err", err)
			time.Sleep(10 * time.Millisecond) // not a busy loop, whatever it is
			continue
		}
		w.now = w.s.now()
		w.busy.work(w.now)
		for i := range w.in.Packets {
			w.take(&w.in.Packets[i])
		}
		w.send()
		w.show()
		w.flush()
		w.count.out, w.count.bytesOut = w.sentPackets, w.sentBytes
		w.sentPackets, w.sentBytes = 0, 0
		w.s.total.add(&w.count)
		w.count = tally{}
	}
}

// take handles one packet that came. RFC 7983 tells by the first byte what it is.
func (w *worker) take(p *udp.Packet) {
	defer w.rescue()
	w.guilt = nil
	path := ice.Path{Remote: p.From, Local: p.Local, Stream: p.Stream}
	switch b := p.Data; {
	case len(b) == 0 || len(b) > maxPacket:
		w.count.malformed++
	case b[0] < 4:
		w.check(path, b)
	case b[0] >= 20 && b[0] < 64:
		w.handshake(path, b)
	case b[0] >= 128 && b[0] < 192:
		w.media(path, b)
	default:
		w.count.malformed++
	}
}

// check answers a STUN message.
func (w *worker) check(path ice.Path, b []byte) {
	e := w.s.ice.Handle(path, b, &w.stun)
	if e.Agent != nil {
		w.guilt = e.Agent.Owner.(*participant)
		w.guilt.heard(w.now)
	}
	for _, answer := range w.stun.Send {
		w.put(path, answer)
	}
}

// handshake hands a DTLS packet to whose proved path it came by.
func (w *worker) handshake(path ice.Path, b []byte) {
	p := w.owner(path)
	if p == nil {
		w.count.stranger++
		return
	}
	if !p.handshakes(b, w.now) {
		w.count.rate++
	}
}

// owner is whose proved path this is.
func (w *worker) owner(path ice.Path) *participant {
	a := w.s.ice.Agent(path)
	if a == nil {
		return nil
	}
	p := a.Owner.(*participant)
	w.guilt = p
	return p
}

// media opens an SRTP or SRTCP packet and finds who gets it.
func (w *worker) media(path ice.Path, b []byte) {
	p := w.owner(path)
	if p == nil {
		w.count.stranger++
		return
	}
	w.count.in++
	w.count.bytesIn += uint64(len(b))
	if rtp.IsControl(b) {
		w.control(p, b)
		return
	}
	h, err := rtp.Parse(b)
	if err != nil {
		w.count.malformed++
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opener == nil {
		w.count.stranger++
		return
	}
	if !p.limit.take(len(b), w.now) {
		w.count.rate++
		return
	}
	in, known := p.input(&h)
	if in == nil {
		w.count.ssrc++
		return
	}
	p.record(&h, w.now)
	if in.track.source.Audio() {
		w.audio(p, in, known, &h, b)
		return
	}
	w.video(p, in, known, &h, b)
}

// open opens an RTP packet of p, whose mu is held. An SSRC that is new is known
// from its first authentic packet.
func (w *worker) open(p *participant, in *input, known bool, h *rtp.Header, b []byte) (payload []byte, index uint64, ok bool) {
	payload, index, err := p.opener.Open(&w.x, &in.seen, b, h.Size)
	if err == nil {
		payload, err = h.Unpad(payload)
	}
	if err != nil {
		w.count.sealed++
		return nil, 0, false
	}
	if !known && !p.learn(in) {
		w.count.ssrc++
		return nil, 0, false
	}
	p.heard(w.now)
	in.got.add(index, h.Time, in.track.clock, w.now)
	if tap := w.s.cfg.Tap; tap != nil {
		tap(p.call.id, p.id, in.track.source, payload)
	}
	return payload, index, true
}

// control opens an SRTCP packet and leaves it to the keeper.
func (w *worker) control(p *participant, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opener == nil {
		w.count.stranger++
		return
	}
	if !p.reports.take(1, w.now) {
		w.count.rate++
		return
	}
	plain, err := p.opener.OpenRTCP(&w.x, b)
	if err != nil {
		w.count.sealed++
		return
	}
	p.heard(w.now)
	if !w.s.keeper.take(p, plain) {
		w.count.full++
	}
}

// send seals the items of this read for everybody who gets them: call by call, and
// receiver by receiver, so that packets to one receiver follow one another and its
// key is at hand.
func (w *worker) send() {
	for i := range w.items {
		if w.items[i].taken {
			continue
		}
		c := w.items[i].from.call
		w.group = w.group[:0]
		for j := i; j < len(w.items); j++ {
			if it := &w.items[j]; !it.taken && it.from.call == c {
				it.taken = true
				w.group = append(w.group, j)
			}
		}
		for _, r := range *c.receivers.Load() {
			w.deliver(r)
		}
	}
	clear(w.items) // or the last ones would keep calls that are over
	w.items, w.side = w.items[:0], w.side[:0]
}

// deliver seals the items of group for one receiver.
func (w *worker) deliver(r *participant) {
	defer w.rescue()
	w.guilt = r
	e := r.egress.Load()
	path, ok := r.agent.Path()
	if e == nil || !ok {
		return
	}
	for _, j := range w.group {
		it := &w.items[j]
		if it.from == r && !r.call.echo || it.stream >= len(e.base) || it.index < e.base[it.stream] {
			continue
		}
		kind := e.types[it.coding]
		if kind == 0 {
			continue // a coding that this receiver did not offer
		}
		index := it.index - e.base[it.stream]
		b := w.room(path, rtp.HeaderSize+len(it.payload)+srtp.TagSize)
		if b == nil {
			return
		}
		rtp.Put(b, it.mark, kind, uint16(index), it.time, it.ssrc)
		e.sealer.Seal(&w.x, b[:rtp.HeaderSize], rtp.HeaderSize, it.payload, index)
		w.sent(path, b)
	}
}

// rescue ends the participant in whose path something panicked, and nobody else.
func (w *worker) rescue() {
	r := recover()
	if r == nil {
		return
	}
	w.s.fault(w.guilt, r)
}

// fault logs a panic and ends who caused it.
func (s *Server) fault(p *participant, cause any) {
	who := uint32(0)
	if p != nil {
		who = p.id
		s.remove(p, Failed)
	}
	s.log.Error("panic in the media path", "participant", who, "err", fmt.Sprint(cause), "stack", string(debug.Stack()))
}
