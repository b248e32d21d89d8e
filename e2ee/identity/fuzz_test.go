package identity

import (
	"bytes"
	"testing"

	"github.com/veche-im/veche/wire"
)

// FuzzVault: whatever a server hands out as the vault, opening it neither
// panics nor gives another root than the chain's.
func FuzzVault(f *testing.F) {
	account, device := wire.NewAccountID(), wire.NewDeviceID()
	keys, err := NewDeviceKeys()
	if err != nil {
		f.Fatal(err)
	}
	c, recovery, err := Found(account, device, keys, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Vault)
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := Open(c.Chain, b, device, keys); err == nil && a.root.public() != c.Chain.Root {
			t.Fatal("another root")
		}
		if a, err := Recover(c.Chain, b, recovery); err == nil && a.root.public() != c.Chain.Root {
			t.Fatal("another root")
		}
		if v, err := parseVault(b, c.Chain); err == nil {
			if again, err := wire.Encode(v); err != nil || !bytes.Equal(again, b) {
				t.Fatal("two spellings of one vault")
			}
		}
	})
}

func FuzzRecoveryKey(f *testing.F) {
	f.Add(newRecoveryKey().Text())
	f.Add("o0il1-u \u2013")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseRecoveryKey(text)
		if err != nil {
			return
		}
		if again, err := ParseRecoveryKey(key.Text()); err != nil || *again.Reveal() != *key.Reveal() {
			t.Fatalf("%q is read in two ways: %v", text, err)
		}
	})
}
