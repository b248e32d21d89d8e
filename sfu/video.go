package sfu

import (
	"time"

	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/rtp"
	"github.com/veche-im/veche/sfu/srtp"
	"github.com/veche-im/veche/sfu/video"
)

// rids are the names of a camera's layers, the smallest first; a source of one
// layer has none.
var rids = [video.Layers]string{"q", "h", "f"}

// pictures is what a track of pictures has beyond a track.
type pictures struct {
	*video.Source
	codec video.Codec
	rids  []string // of Layers; one empty string if the source has one layer
}

func newPictures(t *track, codec video.Codec, offered []string) *pictures {
	p := &pictures{codec: codec, rids: []string{""}}
	if len(offered) > 0 {
		p.rids = p.rids[:0]
		for _, rid := range rids {
			for _, o := range offered {
				if o == rid {
					p.rids = append(p.rids, rid)
				}
			}
		}
	}
	p.Source = video.NewSource(codec, len(p.rids), t.source == Screen)
	return p
}

// layer finds a layer by its rid.
func (p *pictures) layer(rid string) *video.Layer {
	for i, r := range p.rids {
		if r == rid {
			return p.Layers[i]
		}
	}
	return nil
}

// A shot is a packet of pictures that goes to whoever looks.
type shot struct {
	from    *participant
	source  *video.Source
	layer   *video.Layer
	arrival video.Arrival
	taken   bool
}

// record notes for congestion control that a packet of p came. p.mu is held.
func (p *participant) record(h *rtp.Header, now time.Duration) {
	if e := h.Extension(p.plan.congestion); len(e) == 2 {
		p.arrivals.Record(max(now, 1), uint16(e[0])<<8|uint16(e[1]))
	}
}

// video takes a packet of pictures of p, whose mu is held.
func (w *worker) video(p *participant, in *input, known bool, h *rtp.Header, b []byte) {
	t := in.track
	code := t.types[h.Type]
	if t.pictures == nil || code == codingNone || in.repairs != (code == codingRepair) {
		w.count.malformed++
		return
	}
	payload, index, ok := w.open(p, in, known, h, b)
	if !ok {
		return
	}
	if said := h.Extension(p.rid(in.repairs)); len(said) > 0 && string(said) != in.rid {
		in.rid = string(said) // an SSRC that the offer announced without saying of which layer
	}
	layer := t.pictures.layer(in.rid)
	if layer == nil {
		w.count.ssrc++
		return
	}
	packet := video.Packet{Sequence: uint16(index), Timestamp: h.Time, Marker: h.Marker, Payload: payload}
	if in.repairs {
		if packet, ok = packet.Unwrap(); !ok {
			return
		}
	}
	a, ok := layer.Receive(w.now, packet)
	if !ok {
		return
	}
	w.shots = append(w.shots, shot{from: p, source: t.pictures.Source, layer: layer, arrival: a})
	w.wishes(p, in, layer, a.Gaps)
}

// rid is the id of the header extension that names a layer.
func (p *participant) rid(repairs bool) uint8 {
	if repairs {
		return p.plan.rrid
	}
	return p.plan.rid
}

// wishes asks p for a key frame of a layer if one is wanted, and for what is
// missing. p.mu is held.
func (w *worker) wishes(p *participant, in *input, layer *video.Layer, gaps bool) {
	if layer.Asks.Due(w.now) {
		if ssrc, ok := p.sends(in.track, in.rid); ok {
			w.tell(p, appendPLI(w.word[:0], p.plan.control, ssrc))
		}
	}
	if !gaps {
		return
	}
	if w.missing = layer.Missing(w.now, p.agent.RTT(), w.missing[:0]); len(w.missing) > 0 {
		if ssrc, ok := p.sends(in.track, in.rid); ok {
			w.tell(p, appendNACK(w.word[:0], p.plan.control, ssrc, w.missing))
		}
	}
}

// sends is the SSRC under which p sends a layer. mu is held.
func (p *participant) sends(t *track, rid string) (ssrc uint32, ok bool) {
	for _, in := range p.inputs {
		if in.track == t && in.rid == rid && !in.repairs {
			return in.ssrc, true
		}
	}
	return 0, false
}

// tell seals an RTCP packet for p.
func (w *worker) tell(p *participant, plain []byte) {
	e := p.egress.Load()
	path, ok := p.agent.Path()
	if e == nil || !ok {
		return
	}
	b := w.room(path, len(plain)+srtp.Overhead)
	if b == nil {
		return
	}
	copy(b, plain)
	if sealed, err := e.sealer.SealRTCP(&w.x, b[:len(plain)], p.rtcpNo.Add(1)); err == nil {
		w.sent(path, sealed)
	}
}

// show sends the shots of this read to whoever looks, receiver by receiver.
func (w *worker) show() {
	for i := range w.shots {
		if w.shots[i].taken {
			continue
		}
		c := w.shots[i].from.call
		w.group = w.group[:0]
		for j := i; j < len(w.shots); j++ {
			if s := &w.shots[j]; !s.taken && s.from.call == c {
				s.taken = true
				w.group = append(w.group, j)
			}
		}
		for _, r := range *c.receivers.Load() {
			w.view(r)
		}
	}
	clear(w.shots)
	w.shots = w.shots[:0]
}

// view seals the shots of group that r looks at.
func (w *worker) view(r *participant) {
	defer w.rescue()
	w.guilt = r
	v, e := r.viewer, r.egress.Load()
	if !v.looks.Load() {
		return
	}
	path, ok := r.agent.Path()
	if e == nil || !ok || r.gone.Load() {
		return
	}
	v.Lock()
	defer v.Unlock()
	for _, j := range w.group {
		s := &w.shots[j]
		for _, place := range v.Places {
			if place.Source != s.source {
				continue
			}
			if o, ok := place.Slot.Forward(s.layer, &s.arrival); ok {
				v.picture(&w.outlet, &w.x, e, path, w.now, place, &o)
			}
		}
	}
}

// picture seals one packet of a place. v is locked.
func (v *viewer) picture(to *outlet, x *srtp.Scratch, e *egress, path ice.Path, now time.Duration, place *video.Place, o *video.Out) {
	kind := v.types[codingOfVideo(o.Codec)]
	if kind == 0 {
		return // a coding that this receiver did not offer
	}
	head, size := v.header(), o.Size()
	if size == 0 {
		size = 1 // of padding
	}
	b := to.room(path, head+size+srtp.TagSize)
	if b == nil {
		return
	}
	rtp.Put(b, o.Marker, kind, uint16(o.Index), o.Timestamp, place.SSRC)
	if v.congestion != 0 {
		rtp.PutSequence(b, v.congestion, v.Path.Sent(now, len(b)))
	}
	if o.Size() == 0 {
		rtp.PutPadding(b[:head+1], 1)
	} else {
		o.Append(b[head:head])
	}
	e.sealer.Seal(x, b[:head], head, b[head:head+size], o.Index)
	to.sent(path, b)
}

// repair seals a packet that is sent again: RFC 4588 section 4. v is locked.
func (v *viewer) repair(to *outlet, x *srtp.Scratch, e *egress, path ice.Path, now time.Duration, place *video.Place, o *video.Out) {
	kind := v.repairs[codingOfVideo(o.Codec)]
	if kind == 0 || place.Repair == 0 {
		return
	}
	head, size := v.header(), 2+o.Size()
	b := to.room(path, head+size+srtp.TagSize)
	if b == nil {
		return
	}
	index := place.NextRepair()
	rtp.Put(b, o.Marker, kind, uint16(index), o.Timestamp, place.Repair)
	if v.congestion != 0 {
		rtp.PutSequence(b, v.congestion, v.Path.Sent(now, len(b)))
	}
	b[head], b[head+1] = byte(o.Index>>8), byte(o.Index)
	o.Append(b[head+2 : head+2])
	e.sealer.Seal(x, b[:head], head, b[head:head+size], index)
	to.sent(path, b)
}

// paddingSize is the most padding that a packet has: its last byte counts it.
const paddingSize = 255

// pad seals one packet of padding alone. v is locked. False: there is nothing that
// it could go under.
func (v *viewer) pad(to *outlet, x *srtp.Scratch, e *egress, path ice.Path, now time.Duration) (n int, ok bool) {
	kind := max(v.repairs[codingVP8], v.repairs[codingVP9])
	for _, place := range v.Places {
		if place.Source == nil || place.Repair == 0 || kind == 0 || v.congestion == 0 {
			continue
		}
		head := v.header()
		b := to.room(path, head+paddingSize+srtp.TagSize)
		if b == nil {
			return 0, false
		}
		index := place.NextRepair()
		rtp.Put(b, false, kind, uint16(index), place.Slot.Timestamp(), place.Repair)
		rtp.PutSequence(b, v.congestion, v.Path.Sent(now, len(b)))
		rtp.PutPadding(b[:head+paddingSize], paddingSize)
		e.sealer.Seal(x, b[:head], head, b[head:head+paddingSize], index)
		to.sent(path, b)
		return len(b), true
	}
	return 0, false
}

func codingOfVideo(c video.Codec) coding {
	if c == video.VP9 {
		return codingVP9
	}
	return codingVP8
}
