// Package content is what is inside a sealed message: MIMI content
// (draft-ietf-mimi-content-08) in deterministic CBOR, and the small part of it
// that Veche writes: text, files, replies, edits, deletions, reactions, and the
// state of a room.
//
// Decode and Encode know all of the draft's structure and give back the same
// bytes. New… make our messages; Read says what a message means to us, and calls
// everything else Unknown, which is kept as it came: a newer version may know
// it. Parse turns the Markdown of a text into a typed tree; there is no HTML
// anywhere. docs/spec/content.md.
package content

import (
	"errors"

	"github.com/veche-im/veche/wire"
)

var (
	// ErrMalformed is returned for bytes that are not MIMI content in
	// deterministic CBOR.
	ErrMalformed = errors.New("content: malformed")
	// ErrTooLarge: a message over a cap was to be made. No message is made.
	ErrTooLarge = errors.New("content: too large")
	// ErrEmpty: a message that says nothing was to be made.
	ErrEmpty = errors.New("content: nothing to say")
)

// The caps of what we write and of what Read takes as ours.
const (
	MaxText     = 16384 // characters of a text
	MaxFiles    = wire.MaxBlobsInEntry
	MaxFileName = 255       // bytes
	MaxPreview  = 12 << 10  // bytes of a file's small picture
	MaxThumb    = 64        // bytes of a thumbhash
	MaxReaction = 64        // bytes
	MaxRoomName = 100       // characters
	MaxPicture  = 1<<16 - 1 // width and height, pixels

	// MaxContent is the most bytes of a whole content: what a sealed message may
	// have, less than what MLS and padding add.
	MaxContent = wire.MaxMessage - 4<<10
)

// The caps of the draft's structure.
const (
	maxDepth      = 5  // parts in parts
	maxParts      = 64 // in all
	maxExtensions = 32
	maxExtension  = 4095 // bytes of one value, draft §4.3
	maxKeyName    = 255  // bytes
)
