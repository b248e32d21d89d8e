package socket

import (
	"encoding/binary"
	"unicode/utf8"
)

// What a frame is, RFC 6455 §5.2.
const (
	continuation = 0x0
	text         = 0x1
	binaryData   = 0x2
	closing      = 0x8
	ping         = 0x9
	pong         = 0xa

	final   = 0x80
	rsv     = 0x70
	masked  = 0x80
	control = 0x8 // a bit of the opcodes of control frames

	maxControl = 125 // bytes of a control frame
	maxHeader  = 14
)

// Status is why a connection was closed, RFC 6455 §7.4.
type Status uint16

// What this package closes with by itself.
const (
	ProtocolError Status = 1002
	BadUTF8       Status = 1007
	TooBig        Status = 1009

	noStatus Status = 1005 // a close frame said none
)

// Message returns a binary message as it travels: header and payload. It may be
// written to many connections.
func Message(payload []byte) []byte {
	return append(appendHeader(make([]byte, 0, maxHeader+len(payload)), binaryData, len(payload)), payload...)
}

// HeaderRoom is how many bytes Complete needs before a payload.
const HeaderRoom = 10

// Complete is Message for a payload that stands after HeaderRoom bytes of b: the
// header is written before it.
func Complete(b []byte) []byte {
	var h [HeaderRoom]byte
	head := appendHeader(h[:0], binaryData, len(b)-HeaderRoom)
	from := HeaderRoom - len(head)
	copy(b[from:], head)
	return b[from:]
}

// Payload returns what Message made a frame of, for tests that listen.
func Payload(frame []byte) []byte {
	switch frame[1] {
	case 126:
		return frame[4:]
	case 127:
		return frame[10:]
	default:
		return frame[2:]
	}
}

func appendHeader(b []byte, opcode byte, n int) []byte {
	b = append(b, final|opcode)
	switch {
	case n <= maxControl:
		return append(b, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
}

// header is that of a frame from a client.
type header struct {
	final  bool
	opcode byte
	length uint64
	mask   [4]byte
}

// parseHeader reads a header from the beginning of b. Size is how many bytes it
// takes, 0 if b does not hold all of it; why is set if it breaks a rule.
func parseHeader(b []byte) (h header, size int, why string) {
	if len(b) < 2 {
		return h, 0, ""
	}
	h.final, h.opcode = b[0]&final != 0, b[0]&0xf
	switch {
	case b[0]&rsv != 0:
		return h, 0, "no extension was agreed upon"
	case b[1]&masked == 0:
		return h, 0, "a client's frames are masked"
	case h.opcode&control != 0 && !h.final:
		return h, 0, "a control frame has no fragments"
	case h.opcode&control != 0 && b[1]&0x7f > maxControl:
		return h, 0, "a control frame has at most 125 bytes"
	case h.opcode > binaryData && h.opcode < closing, h.opcode > pong:
		return h, 0, "there is no such opcode"
	}
	size = 2
	switch n := b[1] & 0x7f; n {
	case 126:
		if len(b) < 4 {
			return h, 0, ""
		}
		if h.length = uint64(binary.BigEndian.Uint16(b[2:])); h.length < 126 {
			return h, 0, "a length has its shortest form"
		}
		size = 4
	case 127:
		if len(b) < 10 {
			return h, 0, ""
		}
		if h.length = binary.BigEndian.Uint64(b[2:]); h.length <= 0xffff || h.length>>63 != 0 {
			return h, 0, "a length has its shortest form and 63 bits"
		}
		size = 10
	default:
		h.length = uint64(n)
	}
	if len(b) < size+4 {
		return h, 0, ""
	}
	copy(h.mask[:], b[size:])
	return h, size + 4, ""
}

// unmask takes the mask off b, whose first byte is the at-th of the frame.
func unmask(b []byte, mask [4]byte, at int) {
	for len(b) > 0 && at&3 != 0 {
		b[0] ^= mask[at&3]
		b, at = b[1:], at+1
	}
	m := uint64(binary.LittleEndian.Uint32(mask[:]))
	m |= m << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^m)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= mask[i&3]
	}
}

// parseClose reads the payload of a close frame. Bad is the status with which
// one that breaks a rule is answered, 0 for none: RFC 6455 §5.5.1, §7.4.
func parseClose(b []byte) (said Status, bad Status) {
	switch {
	case len(b) == 0:
		return noStatus, 0
	case len(b) == 1:
		return 0, ProtocolError
	}
	said = Status(binary.BigEndian.Uint16(b))
	switch {
	case said < 1000, said == 1004, said == 1005, said == 1006, said > 1014 && said < 3000, said > 4999:
		return said, ProtocolError
	case !utf8.Valid(b[2:]):
		return said, BadUTF8
	}
	return said, 0
}
