package wire

import (
	"encoding/binary"
	"slices"
)

// What every message needs is written here by hand, since the library's way over
// reflection costs more than storing the message does: the bytes are the same
// (FuzzAppend), deterministic CBOR (RFC 8949 §4.2.1), in which the keys of a map
// stand in the order of their encodings: the shorter first, then by bytes.

// The major types of CBOR, RFC 8949 §3.1.
const (
	cborUint  = 0 << 5
	cborNeg   = 1 << 5
	cborBytes = 2 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5
)

// appendHead appends a major type with its number, in the shortest form.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= 0xff:
		return append(b, major|24, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), n)
	}
}

func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, cborNeg, uint64(^n))
	}
	return appendHead(b, cborUint, uint64(n))
}

// appendBytes appends a byte string; of nil the library makes null.
func appendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, 0xf6)
	}
	return append(appendHead(b, cborBytes, uint64(len(v))), v...)
}

func appendText(b []byte, s string) []byte {
	return append(appendHead(b, cborText, uint64(len(s))), s...)
}

// appendTo appends v as the library would write it, where it is of a type that is
// written by hand.
func appendTo(b []byte, v any) ([]byte, bool) {
	switch v := v.(type) {
	case Frame:
		if v.Error != nil {
			return b, false // rare
		}
		return v.append(slices.Grow(b, len(v.Body)+len(v.Method)+20)), true
	case Nudge:
		return v.append(slices.Grow(b, v.size())), true
	case Entry:
		return v.append(slices.Grow(b, v.size())), true
	case Receipt:
		return v.append(slices.Grow(b, 64)), true
	case LogPage:
		n := 40
		for i := range v.Entries {
			n += v.Entries[i].size()
		}
		return v.append(slices.Grow(b, n)), true
	case SendMessage:
		return v.append(slices.Grow(b, len(v.Body)+len(v.Blobs)*17+96)), true
	case SetCursor:
		return v.append(slices.Grow(b, 64)), true
	case Cursors:
		return v.append(slices.Grow(b, 40+len(v.Cursors)*cursorSize)), true
	case None:
		return append(b, cborMap), true
	default:
		return b, false
	}
}

// Append appends v to b as Encode writes it.
func Append(b []byte, v any) ([]byte, error) {
	if b, ok := appendTo(b, v); ok {
		return b, nil
	}
	c, err := encMode.Marshal(v)
	return append(b, c...), err
}

// AppendEvent appends the frame of an event.
func AppendEvent[T any](b []byte, ev Event[T], v T) ([]byte, error) {
	b = append(appendHead(b, cborMap, 2), 0x61, 'b')
	b, err := Append(b, v)
	return appendText(append(b, 0x61, 'm'), ev.Name), err
}

func (f Frame) append(b []byte) []byte {
	n := uint64(0)
	for _, set := range [...]bool{f.ID != 0, f.Method != "", len(f.Body) > 0} {
		if set {
			n++
		}
	}
	b = appendHead(b, cborMap, n)
	if len(f.Body) > 0 {
		b = append(append(b, 0x61, 'b'), f.Body...)
	}
	if f.ID != 0 {
		b = appendHead(append(b, 0x61, 'i'), cborUint, f.ID)
	}
	if f.Method != "" {
		b = appendText(append(b, 0x61, 'm'), f.Method)
	}
	return b
}

// size is what an entry takes, or a little more.
func (e *Entry) size() int { return len(e.Body) + 224 }

func (e *Entry) append(b []byte) []byte {
	n := uint64(8)
	if len(e.Body) > 0 {
		n++
	}
	if e.Erased != nil {
		n++
	}
	b = appendHead(b, cborMap, n)
	b = appendInt(appendText(b, "seq"), e.Seq)
	if len(e.Body) > 0 {
		b = appendBytes(appendText(b, "body"), e.Body)
	}
	b = appendBytes(appendText(b, "head"), e.Head[:])
	b = appendHead(appendText(b, "kind"), cborUint, uint64(e.Kind))
	b = appendInt(appendText(b, "time"), int64(e.Time))
	b = appendHead(appendText(b, "epoch"), cborUint, e.Epoch)
	b = appendBytes(appendText(b, "client"), e.Client[:])
	b = appendBytes(appendText(b, "device"), e.Device[:])
	if e.Erased != nil {
		b = appendBytes(appendText(b, "erased"), e.Erased[:])
	}
	return appendBytes(appendText(b, "account"), e.Account[:])
}

func (n *Nudge) size() int {
	size := 64 + len(n.Cursors)*cursorSize
	if n.Entry != nil {
		size += n.Entry.size()
	}
	return size
}

func (n *Nudge) append(b []byte) []byte {
	pairs := uint64(2)
	if n.Entry != nil {
		pairs++
	}
	if len(n.Cursors) > 0 {
		pairs++
	}
	b = appendHead(b, cborMap, pairs)
	b = appendInt(appendText(b, "seq"), n.Seq)
	b = appendBytes(appendText(b, "room"), n.Room[:])
	if n.Entry != nil {
		b = n.Entry.append(appendText(b, "entry"))
	}
	if len(n.Cursors) > 0 {
		b = appendCursors(appendText(b, "cursors"), n.Cursors)
	}
	return b
}

// appendNext appends what the head after an entry is the hash of.
func (e *Entry) appendNext(b []byte, prev Hash, room RoomID) []byte {
	b = appendText(appendHead(b, cborArray, 11), headLabel)
	b = appendBytes(b, prev[:])
	b = appendBytes(b, room[:])
	b = appendInt(b, e.Seq)
	b = appendHead(b, cborUint, uint64(e.Kind))
	b = appendBytes(b, e.Account[:])
	b = appendBytes(b, e.Device[:])
	b = appendBytes(b, e.Client[:])
	b = appendHead(b, cborUint, e.Epoch)
	b = appendInt(b, int64(e.Time))
	body := e.BodyHash()
	return appendBytes(b, body[:])
}

func (r *Receipt) append(b []byte) []byte {
	b = appendHead(b, cborMap, 3)
	b = appendInt(appendText(b, "seq"), r.Seq)
	b = appendBytes(appendText(b, "head"), r.Head[:])
	return appendInt(appendText(b, "time"), int64(r.Time))
}

func (p *LogPage) append(b []byte) []byte {
	b = appendHead(b, cborMap, 2)
	b = appendInt(appendText(b, "seq"), p.Seq)
	b = appendText(b, "entries")
	if p.Entries == nil {
		return append(b, 0xf6)
	}
	b = appendHead(b, cborArray, uint64(len(p.Entries)))
	for i := range p.Entries {
		b = p.Entries[i].append(b)
	}
	return b
}

func (m *SendMessage) append(b []byte) []byte {
	n := uint64(4)
	if len(m.Blobs) > 0 {
		n++
	}
	b = appendHead(b, cborMap, n)
	b = appendBytes(appendText(b, "body"), m.Body)
	b = appendBytes(appendText(b, "room"), m.Room[:])
	if len(m.Blobs) > 0 {
		b = appendHead(appendText(b, "blobs"), cborArray, uint64(len(m.Blobs)))
		for i := range m.Blobs {
			b = appendBytes(b, m.Blobs[i][:])
		}
	}
	b = appendHead(appendText(b, "epoch"), cborUint, m.Epoch)
	return appendBytes(appendText(b, "client"), m.Client[:])
}
