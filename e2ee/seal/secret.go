package seal

import (
	"errors"
	"fmt"
	"log/slog"
)

// errSecret is what every encoder hears that is handed a secret.
var errSecret = errors.New("seal: a secret is not encoded by accident")

// Secret holds a value that refuses to be printed, logged, compared or
// marshalled: each of those yields a placeholder, an error, or no program at
// all. A struct that embeds it refuses too. Copies share the value.
type Secret[T any] struct {
	_ [0]func() // makes == a compile error
	// Two pointers deep, because fmt walks into unexported fields of whatever
	// holds a Secret, and for a verb that does not fit even through one pointer.
	p **T
}

// NewSecret returns a Secret with v.
func NewSecret[T any](v T) Secret[T] {
	p := &v
	return Secret[T]{p: &p}
}

// Reveal returns the value itself, nil if it was never set.
func (s Secret[T]) Reveal() *T {
	if s.p == nil {
		return nil
	}
	return *s.p
}

// IsZero reports whether s was never set.
func (s Secret[T]) IsZero() bool { return s.p == nil }

// Wipe overwrites the value with zeros, for all copies of s. Copies of what it
// pointed to, and those that Go has made, stay.
func (s Secret[T]) Wipe() {
	if s.p != nil {
		var zero T
		**s.p = zero
	}
}

// String shows nothing of the secret.
func (Secret[T]) String() string { return "secret" }

// GoString shows nothing of the secret.
func (Secret[T]) GoString() string { return "secret" }

// Format shows nothing of the secret, whatever the verb.
func (Secret[T]) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("secret")) }

// LogValue shows nothing of the secret.
func (Secret[T]) LogValue() slog.Value { return slog.StringValue("secret") }

// MarshalJSON refuses.
func (Secret[T]) MarshalJSON() ([]byte, error) { return nil, errSecret }

// MarshalText refuses.
func (Secret[T]) MarshalText() ([]byte, error) { return nil, errSecret }

// MarshalBinary refuses.
func (Secret[T]) MarshalBinary() ([]byte, error) { return nil, errSecret }

// MarshalCBOR refuses.
func (Secret[T]) MarshalCBOR() ([]byte, error) { return nil, errSecret }

// GobEncode refuses.
func (Secret[T]) GobEncode() ([]byte, error) { return nil, errSecret }
