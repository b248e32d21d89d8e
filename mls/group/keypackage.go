package group

import (
	"fmt"
	"slices"
	"time"

	"github.com/veche-im/veche/mls"
)

// defaultLifetime is how long a key package is good for unless its config says
// otherwise. It begins an hour ago, for clocks that are behind ours.
const (
	defaultLifetime = 90 * 24 * time.Hour
	clockSlack      = time.Hour
)

// KeyPackageConfig says what a key package should hold. Suite, Signer and
// Credential are required.
type KeyPackageConfig struct {
	Suite          mls.Suite
	Signer         Signer
	Credential     mls.Credential
	Lifetime       mls.Lifetime      // zero means 90 days from an hour ago
	Grease         bool              // put values into it that peers must ignore (RFC 9420 §13.5)
	LastResort     bool              // may be used more than once
	LeafExtensions mls.Extensions    // of the leaf node
	Extensions     mls.Extensions    // of the key package itself
	Capabilities   *mls.Capabilities // nil means DefaultCapabilities, with the types of all extensions above
}

// DefaultCapabilities is what this implementation supports, beyond the default
// types of RFC 9420 §7.2: all its suites, basic credentials, last_resort, and
// the given extension types. A group's own extensions must be among them.
func DefaultCapabilities(extensions ...mls.ExtensionType) mls.Capabilities {
	c := mls.Capabilities{
		Versions:    []mls.Version{mls.MLS10},
		Suites:      mls.Suites(),
		Extensions:  []mls.ExtensionType{mls.ExtensionLastResort},
		Proposals:   []mls.ProposalType{},
		Credentials: []mls.CredentialType{mls.CredentialBasic},
	}
	for _, x := range extensions {
		if !x.Default() && !slices.Contains(c.Extensions, x) {
			c.Extensions = append(c.Extensions, x)
		}
	}
	return c
}

// capabilitiesFor returns given, or the default with the types of the credential
// and of all lists.
func capabilitiesFor(given *mls.Capabilities, credential mls.Credential, lists ...mls.Extensions) mls.Capabilities {
	if given != nil {
		return *given
	}
	var types []mls.ExtensionType
	for _, list := range lists {
		for _, x := range list {
			types = append(types, x.Type)
		}
	}
	c := DefaultCapabilities(types...)
	if !slices.Contains(c.Credentials, credential.Type) {
		c.Credentials = append(c.Credentials, credential.Type)
	}
	return c
}

// secretsVersion is that of the form in which KeyPackageSecrets are exported.
const secretsVersion = 1

// KeyPackageSecrets is the private half of a key package.
type KeyPackageSecrets struct {
	init, leaf Secret
	signer     Signer
}

// NewKeyPackage makes a key package and its secrets.
func NewKeyPackage(cfg KeyPackageConfig) (mls.KeyPackage, KeyPackageSecrets, error) {
	fail := func(err error) (mls.KeyPackage, KeyPackageSecrets, error) {
		return mls.KeyPackage{}, KeyPackageSecrets{}, fmt.Errorf("make a key package: %w", err)
	}
	if !cfg.Suite.Supported() {
		return fail(fmt.Errorf("%w: %v", mls.ErrSuite, cfg.Suite))
	}
	extensions := slices.Clone(cfg.Extensions)
	if cfg.LastResort {
		extensions = extensions.With(mls.ExtensionLastResort, []byte{})
	}
	if cfg.Lifetime == (mls.Lifetime{}) {
		cfg.Lifetime = mls.LifetimeFrom(time.Now().Add(-clockSlack), defaultLifetime+clockSlack)
	}
	secrets := KeyPackageSecrets{signer: cfg.Signer}
	var initKey, leafKey []byte
	var err error
	if secrets.init, initKey, err = newKeyPair(cfg.Suite); err != nil {
		return fail(err)
	}
	if secrets.leaf, leafKey, err = newKeyPair(cfg.Suite); err != nil {
		return fail(err)
	}
	kp := mls.KeyPackage{
		Version: mls.MLS10,
		Suite:   cfg.Suite,
		InitKey: initKey,
		Leaf: mls.LeafNode{
			EncryptionKey: leafKey,
			SignatureKey:  cfg.Signer.Public(),
			Credential:    cfg.Credential,
			Capabilities:  capabilitiesFor(cfg.Capabilities, cfg.Credential, extensions, cfg.LeafExtensions),
			Source:        mls.LeafKeyPackage,
			Lifetime:      cfg.Lifetime,
			Extensions:    slices.Clone(cfg.LeafExtensions),
		},
		Extensions: extensions,
	}
	if cfg.Grease {
		kp.Leaf.Capabilities = grease(kp.Leaf.Capabilities, &kp.Leaf.Extensions, &kp.Extensions)
	}
	if err := cfg.Signer.signLeaf(&kp.Leaf, nil, 0); err != nil {
		return fail(err)
	}
	content, err := kp.SignedContent()
	if err != nil {
		return fail(err)
	}
	if kp.Signature, err = cfg.Signer.SignWithLabel(mls.KeyPackageLabel, content); err != nil {
		return fail(err)
	}
	if err := kp.Check(time.Time{}); err != nil {
		return fail(err)
	}
	return kp, secrets, nil
}

// Export returns the secrets in the form that ParseKeyPackageSecrets takes, for
// the caller to store: about 110 bytes.
func (k KeyPackageSecrets) Export() []byte {
	var e mls.Encoder
	e.Uint8(secretsVersion)
	e.Uint8(uint8(k.signer.scheme))
	e.Bytes(k.signer.priv.bytes())
	e.Bytes(k.init.bytes())
	e.Bytes(k.leaf.bytes())
	b, err := e.Result()
	if err != nil {
		panic(err) // three short strings always have an encoding
	}
	return b
}

// ParseKeyPackageSecrets reads what Export returned.
func ParseKeyPackageSecrets(b []byte) (KeyPackageSecrets, error) {
	d := mls.NewDecoder(b)
	if v := d.Uint8(); v != secretsVersion {
		return KeyPackageSecrets{}, fmt.Errorf("%w: key package secrets of version %d", mls.ErrStorage, v)
	}
	scheme := mls.SignatureScheme(d.Uint8())
	private := d.Bytes(maxSecret)
	k := KeyPackageSecrets{init: takeSecret(d), leaf: takeSecret(d)}
	if err := d.Finish(); err != nil {
		return KeyPackageSecrets{}, fmt.Errorf("%w: key package secrets: %w", mls.ErrStorage, err)
	}
	var err error
	if k.signer, err = parseSigner(scheme, private); err != nil {
		return KeyPackageSecrets{}, fmt.Errorf("%w: key package secrets: %w", mls.ErrStorage, err)
	}
	return k, nil
}

// Wipe overwrites the secrets that serve this key package alone, once it is
// used up; the signature key lives on.
func (k *KeyPackageSecrets) Wipe() {
	k.init.Wipe()
	k.leaf.Wipe()
}
