package sdp

import (
	"slices"
	"strconv"
	"strings"
)

// format is what an offer says of one payload type.
type format struct {
	pt     uint8
	name   string // lower case, with clock and channels: "opus/48000/2"
	params string
}

// param returns the value of one format parameter.
func (f format) param(name string) string {
	for p := range strings.SplitSeq(f.params, ";") {
		if k, v, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// codecs chooses among what a section offers. One payload type means one thing in
// the whole bundle.
func (p *parser) codecs(i int, s *Section, order []string, as attributes) error {
	formats, err := p.formats(i, order, as)
	if err != nil {
		return err
	}
	if s.Kind.Video() {
		s.Codecs = pictures(formats)
		if s.Kind.Sends() && len(s.Codecs) > 1 {
			s.Codecs = s.Codecs[:1]
		}
	} else {
		s.Codecs = sounds(formats)
	}
	if len(s.Codecs) == 0 {
		return refuse(i, "nothing in the offer that could be forwarded for the %s", s.Kind)
	}
	return nil
}

func (p *parser) formats(i int, order []string, as attributes) ([]format, error) {
	if len(order) > 128 {
		return nil, refuse(i, "too many formats")
	}
	names, params := map[string]string{}, map[string]string{}
	for _, v := range as.all("rtpmap") {
		pt, name, _ := strings.Cut(v, " ")
		names[pt] = strings.ToLower(strings.TrimSpace(name))
	}
	for _, v := range as.all("fmtp") {
		pt, text, _ := strings.Cut(v, " ")
		params[pt] = strings.TrimSpace(text)
	}
	var formats []format
	seen := map[uint8]bool{}
	for _, text := range order {
		n, err := strconv.ParseUint(text, 10, 7)
		if err != nil || text != strconv.FormatUint(n, 10) || seen[uint8(n)] {
			return nil, refuse(i, "format %.10q", text)
		}
		f := format{uint8(n), names[text], params[text]}
		seen[f.pt] = true
		if 64 <= f.pt && f.pt <= 95 {
			continue // would be taken for RTCP, RFC 5761 §4
		}
		if was, ok := p.types[f.pt]; ok && was != f.name {
			return nil, refuse(i, "payload type %d means two things", f.pt)
		}
		p.types[f.pt] = f.name
		formats = append(formats, f)
	}
	return formats, nil
}

// sounds takes Opus, with RED of it in front where there is some.
func sounds(formats []format) (codecs []Codec) {
	k := slices.IndexFunc(formats, func(f format) bool { return f.name == "opus/48000/2" })
	if k < 0 {
		return nil
	}
	opus := formats[k].pt
	of := strconv.Itoa(int(opus))
	for _, f := range formats {
		if f.name != "red/48000/2" {
			continue
		}
		if pts := strings.Split(f.params, "/"); !slices.ContainsFunc(pts, func(pt string) bool { return pt != of }) {
			codecs = append(codecs, Codec{Coding: RED, PT: f.pt})
			break
		}
	}
	return append(codecs, Codec{Coding: Opus, PT: opus})
}

// pictures takes the first of each coding, with its retransmissions, in the order
// of the offer.
func pictures(formats []format) (codecs []Codec) {
	repairs := map[string]uint8{}
	for _, f := range formats {
		if f.name == "rtx/90000" {
			repairs[f.param("apt")] = f.pt
		}
	}
	var have [AV1 + 1]bool
	for _, f := range formats {
		c, ok := picture(f)
		if !ok || have[c] {
			continue
		}
		have[c] = true
		codecs = append(codecs, Codec{Coding: c, PT: f.pt, RTX: repairs[strconv.Itoa(int(f.pt))]})
	}
	return codecs
}

func picture(f format) (Coding, bool) {
	switch f.name {
	case "vp8/90000":
		return VP8, true
	case "vp9/90000":
		profile := f.param("profile-id")
		return VP9, profile == "" || profile == "0"
	case "av1/90000":
		profile := f.param("profile")
		return AV1, profile == "" || profile == "0"
	default:
		return 0, false
	}
}
