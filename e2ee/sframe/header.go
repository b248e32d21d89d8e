package sframe

import (
	"encoding/binary"
	"math/bits"
)

// A Header names the key of a frame and its counter (RFC 9605 §4.3).
type Header struct {
	KID     KID
	Counter uint64
}

// Append appends h in its one shortest form.
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+------------+------------+
//	|X|  K  |Y|  C  |   KID...   |   CTR...   |
//	+-+-+-+-+-+-+-+-+------------+------------+
//
// K is the KID itself if it is below 8; else X is set and K is its length less
// one. C and Y say the same of the counter.
func (h Header) Append(b []byte) []byte {
	at := len(b)
	b = append(b, 0)
	k, b := appendNumber(b, uint64(h.KID))
	c, b := appendNumber(b, h.Counter)
	b[at] = k<<4 | c
	return b
}

// appendNumber returns the four bits that go into the first byte, and b with
// the bytes of n that do not fit there.
func appendNumber(b []byte, n uint64) (byte, []byte) {
	if n < 8 {
		return byte(n), b
	}
	size := (bits.Len64(n) + 7) / 8
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], n)
	return 8 | byte(size-1), append(b, raw[8-size:]...)
}

// ParseHeader reads a header from the beginning of b and returns its size in
// bytes. A longer form than needed is refused, so that a header has one form:
// anything else is ErrOpen.
func ParseHeader(b []byte) (h Header, size int, err error) {
	if len(b) == 0 {
		return Header{}, 0, ErrOpen
	}
	first := b[0]
	kid, rest, ok := number(first>>4, b[1:])
	if !ok {
		return Header{}, 0, ErrOpen
	}
	ctr, rest, ok := number(first&0x0f, rest)
	if !ok {
		return Header{}, 0, ErrOpen
	}
	return Header{KID(kid), ctr}, len(b) - len(rest), nil
}

func number(four byte, b []byte) (n uint64, rest []byte, ok bool) {
	if four&8 == 0 {
		return uint64(four), b, true
	}
	size := int(four&7) + 1
	if len(b) < size {
		return 0, nil, false
	}
	for _, c := range b[:size] {
		n = n<<8 | uint64(c)
	}
	return n, b[size:], n >= 8 && b[0] != 0
}
