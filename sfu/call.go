package sfu

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/sfu/audio"
	"github.com/veche-im/veche/sfu/srtp"
)

// A call forwards what its participants send to one another.
type call struct {
	s    *Server
	id   CallID
	echo bool
	out  []uint32 // SSRCs of streams, as in streams; never changes

	// receivers are those whose handshake is done: a list that is replaced whole,
	// so that workers read it without a lock.
	receivers atomic.Pointer[[]*participant]
	dirty     atomic.Bool   // somebody must hear of new slots
	toldAt    time.Duration // when they last did; the keeper's own

	mu           sync.Mutex // guards what follows
	participants map[uint32]*participant
	floor        *audio.Floor
	streams      []audio.Stream
	voices       []*input // by stream, nil where nobody ever spoke
	reported     []clocks // by stream

	light spotlight // the keeper's own
}

func newCall(s *Server, id CallID, echo bool) *call {
	n := s.cfg.Speakers
	c := &call{
		s: s, id: id, echo: echo,
		out:          make([]uint32, n),
		participants: map[uint32]*participant{},
		floor:        audio.NewFloor(n),
		streams:      make([]audio.Stream, n),
		voices:       make([]*input, n),
		reported:     make([]clocks, n),
	}
	for i := range c.streams {
		c.out[i] = newSSRC(c.out[:i])
		c.streams[i].SSRC = c.out[i]
	}
	c.receivers.Store(&[]*participant{})
	return c
}

// newSSRC is a random one that is not among others.
func newSSRC(others []uint32) uint32 {
	for {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails
		ssrc := binary.BigEndian.Uint32(b[:])
		taken := ssrc == 0
		for _, o := range others {
			taken = taken || o == ssrc
		}
		if !taken {
			return ssrc
		}
	}
}

// owns says whether an SSRC is one of ours. A packet that comes with it is our own,
// reflected, or pretends to be.
func (c *call) owns(ssrc uint32) bool {
	for _, o := range c.out {
		if o == ssrc {
			return true
		}
	}
	return false
}

// changed has the keeper tell everybody who is in which slot.
func (c *call) changed() {
	if !c.dirty.Swap(true) {
		c.s.keeper.nudge()
	}
}

// add takes a participant in.
func (c *call) add(p *participant, most int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.participants[p.id] != nil:
		return ErrTaken
	case len(c.participants) >= most || c.echo && len(c.participants) > 0:
		return ErrFull
	}
	c.participants[p.id] = p
	return nil
}

// begin makes p a receiver, whose streams begin where they are now.
func (c *call) begin(p *participant, sealer *srtp.Sealer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.gone.Load() {
		return
	}
	e := &egress{sealer: sealer, types: p.plan.types, base: make([]uint64, min(len(c.streams), len(p.plan.audio)))}
	for i := range e.base {
		e.base[i] = c.streams[i].Next()
	}
	p.egress.Store(e)
	list := append([]*participant{}, *c.receivers.Load()...)
	list = append(list, p)
	c.receivers.Store(&list)
	c.changed()
}

// remove takes p out, and says whether that ended the call.
func (c *call) remove(p *participant) (ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.participants[p.id] != p {
		return len(c.participants) == 0
	}
	delete(c.participants, p.id)
	old := *c.receivers.Load()
	list := make([]*participant, 0, len(old))
	for _, o := range old {
		if o != p {
			list = append(list, o)
		}
	}
	c.receivers.Store(&list)
	for _, t := range p.plan.tracks {
		c.floor.Leave(&t.voice)
		t.onAir.Store(false)
	}
	for i, in := range c.voices {
		if in != nil && in.track.voice.Stream() != i {
			c.voices[i] = nil // its last packet is sent: nothing more refers to it
		}
	}
	c.changed()
	return len(c.participants) == 0
}

// all lists the participants.
func (c *call) all() []*participant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.AppendSeq(make([]*participant, 0, len(c.participants)), maps.Values(c.participants))
}

// airing is who has each stream now; if anybody.
type airing struct {
	on          bool
	participant uint32
	source      Source
	level       uint8
}

func (c *call) onAir(to []airing) []airing {
	now := c.s.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	to = to[:0]
	for i := range c.streams {
		var o airing
		if v := c.floor.On(i); v != nil {
			in := c.voices[i]
			o = airing{true, in.owner.id, in.track.source, v.Level(now)}
		}
		to = append(to, o)
	}
	return to
}

func (id CallID) String() string { return fmt.Sprintf("%x", id[:]) }
