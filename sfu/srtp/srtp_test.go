package srtp

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	pion "github.com/pion/srtp/v3"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// session is a half with a given session key, as RFC 7714's examples state it.
func session(t testing.TB, key, salt []byte) half {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	var h half
	if h.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	copy(h.salt[:], salt)
	return h
}

// The example of RFC 7714 sections 16.1 and 17.1: key, salt, packets.
const (
	exampleKey   = "000102030405060708090a0b0c0d0e0f"
	exampleSalt  = "517569642070726f2071756f"
	exampleRTP   = "8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573"
	exampleSRTP  = "8040f17b8041f8d35501a0b2 f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833 899d7f27beb16a9152cf765ee4390cce"
	exampleRTCP  = "81c8000d4d617273 4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
	exampleSRTCP = "81c8000d4d617273 63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa458 96cf4d2fc5abf87245d9eade 800005d4"
)

func TestExamplesOfRFC7714(t *testing.T) {
	h := session(t, unhex(t, exampleKey), unhex(t, exampleSalt))
	sealer, opener := &Sealer{rtp: h, rtcp: h}, &Opener{rtp: h, rtcp: h}
	var x Scratch

	plain, want := unhex(t, exampleRTP), unhex(t, exampleSRTP)
	got := sealer.Seal(&x, slices.Clone(plain[:12]), 12, plain[12:], 0xf17b)
	if !bytes.Equal(got, want) {
		t.Errorf("sealed RTP\n got %x\nwant %x", got, want)
	}
	payload, index, err := opener.Open(&x, new(Stream), got, 12)
	if err != nil || index != 0xf17b || !bytes.Equal(payload, plain[12:]) {
		t.Errorf("opened RTP: %x, index %x, %v", payload, index, err)
	}

	plain, want = unhex(t, exampleRTCP), unhex(t, exampleSRTCP)
	got, err = sealer.SealRTCP(&x, slices.Clone(plain), 0x5d4)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("sealed RTCP\n got %x\nwant %x, %v", got, want, err)
	}
	opened, err := opener.OpenRTCP(&x, got)
	if err != nil || !bytes.Equal(opened, plain) {
		t.Errorf("opened RTCP: %x, %v", opened, err)
	}
}

func testKey(seed uint64) Key {
	r := rand.New(rand.NewPCG(seed, 1))
	var k Key
	for i := range k.Key {
		k.Key[i] = byte(r.Uint32())
	}
	for i := range k.Salt {
		k.Salt[i] = byte(r.Uint32())
	}
	return k
}

func packet(seq uint16, ssrc uint32, payload string) []byte {
	p := make([]byte, headerSize, headerSize+len(payload)+TagSize)
	p[0], p[1] = 0x80, 111
	binary.BigEndian.PutUint16(p[2:], seq)
	binary.BigEndian.PutUint32(p[8:], ssrc)
	return append(p, payload...)
}

// seal seals packet in place.
func seal(t testing.TB, s *Sealer, p []byte, roc uint32) []byte {
	t.Helper()
	var x Scratch
	return s.Seal(&x, p[:headerSize], headerSize, p[headerSize:], uint64(roc)<<16|uint64(binary.BigEndian.Uint16(p[2:])))
}

// TestAgreesWithPion exchanges packets with another implementation, key
// derivation and two turns of the sequence number included.
func TestAgreesWithPion(t *testing.T) {
	key := testKey(7)
	sealer, err := NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := NewOpener(key)
	if err != nil {
		t.Fatal(err)
	}
	other := func() *pion.Context {
		c, err := pion.CreateContext(key.Key[:], key.Salt[:], pion.ProtectionProfileAeadAes128Gcm)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	theirs, reader := other(), other()
	var x Scratch
	var stream Stream
	for i := 65_000; i < 65_000+2<<16; i += 251 { // never more than half a turn at once
		p := packet(uint16(i), 42, "the quick brown fox")
		sealed := seal(t, sealer, slices.Clone(p), uint32(i>>16))
		got, err := reader.DecryptRTP(nil, sealed, nil)
		if err != nil || !bytes.Equal(got, p) {
			t.Fatalf("packet %d: they read %x, %v", i, got, err)
		}
		sealed, err = theirs.EncryptRTP(nil, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		payload, index, err := opener.Open(&x, &stream, sealed, headerSize)
		if err != nil || index != uint64(i) || string(payload) != "the quick brown fox" {
			t.Fatalf("packet %d: we read %q, index %d, %v", i, payload, index, err)
		}
	}
	rtcp := unhex(t, exampleRTCP)
	for i := range uint32(5) {
		sealed, err := sealer.SealRTCP(&x, slices.Clone(rtcp), i+1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := reader.DecryptRTCP(nil, sealed, nil); err != nil || !bytes.Equal(got, rtcp) {
			t.Fatalf("RTCP %d: they read %x, %v", i, got, err)
		}
		if sealed, err = theirs.EncryptRTCP(nil, rtcp, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := opener.OpenRTCP(&x, sealed); err != nil || !bytes.Equal(got, rtcp) {
			t.Fatalf("RTCP %d: we read %x, %v", i, got, err)
		}
	}
}

func TestReplayedPacketsAreRefused(t *testing.T) {
	sealer, _ := NewSealer(testKey(1))
	opener, _ := NewOpener(testKey(1))
	var x Scratch
	var stream Stream
	open := func(seq uint16, roc uint32) error {
		_, _, err := opener.Open(&x, &stream, seal(t, sealer, packet(seq, 9, "x"), roc), headerSize)
		return err
	}
	for _, tt := range []struct {
		name string
		seq  uint16
		roc  uint32
		want error
	}{
		{"first", 65_000, 0, nil},
		{"first again", 65_000, 0, ErrReplayed},
		{"earlier", 64_990, 0, nil},
		{"earlier again", 64_990, 0, ErrReplayed},
		{"older than the window", 65_000 - windowSize, 0, ErrReplayed},
		{"the oldest of the window", 65_000 - windowSize + 1, 0, nil},
		{"over the turn", 10, 1, nil},
		{"over the turn again", 10, 1, ErrReplayed},
		{"from before the turn", 65_500, 0, nil},
		{"from before the turn again", 65_500, 0, ErrReplayed},
		{"a far jump", 30_000, 1, nil},
		{"what the jump passed over by a window", 30_000 - windowSize + 3, 1, nil},
		{"with a counter that is a turn too high", 30_001, 2, ErrForged},
		{"and then with the right one", 30_001, 1, nil},
	} {
		if err := open(tt.seq, tt.roc); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}

	rtcp, err := sealer.SealRTCP(&x, unhex(t, exampleRTCP), 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opener.OpenRTCP(&x, slices.Clone(rtcp)); err != nil {
		t.Fatal(err)
	}
	if _, err := opener.OpenRTCP(&x, slices.Clone(rtcp)); !errors.Is(err, ErrReplayed) {
		t.Errorf("RTCP again: %v", err)
	}
}

// TestEachSourceCountsItsReports: a browser sends reports under each of its SSRCs,
// and each has a counter of its own.
func TestEachSourceCountsItsReports(t *testing.T) {
	sealer, _ := NewSealer(testKey(1))
	opener, _ := NewOpener(testKey(1))
	var x Scratch
	open := func(ssrc, index uint32) error {
		p := unhex(t, exampleRTCP)
		binary.BigEndian.PutUint32(p[4:], ssrc)
		sealed, err := sealer.SealRTCP(&x, p, index)
		if err != nil {
			t.Fatal(err)
		}
		_, err = opener.OpenRTCP(&x, sealed)
		return err
	}
	for index := range uint32(10) {
		for ssrc := range uint32(maxControl) {
			if err := open(ssrc, index); err != nil {
				t.Fatalf("report %d of source %d: %v", index, ssrc, err)
			}
		}
	}
	if err := open(3, 5); !errors.Is(err, ErrReplayed) {
		t.Errorf("again: %v", err)
	}
	if err := open(maxControl, 11); err == nil {
		t.Error("there is no end to the sources that are remembered")
	}
}

// TestForgedPacketsChangeNothing sends damaged packets between good ones: had
// one moved the window or the rollover counter, a good one would fail.
func TestForgedPacketsChangeNothing(t *testing.T) {
	sealer, _ := NewSealer(testKey(1))
	opener, _ := NewOpener(testKey(1))
	var x Scratch
	var stream Stream
	for i := range 200 {
		good := seal(t, sealer, packet(uint16(i), 9, "payload"), 0)
		for bit := range len(good) * 8 {
			bad := slices.Clone(good)
			bad[bit/8] ^= 1 << (bit % 8)
			if _, _, err := opener.Open(&x, &stream, bad, headerSize); err == nil {
				t.Fatalf("packet %d opened with bit %d flipped", i, bit)
			}
		}
		if _, _, err := opener.Open(&x, &stream, good, headerSize); err != nil {
			t.Fatalf("packet %d after forgeries: %v", i, err)
		}
	}
	rtcp, err := sealer.SealRTCP(&x, unhex(t, exampleRTCP), 3)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(rtcp) * 8 {
		bad := slices.Clone(rtcp)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := opener.OpenRTCP(&x, bad); err == nil {
			t.Errorf("RTCP opened with bit %d flipped", bit)
		}
	}
	if _, err := opener.OpenRTCP(&x, rtcp); err != nil {
		t.Errorf("RTCP after forgeries: %v", err)
	}
}

// TestWindowAgainstASet compares the window with one that remembers everything.
func TestWindowAgainstASet(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var w window
	seen := map[uint64]bool{}
	highest := uint64(0)
	for i := range 200_000 {
		jump := int64(r.IntN(2*windowSize)) - windowSize
		if i%1000 == 0 {
			jump = r.Int64N(20_000)
		}
		index := uint64(max(0, int64(highest)+jump/int64(1+r.IntN(40))))
		want := !seen[index] && (len(seen) == 0 || index+windowSize > highest)
		if got := w.fresh(index); got != want {
			t.Fatalf("step %d: fresh(%d) is %v with highest %d", i, index, got, highest)
		}
		if guessed, ok := w.guess(uint16(index)); !ok || guessed != index {
			t.Fatalf("step %d: %d is guessed as %d with highest %d", i, index, guessed, highest)
		}
		if want {
			w.add(index)
			seen[index], highest = true, max(highest, index)
		}
	}
}

func TestNothingIsAllocatedPerPacket(t *testing.T) {
	sealer, _ := NewSealer(testKey(1))
	opener, _ := NewOpener(testKey(1))
	buffer := make([]byte, 0, 1500)
	payload := make([]byte, 60)
	var x Scratch
	var stream Stream
	seq := uint16(0)
	if n := testing.AllocsPerRun(1000, func() {
		seq++
		head := append(buffer, 0x80, 111, byte(seq>>8), byte(seq), 0, 0, 0, 0, 0, 0, 0, 9)
		sealed := sealer.Seal(&x, head, headerSize, payload, uint64(seq))
		if _, _, err := opener.Open(&x, &stream, sealed, headerSize); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func FuzzOpen(f *testing.F) {
	sealer, _ := NewSealer(testKey(1))
	f.Add(seal(f, sealer, packet(1, 9, "payload"), 0), uint8(headerSize))
	f.Add([]byte{0x80}, uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, header uint8) {
		opener, _ := NewOpener(testKey(1))
		var x Scratch
		var stream Stream
		payload, _, err := opener.Open(&x, &stream, slices.Clone(data), int(header))
		if err == nil && len(payload)+TagSize+int(header) != len(data) {
			t.Errorf("%d bytes of payload out of %d", len(payload), len(data))
		}
		if err != nil && stream.seen.started {
			t.Error("a packet that did not open left a trace")
		}
		if _, err := opener.OpenRTCP(&x, data); err == nil && len(data) < rtcpHeaderSize+Overhead {
			t.Error("opened an RTCP packet that is too short")
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	sealer, _ := NewSealer(testKey(1))
	buffer, payload := make([]byte, 0, 1500), make([]byte, 76)
	var x Scratch
	b.ReportAllocs()
	for i := range b.N {
		head := append(buffer, 0x80, 111, byte(i>>8), byte(i), 0, 0, 0, 0, 0, 0, 0, 9)
		sealer.Seal(&x, head, headerSize, payload, uint64(i))
	}
}
