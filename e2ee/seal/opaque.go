package seal

import (
	"errors"
	"fmt"
	"log/slog"
)

// errOpaque is what every encoder hears that is handed a secret.
var errOpaque = errors.New("seal: a secret is not encoded by accident")

// Opaque makes the struct that embeds it refuse to be printed, logged, compared
// or marshalled: each of those yields a placeholder, an error, or no program at
// all. The struct keeps its bytes behind a pointer, because fmt walks into
// unexported fields of whatever holds it, and stops at pointers.
type Opaque struct {
	_ [0]func() // makes == a compile error
}

// String shows nothing of the secret.
func (Opaque) String() string { return "secret" }

// GoString shows nothing of the secret.
func (Opaque) GoString() string { return "secret" }

// Format shows nothing of the secret, whatever the verb.
func (Opaque) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("secret")) }

// LogValue shows nothing of the secret.
func (Opaque) LogValue() slog.Value { return slog.StringValue("secret") }

// MarshalJSON refuses.
func (Opaque) MarshalJSON() ([]byte, error) { return nil, errOpaque }

// MarshalText refuses.
func (Opaque) MarshalText() ([]byte, error) { return nil, errOpaque }

// MarshalBinary refuses.
func (Opaque) MarshalBinary() ([]byte, error) { return nil, errOpaque }

// MarshalCBOR refuses.
func (Opaque) MarshalCBOR() ([]byte, error) { return nil, errOpaque }

// GobEncode refuses.
func (Opaque) GobEncode() ([]byte, error) { return nil, errOpaque }
