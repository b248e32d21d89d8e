package sfu

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/veche-im/veche/sfu/sdp"
	"github.com/veche-im/veche/sfu/video"
)

// plan is what the first offer and answer agreed on. It never changes.
type plan struct {
	tracks     []*track // what the participant sends
	level      uint8    // ids of header extensions, 0 if not offered
	mid        uint8
	rid        uint8
	rrid       uint8
	congestion uint8          // transport-wide sequence numbers
	audio      []string       // mids of its audio slots
	types      [codings]uint8 // payload types in them, 0 if not offered
	control    uint32         // SSRC of our reports to it
}

// newPlan reads an offer to join c, and chooses what is sent into its slots.
func newPlan(c *call, o *sdp.Offer) (p *plan, sources []sdp.Source) {
	p = &plan{}
	taken := append([]uint32{}, c.out...) // no SSRC means two things in one session
	for i := range o.Sections {
		s := &o.Sections[i]
		p.extensions(s.Extensions)
		for _, announced := range s.SSRCs {
			taken = append(taken, announced.Media, announced.RTX)
		}
		if s.Kind.Sends() {
			p.tracks = append(p.tracks, newTrack(s))
		}
	}
	fresh := func() uint32 {
		ssrc := newSSRC(taken)
		taken = append(taken, ssrc)
		return ssrc
	}
	p.control = fresh()
	for i := range o.Sections {
		s := &o.Sections[i]
		if s.Kind.Sends() {
			continue
		}
		source := sdp.Source{CName: slotName(len(sources))}
		switch {
		case s.Kind == sdp.VideoSlot:
			source.SSRC, source.RTX = fresh(), fresh()
		case len(p.audio) < len(c.out):
			source.SSRC = c.out[len(p.audio)]
			p.slot(s)
		default:
			source.SSRC = fresh() // a slot beyond the call's streams stays empty
		}
		sources = append(sources, source)
	}
	return p, sources
}

// extensions takes the ids of a section: within a bundle one id means one thing.
func (p *plan) extensions(e sdp.Extensions) {
	for _, id := range []struct {
		to  *uint8
		got uint8
	}{{&p.level, e.AudioLevel}, {&p.mid, e.MID}, {&p.rid, e.RID}, {&p.rrid, e.RepairedRID}, {&p.congestion, e.TransportCC}} {
		if *id.to == 0 {
			*id.to = id.got
		}
	}
}

// slot takes one more audio slot.
func (p *plan) slot(s *sdp.Section) {
	p.audio = append(p.audio, s.MID)
	for _, c := range s.Codecs {
		if code := codingOf(c.Coding); p.types[code] == 0 {
			p.types[code] = c.PT
		}
	}
}

func codingOf(c sdp.Coding) coding {
	switch c {
	case sdp.Opus:
		return codingOpus
	case sdp.RED:
		return codingRED
	case sdp.VP8:
		return codingVP8
	case sdp.VP9:
		return codingVP9
	default:
		return codingNone
	}
}

func newTrack(s *sdp.Section) *track {
	t := &track{
		source: map[sdp.Kind]Source{
			sdp.Microphone: Microphone, sdp.Camera: Camera, sdp.Screen: Screen, sdp.ScreenSound: ScreenSound,
		}[s.Kind],
		mid: s.MID, clock: 90_000, types: map[uint8]coding{}, ssrcs: s.SSRCs, rids: s.Layers,
	}
	if t.source.Audio() {
		t.clock, t.limit = 48_000, newBucket(soundRate)
	}
	for _, c := range s.Codecs {
		code := codingOf(c.Coding)
		if code == codingNone {
			continue
		}
		t.types[c.PT] = code
		if c.RTX != 0 {
			t.types[c.RTX] = codingRepair
		}
		switch {
		case t.pictures != nil:
		case code == codingVP8:
			t.pictures = newPictures(t, video.VP8, s.Layers)
		case code == codingVP9:
			t.pictures = newPictures(t, video.VP9, s.Layers)
		}
	}
	return t
}

// inputs are the sources that the offer announces by SSRC.
func (p *plan) inputs(owner *participant) (inputs []*input) {
	for _, t := range p.tracks {
		for i, s := range t.ssrcs {
			rid := ""
			if len(t.rids) == len(t.ssrcs) {
				rid = t.rids[i] // their order is the same; what the packets say counts more
			}
			if !owner.call.owns(s.Media) && len(inputs) < maxInputs {
				inputs = append(inputs, &input{ssrc: s.Media, track: t, rid: rid, owner: owner})
			}
			if s.RTX != 0 && !owner.call.owns(s.RTX) && len(inputs) < maxInputs {
				inputs = append(inputs, &input{ssrc: s.RTX, track: t, rid: rid, owner: owner, repairs: true})
			}
		}
	}
	return inputs
}

// candidates are where a device reaches this server, best first: the addresses that
// the configuration names, else where its own connection came, else all of the
// machine's.
func (s *Server) candidates(local netip.Addr) []sdp.Candidate {
	var list []sdp.Candidate
	add := func(a netip.Addr) {
		a = a.Unmap().WithZone("")
		for _, c := range list {
			if c.Addr.Addr() == a {
				return
			}
		}
		list = append(list, sdp.Candidate{Addr: netip.AddrPortFrom(a, s.Addr().Port())})
		if port := s.tcp.Load(); port != 0 {
			list = append(list, sdp.Candidate{Addr: netip.AddrPortFrom(a, uint16(port)), TCP: true})
		}
	}
	for _, a := range s.cfg.Public {
		add(a)
	}
	if len(list) > 0 {
		return list
	}
	if bound := s.Addr().Addr(); !bound.IsUnspecified() {
		add(bound)
		return list
	}
	if local.IsValid() && !local.IsUnspecified() {
		add(local)
		if !local.Unmap().IsLoopback() {
			return list
		}
	}
	for _, a := range interfaces() {
		add(a)
	}
	return list
}

// interfaces are the machine's addresses, without those that lead nowhere unless
// there are no others.
func interfaces() (list []netip.Addr) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var loopback []netip.Addr
	for _, f := range found {
		n, ok := f.(*net.IPNet)
		if !ok {
			continue
		}
		switch a, _ := netip.AddrFromSlice(n.IP); {
		case a.IsLoopback():
			loopback = append(loopback, a)
		case !a.IsLinkLocalUnicast():
			list = append(list, a)
		}
	}
	if len(list) == 0 {
		return loopback
	}
	return list
}

// more takes an offer that follows p's former one. negotiating is held.
func (p *participant) more(offer *sdp.Offer) {
	taken := append([]uint32{p.plan.control}, p.call.out...)
	for _, s := range p.sources {
		taken = append(taken, s.SSRC, s.RTX)
	}
	for n := offer.AudioSlots() + offer.VideoSlots(); len(p.sources) < n; {
		source := sdp.Source{SSRC: newSSRC(taken), CName: slotName(len(p.sources))}
		source.RTX = newSSRC(append(taken, source.SSRC))
		taken = append(taken, source.SSRC, source.RTX)
		p.sources = append(p.sources, source)
	}
	p.offer = offer
	p.viewer.take(offer, p.sources)
}

// answer writes the SDP answer to p's newest offer. negotiating is held.
func (s *Server) answer(p *participant) (string, error) {
	text, err := p.offer.Answer(sdp.Answer{
		ICE:         p.agent.Local(),
		Fingerprint: s.dtls.Fingerprint(),
		Candidates:  s.candidates(p.local),
		Slots:       p.sources,
	})
	if err != nil {
		return "", fmt.Errorf("answer participant %d of call %s: %w", p.id, p.call.id, err)
	}
	return text, nil
}
