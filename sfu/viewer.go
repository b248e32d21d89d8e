package sfu

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/sfu/bwe"
	"github.com/veche-im/veche/sfu/rtp"
	"github.com/veche-im/veche/sfu/sdp"
	"github.com/veche-im/veche/sfu/video"
)

// A viewer is the receiving side of a participant's pictures. Its lock guards all
// of it and is taken after call.mu.
type viewer struct {
	*video.Viewer
	congestion uint8          // id of the header extension with transport-wide numbers, 0 if not offered
	types      [codings]uint8 // payload types
	repairs    [codings]uint8 // of packets that are sent again
	wishes     []wish         // by place
	looks      atomic.Bool    // some place has a source; not guarded
}

// wish is what a place is to show, and where that comes from once it is known.
type wish struct {
	mid string
	View
	from  *participant
	track *track
}

// assumed is what the path carries to a receiver that does not tell when packets
// came, bits per second.
const assumed = 3_000_000

// any says whether there are places, which an offer may add at any time.
func (v *viewer) any() bool {
	v.Lock()
	defer v.Unlock()
	return len(v.Places) > 0
}

// header is the size of an RTP header to this receiver, in bytes.
func (v *viewer) header() int {
	if v.congestion == 0 {
		return rtp.HeaderSize
	}
	return rtp.HeaderSize + rtp.SequenceSize
}

// newViewer returns one without places.
func newViewer() *viewer {
	return &viewer{Viewer: video.NewViewer(bwe.New(bwe.Config{}))}
}

// take adds the video slots of an offer that are new.
func (v *viewer) take(o *sdp.Offer, sources []sdp.Source) {
	v.Lock()
	defer v.Unlock()
	slot, n := 0, 0
	for i := range o.Sections {
		s := &o.Sections[i]
		if s.Kind.Sends() {
			continue
		}
		slot++
		if s.Kind != sdp.VideoSlot {
			continue
		}
		if n++; n <= len(v.Places) || slot > len(sources) {
			continue
		}
		v.codecs(s)
		v.add(s.MID, sources[slot-1])
		if v.congestion == 0 && !v.Path.Known() {
			v.Path = bwe.New(bwe.Config{Start: assumed}) // all that will ever be known
		}
	}
}

func (v *viewer) codecs(s *sdp.Section) {
	if v.congestion == 0 {
		v.congestion = s.Extensions.TransportCC
	}
	for _, c := range s.Codecs {
		if code := codingOf(c.Coding); v.types[code] == 0 {
			v.types[code], v.repairs[code] = c.PT, c.RTX
		}
	}
}

func (v *viewer) add(mid string, source sdp.Source) {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	v.Add(source.SSRC, source.RTX, binary.BigEndian.Uint16(b[:]), binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:]))
	v.wishes = append(v.wishes, wish{mid: mid})
}

// View says what a participant shows in its video slots. Slots that are not
// named keep what they have.
func (s *Server) View(id CallID, participant uint32, views []View) {
	p, err := s.find(id, participant)
	if err != nil {
		return
	}
	p.viewer.wish(views)
	s.share(p)
	p.call.changed()
}

func (v *viewer) wish(views []View) {
	v.Lock()
	defer v.Unlock()
	for _, to := range views {
		for i := range v.wishes {
			w := &v.wishes[i]
			if w.mid != to.MID {
				continue
			}
			if w.Participant != to.Participant || w.Source != to.Source {
				w.from, w.track = nil, nil
			}
			w.View = to
		}
	}
}

// share gives each place of p its source, as far as there is one, and its part of
// what p's path carries. Senders whose layers are wanted again, or who owe a key
// frame, hear of it soon.
func (s *Server) share(p *participant) {
	p.call.assign(p)
	if p.viewer.allocate(s.now()) {
		p.call.changed()
	}
}

// assign finds what p's places are to show.
func (c *call) assign(p *participant) {
	v := p.viewer
	c.mu.Lock()
	defer c.mu.Unlock()
	v.Lock()
	defer v.Unlock()
	looks := false
	for i, place := range v.Places {
		w := &v.wishes[i]
		if w.from != nil && w.from.gone.Load() {
			w.from, w.track = nil, nil
		}
		if w.from == nil && w.Participant != 0 {
			w.from, w.track = c.shows(p, w.Participant, w.Source)
		}
		var source *video.Source
		if w.track != nil {
			source = w.track.pictures.Source
		}
		v.View(place, source, w.Height)
		looks = looks || source != nil
	}
	v.looks.Store(looks)
}

// allocate divides what the path carries, and says whether somebody must hear of it.
func (v *viewer) allocate(now time.Duration) bool {
	v.Lock()
	defer v.Unlock()
	changed, woken := v.Allocate(now)
	for i, place := range v.Places {
		if from := v.wishes[i].from; from != nil && place.Slot.Waits() {
			from.owes.Store(true) // heard of by tell
		}
	}
	return changed || woken
}

// shows finds a source of pictures. mu is held.
func (c *call) shows(to *participant, from uint32, source Source) (*participant, *track) {
	p := c.participants[from]
	if p == nil || p == to && !c.echo {
		return nil, nil
	}
	for _, t := range p.plan.tracks {
		if t.source == source && t.pictures != nil {
			return p, t
		}
	}
	return nil, nil
}

// forget takes the pictures of p, who is gone, from all who looked.
func (c *call) forget(p *participant) {
	for _, r := range *c.receivers.Load() {
		r.viewer.forget(p)
	}
}

func (v *viewer) forget(p *participant) {
	v.Lock()
	defer v.Unlock()
	for _, t := range p.plan.tracks {
		if t.pictures != nil {
			v.Forget(t.pictures.Source)
		}
	}
	for i := range v.wishes {
		if w := &v.wishes[i]; w.from == p {
			w.from, w.track = nil, nil
		}
	}
}

// slots appends what is in p's video slots.
func (v *viewer) slots(to []Slot, now time.Duration) []Slot {
	v.Lock()
	defer v.Unlock()
	for i, place := range v.Places {
		w := &v.wishes[i]
		if w.track == nil || !flows(place.Source, now) {
			continue
		}
		slot := Slot{MID: w.mid, Participant: w.Participant, Source: w.Source, Paused: place.Given() < 0}
		if !slot.Paused {
			slot.Layer = w.track.pictures.rids[place.Given()]
		}
		to = append(to, slot)
	}
	return to
}

// rate is what p's path carries, 0 if p does not tell.
func (v *viewer) rate() int {
	v.Lock()
	defer v.Unlock()
	if !v.Path.Known() {
		return 0
	}
	return v.Path.Target()
}

func flows(s *video.Source, now time.Duration) bool {
	for _, l := range s.Layers {
		if l.Pulse.Flows(now) {
			return true
		}
	}
	return false
}

// layers are all that p sends, and whether it is to send them.
func (p *participant) layers() (list []Layer) {
	for _, t := range p.plan.tracks {
		if t.pictures == nil {
			continue
		}
		for i, l := range t.pictures.Layers {
			list = append(list, Layer{Source: t.source, RID: t.pictures.rids[i], Paused: l.Demand.Paused()})
		}
	}
	return list
}
