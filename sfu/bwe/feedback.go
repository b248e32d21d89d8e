package bwe

import (
	"encoding/binary"
	"errors"
	"time"
)

const (
	packetType   = 205 // RTPFB, RFC 4585 §6.2
	feedbackType = 15  // transport-wide congestion control, §3.1
	headerSize   = 20  // up to the first chunk

	tick     = 250 * time.Microsecond // unit of deltas
	baseTick = 64 * time.Millisecond  // unit of the reference time

	// maxStatus is the most packets that one feedback may speak of: a run of
	// 8,191 lost ones takes two bytes, and we never have as many on the way.
	maxStatus = 4096
)

// ErrFeedback says that an RTCP packet is no well-formed transport-wide feedback.
var ErrFeedback = errors.New("bwe: malformed feedback")

// The symbols of a packet's status, §3.1.1.
const (
	notReceived = 0
	smallDelta  = 1
	largeDelta  = 2
)

// A feedback is read with next, packet by packet.
type feedback struct {
	base   uint16
	count  int
	ref    int32 // in units of baseTick, 24 bits
	chunks []byte
	deltas []byte

	chunk   uint16
	left    int // symbols of chunk not yet read
	visited int
	since   time.Duration // sum of deltas
}

// IsFeedback says whether a single RTCP packet is transport-wide feedback.
func IsFeedback(b []byte) bool {
	return len(b) >= 4 && b[0]&0x1f == feedbackType && b[1] == packetType
}

// parseFeedback finds where chunks end and deltas begin. What it returns never
// reads out of bounds.
func parseFeedback(b []byte) (f feedback, err error) {
	if len(b) < headerSize || b[0]>>6 != 2 || !IsFeedback(b) {
		return f, ErrFeedback
	}
	size := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
	if size < headerSize || size > len(b) {
		return f, ErrFeedback
	}
	b = b[:size]
	if b[0]&0x20 != 0 { // padding
		n := int(b[size-1])
		if n == 0 || size-n < headerSize {
			return f, ErrFeedback
		}
		b = b[:size-n]
	}
	f.base = binary.BigEndian.Uint16(b[12:])
	f.count = int(binary.BigEndian.Uint16(b[14:]))
	f.ref = int32(binary.BigEndian.Uint32(b[16:])) >> 8
	if f.count == 0 || f.count > maxStatus {
		return f, ErrFeedback
	}
	b = b[headerSize:]
	f.chunks = b
	probe := f
	need := 0
	for range f.count {
		s, ok := probe.symbol()
		if !ok || s > largeDelta {
			return f, ErrFeedback
		}
		need += int(s)
	}
	used := len(b) - len(probe.chunks)
	if len(b)-used < need {
		return f, ErrFeedback
	}
	f.chunks, f.deltas = b[:used], b[used:]
	return f, nil
}

// symbol reads the status of the next packet.
func (f *feedback) symbol() (uint8, bool) {
	if f.left == 0 {
		if len(f.chunks) < 2 {
			return 0, false
		}
		f.chunk = binary.BigEndian.Uint16(f.chunks)
		f.chunks = f.chunks[2:]
		switch f.chunk >> 14 {
		case 0, 1: // run length
			if f.left = int(f.chunk & 0x1fff); f.left == 0 {
				return 0, false
			}
		case 2:
			f.left = 14
		case 3:
			f.left = 7
		}
	}
	f.left--
	switch f.chunk >> 14 {
	case 2:
		return uint8(f.chunk >> f.left & 1), true
	case 3:
		return uint8(f.chunk >> (2 * f.left) & 3), true
	}
	return uint8(f.chunk >> 13 & 3), true
}

// next returns the next packet: its number, whether it came, and when, counted
// from the feedback's reference time.
func (f *feedback) next() (seq uint16, came bool, at time.Duration, ok bool) {
	if f.visited == f.count {
		return 0, false, 0, false
	}
	seq = f.base + uint16(f.visited)
	f.visited++
	s, ok := f.symbol()
	if !ok {
		return 0, false, 0, false
	}
	switch s {
	case smallDelta:
		f.since += time.Duration(f.deltas[0]) * tick
		f.deltas = f.deltas[1:]
	case largeDelta:
		f.since += time.Duration(int16(binary.BigEndian.Uint16(f.deltas))) * tick
		f.deltas = f.deltas[2:]
	default:
		return seq, false, 0, true
	}
	return seq, true, f.since, true
}
