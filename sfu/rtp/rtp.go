// Package rtp reads and writes the headers of RTP packets (RFC 3550) with their
// extensions (RFC 8285), which SRTP leaves in the clear. It never looks at a
// payload and allocates nothing.
package rtp

import (
	"encoding/binary"
	"errors"
)

// HeaderSize is the length of a header without CSRCs and extension, in bytes.
const HeaderSize = 12

const (
	version      = 2 << 6
	padding      = 1 << 5
	extension    = 1 << 4
	marker       = 1 << 7
	oneByte      = 0xbede // profile of extensions with one byte of header
	twoBytes     = 0x1000 // and with two; the last 4 bits are the application's
	maxExtension = 256    // bytes; ours come to about 60
)

// ErrHeader says that a packet has no well-formed RTP header.
var ErrHeader = errors.New("rtp: malformed header")

// IsControl tells RTCP from RTP on one port (RFC 5761 section 4).
func IsControl(packet []byte) bool {
	return len(packet) >= 2 && packet[1] >= 192 && packet[1] <= 223
}

// Header is a parsed RTP header. It refers to the packet that it was parsed from.
type Header struct {
	Marker  bool
	Padding bool // the payload ends in padding, see Unpad
	Type    uint8
	Seq     uint16
	Time    uint32
	SSRC    uint32
	Size    int // bytes of the whole header: what follows is payload

	profile    uint16
	extensions []byte
}

// Parse reads the header of packet.
func Parse(packet []byte) (h Header, err error) {
	if len(packet) < HeaderSize || packet[0]&0xc0 != version {
		return h, ErrHeader
	}
	h.Size = HeaderSize + 4*int(packet[0]&0x0f)
	h.Padding = packet[0]&padding != 0
	h.Marker = packet[1]&marker != 0
	h.Type = packet[1] &^ marker
	h.Seq = binary.BigEndian.Uint16(packet[2:])
	h.Time = binary.BigEndian.Uint32(packet[4:])
	h.SSRC = binary.BigEndian.Uint32(packet[8:])
	if packet[0]&extension == 0 {
		if len(packet) < h.Size {
			return h, ErrHeader
		}
		return h, nil
	}
	if len(packet) < h.Size+4 {
		return h, ErrHeader
	}
	h.profile = binary.BigEndian.Uint16(packet[h.Size:])
	n := 4 * int(binary.BigEndian.Uint16(packet[h.Size+2:]))
	start := h.Size + 4
	h.Size = start + n
	if n > maxExtension || len(packet) < h.Size {
		return h, ErrHeader
	}
	h.extensions = packet[start:h.Size]
	return h, nil
}

// Extension is the data of the extension with the given id, nil if there is none.
// Ids are 1 to 14; 0 finds nothing, so that it may stand for "not negotiated".
func (h *Header) Extension(id uint8) []byte {
	if id == 0 {
		return nil
	}
	b := h.extensions
	short := h.profile == oneByte
	if !short && h.profile&0xfff0 != twoBytes {
		return nil
	}
	for len(b) > 0 {
		if b[0] == 0 { // padding between extensions
			b = b[1:]
			continue
		}
		var at, n int
		var got uint8
		if short {
			got, n, at = b[0]>>4, int(b[0]&0x0f)+1, 1
			if got == 15 { // reserved: stop, RFC 8285 section 4.2
				return nil
			}
		} else {
			if len(b) < 2 {
				return nil
			}
			got, n, at = b[0], int(b[1]), 2
		}
		if len(b) < at+n {
			return nil
		}
		if got == id {
			return b[at : at+n]
		}
		b = b[at+n:]
	}
	return nil
}

// Level is the audio level of RFC 6464 in the extension with the given id: -dBov,
// 0 the loudest, 127 silence.
func (h *Header) Level(id uint8) (level uint8, ok bool) {
	e := h.Extension(id)
	if len(e) < 1 {
		return 0, false
	}
	return e[0] & 0x7f, true
}

// Unpad takes the padding off an opened payload.
func (h *Header) Unpad(payload []byte) ([]byte, error) {
	if !h.Padding {
		return payload, nil
	}
	if len(payload) == 0 {
		return nil, ErrHeader
	}
	n := int(payload[len(payload)-1])
	if n == 0 || n > len(payload) {
		return nil, ErrHeader
	}
	return payload[:len(payload)-n], nil
}

// SequenceSize is what PutSequence adds to a header, in bytes.
const SequenceSize = 8

// PutSequence adds an extension of two bytes behind the header that Put wrote: a
// transport-wide sequence number, under the given id.
func PutSequence(dst []byte, id uint8, seq uint16) {
	_ = dst[HeaderSize+SequenceSize-1]
	dst[0] |= extension
	binary.BigEndian.PutUint16(dst[HeaderSize:], oneByte)
	binary.BigEndian.PutUint16(dst[HeaderSize+2:], 1) // words
	dst[HeaderSize+4] = id<<4 | 1
	binary.BigEndian.PutUint16(dst[HeaderSize+5:], seq)
	dst[HeaderSize+7] = 0
}

// PutPadding makes the last n bytes of a packet padding, 1 to 255.
func PutPadding(packet []byte, n uint8) {
	packet[0] |= padding
	clear(packet[len(packet)-int(n):])
	packet[len(packet)-1] = n
}

// Put writes a header without CSRCs, extensions and padding into the first
// HeaderSize bytes of dst.
func Put(dst []byte, mark bool, kind uint8, seq uint16, time, ssrc uint32) {
	_ = dst[HeaderSize-1]
	dst[0] = version
	dst[1] = kind
	if mark {
		dst[1] |= marker
	}
	binary.BigEndian.PutUint16(dst[2:], seq)
	binary.BigEndian.PutUint32(dst[4:], time)
	binary.BigEndian.PutUint32(dst[8:], ssrc)
}
