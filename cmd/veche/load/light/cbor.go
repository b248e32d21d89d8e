package light

import "errors"

var errShape = errors.New("not the CBOR that was expected")

// cursor walks through CBOR without making anything of it. After the first
// thing that does not fit, bad is set and all that follows is zero.
type cursor struct {
	b   []byte
	i   int
	bad bool
}

// Major types of RFC 8949 §3.1.
const (
	unsigned = 0
	bytes_   = 2
	text     = 3
	list     = 4
	table    = 5
)

// head reads the head of an item: its major type and its number.
func (c *cursor) head() (major byte, n uint64) {
	if c.bad || c.i >= len(c.b) {
		c.bad = true
		return 0, 0
	}
	major, low := c.b[c.i]>>5, c.b[c.i]&31
	c.i++
	if low < 24 {
		return major, uint64(low)
	}
	size := 1 << (low - 24)
	if low > 27 || len(c.b)-c.i < size {
		c.bad = true
		return 0, 0
	}
	for range size {
		n = n<<8 | uint64(c.b[c.i])
		c.i++
	}
	return major, n
}

// count is the number of an item of the given major type.
func (c *cursor) count(want byte) uint64 {
	major, n := c.head()
	if major != want {
		c.bad = true
		return 0
	}
	return n
}

// bytes is a string of bytes or of text, in place.
func (c *cursor) bytes(want byte) []byte {
	n := c.count(want)
	if c.bad || n > uint64(len(c.b)-c.i) {
		c.bad = true
		return nil
	}
	c.i += int(n)
	return c.b[c.i-int(n) : c.i]
}

// skip passes one item over and returns it.
func (c *cursor) skip() []byte {
	from := c.i
	for left := uint64(1); left > 0 && !c.bad; left-- {
		switch major, n := c.head(); major {
		case bytes_, text:
			if n > uint64(len(c.b)-c.i) {
				c.bad = true
				return nil
			}
			c.i += int(n)
		case list:
			left += n
		case table:
			left += 2 * n
		case 6: // a tag stands before what it marks
			left++
		}
	}
	if c.bad {
		return nil
	}
	return c.b[from:c.i]
}

// appendHead writes the head of an item.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major<<5|byte(n))
	case n < 1<<8:
		return append(b, major<<5|24, byte(n))
	case n < 1<<16:
		return append(b, major<<5|25, byte(n>>8), byte(n))
	case n < 1<<32:
		return append(b, major<<5|26, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	default:
		b = append(b, major<<5|27)
		for i := 56; i >= 0; i -= 8 {
			b = append(b, byte(n>>i))
		}
		return b
	}
}
