package mls

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Marshaler is an object with an encoding in the presentation language of
// RFC 9420 §2.1.
type Marshaler interface {
	MarshalMLS(e *Encoder)
}

// Unmarshaler is the other direction of Marshaler.
type Unmarshaler interface {
	UnmarshalMLS(d *Decoder)
}

// Marshal returns the encoding of v. It fails with ErrEncoding if v holds
// something that has no encoding, like a proposal without content.
func Marshal(v Marshaler) ([]byte, error) {
	e := encoderFor(256)
	v.MarshalMLS(&e)
	return e.Result()
}

// Unmarshal decodes b, all of it, into v. It fails with ErrDecoding if b is
// not the one valid encoding of a value. b is copied from, not kept.
func Unmarshal(b []byte, v Unmarshaler) error {
	d := NewDecoder(b)
	v.UnmarshalMLS(d)
	return d.Finish()
}

// Encoder writes the encoding of objects. The first error sticks, and the rest
// of the writing is then without effect. The zero value is ready to use.
type Encoder struct {
	buf []byte
	err error
}

// encoderFor returns an Encoder with room for n bytes, so that what is written
// does not move as it grows.
func encoderFor(n int) Encoder { return Encoder{buf: make([]byte, 0, n)} }

// Into makes a new Encoder write into buf, whose contents are dropped: to begin
// with enough room, or to use it again.
func (e *Encoder) Into(buf []byte) { e.buf = buf[:0] }

// Result returns what was written, or the first error.
func (e *Encoder) Result() ([]byte, error) {
	if e.err != nil {
		return nil, e.err
	}
	return e.buf, nil
}

// Fail makes Result return an error that wraps ErrEncoding.
func (e *Encoder) Fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf("%w: %s", ErrEncoding, fmt.Sprintf(format, args...))
	}
}

// Uint8 writes one byte.
func (e *Encoder) Uint8(v uint8) { e.buf = append(e.buf, v) }

// Uint16 writes v in network byte order.
func (e *Encoder) Uint16(v uint16) { e.buf = binary.BigEndian.AppendUint16(e.buf, v) }

// Uint32 writes v in network byte order.
func (e *Encoder) Uint32(v uint32) { e.buf = binary.BigEndian.AppendUint32(e.buf, v) }

// Uint64 writes v in network byte order.
func (e *Encoder) Uint64(v uint64) { e.buf = binary.BigEndian.AppendUint64(e.buf, v) }

// Raw writes b without a length.
func (e *Encoder) Raw(b []byte) { e.buf = append(e.buf, b...) }

// Bytes writes b as opaque<V>: a variable-size length, then the bytes.
func (e *Encoder) Bytes(b []byte) {
	e.length(len(b))
	e.buf = append(e.buf, b...)
}

// Optional writes the presence byte of optional<T>; the caller writes the
// value itself if present.
func (e *Encoder) Optional(present bool) {
	if present {
		e.Uint8(1)
	} else {
		e.Uint8(0)
	}
}

// Vector writes whatever items writes as a vector T<V>, with its length in
// bytes before it.
func (e *Encoder) Vector(items func()) {
	start := len(e.buf)
	items()
	body := len(e.buf) - start
	var head [4]byte
	h := appendLength(head[:0], body)
	if h == nil {
		e.Fail("a vector of %d bytes", body)
		return
	}
	e.buf = slices.Insert(e.buf, start, h...)
}

func (e *Encoder) length(n int) {
	b := appendLength(e.buf, n)
	if b == nil {
		e.Fail("a vector of %d bytes", n)
		return
	}
	e.buf = b
}

// appendLength appends the header of RFC 9420 §2.1.2, or returns nil if n has
// no encoding.
func appendLength(b []byte, n int) []byte {
	switch {
	case n < 1<<6:
		return append(b, byte(n))
	case n < 1<<14:
		return binary.BigEndian.AppendUint16(b, 0x4000|uint16(n))
	case n < 1<<30:
		return binary.BigEndian.AppendUint32(b, 0x80000000|uint32(n))
	}
	return nil
}

// Decoder reads encoded objects. The first error sticks; reads after it return
// zero values, so that callers check once, with Finish or Err.
type Decoder struct {
	b    []byte
	err  error
	keep bool // what is read may share the memory of b
}

// NewDecoder returns a Decoder that reads b.
func NewDecoder(b []byte) *Decoder {
	d := &Decoder{b: b}
	if len(b) > maxMessage {
		d.Fail("%d bytes, more than %d", len(b), maxMessage)
	}
	return d
}

// Err returns the first error.
func (d *Decoder) Err() error { return d.err }

// Rest is the number of bytes not yet read.
func (d *Decoder) Rest() int { return len(d.b) }

// Finish returns the first error, or one if something was left unread.
func (d *Decoder) Finish() error {
	if d.err == nil && len(d.b) != 0 {
		d.Fail("%d bytes too many", len(d.b))
	}
	return d.err
}

// Fail makes the Decoder return an error that wraps ErrDecoding.
func (d *Decoder) Fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrDecoding, fmt.Sprintf(format, args...))
	}
	d.b = nil
}

func (d *Decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n > len(d.b) {
		d.Fail("%d bytes expected, %d left", n, len(d.b))
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

// Uint8 reads one byte.
func (d *Decoder) Uint8() uint8 {
	if p := d.take(1); p != nil {
		return p[0]
	}
	return 0
}

// Uint16 reads two bytes in network byte order.
func (d *Decoder) Uint16() uint16 {
	if p := d.take(2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

// Uint32 reads four bytes in network byte order.
func (d *Decoder) Uint32() uint32 {
	if p := d.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

// Uint64 reads eight bytes in network byte order.
func (d *Decoder) Uint64() uint64 {
	if p := d.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

// Raw reads n bytes and returns a copy of them.
func (d *Decoder) Raw(n int) []byte { return slices.Clone(d.take(n)) }

// Bytes reads opaque<V> of at most limit bytes and returns a copy, which is
// never nil unless something failed.
func (d *Decoder) Bytes(limit int) []byte {
	p := d.take(d.length(limit))
	if d.err != nil || d.keep {
		return p
	}
	return append(make([]byte, 0, len(p)), p...)
}

// Optional reads the presence byte of optional<T>.
func (d *Decoder) Optional() bool {
	switch v := d.Uint8(); v {
	case 0:
		return false
	case 1:
		return true
	default:
		d.Fail("presence byte %d", v)
		return false
	}
}

// length reads the header of RFC 9420 §2.1.2 and refuses one that is longer
// than needed or announces more than limit or than what is left.
func (d *Decoder) length(limit int) int {
	first := d.Uint8()
	n := int(first & 0x3f)
	least := 0
	switch first >> 6 {
	case 1:
		n = n<<8 | int(d.Uint8())
		least = 1 << 6
	case 2:
		n = n<<8 | int(d.Uint8())
		n = n<<16 | int(d.Uint16())
		least = 1 << 14
	case 3:
		d.Fail("vector header %#x", first)
		return 0
	}
	switch {
	case d.err != nil:
		return 0
	case n < least:
		d.Fail("length %d is not in its shortest form", n)
		return 0
	case n > limit:
		d.Fail("%d bytes, more than %d", n, limit)
		return 0
	case n > len(d.b):
		d.Fail("%d bytes announced, %d left", n, len(d.b))
		return 0
	}
	return n
}

// Vector reads a vector T<V> of at most limit items, calling item once for
// each. item must read something.
func Vector[T any](d *Decoder, limit int, item func(*Decoder, *T)) []T {
	body := d.take(d.length(maxMessage))
	if d.err != nil {
		return nil
	}
	after := d.b
	d.b = body // until the end of the vector
	out := []T{}
	for len(d.b) > 0 {
		if len(out) == limit {
			d.Fail("a vector of more than %d items", limit)
			return nil
		}
		before := len(d.b)
		var v T
		item(d, &v)
		if d.err == nil && len(d.b) == before {
			d.Fail("an empty item in a vector")
		}
		if d.err != nil {
			return nil
		}
		out = append(out, v)
	}
	d.b = after
	return out
}

// uint16s reads a vector of numbers of two bytes.
func uint16s[T ~uint16](d *Decoder, limit int) []T {
	body := d.take(d.length(maxMessage))
	switch {
	case d.err != nil:
		return nil
	case len(body)%2 != 0:
		d.Fail("%d bytes of two-byte numbers", len(body))
		return nil
	case len(body)/2 > limit:
		d.Fail("a vector of more than %d items", limit)
		return nil
	}
	out := make([]T, len(body)/2)
	for i := range out {
		out[i] = T(binary.BigEndian.Uint16(body[2*i:]))
	}
	return out
}

func putUint16s[T ~uint16](e *Encoder, list []T) {
	e.Vector(func() {
		for _, v := range list {
			e.Uint16(uint16(v))
		}
	})
}
