package sframe_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/veche-im/veche/e2ee/sframe"
)

// official reads the vectors of RFC 9605 (its appendix C), which lie beside the
// project, or skips the test.
func official(t *testing.T) (v struct {
	Header []struct {
		KID     json.Number `json:"kid"`
		Counter json.Number `json:"ctr"`
		Encoded string      `json:"encoded"`
	} `json:"header"`
	Frames []struct {
		Suite    int         `json:"cipher_suite"`
		KID      json.Number `json:"kid"`
		Counter  json.Number `json:"ctr"`
		Base     string      `json:"base_key"`
		Metadata string      `json:"metadata"`
		Plain    string      `json:"pt"`
		Sealed   string      `json:"ct"`
	} `json:"sframe"`
}) {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "vectors", "sframe", "test-vectors.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("NOT TESTED: the official SFrame vectors are missing: %s", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOfficialHeaders(t *testing.T) {
	v := official(t)
	if len(v.Header) == 0 {
		t.Fatal("no headers in the file")
	}
	for _, h := range v.Header {
		want := sframe.Header{KID: sframe.KID(parse(t, h.KID)), Counter: parse(t, h.Counter)}
		encoded := unhex(t, h.Encoded)
		if got := want.Append(nil); !bytes.Equal(got, encoded) {
			t.Errorf("header %v is %x, not %x", want, got, encoded)
		}
		got, n, err := sframe.ParseHeader(encoded)
		if err != nil || got != want || n != len(encoded) {
			t.Errorf("header %x reads as %v, %d, %v", encoded, got, n, err)
		}
	}
}

// The frames of the vectors have counters that a Sealer reaches in no time, so
// it is the Opener that is held against them, and against what it opens a
// Sealer's own way of writing.
func TestOfficialFrames(t *testing.T) {
	v := official(t)
	tried := 0
	for _, f := range v.Frames {
		if f.Suite != 4 {
			continue
		}
		tried++
		base, err := sframe.ParseKey(unhex(t, f.Base))
		if err != nil {
			t.Fatal(err)
		}
		sealed := unhex(t, f.Sealed)
		metadata := unhex(t, f.Metadata)
		o := sframe.NewOpener()
		o.Install(parse(t, f.KID), base)
		// Metadata travels before the header here.
		plain, kid, err := o.Open(nil, append(bytes.Clone(metadata), sealed...), len(metadata))
		if err != nil {
			t.Fatalf("the vector does not open: %v", err)
		}
		if uint64(kid) != parse(t, f.KID) || !bytes.Equal(plain, append(metadata, unhex(t, f.Plain)...)) {
			t.Errorf("the vector opens as %x from %d", plain, kid)
		}
	}
	if tried == 0 {
		t.Fatal("no frame of suite 4 in the file")
	}
}

func TestHeadersHaveOneForm(t *testing.T) {
	for _, longer := range []string{
		"8001",     // KID 1 in a byte of its own
		"900008",   // KID 8 in two bytes
		"0801",     // counter 1 in a byte of its own
		"",         //
		"80",       // cut
		"f0010203", // cut
	} {
		if h, _, err := sframe.ParseHeader(unhex(t, longer)); !errors.Is(err, sframe.ErrOpen) {
			t.Errorf("%s reads as %v, %v", longer, h, err)
		}
	}
}

func TestKeyIDsTakeNothingOutOfRange(t *testing.T) {
	for _, f := range []func(){
		func() { sframe.NewKID(0, 8, 0, 0) },
		func() { sframe.NewKID(0, 0, sframe.MaxJoin+1, 0) },
		func() { sframe.NewKID(0, 0, 0, sframe.MaxLeaf+1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a key id that others would share")
				}
			}()
			f()
		}()
	}
}

func TestKeyIDsAreTheirParts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		epoch, source := r.Uint64(), sframe.Source(r.IntN(8))
		join, leaf := uint16(r.IntN(sframe.MaxJoin+1)), uint32(r.IntN(sframe.MaxLeaf+1))
		k := sframe.NewKID(epoch, source, join, leaf)
		if k.Epoch() != uint8(epoch) || k.Source() != source || k.Join() != join || k.Leaf() != uint64(leaf) {
			t.Fatalf("%x is %d %d %d %d", uint64(k), k.Epoch(), k.Source(), k.Join(), k.Leaf())
		}
	}
}

func TestFramesOpenOnceAndUnchanged(t *testing.T) {
	base := key(t, 1)
	kid := sframe.NewKID(300, sframe.Camera, 7, 12)
	s := sframe.NewSealer(base, kid)
	frame := []byte("0123456789 and what is sealed")
	sealed, err := s.Seal([]byte("before"), frame, 10)
	if err != nil {
		t.Fatal(err)
	}
	sealed = bytes.TrimPrefix(sealed, []byte("before"))
	if !bytes.HasPrefix(sealed, frame[:10]) || bytes.Contains(sealed, frame[11:]) {
		t.Errorf("sealed as %q", sealed)
	}
	if extra := len(sealed) - len(frame); extra > sframe.Overhead {
		t.Errorf("%d bytes more", extra)
	}

	o := sframe.NewOpener()
	if _, _, err := o.Open(nil, sealed, 10); !errors.Is(err, sframe.ErrOpen) {
		t.Errorf("opened without a key: %v", err)
	}
	o.Install(300, key(t, 2))
	if _, _, err := o.Open(nil, sealed, 10); !errors.Is(err, sframe.ErrOpen) {
		t.Errorf("opened with another key: %v", err)
	}
	o.Install(300, base)
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 0x10
		if _, _, err := o.Open(nil, changed, 10); !errors.Is(err, sframe.ErrOpen) {
			t.Errorf("opened with byte %d changed: %v", i, err)
		}
	}
	for _, clear := range []int{-1, 0, 9, 11, len(sealed), len(sealed) + 1} {
		if _, _, err := o.Open(nil, sealed, clear); !errors.Is(err, sframe.ErrOpen) {
			t.Errorf("opened with %d clear bytes: %v", clear, err)
		}
	}
	plain, from, err := o.Open([]byte("x"), sealed, 10)
	if err != nil || from != kid || string(plain) != "x"+string(frame) {
		t.Fatalf("opens as %q from %x: %v", plain, uint64(from), err)
	}
	if _, _, err := o.Open(nil, sealed, 10); !errors.Is(err, sframe.ErrOpen) {
		t.Errorf("opened twice: %v", err)
	}
	// Told of the same epoch again, it does not forget what it saw.
	o.Install(300, base)
	if _, _, err := o.Open(nil, sealed, 10); !errors.Is(err, sframe.ErrOpen) {
		t.Errorf("opened twice after the key was installed again: %v", err)
	}
	if !o.Knows(300 % 256) {
		t.Error("does not know its epoch")
	}
	o.Forget(300)
	next, _ := s.Seal(nil, frame, 10)
	if _, _, err := o.Open(nil, next, 10); !errors.Is(err, sframe.ErrOpen) {
		t.Errorf("opened with a forgotten key: %v", err)
	}
}

// Whatever the order in which frames arrive, each opens exactly once as long as
// it is in the window, and none behind it.
func TestReplayWindow(t *testing.T) {
	base := key(t, 0)
	s := sframe.NewSealer(base, sframe.NewKID(1, sframe.Microphone, 0, 0))
	frames := make([][]byte, 5000)
	for i := range frames {
		var err error
		if frames[i], err = s.Seal(nil, fmt.Append(nil, i), 0); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		o := sframe.NewOpener()
		o.Install(1, base)
		opened := map[int]bool{}
		top, at := -1, 0
		for range 400 {
			at += r.IntN(100) - 40
			if r.IntN(30) == 0 {
				at += r.IntN(3000) - 1500
			}
			at = min(max(at, 0), len(frames)-1)
			_, _, err := o.Open(nil, frames[at], 0)
			want := !opened[at] && (top < 0 || at > top-1024)
			if (err == nil) != want {
				t.Fatalf("seed %d: frame %d with newest %d, opened before: %v: %v", seed, at, top, opened[at], err)
			}
			if err == nil {
				opened[at] = true
				top = max(top, at)
			}
		}
	}
}

// All members have the key, so that one can make up key ids without end. That must
// not keep others from being heard.
func TestAMemberWhoMakesUpKeyIDsSilencesNobodyElse(t *testing.T) {
	base, err := sframe.ParseKey(make([]byte, sframe.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	o := sframe.NewOpener()
	o.Install(5, base)
	open := func(join uint16, leaf uint32) bool {
		frame, err := sframe.NewSealer(base, sframe.NewKID(5, sframe.Microphone, join, leaf)).Seal(nil, []byte("hear me"), 0)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = o.Open(nil, frame, 0)
		return err == nil
	}
	for join := range uint16(sframe.MaxJoin + 1) {
		open(join, 1)
	}
	if !open(0, 2) {
		t.Error("nobody else can be heard")
	}
	if open(300, 1) {
		t.Error("it was remembered without end")
	}
}

func TestSealersOfOneKeyDiffer(t *testing.T) {
	base := key(t, 1)
	seen := map[string]string{}
	for _, kid := range []sframe.KID{
		sframe.NewKID(1, sframe.Microphone, 1, 1), sframe.NewKID(2, sframe.Microphone, 1, 1), sframe.NewKID(1, sframe.Camera, 1, 1),
		sframe.NewKID(1, sframe.Microphone, 2, 1), sframe.NewKID(1, sframe.Microphone, 1, 2),
	} {
		s := sframe.NewSealer(base, kid)
		for i := range 3 {
			b, err := s.Seal(nil, []byte("the same words"), 0)
			if err != nil {
				t.Fatal(err)
			}
			_, n, _ := sframe.ParseHeader(b)
			if was, double := seen[string(b[n:])]; double {
				t.Errorf("%x/%d is sealed as %s", uint64(kid), i, was)
			}
			seen[string(b[n:])] = fmt.Sprintf("%x/%d", uint64(kid), i)
		}
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	k := key(t, 0xAB)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
		if got := fmt.Sprintf(verb, k) + fmt.Sprintf(verb, struct{ K sframe.Key }{k}); bytes.Contains([]byte(got), []byte("ab")) || bytes.Contains([]byte(got), []byte("171")) {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if _, err := json.Marshal(k); err == nil {
		t.Error("a key went into JSON")
	}
}

func FuzzOpen(f *testing.F) {
	base, _ := sframe.ParseKey(make([]byte, sframe.KeySize))
	s := sframe.NewSealer(base, sframe.NewKID(1, sframe.Camera, 2, 3))
	sealed, _ := s.Seal(nil, []byte("0123456789abcdef"), 3)
	f.Add(sealed, 3)
	f.Add([]byte{}, 0)
	f.Add([]byte{0xff, 0, 1, 2}, 0)
	f.Fuzz(func(t *testing.T, b []byte, clear int) {
		o := sframe.NewOpener()
		o.Install(1, base)
		plain, kid, err := o.Open(nil, b, clear)
		if err != nil {
			if !errors.Is(err, sframe.ErrOpen) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(b, sealed) || kid != s.KID() || string(plain) != "0123456789abcdef" {
			t.Fatalf("%x opened as %x", b, plain)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte{0x9f, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := sframe.ParseHeader(b)
		if err != nil {
			return
		}
		if again := h.Append(nil); !bytes.Equal(again, b[:n]) {
			t.Fatalf("%x reads as %v, which is %x", b[:n], h, again)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	base, _ := sframe.ParseKey(make([]byte, sframe.KeySize))
	s := sframe.NewSealer(base, sframe.NewKID(1, sframe.Microphone, 2, 3))
	frame, dst := make([]byte, 80), make([]byte, 0, 200)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Seal(dst, frame, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func key(t *testing.T, fill byte) sframe.Key {
	t.Helper()
	k, err := sframe.ParseKey(bytes.Repeat([]byte{fill}, sframe.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t *testing.T, n json.Number) uint64 {
	t.Helper()
	var v uint64
	if _, err := fmt.Sscan(n.String(), &v); err != nil {
		t.Fatalf("%s: %v", n, err)
	}
	return v
}
