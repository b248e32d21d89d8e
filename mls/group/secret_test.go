package group

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/veche-im/veche/mls"
)

// TestSecretsDoNotLeak hands everything that holds secrets to whatever prints or
// encodes things, and looks for the bytes.
func TestSecretsDoNotLeak(t *testing.T) {
	canary := []byte("canary canary canary canary !!!!")
	signer, err := ParseSigner(mls.X25519AES128, canary)
	if err != nil {
		t.Fatal(err)
	}
	secret := NewSecret(canary)
	private := KeyPackageSecrets{init: secret, leaf: secret, signer: signer}
	g, err := Create(Config{Suite: mls.X25519AES128, GroupID: []byte("g"), Signer: signer, Credential: mls.Basic([]byte("ann"))})
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g.epoch.exporter, p.epoch.exporter, p.encryption = secret, secret, secret
	for name, v := range map[string]any{
		"Secret": secret, "*Secret": &secret, "Signer": signer, "KeyPackageSecrets": private,
		"Group": g, "Pending": p, "Staged": p.Staged, "PSK": PSK{[]byte("id"), secret}, "Config": Config{Signer: signer},
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		if b, err := cbor.Marshal(v); err == nil {
			out.Write(b)
		}
		_ = gob.NewEncoder(&out).Encode(v)
		for _, form := range []string{
			string(canary), hex.EncodeToString(canary), strings.ToUpper(hex.EncodeToString(canary)),
			strings.Trim(fmt.Sprint(canary), "[]"), "0x63, 0x61, 0x6e", "Y2FuYXJ5",
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%s shows its secret as %q", name, form)
			}
		}
	}
	if _, err := json.Marshal(secret); err == nil {
		t.Error("a secret was marshalled to JSON without an error")
	}
	if !secret.Equal(NewSecret(canary)) || !bytes.Equal(secret.Export(), canary) || secret.Len() != len(canary) {
		t.Error("a secret lost its value")
	}
	secret.Wipe()
	if secret.Len() != 0 {
		t.Error("a wiped secret has bytes")
	}
}
