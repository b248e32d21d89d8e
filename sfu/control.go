package sfu

import (
	"time"

	"github.com/pion/rtcp"

	"github.com/veche-im/veche/sfu/bwe"
	"github.com/veche-im/veche/sfu/srtp"
	"github.com/veche-im/veche/sfu/video"
)

const (
	// passEvery is how often sender reports of one stream are passed on, at most:
	// receivers need them to line up sound and picture, not often.
	passEvery = 2 * time.Second

	maxBlocks = 31 // reception reports in one packet
)

// clocks is when the sender report of a stream was last passed on.
type clocks struct{ at time.Duration }

// A controller speaks RTCP (RFC 3550). It belongs to the keeper.
type controller struct {
	s *Server
	outlet
	x srtp.Scratch

	word    []byte // RTCP in the making
	kept    []byte // a packet to be sent again
	lost    []uint16
	repairs []video.Again
}

func newController(s *Server, o outlet) *controller {
	return &controller{s: s, outlet: o, word: make([]byte, 0, 2*maxPacket)}
}

// read handles a compound packet of p.
func (k *controller) read(p *participant, b []byte, now time.Duration) {
	eachReport(b, func(b []byte) {
		if bwe.IsFeedback(b) { // the most frequent by far
			k.congestion(p, b, now)
			return
		}
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			return // a device's fault, and only its own loss
		}
		for _, packet := range packets {
			switch r := packet.(type) {
			case *rtcp.SenderReport:
				k.senderReport(p, r, now)
				p.reception(r.Reports)
			case *rtcp.ReceiverReport:
				p.reception(r.Reports)
			default:
				k.pictures(p, packet, now)
			}
		}
	})
}

// reception smooths the loss that a receiver reports of its slots.
func (p *participant) reception(reports []rtcp.ReceptionReport) {
	worst, any := uint32(0), false
	for _, r := range reports {
		if p.call.owns(r.SSRC) {
			worst, any = max(worst, uint32(r.FractionLost)<<8), true
		}
	}
	if any {
		p.down.Store((3*p.down.Load() + worst) / 4)
	}
}

// senderReport notes when a sender's clock showed what, and tells the receivers if
// the sender is on air: its time of day, in the stream's timestamps.
func (k *controller) senderReport(p *participant, r *rtcp.SenderReport, now time.Duration) {
	in := p.reported(r, now)
	if in == nil {
		return
	}
	if in.track.pictures != nil {
		if l := in.track.pictures.layer(in.rid); l != nil && !in.repairs {
			l.Reported(video.Report{NTP: r.NTPTime, Timestamp: r.RTPTime, At: max(now, 1)})
		}
	}
	if !in.track.source.Audio() {
		return
	}
	c := p.call
	c.mu.Lock()
	i := in.track.voice.Stream()
	if i < 0 || c.voices[i] != in || now-c.reported[i].at < passEvery && c.reported[i].at != 0 {
		c.mu.Unlock()
		return
	}
	c.reported[i].at = now
	s := &c.streams[i]
	out := rtcp.SenderReport{SSRC: s.SSRC, NTPTime: r.NTPTime, RTPTime: s.Time(r.RTPTime), PacketCount: s.Packets, OctetCount: s.Octets}
	c.mu.Unlock()
	b, err := rtcp.Marshal([]rtcp.Packet{&out, rtcp.NewCNAMESourceDescription(out.SSRC, slotName(i))})
	if err != nil {
		k.s.log.Error("write a sender report", "err", err)
		return
	}
	for _, to := range *c.receivers.Load() {
		if to != p || c.echo {
			k.send(to, b)
		}
	}
}

// reported finds the source that a sender report is of, and notes when it came.
func (p *participant) reported(r *rtcp.SenderReport, now time.Duration) *input {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.inputs {
		if in.ssrc == r.SSRC {
			in.got.lastNTP, in.got.lastAt = uint32(r.NTPTime>>16), now
			return in
		}
	}
	return nil
}

// receiverReport tells p what of its packets came.
func (k *controller) receiverReport(p *participant, now time.Duration) {
	if p.egress.Load() == nil {
		return
	}
	report := rtcp.ReceiverReport{SSRC: p.plan.control}
	p.mu.Lock()
	lost, expected := uint64(0), uint64(0)
	for _, in := range p.inputs {
		if !in.got.started || len(report.Reports) == maxBlocks {
			continue
		}
		block, l, e := in.got.block(in.ssrc, now)
		report.Reports = append(report.Reports, block)
		lost, expected = lost+l, expected+e
	}
	p.mu.Unlock()
	p.told.lost, p.told.expected = p.told.lost+lost, p.told.expected+expected
	if len(report.Reports) == 0 {
		return
	}
	b, err := report.Marshal()
	if err != nil {
		k.s.log.Error("write a receiver report", "err", err)
		return
	}
	k.send(p, b)
}

// block is the reception report of one SSRC since the last one (RFC 3550 appendix
// A.3), and the packets that it counts.
func (r *reception) block(ssrc uint32, now time.Duration) (b rtcp.ReceptionReport, lost, expected uint64) {
	all := r.highest - r.first + 1
	expected, got := all-r.wasExpected, r.packets-r.wasPackets
	r.wasExpected, r.wasPackets = all, r.packets
	if expected > got {
		lost = expected - got
	}
	b = rtcp.ReceptionReport{
		SSRC:               ssrc,
		LastSequenceNumber: uint32(r.highest),
		Jitter:             uint32(r.jitter >> 4),
	}
	if expected > 0 {
		b.FractionLost = uint8(min(255, lost*256/expected))
	}
	if all > r.packets {
		b.TotalLost = uint32(min(1<<23-1, all-r.packets))
	}
	if r.lastNTP != 0 {
		b.LastSenderReport = r.lastNTP
		b.Delay = uint32((now - r.lastAt) * 65536 / time.Second)
	}
	return b, lost, expected
}

// send seals an RTCP packet for p.
func (k *controller) send(p *participant, plain []byte) {
	e := p.egress.Load()
	path, ok := p.agent.Path()
	if e == nil || !ok {
		return
	}
	b := k.room(path, len(plain)+srtp.Overhead)
	if b == nil {
		return
	}
	copy(b, plain)
	sealed, err := e.sealer.SealRTCP(&k.x, b[:len(plain)], p.rtcpNo.Add(1))
	if err != nil {
		k.s.log.Error("seal a report", "err", err)
		return
	}
	k.sent(path, sealed)
}
