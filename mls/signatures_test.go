package mls

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Of many signatures the first that is wrong is named, wherever it stands and
// whoever works on it, and none that is wrong is passed over.
func TestFirstWrongSignatureIsNamed(t *testing.T) {
	seed := make([]byte, ed25519.SeedSize)
	private := ed25519.NewKeyFromSeed(seed)
	public := private.Public().(ed25519.PublicKey)
	for _, n := range []int{1, 7, 100, 300} {
		good := signatures{scheme: Ed25519}
		for i := range n {
			content := fmt.Append(nil, "content ", i)
			good.add("leaf node", i, public, LeafNodeLabel, content, ed25519.Sign(private, SignContent(LeafNodeLabel, content)))
		}
		if err := good.verify(); err != nil {
			t.Fatalf("%d signatures: %v", n, err)
		}
		for _, wrong := range [][]int{{0}, {n - 1}, {n / 2}, {n / 3, n / 2, n - 1}} {
			for what, spoil := range map[string]func(*signed){
				"a bit of the signature": func(s *signed) { s.signature = flipped(s.signature, 40) },
				"a short signature":      func(s *signed) { s.signature = s.signature[:63] },
				"no signature":           func(s *signed) { s.signature = nil },
				"another message":        func(s *signed) { s.message = flipped(s.message, 3) },
				"another key":            func(s *signed) { s.key = flipped(s.key, 0) },
				"a key too short":        func(s *signed) { s.key = s.key[:31] },
			} {
				bad := signatures{good.scheme, append([]signed(nil), good.list...)}
				for _, i := range wrong {
					spoil(&bad.list[i])
				}
				err := bad.verify()
				if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("leaf node %d: ", wrong[0])) {
					t.Fatalf("%s at %v of %d: %v", what, wrong, n, err)
				}
				if !errors.Is(err, ErrSignature) && !errors.Is(err, ErrSignatureKey) {
					t.Fatalf("%s: %v", what, err)
				}
			}
		}
	}
}

func flipped(b []byte, at int) []byte {
	out := append([]byte(nil), b...)
	out[at] ^= 1
	return out
}
