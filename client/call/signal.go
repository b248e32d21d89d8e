package call

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/veche-im/veche/wire"
)

// signal is what participants say to one another, before sealing. From and To
// are numbers of participants.
type signal struct {
	Kind   signalKind  `cbor:"1,keyasint"`
	From   uint32      `cbor:"2,keyasint"` // what was sealed in one participation is not taken for another's
	Muted  bool        `cbor:"3,keyasint,omitempty"`
	Camera bool        `cbor:"4,keyasint,omitempty"`
	Screen bool        `cbor:"5,keyasint,omitempty"`
	Hand   wire.Millis `cbor:"6,keyasint,omitempty"` // when it was raised
	Emoji  string      `cbor:"7,keyasint,omitempty"`
	To     uint32      `cbor:"8,keyasint,omitempty"`
}

type signalKind uint8

const (
	stateSignal    signalKind = 1
	reactionSignal signalKind = 2
	muteSignal     signalKind = 3 // please
	handSignal     signalKind = 4 // lower it, please
)

// signalSize is that of every signal, in bytes: one for the length, CBOR, zeros.
// maxEmoji is what fits.
const (
	signalSize = 64
	maxEmoji   = 36
)

var errSignal = errors.New("call: not a signal")

func (s *signal) encode() ([]byte, error) {
	b, err := wire.Encode(s)
	if err != nil {
		return nil, fmt.Errorf("encode a signal: %w", err)
	}
	if len(b) >= signalSize {
		return nil, fmt.Errorf("%w: %d bytes", errSignal, len(b))
	}
	out := make([]byte, signalSize)
	out[0] = byte(len(b))
	copy(out[1:], b)
	return out, nil
}

func decodeSignal(b []byte) (s signal, err error) {
	if len(b) != signalSize || int(b[0]) >= signalSize {
		return s, errSignal
	}
	n := int(b[0])
	for _, zero := range b[1+n:] {
		if zero != 0 {
			return s, errSignal
		}
	}
	if err := wire.Decode(b[1:1+n], &s); err != nil {
		return s, errSignal
	}
	if s.Kind == reactionSignal && !isEmoji(s.Emoji) {
		return s, errSignal
	}
	return s, nil
}

// isEmoji reports whether a reaction can be shown: short, and nothing that moves
// other text around.
func isEmoji(s string) bool {
	if s == "" || len(s) > maxEmoji || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return false
		}
	}
	return true
}
