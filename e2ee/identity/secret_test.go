package identity

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/veche-im/veche/wire"
)

// TestSecretsDoNotPrint prints, logs and marshals each secret, alone and inside
// something else, and looks for its bytes.
func TestSecretsDoNotPrint(t *testing.T) {
	p := found(t)
	a := p.open(t)
	type holder struct {
		Account  *Account
		account  Account
		keys     *DeviceKeys
		keysCopy DeviceKeys
		recovery RecoveryKey
		Recovery RecoveryKey
	}
	h := holder{a, *a, p.keys, *p.keys, p.key, p.key}
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range []any{p.keys, *p.keys, p.key, &p.key, a.root, &a.root, h, &h, []RecoveryKey{p.key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		log.Info("secret", "value", v)
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		if b, err := wire.Encode(v); err == nil {
			out.Write(b)
		}
	}
	unlock, err := p.keys.Reveal().unlock.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{
		"root": a.root.Reveal()[:], "leaf": p.keys.Reveal().leaf[:], "unlock": unlock, "recovery": p.key.Reveal()[:],
	} {
		for _, form := range []string{
			string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
			base64.StdEncoding.EncodeToString(secret), strings.Trim(fmt.Sprint(secret), "[]"), fmt.Sprintf("%#v", secret)[7:60],
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%s was printed", name)
			}
		}
	}
	if strings.Contains(out.String(), p.key.Text()) {
		t.Error("the recovery key was printed")
	}
}
