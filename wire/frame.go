package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// ErrFrame is returned for bytes that are not a frame or not the value that was
// expected: not CBOR, of indefinite length, with a tag, a key twice or an unknown
// field, over a limit. That numbers and keys stand in their shortest form and in
// order is not asked of a frame; where bytes are signed or hashed, their reader
// encodes again and compares.
var ErrFrame = errors.New("malformed frame")

// A Frame is one WebSocket message. What it is follows from what is set:
//
//	request   ID and Method   a device asks
//	response  ID alone        the server answers; Error is set if it refused
//	event     Method alone    the server tells
type Frame struct {
	ID     uint64          `cbor:"i,omitempty"` // chosen by the device, from 1, unique among what is outstanding
	Method string          `cbor:"m,omitempty"`
	Body   cbor.RawMessage `cbor:"b,omitempty"` // parameters, result or event
	Error  *Error          `cbor:"e,omitempty"`
}

// A Code says why a request was refused. There is one code for "no such thing"
// and "not for you", so that identifiers cannot be probed.
type Code string

const (
	BadRequest      Code = "bad_request"     // malformed or against a rule; retrying will not help
	Unauthenticated Code = "unauthenticated" // no session, or one that has ended
	NotFound        Code = "not_found"       // no such thing, or not for this actor
	Conflict        Code = "conflict"        // somebody else was first: read the log and try again
	Stale           Code = "stale"           // made for an older epoch: read the log, then seal again
	Pending         Code = "pending"         // a proposal waits to be committed before anything is sent
	Exists          Code = "exists"          // the name or the direct room is taken
	TooLarge        Code = "too_large"       // over a cap of Limits
	NoSpace         Code = "no_space"        // quota or disk is full
	Busy            Code = "busy"            // overloaded: retry after RetryAfter
	Attempts        Code = "attempts"        // too many wrong passwords before this one, which was not looked at: retry after RetryAfter
	Guessable       Code = "guessable"       // a new password that others would try first
	ProveFirst      Code = "prove"           // the person's password first: POST PathProve, then ask again
	LastAdmin       Code = "last_admin"      // the site would be left without an administrator
	Damaged         Code = "damaged"         // the server's disk lost or changed what this needs; other rooms go on
	Cancelled       Code = "cancelled"       // the connection or the server ended first
	Internal        Code = "internal"        // the server's own fault; logged there
)

// Error is a refusal as it travels. Text is English and for developers; people
// are shown words chosen by Code.
type Error struct {
	Code       Code   `cbor:"code" json:"code"`
	Text       string `cbor:"text,omitempty" json:"text,omitempty"`
	RetryAfter int64  `cbor:"retry_ms,omitempty" json:"retry_ms,omitempty"` // milliseconds, with Busy and Attempts
	Room       RoomID `cbor:"room,omitzero" json:"room,omitzero"`           // with Exists: the direct room that is there already
}

func (e *Error) Error() string {
	if e.Text == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Text
}

// Is reports whether target is an *Error of the same code, so that callers
// write errors.Is(err, &wire.Error{Code: wire.Stale}).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Refuse makes an Error from a code and a sentence.
func Refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of err, or "" if err carries none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Sealed is bytes that only members can open. It logs as its size.
type Sealed []byte

// LogValue shows the size, which is what one debugs with, and nothing else.
func (s Sealed) LogValue() slog.Value { return slog.StringValue(s.String()) }

// String shows the size alone, so that no format verb prints content.
func (s Sealed) String() string { return fmt.Sprintf("sealed(%d bytes)", len(s)) }

// A Method is a request that a device may make, with the types of its
// parameters and of its result. Max caps the parameters, in bytes of CBOR.
type Method[P, R any] struct {
	Name string
	Max  int
}

// An Event is something that the server tells a device.
type Event[T any] struct{ Name string }

// Millis is a moment as travels and is stored: milliseconds since 1970 in UTC.
type Millis int64

// Now returns the moment t.
func Now(t time.Time) Millis { return Millis(t.UnixMilli()) }

// Time returns m as a time.Time in UTC.
func (m Millis) Time() time.Time { return time.UnixMilli(int64(m)).UTC() }

var encMode = func() cbor.EncMode {
	o := cbor.CoreDetEncOptions()
	o.TextMarshaler = cbor.TextMarshalerNone
	m, err := o.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}()

var decMode = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   maxNesting,
		MaxArrayElements:  maxElements,
		MaxMapPairs:       maxPairs,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// Encode returns v as deterministic CBOR.
func Encode(v any) ([]byte, error) {
	if b, ok := appendTo(nil, v); ok {
		return b, nil
	}
	return encMode.Marshal(v)
}

// Decode reads exactly one value from b into v. Whatever is wrong with b, the
// error is ErrFrame; memory and time are bounded by len(b).
func Decode(b []byte, v any) error {
	return decodeOf(b, v, false)
}

// DecodeIn is Decode for who has no other use for b: what is read may be part of
// it.
func DecodeIn(b []byte, v any) error { return decodeOf(b, v, true) }

func decodeOf(b []byte, v any, share bool) error {
	if decode(b, v, share) {
		return nil
	}
	if err := decMode.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %v", ErrFrame, err)
	}
	return nil
}
