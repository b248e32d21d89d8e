package mls

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// Version is a protocol version; there is one.
type Version uint16

// MLS10 is the version of RFC 9420.
const MLS10 Version = 1

// CredentialType is the number of a kind of credential (RFC 9420 §17.5).
type CredentialType uint16

// The kinds of credential that can be decoded. Others cannot, since their
// length is unknown.
const (
	CredentialBasic CredentialType = 1
	CredentialX509  CredentialType = 2
)

// Credential says who a member is. Whether that is true is for the application
// to judge (RFC 9420 §5.3).
type Credential struct {
	Type         CredentialType
	Identity     []byte   // basic
	Certificates [][]byte // x509: DER, end entity first
}

// Basic returns a basic credential for identity, whose meaning is up to the
// application.
func Basic(identity []byte) Credential {
	return Credential{Type: CredentialBasic, Identity: identity}
}

// MarshalMLS implements Marshaler.
func (c Credential) MarshalMLS(e *Encoder) {
	e.Uint16(uint16(c.Type))
	switch c.Type {
	case CredentialBasic:
		e.Bytes(c.Identity)
	case CredentialX509:
		e.Vector(func() {
			for _, cert := range c.Certificates {
				e.Bytes(cert)
			}
		})
	default:
		e.Fail("credential type %d", c.Type)
	}
}

// UnmarshalMLS implements Unmarshaler.
func (c *Credential) UnmarshalMLS(d *Decoder) {
	c.Type = CredentialType(d.Uint16())
	switch c.Type {
	case CredentialBasic:
		c.Identity = d.Bytes(maxIdentity)
	case CredentialX509:
		c.Certificates = Vector(d, maxChain, func(d *Decoder, v *[]byte) { *v = d.Bytes(maxCertificate) })
	default:
		d.Fail("credential type %d", c.Type)
	}
}

// Capabilities is what a client supports beyond what all do (RFC 9420 §7.2).
// Unknown values in it are ignored.
type Capabilities struct {
	Versions    []Version
	Suites      []Suite
	Extensions  []ExtensionType // without the default ones
	Proposals   []ProposalType  // without the default ones
	Credentials []CredentialType
}

// MarshalMLS implements Marshaler.
func (c Capabilities) MarshalMLS(e *Encoder) {
	putUint16s(e, c.Versions)
	putUint16s(e, c.Suites)
	putUint16s(e, c.Extensions)
	putUint16s(e, c.Proposals)
	putUint16s(e, c.Credentials)
}

// UnmarshalMLS implements Unmarshaler.
func (c *Capabilities) UnmarshalMLS(d *Decoder) {
	c.Versions = uint16s[Version](d, maxCodes)
	c.Suites = uint16s[Suite](d, maxCodes)
	c.Extensions = uint16s[ExtensionType](d, maxCodes)
	c.Proposals = uint16s[ProposalType](d, maxCodes)
	c.Credentials = uint16s[CredentialType](d, maxCodes)
}

// HasExtension reports whether the client supports extensions of type t.
func (c Capabilities) HasExtension(t ExtensionType) bool {
	return t.Default() || slices.Contains(c.Extensions, t)
}

// HasProposal reports whether the client supports proposals of type t.
func (c Capabilities) HasProposal(t ProposalType) bool {
	return t.Default() || slices.Contains(c.Proposals, t)
}

// satisfies returns ErrCapabilities if something of r is missing in c.
func (c Capabilities) satisfies(r RequiredCapabilities) error {
	for _, t := range r.Extensions {
		if !c.HasExtension(t) {
			return fmt.Errorf("%w: extension %#04x", ErrCapabilities, uint16(t))
		}
	}
	for _, t := range r.Proposals {
		if !c.HasProposal(t) {
			return fmt.Errorf("%w: proposal %#04x", ErrCapabilities, uint16(t))
		}
	}
	for _, t := range r.Credentials {
		if !slices.Contains(c.Credentials, t) {
			return fmt.Errorf("%w: credential %#04x", ErrCapabilities, uint16(t))
		}
	}
	return nil
}

// Lifetime is when a leaf node from a key package may be added to a group, in
// seconds since 1970, both ends included (RFC 9420 §7.2).
type Lifetime struct {
	NotBefore, NotAfter uint64
}

// LifetimeFrom returns the Lifetime from start on for the duration d.
func LifetimeFrom(start time.Time, d time.Duration) Lifetime {
	return Lifetime{uint64(start.Unix()), uint64(start.Add(d).Unix())}
}

// Contains reports whether t lies within the lifetime.
func (l Lifetime) Contains(t time.Time) bool {
	s := t.Unix()
	return s >= 0 && l.NotBefore <= uint64(s) && uint64(s) <= l.NotAfter
}

// LeafSource says how a leaf node came about (RFC 9420 §7.2).
type LeafSource uint8

// The sources of leaf nodes.
const (
	LeafKeyPackage LeafSource = 1
	LeafUpdate     LeafSource = 2
	LeafCommit     LeafSource = 3
)

// LeafIndex is the position of a member among the leaves of the tree, from 0.
// It names the member in one epoch only: after a removal another may sit there.
type LeafIndex uint32

// LeafNode is a member as it stands in the tree (RFC 9420 §7.2).
type LeafNode struct {
	EncryptionKey []byte // HPKE public key
	SignatureKey  []byte
	Credential    Credential
	Capabilities  Capabilities
	Source        LeafSource
	Lifetime      Lifetime // if Source is LeafKeyPackage
	ParentHash    []byte   // if Source is LeafCommit
	Extensions    Extensions
	Signature     []byte
}

// MarshalMLS implements Marshaler.
func (l *LeafNode) MarshalMLS(e *Encoder) {
	l.marshalUnsigned(e)
	e.Bytes(l.Signature)
}

func (l *LeafNode) marshalUnsigned(e *Encoder) {
	e.Bytes(l.EncryptionKey)
	e.Bytes(l.SignatureKey)
	l.Credential.MarshalMLS(e)
	l.Capabilities.MarshalMLS(e)
	e.Uint8(uint8(l.Source))
	switch l.Source {
	case LeafKeyPackage:
		e.Uint64(l.Lifetime.NotBefore)
		e.Uint64(l.Lifetime.NotAfter)
	case LeafUpdate:
	case LeafCommit:
		e.Bytes(l.ParentHash)
	default:
		e.Fail("leaf node source %d", l.Source)
	}
	l.Extensions.MarshalMLS(e)
}

// UnmarshalMLS implements Unmarshaler.
func (l *LeafNode) UnmarshalMLS(d *Decoder) {
	l.EncryptionKey = d.Bytes(maxKey)
	l.SignatureKey = d.Bytes(maxKey)
	l.Credential.UnmarshalMLS(d)
	l.Capabilities.UnmarshalMLS(d)
	l.Source = LeafSource(d.Uint8())
	switch l.Source {
	case LeafKeyPackage:
		l.Lifetime = Lifetime{d.Uint64(), d.Uint64()}
	case LeafUpdate:
	case LeafCommit:
		l.ParentHash = d.Bytes(maxHash)
	default:
		d.Fail("leaf node source %d", l.Source)
	}
	l.Extensions.UnmarshalMLS(d)
	l.Signature = d.Bytes(maxSignature)
}

// Equal reports whether both leaf nodes have the same encoding.
func (l *LeafNode) Equal(m *LeafNode) bool {
	a, err1 := Marshal(l)
	b, err2 := Marshal(m)
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

// SignedContent is what the member signs under the label LeafNodeLabel. The
// group and index count only if Source is not LeafKeyPackage.
func (l *LeafNode) SignedContent(groupID []byte, index LeafIndex) ([]byte, error) {
	e := encoderFor(256 + len(l.EncryptionKey))
	l.marshalUnsigned(&e)
	if l.Source != LeafKeyPackage {
		e.Bytes(groupID)
		e.Uint32(uint32(index))
	}
	return e.Result()
}

// The labels of signatures (RFC 9420 §17.6), without the prefix "MLS 1.0 ".
const (
	LeafNodeLabel      = "LeafNodeTBS"
	KeyPackageLabel    = "KeyPackageTBS"
	FramedContentLabel = "FramedContentTBS"
	GroupInfoLabel     = "GroupInfoTBS"
)

// verifySignature returns ErrSignature unless the member signed the leaf node.
func (l *LeafNode) verifySignature(s Suite, groupID []byte, index LeafIndex) error {
	all := signatures{scheme: s.Signature()}
	if err := l.collect(&all, groupID, index); err != nil {
		return err
	}
	return all.verify()
}

// collect adds the member's signature to those that are to be verified.
func (l *LeafNode) collect(all *signatures, groupID []byte, index LeafIndex) error {
	content, err := l.SignedContent(groupID, index)
	if err != nil {
		return err
	}
	all.add("leaf node", int(index), l.SignatureKey, LeafNodeLabel, content, l.Signature)
	return nil
}

// checkAlone checks what can be said about a leaf node without its group:
// keys, and that its capabilities cover what it uses itself (RFC 9420 §7.2). The
// suite need not be among them: by its keys and signature the leaf shows that it
// speaks it, and there are implementations that forget to list suite 7.
func (l *LeafNode) checkAlone(s Suite) error {
	if err := s.CheckEncryptionKey(l.EncryptionKey); err != nil {
		return err
	}
	if err := s.CheckSignatureKey(l.SignatureKey); err != nil {
		return err
	}
	if !slices.Contains(l.Capabilities.Versions, MLS10) {
		return fmt.Errorf("%w: leaf node does not list version 1", ErrCapabilities)
	}
	if !slices.Contains(l.Capabilities.Credentials, l.Credential.Type) {
		return fmt.Errorf("%w: leaf node does not list its own credential type", ErrCredential)
	}
	return l.checkExtensions(l.Extensions)
}

// checkExtensions returns ErrExtension if list names a type that the leaf
// node's capabilities lack, or one twice.
func (l *LeafNode) checkExtensions(list Extensions) error {
	for _, x := range list {
		if !l.Capabilities.HasExtension(x.Type) {
			return fmt.Errorf("%w: type %#04x is not among the capabilities", ErrExtension, uint16(x.Type))
		}
	}
	return list.check()
}
