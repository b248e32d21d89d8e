package policy

import (
	"bytes"
	"fmt"

	"github.com/veche-im/veche/wire"
)

// identitySize is the size of a credential's identity in bytes.
const identitySize = len(wire.AccountID{}) + len(wire.DeviceID{})

// Identity is what a leaf's basic credential carries: account ‖ device, 32
// bytes. docs/spec/identity.md.
func Identity(account wire.AccountID, device wire.DeviceID) []byte {
	return append(account[:len(account):len(account)], device[:]...)
}

// ParseIdentity is the reverse of Identity. Anything but 32 bytes with both
// halves set is ErrMalformed.
func ParseIdentity(b []byte) (account wire.AccountID, device wire.DeviceID, err error) {
	if len(b) != identitySize {
		return account, device, fmt.Errorf("%w: credential identity of %d bytes", ErrMalformed, len(b))
	}
	copy(account[:], b)
	copy(device[:], b[len(account):])
	if account.IsZero() || device.IsZero() {
		return wire.AccountID{}, wire.DeviceID{}, fmt.Errorf("%w: credential identity with a zero half", ErrMalformed)
	}
	return account, device, nil
}

func compareAccounts(a, b wire.AccountID) int { return bytes.Compare(a[:], b[:]) }
