package db

import (
	"math"
	"testing"

	"github.com/veche-im/veche/wire"
)

// What is given to a statement comes back as it was, and what does not fit is an
// error rather than another value.
func TestColumnsKeepTheirValue(t *testing.T) {
	type state string
	id := wire.NewRoomID()
	var (
		n     int64
		small int8
		u     uint64
		yes   bool
		text  string
		named state
		b     []byte
		bytes wire.Sealed
		got   wire.RoomID
		hash  wire.Hash
	)
	for _, tt := range []struct {
		name string
		arg  any
		dest any
		fits bool
	}{
		{"a number", int64(math.MaxInt64), &n, true},
		{"an int", -7, &n, true},
		{"a number that is too large", int64(128), &small, false},
		{"a number where none is below zero", int64(-1), &u, false},
		{"an unsigned number", uint64(math.MaxInt64), &u, true},
		{"an unsigned number that SQL has not", uint64(math.MaxUint64), &u, false},
		{"truth", true, &yes, true},
		{"a number that is no truth", int64(2), &yes, false},
		{"text", "й", &text, true},
		{"text of a type", state("x"), &named, true},
		{"text as a number", "7", &n, false},
		{"a number as text", int64(7), &text, false},
		{"bytes", []byte{0, 1}, &b, true},
		{"no bytes", []byte{}, &b, true},
		{"nil bytes are none", []byte(nil), &b, true},
		{"null", nil, &b, true},
		{"null in bytes of a type", nil, &bytes, true},
		{"null as a number", nil, &n, false},
		{"null as an id", nil, &got, false},
		{"bytes of a type", wire.Sealed{1}, &bytes, true},
		{"an id", id, &got, true},
		{"an id as a hash", id, &hash, false},
		{"bytes as text", []byte("x"), &text, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := value(tt.arg)
			if err == nil {
				err = store(tt.dest, v)
			}
			if (err == nil) != tt.fits {
				t.Errorf("%v into %T: %v", tt.arg, tt.dest, err)
			}
		})
	}
	if n != -7 || u != math.MaxInt64 || !yes || text != "й" || named != "x" || got != id || b != nil || len(bytes) != 1 {
		t.Errorf("%d %d %v %q %q %v %v %v", n, u, yes, text, named, got, b, bytes)
	}
}
