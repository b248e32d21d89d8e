package wire

import "math"

// Of each message every member tells that it came: what that takes is written
// and read by hand too (append.go, read.go).

// cursorSize is what a cursor takes, or a little more.
const cursorSize = 64

func appendCursors(b []byte, list []Cursor) []byte {
	b = appendHead(b, cborArray, uint64(len(list)))
	for i := range list {
		b = list[i].append(b)
	}
	return b
}

func (c *Cursor) append(b []byte) []byte {
	if c.Read != 0 {
		b = appendInt(appendText(appendHead(b, cborMap, 3), "read"), c.Read)
	} else {
		b = appendHead(b, cborMap, 2)
	}
	b = appendBytes(appendText(b, "account"), c.Account[:])
	return appendInt(appendText(b, "delivered"), c.Delivered)
}

func (c *Cursors) append(b []byte) []byte {
	b = appendBytes(appendText(appendHead(b, cborMap, 2), "room"), c.Room[:])
	b = appendText(b, "cursors")
	if c.Cursors == nil {
		return append(b, 0xf6)
	}
	return appendCursors(b, c.Cursors)
}

func (p *SetCursor) append(b []byte) []byte {
	pairs := uint64(1)
	for _, n := range [...]int64{p.Delivered, p.Read} {
		if n != 0 {
			pairs++
		}
	}
	b = appendHead(b, cborMap, pairs)
	if p.Read != 0 {
		b = appendInt(appendText(b, "read"), p.Read)
	}
	b = appendBytes(appendText(b, "room"), p.Room[:])
	if p.Delivered != 0 {
		b = appendInt(appendText(b, "delivered"), p.Delivered)
	}
	return b
}

func (p *SetCursor) read(b []byte) bool {
	r, got := reader{b: b}, *p
	pairs := r.head(cborMap)
	if r.key("read") {
		pairs--
		got.Read = r.seq()
	}
	r.must("room")
	got.Room = r.id()
	if r.key("delivered") {
		pairs--
		got.Delivered = r.seq()
	}
	if r.bad || pairs != 1 || len(r.b) > 0 {
		return false
	}
	*p = got
	return true
}

// seq reads a number that is not negative.
func (r *reader) seq() int64 {
	n := r.head(cborUint)
	r.bad = r.bad || n > math.MaxInt64
	return int64(n)
}
