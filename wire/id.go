package wire

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ErrID is returned for text or bytes that are no identifier.
var ErrID = errors.New("not an identifier")

// idSize is the size of every identifier in bytes: random but for the time in a
// [ClientID], so that none can be guessed or counted, and 128 bits wide, so that
// two never meet.
const idSize = 16

// idText is lower-case base32 without padding (RFC 4648 §6 in lower case): 26
// characters that survive mail, file names and case-blind eyes.
var idText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// AccountID names a person at a site.
type AccountID [idSize]byte

// DeviceID names one installation of a client.
type DeviceID [idSize]byte

// RoomID names a room. It is also the MLS group id of the room.
type RoomID [idSize]byte

// BlobID names sealed file bytes on the server.
type BlobID [idSize]byte

// CallID names a call; it is the context of its media keys.
type CallID [idSize]byte

// LifeID names one history of a site.
type LifeID [idSize]byte

// ClientID is chosen by a device for each entry that it sends, so that a retry
// is recognised and gets the same seq (it is unique per device and room).
type ClientID [idSize]byte

// NewClientID returns an identifier that begins with the time, in milliseconds
// by the device's clock, and is random after that: a UUID of version 7 (RFC 9562
// §5.7). What is sent at one time lies together in the server's index, which so
// touches one page where random ones would touch as many as there are messages.
// Nobody relies on the time: any 16 bytes that a device has not used are good.
func NewClientID() (id ClientID) {
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().UnixMilli())<<16)
	rand.Read(id[6:])
	id[6] = 0x70 | id[6]&0x0f // version
	id[8] = 0x80 | id[8]&0x3f // variant
	return id
}

// NewAccountID returns a random identifier. So do the functions after it.
func NewAccountID() (id AccountID) { rand.Read(id[:]); return id }
func NewDeviceID() (id DeviceID)   { rand.Read(id[:]); return id }
func NewRoomID() (id RoomID)       { rand.Read(id[:]); return id }
func NewBlobID() (id BlobID)       { rand.Read(id[:]); return id }
func NewCallID() (id CallID)       { rand.Read(id[:]); return id }
func NewLifeID() (id LifeID)       { rand.Read(id[:]); return id }

func (id AccountID) String() string { return idText.EncodeToString(id[:]) }
func (id DeviceID) String() string  { return idText.EncodeToString(id[:]) }
func (id RoomID) String() string    { return idText.EncodeToString(id[:]) }
func (id BlobID) String() string    { return idText.EncodeToString(id[:]) }
func (id ClientID) String() string  { return idText.EncodeToString(id[:]) }
func (id CallID) String() string    { return idText.EncodeToString(id[:]) }
func (id LifeID) String() string    { return idText.EncodeToString(id[:]) }

// IsZero reports whether id was never set. So do the methods after it.
func (id AccountID) IsZero() bool { return id == AccountID{} }
func (id DeviceID) IsZero() bool  { return id == DeviceID{} }
func (id RoomID) IsZero() bool    { return id == RoomID{} }
func (id BlobID) IsZero() bool    { return id == BlobID{} }
func (id ClientID) IsZero() bool  { return id == ClientID{} }
func (id CallID) IsZero() bool    { return id == CallID{} }
func (id LifeID) IsZero() bool    { return id == LifeID{} }

// MarshalText writes the 26 characters of String, in JSON and in flags.
func (id AccountID) MarshalText() ([]byte, error) { return idText.AppendEncode(nil, id[:]), nil }
func (id DeviceID) MarshalText() ([]byte, error)  { return idText.AppendEncode(nil, id[:]), nil }
func (id RoomID) MarshalText() ([]byte, error)    { return idText.AppendEncode(nil, id[:]), nil }
func (id BlobID) MarshalText() ([]byte, error)    { return idText.AppendEncode(nil, id[:]), nil }
func (id ClientID) MarshalText() ([]byte, error)  { return idText.AppendEncode(nil, id[:]), nil }
func (id CallID) MarshalText() ([]byte, error)    { return idText.AppendEncode(nil, id[:]), nil }
func (id LifeID) MarshalText() ([]byte, error)    { return idText.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads what MarshalText wrote; anything else is ErrID.
func (id *AccountID) UnmarshalText(b []byte) error { return parseID((*[idSize]byte)(id), b) }
func (id *DeviceID) UnmarshalText(b []byte) error  { return parseID((*[idSize]byte)(id), b) }
func (id *RoomID) UnmarshalText(b []byte) error    { return parseID((*[idSize]byte)(id), b) }
func (id *BlobID) UnmarshalText(b []byte) error    { return parseID((*[idSize]byte)(id), b) }
func (id *ClientID) UnmarshalText(b []byte) error  { return parseID((*[idSize]byte)(id), b) }
func (id *CallID) UnmarshalText(b []byte) error    { return parseID((*[idSize]byte)(id), b) }
func (id *LifeID) UnmarshalText(b []byte) error    { return parseID((*[idSize]byte)(id), b) }

// MarshalCBOR writes an identifier as a byte string of 16.
func (id AccountID) MarshalCBOR() ([]byte, error) { return encodeID(id) }
func (id DeviceID) MarshalCBOR() ([]byte, error)  { return encodeID(id) }
func (id RoomID) MarshalCBOR() ([]byte, error)    { return encodeID(id) }
func (id BlobID) MarshalCBOR() ([]byte, error)    { return encodeID(id) }
func (id ClientID) MarshalCBOR() ([]byte, error)  { return encodeID(id) }
func (id CallID) MarshalCBOR() ([]byte, error)    { return encodeID(id) }
func (id LifeID) MarshalCBOR() ([]byte, error)    { return encodeID(id) }

// UnmarshalCBOR reads a byte string of 16; anything else is ErrID.
func (id *AccountID) UnmarshalCBOR(b []byte) error { return decodeID((*[idSize]byte)(id), b) }
func (id *DeviceID) UnmarshalCBOR(b []byte) error  { return decodeID((*[idSize]byte)(id), b) }
func (id *RoomID) UnmarshalCBOR(b []byte) error    { return decodeID((*[idSize]byte)(id), b) }
func (id *BlobID) UnmarshalCBOR(b []byte) error    { return decodeID((*[idSize]byte)(id), b) }
func (id *ClientID) UnmarshalCBOR(b []byte) error  { return decodeID((*[idSize]byte)(id), b) }
func (id *CallID) UnmarshalCBOR(b []byte) error    { return decodeID((*[idSize]byte)(id), b) }
func (id *LifeID) UnmarshalCBOR(b []byte) error    { return decodeID((*[idSize]byte)(id), b) }

func parseID(id *[idSize]byte, text []byte) error {
	var got [idSize]byte
	// 26 characters carry two bits more than 16 bytes need: only the spelling
	// that String gives is taken, so that one thing has one name.
	n, err := idText.Decode(got[:], text[:min(len(text), 26)])
	if err != nil || n != idSize || idText.EncodeToString(got[:]) != string(text) {
		return fmt.Errorf("%w: %q", ErrID, clip(text, 40))
	}
	*id = got
	return nil
}

func encodeID(id [idSize]byte) ([]byte, error) {
	return append([]byte{cborBytes | idSize}, id[:]...), nil
}

func decodeID(id *[idSize]byte, b []byte) error {
	if len(b) == 1+idSize && b[0] == cborBytes|idSize { // as everybody writes it
		copy(id[:], b[1:])
		return nil
	}
	var raw []byte
	if err := Decode(b, &raw); err != nil || len(raw) != idSize {
		return ErrID
	}
	copy(id[:], raw)
	return nil
}

func clip(b []byte, n int) string { return string(b[:min(len(b), n)]) }
