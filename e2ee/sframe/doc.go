// Package sframe seals the media frames and signals of calls: Secure Frames
// (RFC 9605) with the suite AES_128_GCM_SHA256_128 and no other, keyed by a
// room's MLS group as docs/spec/calls.md says.
//
// A sealed frame is clear bytes ‖ header ‖ ciphertext and tag. The clear bytes,
// which a forwarder may need, are authenticated as the frame's metadata (§4.4.3).
// The header names the key by its KID, from which each receiver reads who sent
// the frame: the number of the sender's leaf, not what a server says.
//
// A Sealer never uses a counter twice. What keeps two Sealers of one device
// apart is the join number in the KID, which the caller stores before use.
//
// Whatever fails to open is ErrOpen; what precisely was wrong is not told.
package sframe

import "errors"

// ErrOpen is the answer to every frame that does not open: malformed, of an
// unknown key, changed, or seen before.
var ErrOpen = errors.New("frame does not open")

// ErrExhausted: a Sealer has used up its counters.
var ErrExhausted = errors.New("no more frames under this key")

// What suite AES_128_GCM_SHA256_128 says (§4.5, §8.1).
const (
	suite   = 0x0004
	KeySize = 16 // of a base key and of a frame key, in bytes
	nonceSz = 12
	tagSize = 16
)

// MaxHeader is the largest header in bytes (§4.3): the first byte, and KID and
// counter of eight each.
const MaxHeader = 17

// Overhead is how many bytes a sealed frame has at most more than what is in it.
const Overhead = MaxHeader + tagSize
