package wire

import (
	"slices"
	"unicode/utf8"
)

// What every message is read from is read by hand too, if it is written as Encode
// writes it. All else, be it other words for the same or malformed, is left to
// the library: what is taken and what it means does not differ (FuzzRead).

// decode reads b into v and reports whether it could. If not, v is as it was. With
// share, strings of bytes are part of b.
func decode(b []byte, v any, share bool) bool {
	switch v := v.(type) {
	case *Frame:
		return v.read(b, share)
	case *SendMessage:
		return v.read(b, share)
	case *SetCursor:
		return v.read(b)
	case *None:
		return len(b) == 1 && b[0] == cborMap
	default:
		return false
	}
}

// reader reads deterministic CBOR. After the first thing that is something else
// it reads nothing more, and bad is set.
type reader struct {
	b     []byte
	share bool
	bad   bool
}

// head reads a major type with its number, in the shortest form.
func (r *reader) head(major byte) uint64 {
	if r.bad || len(r.b) == 0 || r.b[0]&0xe0 != major {
		r.bad = true
		return 0
	}
	size, short := 0, uint64(r.b[0]&0x1f)
	if short >= 24 {
		if size = 1 << (short - 24); short > 27 || len(r.b) <= size {
			r.bad = true
			return 0
		}
	} else {
		r.b = r.b[1:]
		return short
	}
	n := uint64(0)
	for _, c := range r.b[1 : 1+size] {
		n = n<<8 | uint64(c)
	}
	if size == 1 && n < 24 || size > 1 && n>>(4*size) == 0 {
		r.bad = true
	}
	r.b = r.b[1+size:]
	return n
}

// key reads a key of a map if it is the next.
func (r *reader) key(name string) bool {
	n := len(name) // of a single byte's head
	if r.bad || len(r.b) <= n || r.b[0] != cborText|byte(n) || string(r.b[1:1+n]) != name {
		return false
	}
	r.b = r.b[1+n:]
	return true
}

func (r *reader) must(name string) { r.bad = !r.key(name) || r.bad }

// take reads a string of bytes or text, without copying.
func (r *reader) take(major byte) []byte {
	n := r.head(major)
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) bytes() []byte { return r.own(r.take(cborBytes)) }

// own is b, or a copy of it. What is appended to it overwrites nothing.
func (r *reader) own(b []byte) []byte {
	if r.share && b != nil {
		return slices.Clip(b)
	}
	return append([]byte{}, b...)
}

// item takes one value, of whatever type, as it stands. It is called for what is
// well-formed: nothing else is checked, and lengths may be longer than needed.
func (r *reader) item() []byte {
	whole := r.b
	for items := uint64(1); items > 0 && !r.bad; items-- {
		if len(r.b) == 0 {
			r.bad = true
			break
		}
		major, n := r.b[0]&0xe0, uint64(r.b[0]&0x1f)
		r.b = r.b[1:]
		if n >= 24 {
			size := 1 << (n - 24)
			if n > 27 || len(r.b) < size {
				r.bad = true
				break
			}
			n = 0
			for _, c := range r.b[:size] {
				n = n<<8 | uint64(c)
			}
			r.b = r.b[size:]
		}
		switch major {
		case cborBytes, cborText:
			if n > uint64(len(r.b)) {
				r.bad = true
				break
			}
			r.b = r.b[n:]
		case cborArray, cborMap:
			if n > uint64(len(r.b)) { // of which each takes a byte at least
				r.bad = true
				break
			}
			if items += n; major == cborMap {
				items += n
			}
		}
	}
	return whole[:len(whole)-len(r.b)]
}

func (r *reader) id() (id [idSize]byte) {
	if b := r.take(cborBytes); len(b) == idSize {
		copy(id[:], b)
	} else {
		r.bad = true
	}
	return id
}

func (f *Frame) read(b []byte, share bool) bool {
	if decMode.Wellformed(b) != nil {
		return false
	}
	r, got := reader{b: b, share: share}, *f
	pairs := r.head(cborMap)
	if r.key("b") {
		pairs--
		got.Body = r.own(r.item())
	}
	if r.key("i") {
		pairs--
		got.ID = r.head(cborUint)
	}
	if r.key("m") {
		pairs--
		name := r.take(cborText)
		if !utf8.Valid(name) {
			return false
		}
		got.Method = string(name)
	}
	if r.bad || pairs != 0 || len(r.b) > 0 {
		return false
	}
	*f = got
	return true
}

func (m *SendMessage) read(b []byte, share bool) bool {
	r, got := reader{b: b, share: share}, *m
	pairs := r.head(cborMap)
	r.must("body")
	got.Body = r.bytes()
	r.must("room")
	got.Room = r.id()
	if r.key("blobs") {
		pairs--
		n := r.head(cborArray)
		if r.bad || n > maxElements || n > uint64(len(r.b))/(1+idSize) {
			return false
		}
		got.Blobs = make([]BlobID, n)
		for i := range got.Blobs {
			got.Blobs[i] = r.id()
		}
	}
	r.must("epoch")
	got.Epoch = r.head(cborUint)
	r.must("client")
	got.Client = r.id()
	if r.bad || pairs != 4 || len(r.b) > 0 {
		return false
	}
	*m = got
	return true
}
