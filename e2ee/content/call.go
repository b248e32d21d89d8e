package content

import (
	"bytes"
	"fmt"

	"github.com/veche-im/veche/wire"
)

const callType = "application/vnd.veche.call+cbor"

// maxCallPeople is how many people the end of a call names.
const maxCallPeople = wire.MaxParticipants

// Call is what a room's log says of a call: that it began, or how it was.
// docs/spec/calls.md#in-the-log.
type Call struct {
	Call  wire.CallID
	Ring  bool // at the start: the others were rung
	Video bool
	End   *CallEnd // nil at the start
}

// CallEnd is how a call was.
type CallEnd struct {
	Seconds int64
	People  []wire.AccountID // who was in, in no order
	Why     CallReason
}

// CallReason says why a call ended.
type CallReason string

const (
	CallEnded     CallReason = "ended"
	CallNone      CallReason = "none"      // nobody answered
	CallDeclined  CallReason = "declined"  //
	CallBusy      CallReason = "busy"      //
	CallCancelled CallReason = "cancelled" // by the caller, before anybody answered
)

func (r CallReason) known() bool {
	switch r {
	case CallEnded, CallNone, CallDeclined, CallBusy, CallCancelled:
		return true
	}
	return false
}

// callStart and callEnd are what a part of callType holds.
type callStart struct {
	Version int         `cbor:"v"`
	Call    wire.CallID `cbor:"call"`
	Ring    bool        `cbor:"ring"`
	Video   bool        `cbor:"video"`
}
type callEnd struct {
	Version int              `cbor:"v"`
	Call    wire.CallID      `cbor:"call"`
	Seconds int64            `cbor:"seconds"`
	People  []wire.AccountID `cbor:"people"`
	Why     CallReason       `cbor:"why"`
}

// NewCall makes the message that a call began or ended.
func NewCall(c Call) (Made, error) {
	var body any = callStart{1, c.Call, c.Ring, c.Video}
	if e := c.End; e != nil {
		if e.Seconds < 0 || len(e.People) > maxCallPeople || !e.Why.known() {
			return Made{}, fmt.Errorf("%w: end of a call", ErrMalformed)
		}
		people := e.People
		if people == nil {
			people = []wire.AccountID{}
		}
		body = callEnd{1, c.Call, e.Seconds, people, e.Why}
	}
	b, err := wire.Encode(body)
	if err != nil {
		return Made{}, fmt.Errorf("encode a call: %w", err)
	}
	return finish(&Message{Body: Part{Disposition: Render, Single: &Single{callType, b}}})
}

// readCall reads a part of callType; anything that is not written in the one
// way is not understood.
func readCall(b []byte) (*Call, bool) {
	var s callStart
	if wire.Decode(b, &s) == nil && s.Version == 1 && unchanged(s, b) {
		return &Call{Call: s.Call, Ring: s.Ring, Video: s.Video}, true
	}
	var e callEnd
	if wire.Decode(b, &e) == nil && e.Version == 1 && e.Seconds >= 0 && len(e.People) <= maxCallPeople && e.Why.known() && unchanged(e, b) {
		return &Call{Call: e.Call, End: &CallEnd{Seconds: e.Seconds, People: e.People, Why: e.Why}}, true
	}
	return nil, false
}

func unchanged(v any, b []byte) bool {
	again, err := wire.Encode(v)
	return err == nil && bytes.Equal(again, b)
}
