package group

import (
	"errors"
	"testing"
	"time"

	"github.com/veche-im/veche/mls"
)

func TestKeyPackageVerify(t *testing.T) {
	c := newCourt(t)
	for _, tt := range []struct {
		name   string
		change func(*mls.KeyPackage)
		want   error
	}{
		{"nothing", func(*mls.KeyPackage) {}, nil},
		{"the version", func(k *mls.KeyPackage) { k.Version = 2 }, mls.ErrVersion},
		{"the suite, to one that nobody knows", func(k *mls.KeyPackage) { k.Suite = 0x1234 }, mls.ErrSuite},
		{"the source", func(k *mls.KeyPackage) { k.Leaf.Source = mls.LeafCommit }, mls.ErrLeafSource},
		{"the init key", func(k *mls.KeyPackage) { k.InitKey = k.Leaf.EncryptionKey }, mls.ErrInitKey},
		{"the credentials, to none", func(k *mls.KeyPackage) { k.Leaf.Capabilities.Credentials = nil }, mls.ErrCredential},
		{"the versions, to none", func(k *mls.KeyPackage) { k.Leaf.Capabilities.Versions = nil }, mls.ErrCapabilities},
		{"the suites, to none, as others have it", func(k *mls.KeyPackage) { k.Leaf.Capabilities.Suites = nil }, nil},
		{"its own extensions, to what no capability names", func(k *mls.KeyPackage) { k.Extensions = mls.Extensions{{Type: 0x3a3a}} }, nil},
	} {
		n := c.client()
		kp, _ := n.keyPackage(t, c.suite)
		tt.change(&kp)
		c.resign(&kp, n)
		if err := kp.Verify(time.Time{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, err := kp.Ref(); (kp.Suite == 0x1234) != errors.Is(err, mls.ErrSuite) {
			t.Errorf("%s: reference: %v", tt.name, err)
		}
	}
	n := c.client()
	kp, private := n.keyPackage(t, c.suite)
	again, err := ParseKeyPackageSecrets(private.Export())
	c.check(err)
	p := must(c.members[0].group.Commit(CommitOptions{Add: []mls.KeyPackage{kp}, TreeInWelcome: true}))
	if _, err := Join(must(mls.ParseWelcome(p.Welcome)), kp, again, JoinOptions{}); err != nil {
		t.Errorf("join with stored secrets: %v", err)
	}
	for _, b := range [][]byte{nil, {1}, {9, 1}, private.Export()[:50], append(private.Export(), 0)} {
		if _, err := ParseKeyPackageSecrets(b); !errors.Is(err, mls.ErrStorage) {
			t.Errorf("secrets %x: %v", b, err)
		}
	}
}

func TestKeyPackageLifetime(t *testing.T) {
	s := mls.X25519AES128
	c := newClient(t, s, "ann")
	now := time.Unix(1_700_000_000, 0)
	kp, _, err := NewKeyPackage(KeyPackageConfig{
		Suite: s, Signer: c.signer, Credential: mls.Basic([]byte("ann")),
		Lifetime: mls.LifetimeFrom(now, time.Hour), LastResort: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !kp.LastResort() {
		t.Error("not a last resort")
	}
	for _, tt := range []struct {
		name string
		at   time.Time
		want error
	}{
		{"before", now.Add(-time.Second), mls.ErrLifetime},
		{"at the beginning", now, nil},
		{"at the end", now.Add(time.Hour), nil},
		{"after", now.Add(time.Hour + time.Second), mls.ErrLifetime},
		{"at no time in particular", time.Time{}, nil},
	} {
		if err := kp.Verify(tt.at); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	w := newTown(t, s, 1)
	if _, err := w.members[0].group.Commit(CommitOptions{Add: []mls.KeyPackage{kp}, Now: now.Add(-time.Minute)}); !errors.Is(err, mls.ErrLifetime) {
		t.Errorf("committed a key package before its time: %v", err)
	}
	if _, err := w.members[0].group.Commit(CommitOptions{Add: []mls.KeyPackage{kp}, Now: now}); err != nil {
		t.Error(err)
	}
}
