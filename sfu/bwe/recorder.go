package bwe

import (
	"encoding/binary"
	"time"
)

// recorded is how many packets a Recorder keeps: 250 ms of the most that a
// participant may send, and feedback goes out every 100 ms or more often.
const recorded = 512

// A Recorder notes when the packets of one sender came. The zero value is ready.
type Recorder struct {
	at    *[recorded]time.Duration // by number; 0 for not come
	next  int64                    // first that feedback has not spoken of
	top   int64                    // highest that came
	count uint8                    // feedback packets sent
	news  bool
	began bool
}

// Record notes that packet seq came now; now must be above 0.
func (r *Recorder) Record(now time.Duration, seq uint16) {
	if !r.began {
		r.began, r.at = true, new([recorded]time.Duration)
		r.next = 1<<16 + int64(seq)
		r.top = r.next - 1
	}
	n := r.top + int64(int16(seq-uint16(r.top)))
	if n <= r.top-recorded || n < 0 {
		return
	}
	if n > r.top {
		if n-r.top >= recorded { // a new series, or an outage
			clear(r.at[:])
			r.next = n
		}
		for i := max(r.top+1, n-recorded+1); i <= n; i++ {
			r.at[i%recorded] = 0
		}
		r.top = n
		r.next = max(r.next, n-recorded+1)
	}
	if r.at[n%recorded] != 0 {
		return // a copy
	}
	r.at[n%recorded] = now
	r.next = min(r.next, n) // what was told as lost came late
	r.news = true
}

// Feedback appends an RTCP packet about what came since the last one; from is
// our SSRC, about one of the sender's. Nothing is appended when nothing came.
func (r *Recorder) Feedback(b []byte, from, about uint32) []byte {
	if !r.news {
		return b
	}
	start := r.next
	for start <= r.top && r.at[start%recorded] == 0 {
		start++ // lost ones at the beginning are told between others
	}
	if start > r.top {
		r.news = false
		return b
	}
	begin := len(b)
	ref := r.at[start%recorded] / baseTick
	b = append(b, 0x80|feedbackType, packetType, 0, 0)
	b = binary.BigEndian.AppendUint32(b, from)
	b = binary.BigEndian.AppendUint32(b, about)
	b = binary.BigEndian.AppendUint16(b, uint16(start))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(ref)<<8|uint32(r.count))
	r.count++

	var symbols [recorded]uint8
	var deltas [recorded]int16
	n, now := 0, time.Duration(ref)*baseTick
	for seq := start; seq <= r.top; seq++ {
		if at := r.at[seq%recorded]; at != 0 {
			d := (at - now) / tick
			if d != time.Duration(int16(d)) {
				break // more than 8 s lie between: the next feedback begins here
			}
			now += d * tick
			deltas[n], symbols[n] = int16(d), smallDelta
			if d < 0 || d > 255 {
				symbols[n] = largeDelta
			}
		}
		n++
	}
	for n > 0 && symbols[n-1] == notReceived {
		n--
	}
	r.next = start + int64(n)
	r.news = r.next <= r.top
	binary.BigEndian.PutUint16(b[begin+14:], uint16(n))
	b = appendChunks(b, symbols[:n])
	for i := range n {
		switch symbols[i] {
		case smallDelta:
			b = append(b, byte(deltas[i]))
		case largeDelta:
			b = binary.BigEndian.AppendUint16(b, uint16(deltas[i]))
		}
	}
	if pad := -(len(b) - begin) & 3; pad > 0 { // §3.1: padding by RTCP's rules
		b[begin] |= 0x20
		for range pad - 1 {
			b = append(b, 0)
		}
		b = append(b, byte(pad))
	}
	binary.BigEndian.PutUint16(b[begin+2:], uint16((len(b)-begin)/4-1))
	return b
}

// appendChunks packs the symbols: runs of equal ones, else vectors of 7 or, when
// no delta is large, 14.
func appendChunks(b []byte, s []uint8) []byte {
	for len(s) > 0 {
		run := 1
		for run < len(s) && s[run] == s[0] {
			run++
		}
		if run >= 14 || run == len(s) {
			b = binary.BigEndian.AppendUint16(b, uint16(s[0])<<13|uint16(run))
			s = s[run:]
			continue
		}
		n, width := min(14, len(s)), 1
		for i := range n {
			if s[i] == largeDelta {
				n, width = min(7, len(s)), 2
				break
			}
		}
		chunk := uint16(0x8000)
		if width == 2 {
			chunk = 0xc000
		}
		for i := range n {
			chunk |= uint16(s[i]) << (14 - width*(i+1))
		}
		b = binary.BigEndian.AppendUint16(b, chunk)
		s = s[n:]
	}
	return b
}
