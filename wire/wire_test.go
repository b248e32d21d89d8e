package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/veche-im/veche/wire"
)

func mustEncode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := wire.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAFrameTravels(t *testing.T) {
	for _, f := range []wire.Frame{
		{ID: 7, Method: "room.send", Body: mustEncode(t, wire.None{})},
		{ID: 7, Error: wire.Refuse(wire.Stale, "epoch 3")},
		{Method: "nudge", Body: mustEncode(t, wire.Nudge{Room: wire.NewRoomID(), Seq: 5})},
	} {
		b := mustEncode(t, f)
		var got wire.Frame
		if err := wire.Decode(b, &got); err != nil {
			t.Fatal(err)
		}
		if again := mustEncode(t, got); !bytes.Equal(b, again) {
			t.Errorf("%x became %x", b, again)
		}
	}
}

// The bytes of a stranger are refused before they can cost anything.
func TestMalformedFramesAreRefused(t *testing.T) {
	deep := append(bytes.Repeat([]byte{0x81}, 200), 0x00)
	for name, in := range map[string]string{
		"nothing":                   "",
		"a half map":                "a1",
		"something after it":        "a1616901" + "00",
		"an unknown field":          "a1617801",
		"a field twice":             "a2616901616902",
		"an indefinite map":         "bf616901ff",
		"an indefinite string":      "a1616d7f6161ff",
		"a tag":                     "c1a1616901",
		"another type":              "a1616961" + "61",
		"a negative number":         "a1616920",
		"text that is no UTF-8":     "a1616d61ff",
		"a length that is a lie":    "a1616d7b7fffffffffffffff",
		"an array that is a lie":    "9b7fffffffffffffff",
		"a map that is a lie":       "bb7fffffffffffffff",
		"nested beyond reason":      hex.EncodeToString(deep),
		"nested inside of the body": "a16162" + hex.EncodeToString(deep),
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(in)
			if err != nil {
				t.Fatal(err)
			}
			var f wire.Frame
			if err := wire.Decode(b, &f); !errors.Is(err, wire.ErrFrame) {
				t.Errorf("%x is %+v, %v", b, f, err)
			}
		})
	}
}

func TestAnIdentifierHasOneSpelling(t *testing.T) {
	id := wire.NewRoomID()
	text := id.String()
	var got wire.RoomID
	if err := got.UnmarshalText([]byte(text)); err != nil || got != id {
		t.Fatalf("%s is %v, %v", text, got, err)
	}
	last := text[:25] + string(text[25]+1) // the last character has two bits to spare
	for _, bad := range []string{"", text[:25], text + "a", strings.ToUpper(text), text[:25] + "1", last, "=" + text[1:]} {
		other := got
		if err := other.UnmarshalText([]byte(bad)); !errors.Is(err, wire.ErrID) {
			t.Errorf("%q is taken for %v", bad, other)
		} else if other != got {
			t.Errorf("a bad spelling changed the value")
		}
	}
	for _, bad := range [][]byte{mustEncode(t, make([]byte, 15)), mustEncode(t, make([]byte, 17)), mustEncode(t, text)} {
		if err := got.UnmarshalCBOR(bad); err == nil {
			t.Errorf("%x is taken for an identifier", bad)
		}
	}
}

// Sealed bytes are ciphertext, but a log is no place for them either.
func TestSealedShowsItsSizeAlone(t *testing.T) {
	s := wire.Sealed("thunderstone")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("sent", "body", s)
	shown := fmt.Sprintf("%v %s %+v %q ", s, s, s, s) + log.String()
	if strings.Contains(shown, "thunder") || !strings.Contains(shown, "sealed(12 bytes)") {
		t.Error(shown)
	}
}

func TestRefusalsAreToldApartByCode(t *testing.T) {
	err := fmt.Errorf("send: %w", wire.Refuse(wire.Stale, "epoch %d", 3))
	if !errors.Is(err, &wire.Error{Code: wire.Stale}) || errors.Is(err, &wire.Error{Code: wire.Busy}) || wire.CodeOf(err) != wire.Stale {
		t.Error(err)
	}
	if code := wire.CodeOf(errors.New("other")); code != "" {
		t.Error(code)
	}
}

// What decodes comes out the same after another round, and nothing that is
// thrown at a decoder makes it panic or remember more than it was given.
func FuzzDecode(f *testing.F) {
	seed := func(v any) {
		b, err := wire.Encode(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	seed(wire.Frame{ID: 1, Method: "room.log", Body: []byte{0xa0}})
	seed(wire.Frame{ID: 1, Error: wire.Refuse(wire.Busy, "later")})
	seed(wire.Entry{Seq: 1, Kind: wire.MessageEntry, Body: []byte("x")})
	seed(wire.Publish{Statement: wire.SignedStatement{Body: []byte{1}, Signature: []byte{2}}})
	seed(wire.ClaimKeys{Accounts: []wire.AccountID{wire.NewAccountID()}})
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		round[wire.Frame](t, b)
		round[wire.Hello](t, b)
		round[wire.Entry](t, b)
		round[wire.Publish](t, b)
		round[wire.ClaimKeys](t, b)
		round[wire.UploadKeys](t, b)
	})
}

func round[T any](t *testing.T, b []byte) {
	var first, second T
	if wire.Decode(b, &first) != nil {
		return
	}
	once, err := wire.Encode(first)
	if err != nil {
		t.Fatalf("%T from %x does not encode: %v", first, b, err)
	}
	if err := wire.Decode(once, &second); err != nil {
		t.Fatalf("%T: %x became %x, which does not decode: %v", first, b, once, err)
	}
	twice, err := wire.Encode(second)
	if err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("%T: %x, then %x, %v", first, once, twice, err)
	}
}
