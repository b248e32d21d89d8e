package mls

import (
	"bytes"
	"fmt"
)

// ExtensionType is the number of an extension (RFC 9420 §17.3).
type ExtensionType uint16

// The extension types that this package knows. The first five are default:
// every client supports them and they are not listed in Capabilities.
const (
	ExtensionApplicationID        ExtensionType = 0x0001 // leaf node
	ExtensionRatchetTree          ExtensionType = 0x0002 // group info
	ExtensionRequiredCapabilities ExtensionType = 0x0003 // group context
	ExtensionExternalPub          ExtensionType = 0x0004 // group info
	ExtensionExternalSenders      ExtensionType = 0x0005 // group context
	// ExtensionAppData is app_data_dictionary: what parts of the application
	// keep (draft-ietf-mls-extensions). See AppData.
	ExtensionAppData ExtensionType = 0x0006 // key package, leaf node, group context, group info
	// ExtensionLastResort marks a key package that may be used more than
	// once, when all others are gone (draft-ietf-mls-extensions). Empty.
	ExtensionLastResort ExtensionType = 0x000a // key package
)

// Default reports whether every client supports the extension (RFC 9420 §7.2).
func (t ExtensionType) Default() bool { return t >= 1 && t <= 5 }

// Extension is a typed opaque value (RFC 9420 §7.2, §13.4).
type Extension struct {
	Type ExtensionType
	Data []byte
}

// MarshalMLS implements Marshaler.
func (x Extension) MarshalMLS(e *Encoder) {
	e.Uint16(uint16(x.Type))
	e.Bytes(x.Data)
}

// UnmarshalMLS implements Unmarshaler.
func (x *Extension) UnmarshalMLS(d *Decoder) {
	x.Type = ExtensionType(d.Uint16())
	x.Data = d.Bytes(maxMessage)
}

// Extensions is a list of extensions. The order is part of its encoding.
type Extensions []Extension

// Get returns the data of the extension of type t.
func (x Extensions) Get(t ExtensionType) (data []byte, ok bool) {
	for _, ext := range x {
		if ext.Type == t {
			return ext.Data, true
		}
	}
	return nil, false
}

// With returns a copy of the list in which the extension of type t holds data.
func (x Extensions) With(t ExtensionType, data []byte) Extensions {
	out := x.Without(t)
	return append(out, Extension{t, data})
}

// Without returns a copy of the list without the extension of type t.
func (x Extensions) Without(t ExtensionType) Extensions {
	out := make(Extensions, 0, len(x)+1)
	for _, ext := range x {
		if ext.Type != t {
			out = append(out, ext)
		}
	}
	return out
}

// Equal reports whether both lists have the same encoding.
func (x Extensions) Equal(y Extensions) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i].Type != y[i].Type || !bytes.Equal(x[i].Data, y[i].Data) {
			return false
		}
	}
	return true
}

// check returns ErrExtension if a type appears twice (RFC 9420 §13.4).
func (x Extensions) check() error {
	seen := make(map[ExtensionType]bool, len(x))
	for _, ext := range x {
		if seen[ext.Type] {
			return fmt.Errorf("%w: type %#04x twice", ErrExtension, uint16(ext.Type))
		}
		seen[ext.Type] = true
	}
	return nil
}

// MarshalMLS implements Marshaler.
func (x Extensions) MarshalMLS(e *Encoder) {
	e.Vector(func() {
		for _, ext := range x {
			ext.MarshalMLS(e)
		}
	})
}

// UnmarshalMLS implements Unmarshaler.
func (x *Extensions) UnmarshalMLS(d *Decoder) {
	*x = Vector(d, maxExtensions, func(d *Decoder, v *Extension) { v.UnmarshalMLS(d) })
}

// RequiredCapabilities is the content of ExtensionRequiredCapabilities: what
// every member of the group must support (RFC 9420 §11.1).
type RequiredCapabilities struct {
	Extensions  []ExtensionType
	Proposals   []ProposalType
	Credentials []CredentialType
}

// MarshalMLS implements Marshaler.
func (r RequiredCapabilities) MarshalMLS(e *Encoder) {
	putUint16s(e, r.Extensions)
	putUint16s(e, r.Proposals)
	putUint16s(e, r.Credentials)
}

// UnmarshalMLS implements Unmarshaler.
func (r *RequiredCapabilities) UnmarshalMLS(d *Decoder) {
	r.Extensions = uint16s[ExtensionType](d, maxCodes)
	r.Proposals = uint16s[ProposalType](d, maxCodes)
	r.Credentials = uint16s[CredentialType](d, maxCodes)
}

// RequiredCapabilities decodes the extension of that type, if it is there.
func (x Extensions) RequiredCapabilities() (RequiredCapabilities, error) {
	var r RequiredCapabilities
	data, ok := x.Get(ExtensionRequiredCapabilities)
	if !ok {
		return r, nil
	}
	if err := Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%w: required_capabilities: %w", ErrExtension, err)
	}
	return r, nil
}

// ExternalPub decodes the HPKE key of ExtensionExternalPub, to which a joiner
// encrypts in an external commit (RFC 9420 §12.4.3.2).
func (x Extensions) ExternalPub() (key []byte, ok bool, err error) {
	data, ok := x.Get(ExtensionExternalPub)
	if !ok {
		return nil, false, nil
	}
	d := NewDecoder(data)
	key = d.Bytes(maxKey)
	if err := d.Finish(); err != nil {
		return nil, false, fmt.Errorf("%w: external_pub: %w", ErrExtension, err)
	}
	return key, true, nil
}

// ExternalPubExtension returns the extension that ExternalPub reads.
func ExternalPubExtension(key []byte) Extension {
	var e Encoder
	e.Bytes(key)
	return Extension{ExtensionExternalPub, e.buf}
}

// ExternalSender may send proposals to a group without being a member of it
// (RFC 9420 §12.1.8.1).
type ExternalSender struct {
	SignatureKey []byte
	Credential   Credential
}

// MarshalMLS implements Marshaler.
func (s ExternalSender) MarshalMLS(e *Encoder) {
	e.Bytes(s.SignatureKey)
	s.Credential.MarshalMLS(e)
}

// UnmarshalMLS implements Unmarshaler.
func (s *ExternalSender) UnmarshalMLS(d *Decoder) {
	s.SignatureKey = d.Bytes(maxKey)
	s.Credential.UnmarshalMLS(d)
}

// ExternalSenders decodes the extension of that type; it is empty if absent.
func (x Extensions) ExternalSenders() ([]ExternalSender, error) {
	data, ok := x.Get(ExtensionExternalSenders)
	if !ok {
		return nil, nil
	}
	d := NewDecoder(data)
	list := Vector(d, maxSenders, func(d *Decoder, v *ExternalSender) { v.UnmarshalMLS(d) })
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: external_senders: %w", ErrExtension, err)
	}
	return list, nil
}

// ExternalSendersExtension returns the extension that ExternalSenders reads.
func ExternalSendersExtension(list []ExternalSender) (Extension, error) {
	var e Encoder
	e.Vector(func() {
		for _, s := range list {
			s.MarshalMLS(&e)
		}
	})
	data, err := e.Result()
	return Extension{ExtensionExternalSenders, data}, err
}
