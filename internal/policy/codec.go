package policy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/veche-im/veche/wire"
)

// ErrMalformed is returned for bytes that are not what they should be: not
// deterministic CBOR, a missing or unknown field, a value out of range.
var ErrMalformed = errors.New("malformed")

// Extension is the type of the GroupContext extension that holds a Policy, from
// the private range of RFC 9420 §17.3.
const Extension uint16 = 0xF0B2

// Policy is a room's own rules, signed with every epoch because it stands in
// the GroupContext.
type Policy struct {
	Kind wire.RoomKind
	// Owners are the accounts that may change who is in a group, ascending,
	// members all. In a direct room they are the two people whose room it is (one,
	// for notes to oneself), present or not, for ever.
	Owners []wire.AccountID
}

// encodedPolicy is the CBOR of a Policy.
type encodedPolicy struct {
	Version uint             `cbor:"v"`
	Kind    wire.RoomKind    `cbor:"kind"`
	Owners  []wire.AccountID `cbor:"owners"`
}

// Encode returns p as the extension's data. A policy that Decode would refuse
// is ErrMalformed.
func (p Policy) Encode() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return wire.Encode(encodedPolicy{Version: 1, Kind: p.Kind, Owners: p.Owners})
}

// Decode reads the data of the extension. There is exactly one encoding of a
// policy; anything else is ErrMalformed.
func Decode(b []byte) (Policy, error) {
	var e encodedPolicy
	if err := wire.Decode(b, &e); err != nil {
		return Policy{}, fmt.Errorf("%w: policy: %v", ErrMalformed, err)
	}
	if e.Version != 1 {
		return Policy{}, fmt.Errorf("%w: policy of version %d", ErrMalformed, e.Version)
	}
	p := Policy{Kind: e.Kind, Owners: e.Owners}
	again, err := p.Encode()
	if err != nil {
		return Policy{}, err
	}
	if !bytes.Equal(again, b) {
		return Policy{}, fmt.Errorf("%w: policy is not deterministic CBOR", ErrMalformed)
	}
	return p, nil
}

func (p Policy) check() error {
	switch p.Kind {
	case wire.Direct:
		if len(p.Owners) > 2 {
			return fmt.Errorf("%w: direct room of %d people", ErrMalformed, len(p.Owners))
		}
	case wire.Group:
	default:
		return fmt.Errorf("%w: room of kind %q", ErrMalformed, p.Kind)
	}
	if len(p.Owners) == 0 || len(p.Owners) > wire.MaxLeaves {
		return fmt.Errorf("%w: policy with %d owners", ErrMalformed, len(p.Owners))
	}
	for i, o := range p.Owners {
		if o.IsZero() || i > 0 && compareAccounts(p.Owners[i-1], o) >= 0 {
			return fmt.Errorf("%w: owners are not ascending", ErrMalformed)
		}
	}
	return nil
}

// Owns reports whether account is an owner.
func (p Policy) Owns(account wire.AccountID) bool {
	_, found := slices.BinarySearchFunc(p.Owners, account, compareAccounts)
	return found
}

// Equal reports whether p and q are the same policy.
func (p Policy) Equal(q Policy) bool { return p.Kind == q.Kind && slices.Equal(p.Owners, q.Owners) }

// Sorted returns the accounts ascending and each once, as Owners are.
func Sorted(accounts ...wire.AccountID) []wire.AccountID {
	s := slices.Clone(accounts)
	slices.SortFunc(s, compareAccounts)
	return slices.Compact(s)
}

// MessageData is the authenticated_data of a message.
type MessageData struct {
	Client wire.ClientID // of the entry, so that a server cannot pass one send off as two
}

// CommitData is the authenticated_data of a commit.
type CommitData struct {
	Client wire.ClientID
	Seq    int64     // newest entry that the committer had seen, 0 for none
	Head   wire.Hash // of the log at Seq; all zero for Seq 0
}

// maxData caps encoded authenticated_data: what is known takes under 80 bytes,
// the rest is for keys of later versions.
const maxData = 4 << 10

// criticalKeys are the keys up to which an unknown one refuses the entry; above
// they are ignored.
const criticalKeys = 15

// Encode returns d as authenticated_data.
func (d MessageData) Encode() []byte {
	return mustEncode(map[uint64]any{1: 1, 4: d.Client})
}

// Encode returns d as authenticated_data.
func (d CommitData) Encode() []byte {
	return mustEncode(map[uint64]any{1: 1, 2: d.Seq, 3: d.Head, 4: d.Client})
}

// messageData is how the encoding of MessageData begins: a map of two, version 1,
// and 16 bytes.
var messageData = []byte{0xa2, 0x01, 0x01, 0x04, 0x50}

// DecodeMessageData reads the authenticated_data of a message. Anything but a
// deterministic CBOR map with exactly its keys, and perhaps ones above 15, is
// ErrMalformed.
func DecodeMessageData(b []byte) (d MessageData, err error) {
	// As Encode writes it, which is what nearly every message brings.
	if rest, ok := bytes.CutPrefix(b, messageData); ok && len(rest) == len(d.Client) {
		d.Client = wire.ClientID(rest)
	} else {
		err = decodeData(b, map[uint64]any{4: &d.Client})
	}
	if err == nil && d.Client.IsZero() {
		err = fmt.Errorf("%w: authenticated_data without a client id", ErrMalformed)
	}
	if err != nil {
		return MessageData{}, err
	}
	return d, nil
}

// DecodeCommitData reads the authenticated_data of a commit, as strictly as
// DecodeMessageData.
func DecodeCommitData(b []byte) (d CommitData, err error) {
	err = decodeData(b, map[uint64]any{2: &d.Seq, 3: &d.Head, 4: &d.Client})
	switch {
	case err != nil:
	case d.Client.IsZero():
		err = fmt.Errorf("%w: authenticated_data without a client id", ErrMalformed)
	case d.Seq < 0 || (d.Seq == 0) != (d.Head == wire.Hash{}):
		err = fmt.Errorf("%w: authenticated_data with a head that does not belong to seq %d", ErrMalformed, d.Seq)
	}
	if err != nil {
		return CommitData{}, err
	}
	return d, nil
}

// decodeData reads the map b: version 1, each of the fields exactly once, no
// other key up to criticalKeys.
func decodeData(b []byte, fields map[uint64]any) error {
	malformed := func(format string, args ...any) error {
		return fmt.Errorf("%w: authenticated_data: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	if len(b) > maxData {
		return malformed("%d bytes", len(b))
	}
	var raw map[uint64]cbor.RawMessage
	if err := wire.Decode(b, &raw); err != nil {
		return malformed("%v", err)
	}
	if raw == nil {
		return malformed("not a map") // null decodes into a nil map
	}
	// Written again it must be the same bytes, what is ignored included: two
	// readers must never see two things in one entry.
	again := make(map[uint64]any, len(raw))
	for key, value := range raw {
		var v any
		if err := wire.Decode(value, &v); err != nil {
			return malformed("key %d: %v", key, err)
		}
		again[key] = v
		if fields[key] == nil && key != 1 && key <= criticalKeys {
			return malformed("unknown key %d", key)
		}
	}
	if twin, err := wire.Encode(again); err != nil || !bytes.Equal(twin, b) {
		return malformed("not deterministic CBOR")
	}
	if !bytes.Equal(raw[1], []byte{1}) {
		return malformed("not of version 1")
	}
	for key, into := range fields {
		value, ok := raw[key]
		if !ok {
			return malformed("key %d is missing", key)
		}
		if bytes.Equal(value, []byte{0xf6}) {
			return malformed("key %d is null", key) // which would decode as zero
		}
		if err := wire.Decode(value, into); err != nil {
			return malformed("key %d: %v", key, err)
		}
	}
	return nil
}

func mustEncode(v any) []byte {
	b, err := wire.Encode(v)
	if err != nil {
		panic(fmt.Sprintf("encode authenticated_data: %v", err)) // fixed types: cannot fail
	}
	return b
}
