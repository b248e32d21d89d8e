package sfu

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"

	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/srtp"
	"github.com/veche-im/veche/sfu/video"
)

// maxAgain is how many packets one NACK may ask for.
const maxAgain = 256

// appendPLI appends a picture loss indication: RFC 4585 section 6.3.1.
func appendPLI(b []byte, from, about uint32) []byte {
	b = append(b, 0x80|1, 206, 0, 2)
	b = binary.BigEndian.AppendUint32(b, from)
	return binary.BigEndian.AppendUint32(b, about)
}

// appendNACK appends a generic NACK for at least one packet: RFC 4585 section 6.2.1.
// The numbers are in their order.
func appendNACK(b []byte, from, about uint32, lost []uint16) []byte {
	start := len(b)
	b = append(b, 0x80|1, 205, 0, 0)
	b = binary.BigEndian.AppendUint32(b, from)
	b = binary.BigEndian.AppendUint32(b, about)
	for len(lost) > 0 {
		first, mask := lost[0], uint16(0)
		for lost = lost[1:]; len(lost) > 0 && lost[0]-first-1 < 16; lost = lost[1:] {
			mask |= 1 << (lost[0] - first - 1)
		}
		b = binary.BigEndian.AppendUint16(b, first)
		b = binary.BigEndian.AppendUint16(b, mask)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16((len(b)-start)/4-1))
	return b
}

// eachReport calls f for every packet of a compound one, until one is malformed.
func eachReport(b []byte, f func([]byte)) {
	for len(b) >= 4 {
		n := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if b[0]>>6 != 2 || n > len(b) {
			return
		}
		f(b[:n])
		b = b[n:]
	}
}

// congestion takes what a receiver says of when packets came.
func (k *controller) congestion(p *participant, b []byte, now time.Duration) {
	v := p.viewer
	v.Lock()
	defer v.Unlock()
	_ = v.Path.Feedback(now, b) // malformed: a device's fault, and only its own loss
}

// pictures handles what a receiver says of its video slots, and a sender of its
// pictures.
func (k *controller) pictures(p *participant, packet rtcp.Packet, now time.Duration) {
	switch r := packet.(type) {
	case *rtcp.PictureLossIndication:
		k.keyFrame(p, r.MediaSSRC)
	case *rtcp.FullIntraRequest:
		for _, e := range r.FIR {
			k.keyFrame(p, e.SSRC)
		}
	case *rtcp.TransportLayerNack:
		k.again(p, r, now)
	}
}

// keyFrame passes on that p needs a key frame of what it receives under ssrc.
func (k *controller) keyFrame(p *participant, ssrc uint32) {
	if from := p.viewer.keyFrame(k.s.now(), ssrc); from != nil {
		k.owed(from)
	}
}

// keyFrame notes that what leaves under ssrc needs a key frame, and returns whose.
func (v *viewer) keyFrame(now time.Duration, ssrc uint32) *participant {
	v.Lock()
	defer v.Unlock()
	l := v.KeyFrame(now, ssrc)
	for i := range v.wishes {
		if l != nil && v.Places[i].Source == l.Source {
			return v.wishes[i].from
		}
	}
	return nil
}

// owed asks p for the key frames that are wanted of it and are due.
func (k *controller) owed(p *participant) {
	now := k.s.now()
	for _, t := range p.plan.tracks {
		if t.pictures == nil {
			continue
		}
		for i, l := range t.pictures.Layers {
			key := l.Asks.Due(now)
			k.lost = l.Missing(now, p.agent.RTT(), k.lost[:0])
			if !key && len(k.lost) == 0 {
				continue
			}
			ssrc, ok := p.asks(t, t.pictures.rids[i])
			if ok && key {
				k.send(p, appendPLI(k.word[:0], p.plan.control, ssrc))
			}
			if ok && len(k.lost) > 0 {
				k.send(p, appendNACK(k.word[:0], p.plan.control, ssrc, k.lost))
			}
		}
	}
}

// asks is sends for who does not hold mu.
func (p *participant) asks(t *track, rid string) (ssrc uint32, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sends(t, rid)
}

// again sends p what it lost.
func (k *controller) again(p *participant, r *rtcp.TransportLayerNack, now time.Duration) {
	v, e := p.viewer, p.egress.Load()
	path, ok := p.agent.Path()
	if e == nil || !ok {
		return
	}
	k.lost = k.lost[:0]
	for _, pair := range r.Nacks {
		pair.Range(func(seq uint16) bool {
			k.lost = append(k.lost, seq)
			return len(k.lost) < maxAgain
		})
	}
	k.repairs = v.lost(now, r.MediaSSRC, k.lost[:min(len(k.lost), maxAgain)], k.repairs[:0])
	for i := range k.repairs {
		a := &k.repairs[i]
		kept, b, ok := a.Layer.Get(now, a.In, k.kept[:0])
		k.kept = b
		if ok {
			v.resend(&k.outlet, &k.x, e, path, now, a, &kept)
		}
	}
	clear(k.repairs)
}

func (v *viewer) lost(now time.Duration, ssrc uint32, seqs []uint16, to []video.Again) []video.Again {
	v.Lock()
	defer v.Unlock()
	return v.Lost(now, ssrc, seqs, to)
}

func (v *viewer) resend(to *outlet, x *srtp.Scratch, e *egress, path ice.Path, now time.Duration, a *video.Again, kept *video.Kept) {
	v.Lock()
	defer v.Unlock()
	if o, ok := a.Place.Slot.Again(a.Seq, kept); ok {
		v.repair(to, x, e, path, now, a.Place, &o)
	}
}

// pictureReports tells p by which clock its video slots run.
func (k *controller) pictureReports(p *participant) {
	if b := p.viewer.reports(k.word[:0]); len(b) > 0 {
		k.send(p, b)
	}
}

// reports appends a sender report for each place that has one, as far as they fit
// in a packet.
func (v *viewer) reports(b []byte) []byte {
	v.Lock()
	defer v.Unlock()
	for _, place := range v.Places {
		if r, ok := place.Slot.Clocks(); ok && len(b) < maxPacket-200 {
			b = appendSenderReport(b, place.SSRC, r, place.Slot.Packets, place.Slot.Bytes)
		}
	}
	return b
}

// appendSenderReport appends a sender report without blocks: RFC 3550 section 6.4.1.
func appendSenderReport(b []byte, ssrc uint32, r video.Report, packets, octets uint32) []byte {
	b = append(b, 0x80, 200, 0, 6)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	b = binary.BigEndian.AppendUint64(b, r.NTP)
	b = binary.BigEndian.AppendUint32(b, r.Timestamp)
	b = binary.BigEndian.AppendUint32(b, packets)
	return binary.BigEndian.AppendUint32(b, octets)
}

// arrived tells p which of its packets came when.
func (k *controller) arrived(p *participant) {
	if p.plan.congestion == 0 {
		return
	}
	for {
		b := p.arrived(k.word[:0])
		if len(b) == 0 {
			return
		}
		k.send(p, b)
	}
}

// arrived appends feedback on what came since the last one.
func (p *participant) arrived(b []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.arrivals.Feedback(b, p.plan.control, p.about())
}

// about is an SSRC that p sends: feedback names one. mu is held.
func (p *participant) about() uint32 {
	for _, in := range p.inputs {
		return in.ssrc
	}
	return 0
}

// probe sends the padding that is due to those of k.short, and forgets who has
// enough.
func (k *keeper) probe() {
	now := k.s.now()
	for _, p := range k.short {
		k.safely(p, func(p *participant) { k.control.probe(p, now) })
	}
	k.control.flush()
}

func (k *controller) probe(p *participant, now time.Duration) {
	e := p.egress.Load()
	path, ok := p.agent.Path()
	if e == nil || !ok || p.gone.Load() {
		return
	}
	v := p.viewer
	v.Lock()
	defer v.Unlock()
	for left := v.Padding(now); left > 0; {
		n, ok := v.pad(&k.outlet, &k.x, e, path, now)
		if !ok {
			return
		}
		left -= n
	}
}

// pictures does for p what the clock asks for, and says whether more would be sent
// to p if it fitted.
func (k *keeper) pictures(p *participant, now time.Duration) (short bool) {
	for _, t := range p.plan.tracks {
		if t.pictures == nil || p.egress.Load() == nil {
			continue
		}
		for _, l := range t.pictures.Layers {
			if l.Demand.Rest(now) {
				p.call.changed()
			}
		}
	}
	k.control.owed(p)
	k.control.arrived(p)
	v := p.viewer
	if !v.any() || p.egress.Load() == nil {
		return false
	}
	k.s.share(p)
	v.Lock()
	defer v.Unlock()
	v.Path.Tick(now)
	return v.Short() && v.congestion != 0
}
