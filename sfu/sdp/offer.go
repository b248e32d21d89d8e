package sdp

import (
	"slices"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"

	"github.com/veche-im/veche/sfu/dtls"
	"github.com/veche-im/veche/sfu/ice"
)

// attributes are those of one level of an offer.
type attributes []pion.Attribute

func (as attributes) get(key string) (string, bool) {
	for _, a := range as {
		if a.Key == key {
			return a.Value, true
		}
	}
	return "", false
}

func (as attributes) has(key string) bool {
	_, ok := as.get(key)
	return ok
}

func (as attributes) all(key string) (values []string) {
	for _, a := range as {
		if a.Key == key {
			values = append(values, a.Value)
		}
	}
	return values
}

// parser collects one offer.
type parser struct {
	offer      Offer
	session    attributes
	mids       map[string]bool
	types      map[uint8]string // what a payload type means in the bundle
	extensions map[string]string
	ssrcs      map[uint32]bool
	candidates int
}

// Parse reads an offer. Its errors are *Error.
func Parse(text string) (*Offer, error) {
	if len(text) > MaxSize {
		return nil, refuse(-1, "an offer of %d bytes; %d are allowed", len(text), MaxSize)
	}
	var d pion.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, refuse(-1, "not a session description")
	}
	if n := len(d.MediaDescriptions); n > MaxSections {
		return nil, refuse(-1, "%d m-lines; %d are allowed", n, MaxSections)
	}
	p := &parser{
		session: attributes(d.Attributes),
		mids:    map[string]bool{}, types: map[uint8]string{}, extensions: map[string]string{}, ssrcs: map[uint32]bool{},
	}
	if len(p.session) > maxAttributes {
		return nil, refuse(-1, "too many attributes")
	}
	if p.session.has("ice-lite") {
		return nil, refuse(-1, "ICE-lite on both sides never connects")
	}
	p.offer.mixed = p.session.has("extmap-allow-mixed")
	if err := p.sections(d.MediaDescriptions); err != nil {
		return nil, err
	}
	if err := p.bundle(); err != nil {
		return nil, err
	}
	p.offer.own()
	return &p.offer, nil
}

// own copies what o refers to, so that a few names do not keep a whole text for as
// long as a call lasts.
func (o *Offer) own() {
	for _, s := range []*string{&o.ICE.Ufrag, &o.ICE.Password, &o.Fingerprint.Hash} {
		*s = strings.Clone(*s)
	}
	for i := range o.Sections {
		s := &o.Sections[i]
		s.MID = strings.Clone(s.MID)
		for j := range s.Layers {
			s.Layers[j] = strings.Clone(s.Layers[j])
		}
	}
	o.Sections = slices.Clip(o.Sections)
}

func (p *parser) sections(ms []*pion.MediaDescription) error {
	if len(ms) < int(AudioSlot) {
		return refuse(-1, "%d m-lines; the first four are microphone, camera, screen and its sound", len(ms))
	}
	for i, m := range ms {
		if len(m.Attributes) > maxAttributes {
			return refuse(i, "too many attributes")
		}
		kind, err := p.kind(i, m)
		if err != nil {
			return err
		}
		s, err := p.section(i, kind, m)
		if err != nil {
			return err
		}
		p.offer.Sections = append(p.offer.Sections, *s)
	}
	return nil
}

// kind tells what a section is by its place, its medium and its direction.
func (p *parser) kind(i int, m *pion.MediaDescription) (Kind, error) {
	if protos := strings.Join(m.MediaName.Protos, "/"); protos != "UDP/TLS/RTP/SAVPF" {
		return 0, refuse(i, "protocol %.40q; calls are of sound and pictures over UDP/TLS/RTP/SAVPF", protos)
	}
	video := m.MediaName.Media == "video"
	if !video && m.MediaName.Media != "audio" {
		return 0, refuse(i, "medium %.20q; only audio and video are known", m.MediaName.Media)
	}
	kind, want := Kind(min(i, int(AudioSlot))), "sendonly"
	if i >= int(AudioSlot) {
		if want = "recvonly"; video {
			kind = VideoSlot
		}
	}
	if kind.Video() != video {
		return 0, refuse(i, "%s in the place of the %s", m.MediaName.Media, kind)
	}
	if as := attributes(m.Attributes); !as.has(want) || direction(as) != 1 {
		return 0, refuse(i, "the %s must be %s", kind, want)
	}
	if kind == AudioSlot && p.offer.VideoSlots() > 0 {
		return 0, refuse(i, "an audio slot behind a video slot")
	}
	switch {
	case kind == AudioSlot && p.offer.AudioSlots() >= MaxAudioSlots:
		return 0, refuse(i, "more than %d audio slots", MaxAudioSlots)
	case kind == VideoSlot && p.offer.VideoSlots() >= MaxVideoSlots:
		return 0, refuse(i, "more than %d video slots", MaxVideoSlots)
	}
	return kind, nil
}

// direction counts the attributes that tell one.
func direction(as attributes) (n int) {
	for _, a := range as {
		switch a.Key {
		case "sendonly", "recvonly", "sendrecv", "inactive":
			n++
		}
	}
	return n
}

func (p *parser) section(i int, kind Kind, m *pion.MediaDescription) (*Section, error) {
	as := attributes(m.Attributes)
	s := &Section{Kind: kind}
	if m.MediaName.Port.Value == 0 && !as.has("bundle-only") {
		return nil, refuse(i, "rejected in an offer")
	}
	s.MID, _ = as.get("mid")
	if !token(s.MID, maxToken) || p.mids[s.MID] {
		return nil, refuse(i, "no mid of its own")
	}
	p.mids[s.MID] = true
	if !as.has("rtcp-mux") {
		return nil, refuse(i, "RTCP needs rtcp-mux")
	}
	p.offer.reducedRTCP = p.offer.reducedRTCP || as.has("rtcp-rsize")
	p.offer.mixed = p.offer.mixed || as.has("extmap-allow-mixed")
	if p.candidates += len(as.all("candidate")); p.candidates > maxCandidates {
		return nil, refuse(i, "more than %d candidates", maxCandidates)
	}
	for _, f := range []func(int, *Section, attributes) error{p.transport, p.extmaps, p.layers, p.sources} {
		if err := f(i, s, as); err != nil {
			return nil, err
		}
	}
	return s, p.codecs(i, s, m.MediaName.Formats, as)
}

// transport takes ICE credentials and fingerprint, which must be the same wherever
// they stand.
func (p *parser) transport(i int, _ *Section, as attributes) error {
	at := func(key string) string {
		if v, ok := as.get(key); ok {
			return v
		}
		v, _ := p.session.get(key)
		return v
	}
	if setup := at("setup"); setup != "actpass" && setup != "active" {
		return refuse(i, "setup %.20q; the device begins the handshake", setup)
	}
	c := ice.Credentials{Ufrag: at("ice-ufrag"), Password: at("ice-pwd")}
	if err := c.Check(); err != nil {
		return refuse(i, "%v", err)
	}
	f, err := dtls.ParseFingerprint(at("fingerprint"))
	if err != nil {
		return refuse(i, "%v", err)
	}
	if i == 0 {
		p.offer.ICE, p.offer.Fingerprint = c, f
	} else if c != p.offer.ICE || f.String() != p.offer.Fingerprint.String() {
		return refuse(i, "another transport than that of the bundle")
	}
	return nil
}

// bundle demands that all sections are in one.
func (p *parser) bundle() error {
	for _, g := range p.session.all("group") {
		names := strings.Fields(g)
		if len(names) == 0 || names[0] != "BUNDLE" {
			continue
		}
		if len(names)-1 != len(p.offer.Sections) {
			break
		}
		for i, s := range p.offer.Sections {
			if names[i+1] != s.MID {
				return refuse(i, "not in its place in the bundle")
			}
		}
		return nil
	}
	return refuse(-1, "all m-lines must be in one bundle")
}

// extmaps takes the numbers of the header extensions that we know. One number means
// one thing in the whole bundle.
func (p *parser) extmaps(i int, s *Section, as attributes) error {
	uris := s.Extensions.uris()
	for _, v := range as.all("extmap") {
		fields := strings.Fields(v)
		if len(fields) < 2 {
			return refuse(i, "extmap without a name")
		}
		number, way, _ := strings.Cut(fields[0], "/")
		for _, u := range uris {
			if u.uri != fields[1] {
				continue
			}
			id, err := strconv.ParseUint(number, 10, 8)
			if err != nil || id < 1 || id > 14 {
				return refuse(i, "header extension number %.10q; 1 to 14 fit the one-byte form", number)
			}
			if way != "" && way != "sendrecv" && (way == "sendonly") != s.Kind.Sends() {
				return refuse(i, "header extension %.10q against the direction of the m-line", number)
			}
			if was, ok := p.extensions[number]; ok && was != u.uri {
				return refuse(i, "header extension %s means two things", number)
			}
			p.extensions[number] = u.uri
			*u.id = uint8(id)
		}
	}
	if s.Extensions.MID == 0 && s.Kind.Sends() {
		return refuse(i, "what is sent needs the mid header extension")
	}
	if s.Kind == Microphone && s.Extensions.AudioLevel == 0 {
		return refuse(i, "the microphone needs the audio level header extension")
	}
	return nil
}

// layers takes the rids of a camera.
func (p *parser) layers(i int, s *Section, as attributes) error {
	simulcast, ok := as.get("simulcast")
	rids := as.all("rid")
	if !ok && len(rids) == 0 {
		return nil
	}
	if s.Kind != Camera {
		return refuse(i, "layers of the %s; only the camera has some", s.Kind)
	}
	send := map[string]bool{}
	for _, r := range rids {
		fields := strings.Fields(r)
		if len(fields) < 2 || fields[1] != "send" || send[fields[0]] {
			return refuse(i, "rid %.40q", r)
		}
		send[fields[0]] = true
	}
	list, ok := strings.CutPrefix(simulcast, "send ")
	if !ok || strings.ContainsAny(list, " ,") {
		return refuse(i, "simulcast %.40q; one list of rids to send is known", simulcast)
	}
	for _, name := range strings.Split(list, ";") {
		name = strings.TrimPrefix(name, "~") // paused for now
		if name != "q" && name != "h" && name != "f" || !send[name] {
			return refuse(i, "layer %.20q; q, h and f are known", name)
		}
		delete(send, name)
		s.Layers = append(s.Layers, name)
	}
	if len(send) > 0 {
		return refuse(i, "rid outside of the simulcast")
	}
	if s.Extensions.RID == 0 {
		return refuse(i, "layers need the rid header extension")
	}
	return nil
}

// sources takes the SSRCs that an offer names, and which of them retransmits which.
func (p *parser) sources(i int, s *Section, as attributes) error {
	named := map[uint32]bool{}
	var order []uint32
	for _, v := range as.all("ssrc") {
		id, err := ssrc(v)
		if err != nil {
			return refuse(i, "ssrc %.20q", v)
		}
		if !named[id] {
			named[id] = true
			order = append(order, id)
		}
	}
	if len(order) > 0 && !s.Kind.Sends() {
		return refuse(i, "an ssrc in a slot")
	}
	if len(order) > maxSSRCs {
		return refuse(i, "more than %d ssrcs", maxSSRCs)
	}
	repairs := map[uint32]uint32{} // by the medium's
	repair := map[uint32]bool{}
	for _, v := range as.all("ssrc-group") {
		fields := strings.Fields(v)
		if len(fields) != 3 || fields[0] != "FID" {
			return refuse(i, "ssrc-group %.40q; only the pairs of FID are known", v)
		}
		a, err1 := ssrc(fields[1])
		b, err2 := ssrc(fields[2])
		if err1 != nil || err2 != nil || !named[a] || !named[b] || a == b || repair[a] || repair[b] || repairs[a] != 0 || repairs[b] != 0 {
			return refuse(i, "ssrc-group %.40q", v)
		}
		repairs[a], repair[b] = b, true
	}
	for _, id := range order {
		if p.ssrcs[id] {
			return refuse(i, "ssrc %d is another m-line's", id)
		}
		p.ssrcs[id] = true
		if !repair[id] {
			s.SSRCs = append(s.SSRCs, SSRC{Media: id, RTX: repairs[id]})
		}
	}
	if len(s.SSRCs) > 1 && len(s.SSRCs) != len(s.Layers) {
		return refuse(i, "several ssrcs for one picture or sound")
	}
	return nil
}

// ssrc reads the number at the beginning of v; 0 is none.
func ssrc(v string) (uint32, error) {
	number, _, _ := strings.Cut(v, " ")
	n, err := strconv.ParseUint(number, 10, 32)
	if err == nil && n == 0 {
		err = strconv.ErrRange
	}
	return uint32(n), err
}

// token reports whether s is a name of at most n characters that needs no quoting.
func token(s string, n int) bool {
	if s == "" || len(s) > n {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]`, c) >= 0 {
			return false
		}
	}
	return true
}
