package group

import (
	"github.com/veche-im/veche/mls"
)

// Authority is the application's Authentication Service (RFC 9420 §5.3.1): it
// knows who may call themselves what. Its methods are asked while a message is
// staged, before anything changes.
type Authority interface {
	// Validate returns an error unless the credential is true for the holder
	// of the signature key.
	Validate(c mls.Credential, signatureKey []byte) error
	// Same reports whether both credentials are of one member: whether next
	// may take the place of old in a group, or stand for it in a group that
	// follows.
	Same(old, next mls.Credential) bool
}
