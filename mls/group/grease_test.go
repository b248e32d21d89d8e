package group

import (
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

func isGrease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff && v != 0xfafa }

func countGrease[T ~uint16](list []T) (n int) {
	for _, v := range list {
		if isGrease(uint16(v)) {
			n++
		}
	}
	return n
}

func greaseOf(x mls.Extensions) (n int) {
	for _, e := range x {
		if isGrease(uint16(e.Type)) {
			n++
		}
	}
	return n
}

// TestGrease: values without a meaning stand wherever they may, nowhere else,
// and disturb nobody.
func TestGrease(t *testing.T) {
	seen := map[mls.ExtensionType]bool{}
	for range 60 {
		s := mls.X25519AES128
		caps := testCapabilities()
		before := slices.Clone(caps.Extensions)
		ann, bob := newClient(t, s, "ann"), newClient(t, s, "bob")
		kp, private, err := NewKeyPackage(KeyPackageConfig{
			Suite: s, Signer: bob.signer, Credential: mls.Basic([]byte("bob")), Capabilities: caps, Grease: true, LastResort: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(caps.Extensions, before) {
			t.Fatal("the caller's own capabilities have changed")
		}
		g := must(Create(Config{
			Suite: s, GroupID: []byte("g"), Signer: ann.signer, Credential: mls.Basic([]byte("ann")), Capabilities: testCapabilities(), Grease: true,
		}))
		p := must(g.Commit(CommitOptions{Add: []mls.KeyPackage{kp}, TreeInWelcome: true}))
		if err := g.MergePending(); err != nil {
			t.Fatal(err)
		}
		h := must(Join(must(mls.ParseWelcome(p.Welcome)), kp, private, JoinOptions{}))
		info := must(mls.ParseGroupInfo(must(h.GroupInfo(true))))
		carl := newClient(t, s, "carl")
		third, made, err := JoinExternal(info, nil, Config{
			Signer: carl.signer, Credential: mls.Basic([]byte("carl")), Capabilities: testCapabilities(), Grease: true,
		}, ExternalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := third.MergePending(); err != nil {
			t.Fatal(err)
		}
		if err := h.Apply(must(h.StageCommit(must(mls.ParsePublic(made.Message))))); err != nil {
			t.Fatal(err)
		}
		for _, m := range h.Public().Members() {
			c := &m.Leaf.Capabilities
			for what, n := range map[string]int{
				"suites": countGrease(c.Suites), "extensions": countGrease(c.Extensions), "proposals": countGrease(c.Proposals),
				"credentials": countGrease(c.Credentials), "leaf extensions": greaseOf(m.Leaf.Extensions),
			} {
				if n == 0 {
					t.Errorf("no grease in the %s of leaf %d", what, m.Index)
				}
			}
			if countGrease(c.Versions) != 0 || m.Leaf.Credential.Type != mls.CredentialBasic {
				t.Error("grease where it must not be")
			}
			for _, x := range m.Leaf.Extensions {
				seen[x.Type] = true
				if !c.HasExtension(x.Type) {
					t.Errorf("extension %#x is not among the capabilities", uint16(x.Type))
				}
			}
		}
		if n := greaseOf(h.Public().Context().Extensions); n != 0 {
			t.Error("grease in the group context")
		}
		if greaseOf(kp.Extensions) != 1 || !kp.LastResort() {
			t.Errorf("the key package has the extensions %v", kp.Extensions)
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d values in 180 choices", len(seen))
	}
}

// TestNoGreaseUnlessAsked: rooms stay as they are.
func TestNoGreaseUnlessAsked(t *testing.T) {
	kp, _ := newClient(t, mls.X25519AES128, "ann").keyPackage(t, mls.X25519AES128)
	if greaseOf(kp.Extensions)+greaseOf(kp.Leaf.Extensions)+countGrease(kp.Leaf.Capabilities.Extensions) != 0 {
		t.Error("grease that nobody asked for")
	}
}
