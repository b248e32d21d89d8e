package content

import (
	"bytes"
	"fmt"

	"github.com/veche-im/veche/wire"
)

const callType = "application/vnd.veche.call+cbor"

// CallWhy says how a call ended.
type CallWhy string

const (
	CallEnded     CallWhy = "ended"
	CallNone      CallWhy = "none" // nobody answered
	CallDeclined  CallWhy = "declined"
	CallBusy      CallWhy = "busy"
	CallCancelled CallWhy = "cancelled" // before anybody answered
)

// MaxCallPeople is how many people the end of a call names at most, MaxCallTime
// how long one may have been, in seconds.
const (
	MaxCallPeople = 1000
	MaxCallTime   = 31 * 24 * 3600
)

// Call is what the log says of a call: that it began, by whom sends this, or,
// with Why, that it ended.
type Call struct {
	Call    wire.CallID
	Ring    bool // all members were rung
	Video   bool
	Why     CallWhy // empty for the beginning
	Seconds int
	People  []wire.AccountID // who was in
}

// callBegan and callOver are what a part of callType holds.
type callBegan struct {
	Version int         `cbor:"v"`
	Call    wire.CallID `cbor:"call"`
	Ring    bool        `cbor:"ring"`
	Video   bool        `cbor:"video"`
}
type callOver struct {
	Version int              `cbor:"v"`
	Call    wire.CallID      `cbor:"call"`
	Seconds int              `cbor:"seconds"`
	People  []wire.AccountID `cbor:"people"`
	Why     CallWhy          `cbor:"why"`
}

// NewCall makes the message of a call: of its beginning or, with Why, of its
// end. People beyond MaxCallPeople are left out.
func NewCall(c Call) (Made, error) {
	var v any = callBegan{1, c.Call, c.Ring, c.Video}
	if c.Why != "" {
		people := c.People[:min(len(c.People), MaxCallPeople)]
		if people == nil {
			people = []wire.AccountID{}
		}
		over := callOver{1, c.Call, max(0, min(c.Seconds, MaxCallTime)), people, c.Why}
		if !over.valid() {
			return Made{}, fmt.Errorf("%w: the end of a call", ErrMalformed)
		}
		v = over
	}
	b, err := wire.Encode(v)
	if err != nil {
		return Made{}, fmt.Errorf("encode a call: %w", err)
	}
	return finish(&Message{Body: Part{Disposition: Render, Single: &Single{callType, b}}})
}

func (c *callOver) valid() bool {
	switch c.Why {
	case CallEnded, CallNone, CallDeclined, CallBusy, CallCancelled:
	default:
		return false
	}
	return c.Version == 1 && !c.Call.IsZero() && c.Seconds >= 0 && c.Seconds <= MaxCallTime && len(c.People) <= MaxCallPeople && c.People != nil
}

func readCall(b []byte) (Kind, *Call) {
	var began callBegan
	if err := wire.Decode(b, &began); err == nil {
		if began.Version != 1 || began.Call.IsZero() || !alone(began, b) {
			return KindUnknown, nil
		}
		return KindCall, &Call{Call: began.Call, Ring: began.Ring, Video: began.Video}
	}
	var over callOver
	if err := wire.Decode(b, &over); err != nil || !over.valid() || !alone(over, b) {
		return KindUnknown, nil
	}
	return KindCallEnd, &Call{Call: over.Call, Seconds: over.Seconds, People: over.People, Why: over.Why}
}

// alone reports whether b is the one way to write v.
func alone(v any, b []byte) bool {
	again, err := wire.Encode(v)
	return err == nil && bytes.Equal(again, b)
}
