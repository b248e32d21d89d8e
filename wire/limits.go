package wire

import "time"

// The caps of every decoder and store, in one table. A number here is the most
// that is accepted; docs/spec/framing.md#limits says why each is what it is.
const (
	// MaxRequest is the largest frame that a device may send, in bytes. A path
	// commit on a freshly added tree of 1,000 hybrid leaves is 1.2 MB.
	MaxRequest = 4 << 20
	// MaxResponse is the largest frame that a server may send. The tree of
	// 1,000 hybrid leaves is 2.6 MB.
	MaxResponse = 16 << 20

	MaxSmall   = 16 << 10  // parameters of a method that carries no body
	MaxKeys    = 1 << 20   // parameters of key.upload
	MaxMessage = 128 << 10 // one sealed message: 16k characters of four bytes, content fields, padding
	MaxCommit  = 4<<20 - 4096
	MaxVault   = 256 << 10 // a vault with a lock for each of MaxDevices
	MaxChain   = 1 << 20   // statements that are published again at a time

	MaxJSON = 64 << 10 // body of a sign-in request

	MaxDevices      = 32   // active devices of an account
	MaxLeaves       = 5000 // devices in a room
	MaxKeyPackages  = 100  // one-time key packages kept for a device
	MaxLogPage      = 200  // entries in one answer of room.log …
	MaxLogPageBytes = 4 << 20
	MaxPeoplePage   = 1000
	MaxBlobsInEntry = 20
	MaxCursors      = 100 // in one event; members of a room up to which they hear of one another's

	MaxName     = 64   // characters of a person's or organisation's name, after normalising
	MinPassword = 8    // characters
	MaxPassword = 1024 // bytes

	Piece    = 1 << 20  // plain bytes in one sealed piece of a file
	MaxBlob  = 2 << 30  // sealed bytes of one file, unless the administrator says otherwise
	MaxQuota = 20 << 30 // sealed bytes that one account may keep, unless the administrator says otherwise

	MaxOutstanding = 64  // requests of one device that wait for an answer
	MaxQueue       = 256 // events queued for one device before it is told to catch up

	maxNesting  = 16
	maxElements = 65536 // a list of all rooms in MaxResponse
	maxPairs    = 4096
)

const (
	// Heartbeat is how often the server pings a quiet connection; a device that
	// heard nothing for twice as long reconnects.
	Heartbeat = 25 * time.Second
	// SetupTTL is how long a set-up link works; InviteTTL how long an invite does,
	// ResetTTL how long a link to a new password.
	SetupTTL  = 30 * time.Minute
	InviteTTL = 7 * 24 * time.Hour
	ResetTTL  = 24 * time.Hour
	// ProofTTL is for how long after showing the password an administrator may do
	// what asks for it.
	ProofTTL = 10 * time.Minute
	// BlobTTL is how long sealed bytes that no message holds are kept.
	BlobTTL = 24 * time.Hour
	// TypingTTL is how long "is typing" is true without being said again.
	TypingTTL = 6 * time.Second
)
