// Package identity is how devices of one person know one another, and how
// everybody else knows them.
//
// An account has a root key, made by its first device. The root signs
// statements, each with all devices that the account ever had; a device counts
// only while the newest one lists it. The root's seed lies in a vault on the
// server, sealed for each active device and for the recovery key, so that any
// of them can sign the next statement.
//
// An Account is the vault opened: it makes the changes that device.publish
// carries. It exists for as long as one change takes and is wiped after it.
// Everything that comes from the server is checked against statements that the
// root signed: the vault's locks too, since the server could put its own keys
// there. Verifying and pinning those statements needs no secret and is the work
// of internal/statement and client/people. docs/spec/identity.md.
package identity

import "errors"

var (
	// ErrOpen: the vault does not open with this device's keys or this recovery
	// key, or what is in it is not the root of the account's statements.
	ErrOpen = errors.New("identity: the vault does not open")
	// ErrVault: the vault is malformed, of another account, or its locks are not
	// those that the newest statement names. Nothing is sealed for it.
	ErrVault = errors.New("identity: the vault does not fit the account's statements")
	// ErrRecoveryKey: the text is no recovery key.
	ErrRecoveryKey = errors.New("identity: not a recovery key")
	// ErrKeys: the bytes are no device keys, or a public key is none.
	ErrKeys = errors.New("identity: not keys of a device")
	// ErrNotListed: the newest statement does not list the device as active, or
	// lists it with other keys.
	ErrNotListed = errors.New("identity: the device is not in the account's statement")
)
