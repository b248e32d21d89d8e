package group

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/fxamacker/cbor/v2"

	"github.com/veche-im/veche/mls"
)

// canary is what all secrets of a value are overwritten with before it is
// printed.
var canary = []byte("canary canary canary canary !!!!")

// plant overwrites every Secret that can be reached from v, through unexported
// fields too, with the canary, and returns how many there were.
func plant(v reflect.Value, seen map[unsafe.Pointer]bool) int {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Map {
		if v.IsNil() || seen[v.UnsafePointer()] {
			return 0
		}
		seen[v.UnsafePointer()] = true
	}
	n := 0
	switch v.Kind() {
	case reflect.Pointer:
		return plant(v.Elem(), seen)
	case reflect.Interface:
		if !v.IsNil() {
			return plant(v.Elem(), seen)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Secret]() {
			if !v.CanAddr() {
				return 0
			}
			s := (*Secret)(unsafe.Pointer(v.UnsafeAddr()))
			if s.at == nil {
				return 0
			}
			*s.at() = bytes.Clone(canary)
			return 1
		}
		for i := range v.NumField() {
			n += plant(v.Field(i), seen)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			n += plant(v.Index(i), seen)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			n += plant(it.Value(), seen)
		}
	}
	return n
}

// audited has a value of each exported type that is a struct, as full of secrets
// as it gets.
func audited(t *testing.T) map[string]any {
	c := newCourt(t)
	psk := PSK{[]byte("id"), NewSecret([]byte("shared"))}
	c.check(c.mallory.group.AddPSK(psk))
	c.mallory.group.Records().Keep(RecordEnds)
	for range 3 {
		c.commit(c.members[0], CommitOptions{}, nil)
	}
	ready := c.mallory.group.Records().Take()
	c.commit(c.members[0], CommitOptions{}, nil) // this one's record waits in the group
	reader := must(NewReader(must(ready[0].Whole(RosterOf(c.server))), nil))
	_, _ = reader.key(0, 200)
	c.chat()
	m := must(mls.ParsePrivate(must(c.victim.group.SealPadded([]byte("early"), nil, nil))))
	late := must(mls.ParsePrivate(must(c.victim.group.Seal([]byte("late"), nil))))
	must(c.mallory.group.Open(late)) // so that a skipped key is kept
	_ = m
	proposal := must(c.members[0].group.Propose(mls.ProposeRemove(0), ProposeOptions{Private: true}))
	handshake := must(c.mallory.group.Unprotect(must(mls.ParsePrivate(proposal))))
	must(c.mallory.group.ProposeUpdate(ProposeOptions{}))
	list, joiners := c.invite(1)
	p := must(c.mallory.group.Commit(CommitOptions{Add: list, Private: true}))
	c.check(c.mallory.group.Save(c.mallory.store))
	loaded := must(Load(c.mallory.store))
	staged := must(loaded.pending.restage(loaded))
	kp := joiners[firstOf(joiners)]
	joining := must(ParseSigner(c.suite, bytes.Clone(canary)))
	other := c.members[2].group
	return map[string]any{
		"Secret": &psk.Secret, "Signer": &joining, "KeyPackageSecrets": &kp.private, "PSK": &psk,
		"Group": c.mallory.group, "Pending": p, "Staged": staged, "Handshake": handshake,
		"Config":           &Config{Suite: c.suite, Signer: joining, Credential: mls.Basic([]byte("ann"))},
		"KeyPackageConfig": &KeyPackageConfig{Suite: c.suite, Signer: joining},
		"JoinOptions":      &JoinOptions{PSKs: []PSK{psk}, From: other},
		"ExternalOptions":  &ExternalOptions{},
		"CommitOptions":    &CommitOptions{Leaf: LeafChange{Signer: &joining}},
		"ProposeOptions":   &ProposeOptions{Leaf: LeafChange{Signer: &joining}},
		"LeafChange":       &LeafChange{Signer: &joining},
		"Opened":           &Opened{},
		"Record":           &ready[0], "Reader": reader, "Records": &Records{c.mallory.group},
		"RosterEntry": &RosterEntry{},
	}
}

func firstOf[K comparable, V any](m map[K]V) (k K) {
	for k = range m {
		break
	}
	return k
}

// holdsNone are the types that have no secrets to show.
var holdsNone = map[string]bool{"ExternalOptions": true, "Opened": true, "RosterEntry": true}

// TestSecretsDoNotLeak hands every exported type, with canaries in the place of
// all its secrets, to whatever prints or encodes things, and looks for them.
func TestSecretsDoNotLeak(t *testing.T) {
	values := audited(t)
	for name, v := range values {
		if n := plant(reflect.ValueOf(v), map[unsafe.Pointer]bool{}); n == 0 && !holdsNone[name] {
			t.Errorf("%s has no secrets: the test looks at nothing", name)
		}
		var out bytes.Buffer
		for _, v := range []any{v, reflect.ValueOf(v).Elem().Interface(), []any{v}, map[string]any{"x": v}, struct{ Inside any }{v}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%08b", "%c", "%U", "%e", "%t", "%p"} {
				fmt.Fprintf(&out, verb, v)
			}
			fmt.Fprint(&out, v)
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v, slog.Group("g", "v", v))
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v, slog.Group("g", "v", v))
			if b, err := json.Marshal(v); err == nil {
				out.Write(b)
			}
			if b, err := cbor.Marshal(v); err == nil {
				out.Write(b)
			}
			_ = gob.NewEncoder(&out).Encode(v)
			fmt.Fprint(&out, fmt.Errorf("about %v", v))
		}
		for _, form := range []string{
			string(canary), hex.EncodeToString(canary), strings.ToUpper(hex.EncodeToString(canary)), strings.ToUpper(fmt.Sprintf("% x", canary)), fmt.Sprintf("% x", canary),
			strings.Trim(fmt.Sprint(canary), "[]"), "0x63, 0x61, 0x6e, 0x61, 0x72", "Y2FuYXJ5", "01100011 01100001 01101110 01100001 01110010", "143 141 156 141 162", "c a n a r y", "U+0063 U+0061 U+006E U+0061 U+0072",
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%s shows its secret as %q", name, form)
			}
		}
	}
}

// TestEveryTypeIsAudited: an exported type is in the list above, or holds nothing
// but a number or methods.
func TestEveryTypeIsAudited(t *testing.T) {
	values := audited(t)
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			if _, isStruct := spec.Type.(*ast.StructType); isStruct {
				found++
				if values[spec.Name.Name] == nil {
					t.Errorf("nobody looks whether %s shows its secrets", spec.Name.Name)
				}
			}
			return true
		})
	}
	if found < len(values) {
		t.Errorf("%d types in the source, %d in the list", found, len(values))
	}
}

// TestSecretIsSecret: a Secret does not compare, does not encode, and gives its
// bytes to those alone who ask for them by name.
func TestSecretIsSecret(t *testing.T) {
	secret := NewSecret(canary)
	for _, v := range []any{secret, Signer{}, KeyPackageSecrets{}, PSK{}, Record{}} {
		if reflect.TypeOf(v).Comparable() {
			t.Errorf("%T compares with ==, in a time that tells", v)
		}
	}
	for name, encode := range map[string]func() ([]byte, error){
		"json": secret.MarshalJSON, "text": secret.MarshalText, "binary": secret.MarshalBinary, "cbor": secret.MarshalCBOR, "gob": secret.GobEncode,
	} {
		if b, err := encode(); err == nil || b != nil {
			t.Errorf("%s: %x", name, b)
		}
	}
	if !secret.Equal(NewSecret(canary)) || secret.Equal(NewSecret(canary[1:])) || !bytes.Equal(secret.Export(), canary) || secret.Len() != len(canary) {
		t.Error("a secret lost its value")
	}
	given := bytes.Clone(canary)
	own := NewSecret(given)
	given[0] ^= 1
	if !own.Equal(secret) {
		t.Error("a secret changes with the bytes that it was made from")
	}
	own.Export()[0] ^= 1
	if !own.Equal(secret) {
		t.Error("a secret changes with what was exported from it")
	}
	inside, copied := secret.bytes(), secret
	secret.Wipe()
	if secret.Len() != 0 || copied.Len() != 0 || !bytes.Equal(inside, make([]byte, len(inside))) {
		t.Error("a wiped secret has bytes, here or in a copy")
	}
	secret.Wipe()
	var none Secret
	none.Wipe()
	if none.Len() != 0 || none.Export() != nil {
		t.Error("the zero Secret has bytes")
	}
}

// TestEpochIsWiped: the memory of an epoch's secrets is overwritten once the
// group has left it, or the member the group.
func TestEpochIsWiped(t *testing.T) {
	c := newCourt(t)
	c.chat()
	gone := c.members[4]
	secretsOf := func(g *Group) (all [][]byte) {
		for _, s := range g.epoch.all() {
			if s != &g.epoch.resumption { // it is kept, for PSKs, as a copy
				all = append(all, s.bytes())
			}
		}
		for _, s := range g.secrets.frontier {
			all = append(all, s.bytes())
		}
		for _, r := range g.secrets.ratchets {
			all = append(all, r.secret.bytes())
			for _, k := range r.skipped {
				all = append(all, k.key.bytes(), k.nonce.bytes())
			}
		}
		return all
	}
	stays, leaves := secretsOf(c.victim.group), secretsOf(gone.group)
	for x, private := range c.victim.group.keys {
		if x == c.server.RatchetTree().Root() {
			stays = append(stays, private.bytes())
		}
	}
	for _, private := range gone.group.keys {
		leaves = append(leaves, private.bytes())
	}
	p := must(c.mallory.group.Commit(CommitOptions{Remove: []mls.LeafIndex{gone.group.OwnLeaf()}}))
	m := must(mls.ParsePublic(p.Message))
	for _, who := range []*client{c.victim, gone} {
		c.check(who.group.Apply(must(who.group.StageCommit(m))))
	}
	for name, list := range map[string][][]byte{"who stays": stays, "who leaves": leaves} {
		for i, b := range list {
			if len(b) == 0 || !bytes.Equal(b, make([]byte, len(b))) {
				t.Errorf("%s: secret %d of %d is still in memory", name, i, len(list))
			}
		}
	}
	kp, private := c.client().keyPackage(t, c.suite)
	_ = kp
	inside := [][]byte{private.init.bytes(), private.leaf.bytes()}
	private.Wipe()
	for _, b := range inside {
		if !bytes.Equal(b, make([]byte, len(b))) {
			t.Error("the secrets of a key package that was used are still in memory")
		}
	}
}
