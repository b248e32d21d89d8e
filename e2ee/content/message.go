package content

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/veche-im/veche/wire"
)

// ID is a message's id, by which others reply to it, edit it or react to it.
type ID [sha256.Size]byte

// idAlgorithm is SHA-256 in the IANA registry of named information hashes, the
// first byte of every id.
const idAlgorithm = 1

// MessageID returns the id of a content (its bytes as they were sent) by the
// sender and in the room with these addresses, draft §3.3.
func MessageID(senderURI, roomURI string, content []byte, salt [16]byte) ID {
	h := sha256.New()
	for _, uri := range [...]string{senderURI, roomURI} {
		h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(uri))))
		h.Write([]byte(uri))
	}
	h.Write(content)
	h.Write(salt[:])
	id := ID{idAlgorithm}
	copy(id[1:], h.Sum(nil))
	return id
}

// SenderURI is an account's address for MessageID.
func SenderURI(account wire.AccountID) string { return "veche:account:" + account.String() }

// RoomURI is a room's address for MessageID.
func RoomURI(room wire.RoomID) string { return "veche:room:" + room.String() }

// Message is a MIMI content, draft §4.
type Message struct {
	Salt       [16]byte // random
	Replaces   *ID      // the message that this one is instead of
	Topic      []byte   // what belongs together has the same, empty for nothing
	Expires    *Expiration
	InReplyTo  *ID
	Extensions []Extension // in the order of their encoded keys
	Body       Part
}

// ID returns the message's id, given its bytes as they were sent.
func (m *Message) ID(account wire.AccountID, room wire.RoomID, content []byte) ID {
	return MessageID(SenderURI(account), RoomURI(room), content, m.Salt)
}

// Expiration says when a message should be forgotten.
type Expiration struct {
	Relative bool   // Time counts from reading, else since 1970
	Time     uint32 // seconds
}

// Extension is a field beyond the draft's own, or one of its registered ones. It
// is called by Name, or by Number where Name is empty.
type Extension struct {
	Number int64
	Name   string
	Value  cbor.RawMessage // one value in deterministic CBOR
}

func (e *Extension) key() any {
	if e.Name != "" {
		return e.Name
	}
	return e.Number
}

// Extension returns the value of the extension with this name, nil if there is
// none.
func (m *Message) Extension(name string) cbor.RawMessage {
	for i := range m.Extensions {
		if m.Extensions[i].Name == name {
			return m.Extensions[i].Value
		}
	}
	return nil
}

// Encode returns m as deterministic CBOR, at most MaxContent bytes.
func (m *Message) Encode() ([]byte, error) {
	if err := m.Body.check(); err != nil {
		return nil, err
	}
	extensions := make(map[any]cbor.RawMessage, len(m.Extensions))
	for i := range m.Extensions {
		extensions[m.Extensions[i].key()] = m.Extensions[i].Value
	}
	if len(extensions) != len(m.Extensions) {
		return nil, fmt.Errorf("%w: an extension twice", ErrMalformed)
	}
	var expires any
	if m.Expires != nil {
		expires = []any{m.Expires.Relative, m.Expires.Time}
	}
	b, err := wire.Encode([]any{m.Salt[:], orNull(m.Replaces), bytesOf(m.Topic), expires, orNull(m.InReplyTo), extensions, m.Body.encode()})
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	if len(b) > MaxContent {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	return b, nil
}

func orNull(id *ID) any {
	if id == nil {
		return nil
	}
	return id[:]
}

// bytesOf returns b, or an empty slice for nil, which CBOR would call null.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Decode reads a content. Anything but the one way to write what the draft's
// CDDL allows, within the caps, is ErrMalformed.
func Decode(b []byte) (*Message, error) {
	if len(b) > MaxContent {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	m, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	// Written again it must be the same bytes: shortest lengths, sorted keys,
	// nothing null that may not be.
	if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: not deterministic", ErrMalformed)
	}
	return m, nil
}

func decode(b []byte) (*Message, error) {
	f, err := array(b, 7)
	if err != nil {
		return nil, err
	}
	m := &Message{}
	salt, err := value[[]byte](f[0])
	if err != nil || len(salt) != len(m.Salt) {
		return nil, fmt.Errorf("salt of %d bytes", len(salt))
	}
	m.Salt = [16]byte(salt)
	if m.Replaces, err = decodeID(f[1]); err != nil {
		return nil, err
	}
	if m.Topic, err = value[[]byte](f[2]); err != nil {
		return nil, err
	}
	if m.Expires, err = decodeExpiration(f[3]); err != nil {
		return nil, err
	}
	if m.InReplyTo, err = decodeID(f[4]); err != nil {
		return nil, err
	}
	if m.Extensions, err = decodeExtensions(f[5]); err != nil {
		return nil, err
	}
	left := maxParts
	if m.Body, err = decodePart(f[6], maxDepth, &left); err != nil {
		return nil, err
	}
	return m, nil
}

// array reads an array of exactly n values.
func array(b []byte, n int) ([]cbor.RawMessage, error) {
	var f []cbor.RawMessage
	if err := wire.Decode(b, &f); err != nil {
		return nil, err
	}
	if len(f) != n {
		return nil, fmt.Errorf("array of %d, not %d", len(f), n)
	}
	return f, nil
}

func value[T any](b []byte) (v T, err error) {
	err = wire.Decode(b, &v)
	return v, err
}

func isNull(b []byte) bool { return len(b) == 1 && b[0] == 0xf6 }

func decodeID(b []byte) (*ID, error) {
	if isNull(b) {
		return nil, nil
	}
	raw, err := value[[]byte](b)
	if err != nil || len(raw) != len(ID{}) {
		return nil, fmt.Errorf("message id of %d bytes", len(raw))
	}
	return (*ID)(raw), nil
}

func decodeExpiration(b []byte) (*Expiration, error) {
	if isNull(b) {
		return nil, nil
	}
	f, err := array(b, 2)
	if err != nil {
		return nil, err
	}
	var e Expiration
	if e.Relative, err = value[bool](f[0]); err != nil {
		return nil, err
	}
	e.Time, err = value[uint32](f[1])
	return &e, err
}

func decodeExtensions(b []byte) ([]Extension, error) {
	var fields map[any]cbor.RawMessage
	if err := wire.Decode(b, &fields); err != nil {
		return nil, err
	}
	if len(fields) > maxExtensions {
		return nil, fmt.Errorf("%d extensions", len(fields))
	}
	var list []Extension
	for key, v := range fields {
		e := Extension{Value: v}
		switch k := key.(type) {
		case uint64:
			e.Number = int64(k)
			if e.Number < 0 {
				return nil, fmt.Errorf("extension %d", k)
			}
		case int64:
			e.Number = k
		case string:
			if len(k) == 0 || len(k) > maxKeyName {
				return nil, fmt.Errorf("extension with a name of %d bytes", len(k))
			}
			e.Name = k
		default:
			return nil, fmt.Errorf("extension called by a %T", key)
		}
		if len(v) > maxExtension {
			return nil, fmt.Errorf("extension of %d bytes", len(v))
		}
		// What we do not know must be deterministic too, for ids to be safe.
		known, err := value[any](v)
		if err != nil {
			return nil, err
		}
		if again, err := wire.Encode(known); err != nil || !bytes.Equal(again, v) {
			return nil, fmt.Errorf("extension %v is not deterministic", key)
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Extension) int { return bytes.Compare(encodedKey(&a), encodedKey(&b)) })
	return list, nil
}

func encodedKey(e *Extension) []byte {
	b, err := wire.Encode(e.key())
	if err != nil {
		panic(fmt.Sprintf("encode a key: %v", err)) // a number or a string: cannot fail
	}
	return b
}
