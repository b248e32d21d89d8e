package light

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/veche-im/veche/wire"
)

// Frames of RFC 6455 §5.2.
const (
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// appendFrame writes a frame as a client must: masked. What is in it comes in
// pieces.
func appendFrame(b []byte, op byte, before []byte, pieces [][]byte, after []byte) []byte {
	n := len(before) + len(after)
	for _, p := range pieces {
		n += len(p)
	}
	b = append(b, 0x80|op)
	switch {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := rand.Uint32()
	b = binary.LittleEndian.AppendUint32(b, key)
	from := len(b)
	b = append(b, before...)
	for _, p := range pieces {
		b = append(b, p...)
	}
	b = append(b, after...)
	mask(b[from:], key)
	return b
}

func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i % 4)))
	}
}

// errWhole is for frames that a server of ours does not send.
var errWhole = errors.New("a WebSocket message in several frames, or masked")

// nextFrame returns the first frame of b, and how much of b it takes; 0 if b has
// not all of it, and then need is how much that will be, if it is known.
func nextFrame(b []byte) (op byte, payload []byte, size, need int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, 2, nil
	}
	if b[0]&0xf0 != 0x80 || b[1]&0x80 != 0 {
		return 0, nil, 0, 0, errWhole
	}
	op, n, head := b[0]&15, int(b[1]), 2
	switch {
	case n == 126:
		if head = 4; len(b) < head {
			return 0, nil, 0, head, nil
		}
		n = int(binary.BigEndian.Uint16(b[2:]))
	case n == 127:
		if head = 10; len(b) < head {
			return 0, nil, 0, head, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long > wire.MaxResponse {
			return 0, nil, 0, 0, fmt.Errorf("a message of %d bytes", long)
		}
		n = int(long)
	}
	if len(b) < head+n {
		return 0, nil, 0, head + n, nil
	}
	return op, b[head : head+n], head + n, 0, nil
}

// heard is a wire.Frame in place.
type heard struct {
	id     uint64
	method []byte
	body   []byte
	err    []byte
}

// parse reads a wire.Frame.
func parse(b []byte) (h heard, err error) {
	c := cursor{b: b}
	for range c.count(table) {
		switch string(c.bytes(text)) {
		case "i":
			h.id = c.count(unsigned)
		case "m":
			h.method = c.bytes(text)
		case "b":
			h.body = c.skip()
		case "e":
			h.err = c.skip()
		default:
			c.bad = true
		}
		if c.bad {
			break
		}
	}
	if c.bad || c.i != len(b) {
		return h, fmt.Errorf("a frame: %w", errShape)
	}
	return h, nil
}

// entry is what is looked at of a wire.Entry.
type entry struct {
	seq     int64
	client  []byte
	account []byte
}

func (c *cursor) entry() (e entry) {
	for range c.count(table) {
		switch string(c.bytes(text)) {
		case "seq":
			e.seq = int64(c.count(unsigned))
		case "client":
			e.client = c.bytes(bytes_)
		case "account":
			e.account = c.bytes(bytes_)
		default:
			c.skip()
		}
		if c.bad {
			return entry{}
		}
	}
	return e
}

// nudge is what is looked at of a wire.Nudge.
type nudge struct {
	room  wire.RoomID
	seq   int64
	entry entry // seq is 0 if there is none
}

func parseNudge(b []byte) (n nudge, err error) {
	c := cursor{b: b}
	for range c.count(table) {
		switch string(c.bytes(text)) {
		case "seq":
			n.seq = int64(c.count(unsigned))
		case "room":
			if copy(n.room[:], c.bytes(bytes_)) != len(n.room) {
				c.bad = true
			}
		case "entry":
			n.entry = c.entry()
		default:
			c.skip()
		}
		if c.bad {
			return n, fmt.Errorf("a nudge: %w", errShape)
		}
	}
	return n, nil
}

// parsePage calls each with the entries of a wire.LogPage.
func parsePage(b []byte, each func(entry)) (seq int64, err error) {
	c := cursor{b: b}
	for range c.count(table) {
		switch string(c.bytes(text)) {
		case "seq":
			seq = int64(c.count(unsigned))
		case "entries":
			for range c.count(list) {
				e := c.entry()
				if c.bad {
					break
				}
				each(e)
			}
		default:
			c.skip()
		}
		if c.bad {
			return 0, fmt.Errorf("a page of the log: %w", errShape)
		}
	}
	return seq, nil
}
