package media

import "encoding/binary"

// RED (RFC 2198) as WebRTC uses it for Opus: blocks of earlier frames, each with
// four bytes before it, then the newest frame behind one byte.
//
//	1 | payload type (7) | timestamp offset (14) | length (10)
//	0 | payload type (7)

const (
	maxRedOffset = 1<<14 - 1
	maxRedLength = 1<<10 - 1
	maxRedBlocks = 8 // of a stranger's payload
)

// redFrame is a frame in a RED payload: Behind is how much older its timestamp
// is than the packet's.
type redFrame struct {
	Behind uint32 // in samples at 48 kHz
	Opus   []byte
}

// packRED appends the payload that carries newest and, as far as they fit,
// older frames, which stand oldest first.
func packRED(dst []byte, payloadType uint8, older []redFrame, newest []byte) []byte {
	fits := func(f redFrame) bool {
		return f.Behind <= maxRedOffset && len(f.Opus) <= maxRedLength && len(f.Opus) > 0
	}
	for _, f := range older {
		if fits(f) {
			dst = binary.BigEndian.AppendUint32(dst, 1<<31|uint32(payloadType&0x7f)<<24|f.Behind<<10|uint32(len(f.Opus)))
		}
	}
	dst = append(dst, payloadType&0x7f)
	for _, f := range older {
		if fits(f) {
			dst = append(dst, f.Opus...)
		}
	}
	return append(dst, newest...)
}

// parseRED returns the frames of a payload, the newest last, or false for what
// is none. The frames point into b.
func parseRED(b []byte) ([]redFrame, bool) {
	var frames []redFrame
	var sizes []int
	for {
		if len(b) == 0 || len(frames) == maxRedBlocks {
			return nil, false
		}
		if b[0]&0x80 == 0 {
			b = b[1:]
			break
		}
		if len(b) < 4 {
			return nil, false
		}
		h := binary.BigEndian.Uint32(b)
		frames = append(frames, redFrame{Behind: h >> 10 & maxRedOffset})
		sizes = append(sizes, int(h&maxRedLength))
		b = b[4:]
	}
	for i, n := range sizes {
		if len(b) < n {
			return nil, false
		}
		frames[i].Opus, b = b[:n], b[n:]
	}
	return append(frames, redFrame{Opus: b}), true
}
