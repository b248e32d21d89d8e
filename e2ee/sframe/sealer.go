package sframe

import (
	"fmt"
	"math"
)

// A Sealer seals the frames of one KID. It is for one goroutine.
type Sealer struct {
	key  frameKey
	kid  KID
	next uint64
	// Reused for each frame, because what goes through an interface is allocated.
	aad   []byte
	nonce [nonceSz]byte
}

// NewSealer returns a Sealer that counts from 0. For one base key and KID there
// may only ever be one: a second would seal other frames under the same nonces.
func NewSealer(base Key, kid KID) *Sealer { return &Sealer{key: derive(base, kid), kid: kid} }

// KID returns the key id that stands in its frames.
func (s *Sealer) KID() KID { return s.kid }

// Seal appends frame to dst, sealed but for its first clear bytes. dst must not
// overlap frame.
func (s *Sealer) Seal(dst, frame []byte, clear int) ([]byte, error) {
	if clear < 0 || clear > len(frame) {
		return nil, fmt.Errorf("sframe: %d clear bytes of %d", clear, len(frame))
	}
	if s.next == math.MaxUint64 {
		return nil, ErrExhausted
	}
	counter := s.next
	s.next++
	dst = append(dst, frame[:clear]...)
	at := len(dst)
	dst = Header{s.kid, counter}.Append(dst)
	s.aad = append(append(s.aad[:0], dst[at:]...), frame[:clear]...)
	s.nonce = s.key.nonce(counter)
	return s.key.aead.Seal(dst, s.nonce[:], frame[clear:], s.aad), nil
}
