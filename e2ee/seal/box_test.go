package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/veche-im/veche/wire"
)

func TestABoxOpensAtItsPlaceAlone(t *testing.T) {
	b, other := NewBoxer(NewKey()), NewBoxer(NewKey())
	at := Place{"secret", "box", []byte("token")}
	plain := []byte("attack at dawn")
	box := b.Seal(plain, at)
	if got, err := b.Open(box, at); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q, %v", got, err)
	}
	if len(box) != len(plain)+BoxOverhead || bytes.Equal(box, b.Seal(plain, at)) {
		t.Fatal("a box of another size, or two alike")
	}
	for name, open := range map[string]func() ([]byte, error){
		"another key":    func() ([]byte, error) { return other.Open(box, at) },
		"another table":  func() ([]byte, error) { return b.Open(box, Place{"secre", "box", at.Row}) },
		"another column": func() ([]byte, error) { return b.Open(box, Place{"secret", "bo", at.Row}) },
		"another row":    func() ([]byte, error) { return b.Open(box, Place{"secret", "box", []byte("toke")}) },
		"parts moved":    func() ([]byte, error) { return b.Open(box, Place{"secretb", "ox", at.Row}) },
		"a bit":          func() ([]byte, error) { c := bytes.Clone(box); c[30] ^= 1; return b.Open(c, at) },
		"the nonce":      func() ([]byte, error) { c := bytes.Clone(box); c[0] ^= 1; return b.Open(c, at) },
		"cut":            func() ([]byte, error) { return b.Open(box[:len(box)-1], at) },
		"a stump":        func() ([]byte, error) { return b.Open(box[:BoxOverhead-1], at) },
		"nothing":        func() ([]byte, error) { return b.Open(nil, at) },
	} {
		if got, err := open(); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := b.Open(b.Seal(nil, at), at); err != nil || len(got) != 0 {
		t.Errorf("an empty box: %v", err)
	}
}

func TestPadding(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 63, 63: 1, 64: 0, 65: 63, 1000: 24, 1024: 0, 1025: 255, 1280: 0, 1281: 255} {
		if got := Padding(n); got != want {
			t.Errorf("Padding(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	k := NewKey()
	again, err := ParseKey(k.Bytes())
	if err != nil || !again.Equal(k) || again.Equal(NewKey()) {
		t.Fatalf("parse: %v", err)
	}
	if _, err := ParseKey(make([]byte, 31)); err == nil {
		t.Fatal("a short key")
	}
	if !(Key{}).IsZero() || k.IsZero() || (Key{}).Bytes() != nil {
		t.Fatal("zero")
	}
	k.Wipe()
	if !bytes.Equal(k.Bytes(), make([]byte, KeySize)) {
		t.Fatal("not wiped")
	}
	defer func() {
		if recover() == nil {
			t.Fatal("a boxer without a key")
		}
	}()
	NewBoxer(Key{})
}

func TestAKeyDoesNotPrint(t *testing.T) {
	k := NewKey()
	type holder struct {
		Key Key
		key Key
		ptr *Key
	}
	var out strings.Builder
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{k, &k, holder{k, k, &k}, &holder{k, k, &k}, []Key{k}, map[string]Key{"a": k}, Result{Key: k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d", "%c", "%t", "%p"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		log.Info("key", "value", v)
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		if b, err := wire.Encode(v); err == nil {
			out.Write(b)
		}
	}
	for name, marshal := range map[string]func() ([]byte, error){
		"JSON": func() ([]byte, error) { return json.Marshal(k) }, "CBOR": func() ([]byte, error) { return wire.Encode(k) },
		"text": k.MarshalText, "binary": k.MarshalBinary, "gob": k.GobEncode,
	} {
		if b, err := marshal(); err == nil {
			t.Errorf("a key became %s: %q", name, b)
		}
	}
	secret := k.Bytes()
	for _, form := range []string{string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)), strings.Trim(fmt.Sprint(secret), "[]"), fmt.Sprintf("%#v", secret)[7:60]} {
		if strings.Contains(out.String(), form) {
			t.Fatal("the key was printed")
		}
	}
}
