package mls

import (
	"bytes"
	"fmt"
	"time"
)

// KeyPackage is what a client publishes so that others can add it to groups
// while it is away (RFC 9420 §10).
type KeyPackage struct {
	Version    Version
	Suite      Suite
	InitKey    []byte // HPKE public key to which the Welcome is sealed
	Leaf       LeafNode
	Extensions Extensions
	Signature  []byte
}

// MarshalMLS implements Marshaler.
func (k KeyPackage) MarshalMLS(e *Encoder) {
	k.marshalUnsigned(e)
	e.Bytes(k.Signature)
}

func (k KeyPackage) marshalUnsigned(e *Encoder) {
	e.Uint16(uint16(k.Version))
	e.Uint16(uint16(k.Suite))
	e.Bytes(k.InitKey)
	k.Leaf.MarshalMLS(e)
	k.Extensions.MarshalMLS(e)
}

// UnmarshalMLS implements Unmarshaler.
func (k *KeyPackage) UnmarshalMLS(d *Decoder) {
	k.Version = Version(d.Uint16())
	k.Suite = Suite(d.Uint16())
	k.InitKey = d.Bytes(maxKey)
	k.Leaf.UnmarshalMLS(d)
	k.Extensions.UnmarshalMLS(d)
	k.Signature = d.Bytes(maxSignature)
}

// SignedContent is what the client signs under the label KeyPackageLabel.
func (k KeyPackage) SignedContent() ([]byte, error) {
	e := encoderFor(512 + len(k.InitKey) + len(k.Leaf.EncryptionKey))
	k.marshalUnsigned(&e)
	return e.Result()
}

// Ref returns the hash by which a Welcome names the key package (RFC 9420
// §5.2). It fails with ErrSuite if the suite is not implemented.
func (k KeyPackage) Ref() ([]byte, error) {
	if !k.Suite.Supported() {
		return nil, fmt.Errorf("%w: %v", ErrSuite, k.Suite)
	}
	b, err := Marshal(k)
	if err != nil {
		return nil, err
	}
	return k.Suite.RefHash("MLS 1.0 KeyPackage Reference", b), nil
}

// LastResort reports whether the key package may be used more than once.
func (k KeyPackage) LastResort() bool {
	_, ok := k.Extensions.Get(ExtensionLastResort)
	return ok
}

// Verify checks the key package on its own (RFC 9420 §10.1): version and
// suite, both signatures, that its keys are keys and differ, that its
// capabilities cover what it uses, and that now lies within its lifetime. A
// zero now leaves the lifetime unchecked. Whether the credential is true, and
// how long a lifetime may be, is for the caller to judge.
func (k KeyPackage) Verify(now time.Time) error {
	if err := k.Check(now); err != nil {
		return err
	}
	all := signatures{scheme: k.Suite.Signature()}
	if err := k.collect(&all); err != nil {
		return err
	}
	return all.verify()
}

// Check is Verify without the signatures, for who just made them.
func (k KeyPackage) Check(now time.Time) error {
	if k.Version != MLS10 {
		return fmt.Errorf("%w: %d", ErrVersion, k.Version)
	}
	if !k.Suite.Supported() {
		return fmt.Errorf("%w: %v", ErrSuite, k.Suite)
	}
	if k.Leaf.Source != LeafKeyPackage {
		return fmt.Errorf("%w: key package with source %d", ErrLeafSource, k.Leaf.Source)
	}
	if err := k.Leaf.checkAlone(k.Suite); err != nil {
		return err
	}
	if err := k.Extensions.check(); err != nil { // of the capabilities only the leaf's own extensions must be (§7.2)
		return err
	}
	if err := k.Suite.CheckEncryptionKey(k.InitKey); err != nil {
		return fmt.Errorf("init key: %w", err)
	}
	if bytes.Equal(k.InitKey, k.Leaf.EncryptionKey) {
		return fmt.Errorf("%w: init key and encryption key of a key package", ErrInitKey)
	}
	if !now.IsZero() && !k.Leaf.Lifetime.Contains(now) {
		return fmt.Errorf("%w: %d to %d", ErrLifetime, k.Leaf.Lifetime.NotBefore, k.Leaf.Lifetime.NotAfter)
	}
	return nil
}

// collect adds both signatures of the key package to those that are to be
// verified.
func (k KeyPackage) collect(all *signatures) error {
	if err := k.Leaf.collect(all, nil, 0); err != nil {
		return err
	}
	content, err := k.SignedContent()
	if err != nil {
		return err
	}
	all.add("key package", -1, k.Leaf.SignatureKey, KeyPackageLabel, content, k.Signature)
	return nil
}
