package group

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
)

// errSecret is what every encoder hears that is handed a secret.
var errSecret = errors.New("group: a secret is not encoded by accident")

// Secret is a key or something that keys are derived from. It does not print,
// compare (==), marshal or log: each of those yields a placeholder, an error, or
// no program at all. Its bytes leave only through Export. Copies share them, so
// that Wipe on one wipes all.
type Secret struct {
	// at leads to the bytes. It is a function because fmt does not ask the
	// methods of unexported fields but prints what they hold, through pointers
	// too; nothing looks into a function. It also makes == a compile error.
	at func() *[]byte
}

// NewSecret returns a Secret with a copy of b, which the caller should wipe.
func NewSecret(b []byte) Secret { return own(append([]byte(nil), b...)) }

// own returns a Secret that takes b over.
func own(b []byte) Secret { return Secret{func() *[]byte { return &b }} }

// bytes are the bytes themselves, to be used and not kept.
func (s Secret) bytes() []byte {
	if s.at == nil {
		return nil
	}
	return *s.at()
}

// Export returns a copy of the bytes, for the caller to store or use as a key.
func (s Secret) Export() []byte { return append([]byte(nil), s.bytes()...) }

// Len is the number of bytes.
func (s Secret) Len() int { return len(s.bytes()) }

// Equal compares in constant time.
func (s Secret) Equal(o Secret) bool { return subtle.ConstantTimeCompare(s.bytes(), o.bytes()) == 1 }

// Wipe overwrites the bytes. Copies that Go has made of them stay.
func (s *Secret) Wipe() {
	if s.at != nil {
		clear(*s.at())
		*s.at() = nil
	}
}

// String shows nothing of the secret.
func (Secret) String() string { return "secret" }

// GoString shows nothing of the secret.
func (Secret) GoString() string { return "group.Secret{}" }

// Format shows nothing of the secret, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("secret")) }

// LogValue shows nothing of the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("secret") }

// MarshalJSON refuses.
func (Secret) MarshalJSON() ([]byte, error) { return nil, errSecret }

// MarshalText refuses.
func (Secret) MarshalText() ([]byte, error) { return nil, errSecret }

// MarshalBinary refuses.
func (Secret) MarshalBinary() ([]byte, error) { return nil, errSecret }

// MarshalCBOR refuses.
func (Secret) MarshalCBOR() ([]byte, error) { return nil, errSecret }

// GobEncode refuses.
func (Secret) GobEncode() ([]byte, error) { return nil, errSecret }
