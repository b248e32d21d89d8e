package sdp

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/veche-im/veche/sfu/dtls"
)

// What the microphone and the screen's sound are to be like: constant bitrate,
// because sizes of packets tell what is said; nothing for silence.
const (
	speech = "minptime=10;useinbandfec=1;usedtx=1;cbr=1;maxaveragebitrate=32000"
	music  = "minptime=10;useinbandfec=1;cbr=1;stereo=1;sprop-stereo=1;maxaveragebitrate=96000"
)

// Answer writes the answer to o. It fails if a.Slots are not as many as o's slots,
// or a is otherwise not complete, which is our own fault.
func (o *Offer) Answer(a Answer) (string, error) {
	if err := a.check(o); err != nil {
		return "", err
	}
	w := &writer{}
	w.line("v=0")
	w.line("o=- 1 1 IN IP4 127.0.0.1")
	w.line("s=-")
	w.line("t=0 0")
	w.line("a=ice-lite")
	mids := make([]string, len(o.Sections))
	for i := range o.Sections {
		mids[i] = o.Sections[i].MID
	}
	w.line("a=group:BUNDLE %s", strings.Join(mids, " "))
	if o.mixed {
		w.line("a=extmap-allow-mixed")
	}
	w.line("a=msid-semantic: WMS *")
	slots := a.Slots
	for i := range o.Sections {
		s := &o.Sections[i]
		var source Source
		if !s.Kind.Sends() {
			source, slots = slots[0], slots[1:]
		}
		w.section(o, s, a, source, i == 0)
	}
	return w.String(), nil
}

func (a *Answer) check(o *Offer) error {
	if n := o.AudioSlots() + o.VideoSlots(); len(a.Slots) != n {
		return fmt.Errorf("sdp: %d sources for %d slots", len(a.Slots), n)
	}
	if err := a.ICE.Check(); err != nil {
		return fmt.Errorf("sdp: answer: %w", err)
	}
	if _, err := dtls.ParseFingerprint(a.Fingerprint.String()); err != nil {
		return fmt.Errorf("sdp: answer: %w", err)
	}
	for _, s := range a.Slots {
		if s.SSRC == 0 || !token(s.CName, maxToken) {
			return fmt.Errorf("sdp: source %d named %q", s.SSRC, s.CName)
		}
	}
	return nil
}

type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format, args...)
	w.WriteString("\r\n")
}

func (w *writer) section(o *Offer, s *Section, a Answer, source Source, first bool) {
	media := "audio"
	if s.Kind.Video() {
		media = "video"
	}
	fmt.Fprintf(w, "m=%s 9 UDP/TLS/RTP/SAVPF", media)
	for _, c := range s.Codecs {
		fmt.Fprintf(w, " %d", c.PT)
		if c.RTX != 0 {
			fmt.Fprintf(w, " %d", c.RTX)
		}
	}
	w.line("")
	w.line("c=IN IP4 0.0.0.0")
	w.line("a=rtcp:9 IN IP4 0.0.0.0")
	if first {
		w.candidates(a.Candidates)
	}
	w.line("a=ice-ufrag:%s", a.ICE.Ufrag)
	w.line("a=ice-pwd:%s", a.ICE.Password)
	w.line("a=fingerprint:%s", a.Fingerprint)
	w.line("a=setup:passive")
	w.line("a=mid:%s", s.MID)
	for _, u := range s.Extensions.uris() {
		if *u.id != 0 {
			w.line("a=extmap:%d %s", *u.id, u.uri)
		}
	}
	if s.Kind.Sends() {
		w.line("a=recvonly")
	} else {
		w.line("a=sendonly")
		w.line("a=msid:%s %s", source.CName, source.CName)
	}
	w.line("a=rtcp-mux")
	if o.reducedRTCP {
		w.line("a=rtcp-rsize")
	}
	for _, c := range s.Codecs {
		w.codec(s, c)
	}
	w.layers(s.Layers)
	w.source(s, source)
}

// codec writes what a codec is and which feedback it has. What a format's
// parameters ask for is what we wish to receive; in a slot we wish nothing.
func (w *writer) codec(s *Section, c Codec) {
	if c.Coding.clock() == 48_000 {
		w.line("a=rtpmap:%d %s/48000/2", c.PT, c.Coding)
	} else {
		w.line("a=rtpmap:%d %s/90000", c.PT, c.Coding)
	}
	if s.Extensions.TransportCC != 0 {
		w.line("a=rtcp-fb:%d transport-cc", c.PT)
	}
	switch c.Coding {
	case RED:
		opus := s.Codecs[len(s.Codecs)-1].PT // stands last
		w.line("a=fmtp:%d %d/%d", c.PT, opus, opus)
	case Opus:
		params := "minptime=10;useinbandfec=1"
		switch s.Kind {
		case Microphone:
			params = speech
		case ScreenSound:
			params = music
		}
		w.line("a=fmtp:%d %s", c.PT, params)
	case VP9:
		w.line("a=fmtp:%d profile-id=0", c.PT)
	}
	if !s.Kind.Video() {
		return
	}
	w.line("a=rtcp-fb:%d ccm fir", c.PT)
	w.line("a=rtcp-fb:%d nack", c.PT)
	w.line("a=rtcp-fb:%d nack pli", c.PT)
	if c.RTX != 0 {
		w.line("a=rtpmap:%d rtx/90000", c.RTX)
		w.line("a=fmtp:%d apt=%d", c.RTX, c.PT)
	}
}

func (w *writer) layers(rids []string) {
	if len(rids) == 0 {
		return
	}
	for _, r := range rids {
		w.line("a=rid:%s recv", r)
	}
	w.line("a=simulcast:recv %s", strings.Join(rids, ";"))
}

func (w *writer) source(s *Section, source Source) {
	if s.Kind.Sends() {
		return
	}
	repair := s.Kind.Video() && source.RTX != 0
	if repair {
		w.line("a=ssrc-group:FID %d %d", source.SSRC, source.RTX)
	}
	w.line("a=ssrc:%d cname:%s", source.SSRC, source.CName)
	if repair {
		w.line("a=ssrc:%d cname:%s", source.RTX, source.CName)
	}
}

// candidates are told once, for the whole bundle. All of them are host candidates:
// what a router in between does is not the device's concern.
func (w *writer) candidates(cs []Candidate) {
	for i, c := range cs[:min(len(cs), maxCandidates)] {
		foundation, local := i+1, uint32(65535-i)
		if c.TCP {
			// Behind every UDP one: the type preference of TCP is lower (RFC 6544 §4.2).
			w.line("a=candidate:%d 1 tcp %d %s %d typ host tcptype passive", foundation, priority(90, local), host(c.Addr), c.Addr.Port())
		} else {
			w.line("a=candidate:%d 1 udp %d %s %d typ host", foundation, priority(126, local), host(c.Addr), c.Addr.Port())
		}
	}
	w.line("a=end-of-candidates")
}

func host(a netip.AddrPort) string { return a.Addr().Unmap().WithZone("").String() }

// priority is RFC 8445 §5.1.2.1 for component 1.
func priority(kind, local uint32) uint32 { return kind<<24 | local<<8 | 255 }
