package mls

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"math/big"
	"testing"
)

// The browser is asked about what honest signers make, and about nothing that
// implementations are known to judge differently.
func TestOddSignaturesAreJudgedHereAlone(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := private.Public().(ed25519.PublicKey)
	number := func(b []byte) *big.Int {
		be := make([]byte, len(b))
		for i := range b {
			be[len(b)-1-i] = b[i]
		}
		return new(big.Int).SetBytes(be)
	}
	little := func(n *big.Int) []byte {
		b := n.FillBytes(make([]byte, 32))
		for i := range 16 {
			b[i], b[31-i] = b[31-i], b[i]
		}
		return b
	}
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	if number(fieldPrime[:]).Cmp(prime) != 0 {
		t.Fatal("not the prime of the field")
	}
	if order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10); number(groupOrder[:]).Cmp(order) != 0 {
		t.Fatal("not the order of the group")
	}
	if new(big.Int).Add(number(eighth[:]), number(otherEighth[:])).Cmp(prime) != 0 {
		t.Fatal("not minus one another")
	}
	for i := range 200 {
		message := binary.BigEndian.AppendUint32(nil, uint32(i))
		if odd(signed{key: public, message: message, signature: ed25519.Sign(private, message)}) {
			t.Fatalf("message %d is signed as everybody does", i)
		}
	}
	message := []byte("message")
	good := ed25519.Sign(private, message)
	spoiled := func(at int, by *big.Int) []byte {
		out := append([]byte(nil), good...)
		copy(out[at:], little(by))
		return out
	}
	more := new(big.Int).Add(number(good[32:]), number(groupOrder[:]))
	for what, s := range map[string]signed{
		"a scalar that is not reduced": {key: public, signature: spoiled(32, more)},
		"the order itself":             {key: public, signature: spoiled(32, number(groupOrder[:]))},
		"a point beyond the prime":     {key: public, signature: spoiled(0, new(big.Int).Add(prime, big.NewInt(3)))},
		"a key beyond the prime":       {key: little(new(big.Int).Add(prime, big.NewInt(3))), signature: good},
		"a short key":                  {key: public[:31], signature: good},
		"a short signature":            {key: public, signature: good[:63]},
		"no signature":                 {key: public},
	} {
		if s.message = message; !odd(s) {
			t.Errorf("%s: the browser is asked", what)
		}
	}
	for _, y := range [][]byte{make([]byte, 32), little(big.NewInt(1)), little(new(big.Int).Sub(prime, big.NewInt(1))), eighth[:], otherEighth[:]} {
		for _, sign := range []byte{0, 0x80} {
			key := append([]byte(nil), y...)
			key[31] |= sign
			if !odd(signed{key: key, message: message, signature: good}) {
				t.Errorf("key %x of small order: the browser is asked", key)
			}
		}
	}
	// Such a key takes a signature that nobody made: R = identity, S = 0, where the
	// hash happens to be a multiple of 8. Whatever our own code says of it stands.
	identity := little(big.NewInt(1))
	forged := signed{key: eighth[:], signature: append(append([]byte(nil), identity...), make([]byte, 32)...)}
	for i := uint32(0); ; i++ {
		forged.message = binary.BigEndian.AppendUint32(nil, i)
		h := sha512.Sum512(append(append(append([]byte(nil), identity...), eighth[:]...), forged.message...))
		if h[0]&7 == 0 {
			break
		}
	}
	list := make([]signed, fewSignatures)
	for i := range list {
		list[i] = signed{key: public, message: message, signature: good}
	}
	list[fewSignatures/2] = forged
	if got, want := firstInvalid(Ed25519, list), firstOf(Ed25519, list); got != want {
		t.Errorf("first invalid is %d, our own code says %d", got, want)
	}
}
