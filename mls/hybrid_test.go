package mls

import (
	"crypto/hpke"
	"errors"
	"math/rand/v2"
	"testing"
)

// Our check of hybrid keys refuses exactly what crypto/hpke refuses.
func TestHybridKeysAreCheckedLikeInHPKE(t *testing.T) {
	kem := hpke.MLKEM768X25519()
	private, err := kem.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	good := private.PublicKey().Bytes()
	same := func(what string, key []byte) {
		t.Helper()
		_, theirs := kem.NewPublicKey(key)
		ours := HybridX25519MLKEM768.CheckEncryptionKey(key)
		if (ours == nil) != (theirs == nil) || ours != nil && !errors.Is(ours, ErrEncryptionKey) {
			t.Errorf("%s: %v, crypto/hpke says %v", what, ours, theirs)
		}
	}
	same("a good key", good)
	for _, n := range []int{0, 1, 32, 1184, 1215, 1217} {
		same("another length", append(good, good...)[:n])
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		key := append([]byte(nil), good...)
		for range 1 + r.IntN(3) {
			key[r.IntN(len(key))] = byte(r.Uint32())
		}
		same("bytes changed", key)
	}
	for at := range 384 { // 3328 and 3329 at each place, in both halves of three bytes
		for _, v := range []uint16{3328, 3329, 4095} {
			key := append([]byte(nil), good...)
			b := key[3*at:]
			b[0], b[1] = byte(v), b[1]&0xf0|byte(v>>8)
			same("first coefficient", key)
			key = append([]byte(nil), good...)
			b = key[3*at:]
			b[1], b[2] = b[1]&0x0f|byte(v<<4), byte(v>>4)
			same("second coefficient", key)
		}
	}
}
