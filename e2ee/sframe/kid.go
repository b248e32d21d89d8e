package sframe

import "fmt"

// KID is the key id of a frame. RFC 9605 §5.2 has it made of epoch and leaf,
// with room for a context, which here is source and join number:
//
//	epoch mod 256 | source << 8 (3 bits) | join << 11 (13 bits) | leaf << 24 (24 bits)
type KID uint64

// Source is what is sealed: one counter, and so one key, for each.
type Source uint8

const (
	Microphone  Source = 0
	Camera      Source = 1
	Screen      Source = 2
	ScreenSound Source = 3
	Signals     Source = 7 // state, reactions
)

// MaxJoin is the largest join number, MaxLeaf the largest leaf index.
const (
	MaxJoin = 1<<13 - 1
	MaxLeaf = 1<<24 - 1
)

// NewKID returns the KID of a sender. It panics on a source, join number or leaf
// that is out of range: two senders would share keys.
func NewKID(epoch uint64, source Source, join uint16, leaf uint32) KID {
	if source > 7 || join > MaxJoin || leaf > MaxLeaf {
		panic(fmt.Sprintf("sframe: no key id for source %d, join %d, leaf %d", source, join, leaf))
	}
	return KID(epoch&0xff | uint64(source)<<8 | uint64(join)<<11 | uint64(leaf)<<24)
}

// Epoch returns the epoch modulo 256.
func (k KID) Epoch() uint8 { return uint8(k) }

// Source returns what is sealed.
func (k KID) Source() Source { return Source(k >> 8 & 7) }

// Join returns the sender's join number.
func (k KID) Join() uint16 { return uint16(k >> 11 & MaxJoin) }

// Leaf returns the index of the sender's leaf in the room's tree. It may be
// larger than MaxLeaf in what a stranger sent.
func (k KID) Leaf() uint64 { return uint64(k >> 24) }
