package mls

import (
	"bytes"
	"fmt"
)

// GroupContext is what all members of a group agree on in an epoch (RFC 9420
// §8.1).
type GroupContext struct {
	Version                 Version
	Suite                   Suite
	GroupID                 []byte
	Epoch                   uint64
	TreeHash                []byte
	ConfirmedTranscriptHash []byte
	Extensions              Extensions
}

// MarshalMLS implements Marshaler.
func (c *GroupContext) MarshalMLS(e *Encoder) {
	e.Uint16(uint16(c.Version))
	e.Uint16(uint16(c.Suite))
	e.Bytes(c.GroupID)
	e.Uint64(c.Epoch)
	e.Bytes(c.TreeHash)
	e.Bytes(c.ConfirmedTranscriptHash)
	c.Extensions.MarshalMLS(e)
}

// UnmarshalMLS implements Unmarshaler.
func (c *GroupContext) UnmarshalMLS(d *Decoder) {
	c.Version = Version(d.Uint16())
	if d.Err() == nil && c.Version != MLS10 {
		d.Fail("protocol version %d", c.Version)
	}
	c.Suite = Suite(d.Uint16())
	c.GroupID = d.Bytes(maxGroupID)
	c.Epoch = d.Uint64()
	c.TreeHash = d.Bytes(maxHash)
	c.ConfirmedTranscriptHash = d.Bytes(maxHash)
	c.Extensions.UnmarshalMLS(d)
}

// Equal reports whether both contexts have the same encoding.
func (c *GroupContext) Equal(o *GroupContext) bool {
	return c.Version == o.Version && c.Suite == o.Suite && c.Epoch == o.Epoch &&
		bytes.Equal(c.GroupID, o.GroupID) && bytes.Equal(c.TreeHash, o.TreeHash) &&
		bytes.Equal(c.ConfirmedTranscriptHash, o.ConfirmedTranscriptHash) &&
		c.Extensions.Equal(o.Extensions)
}

// GroupInfo tells a joiner about a group (RFC 9420 §12.4.3). It travels inside
// a Welcome, encrypted, or on its own for external commits.
type GroupInfo struct {
	Context         GroupContext
	Extensions      Extensions // external_pub, ratchet_tree; unknown ones are ignored
	ConfirmationTag []byte
	Signer          LeafIndex
	Signature       []byte
}

// MarshalMLS implements Marshaler.
func (g *GroupInfo) MarshalMLS(e *Encoder) {
	g.marshalUnsigned(e)
	e.Bytes(g.Signature)
}

func (g *GroupInfo) marshalUnsigned(e *Encoder) {
	g.Context.MarshalMLS(e)
	g.Extensions.MarshalMLS(e)
	e.Bytes(g.ConfirmationTag)
	e.Uint32(uint32(g.Signer))
}

// UnmarshalMLS implements Unmarshaler.
func (g *GroupInfo) UnmarshalMLS(d *Decoder) {
	g.Context.UnmarshalMLS(d)
	g.Extensions.UnmarshalMLS(d)
	g.ConfirmationTag = d.Bytes(maxHash)
	g.Signer = LeafIndex(d.Uint32())
	g.Signature = d.Bytes(maxSignature)
}

// SignedContent is what the signer signs under the label GroupInfoLabel.
func (g *GroupInfo) SignedContent() ([]byte, error) {
	var e Encoder
	g.marshalUnsigned(&e)
	return e.Result()
}

// verifySignature returns ErrSignature unless the holder of key signed g.
func (g *GroupInfo) verifySignature(key []byte) error {
	content, err := g.SignedContent()
	if err != nil {
		return err
	}
	if err := g.Context.Suite.VerifyWithLabel(key, GroupInfoLabel, content, g.Signature); err != nil {
		return fmt.Errorf("group info: %w", err)
	}
	return nil
}

// EncryptedGroupSecrets is the part of a Welcome that is for one joiner
// (RFC 9420 §12.4.3.1).
type EncryptedGroupSecrets struct {
	NewMember []byte // KeyPackage.Ref of the joiner
	Secrets   HPKECiphertext
}

// Welcome brings new members into a group (RFC 9420 §12.4.3.1).
type Welcome struct {
	Suite              Suite
	Secrets            []EncryptedGroupSecrets
	EncryptedGroupInfo []byte
}

// MarshalMLS implements Marshaler.
func (w Welcome) MarshalMLS(e *Encoder) {
	e.Uint16(uint16(w.Suite))
	e.Vector(func() {
		for _, s := range w.Secrets {
			e.Bytes(s.NewMember)
			s.Secrets.MarshalMLS(e)
		}
	})
	e.Bytes(w.EncryptedGroupInfo)
}

// UnmarshalMLS implements Unmarshaler.
func (w *Welcome) UnmarshalMLS(d *Decoder) {
	w.Suite = Suite(d.Uint16())
	w.Secrets = Vector(d, maxLeaves, func(d *Decoder, s *EncryptedGroupSecrets) {
		s.NewMember = d.Bytes(maxHash)
		s.Secrets.UnmarshalMLS(d)
	})
	w.EncryptedGroupInfo = d.Bytes(maxMessage)
}

// For returns the same welcome with only the secrets of the joiner whose key
// package has the given reference; ok is false if there are none.
func (w Welcome) For(ref []byte) (one Welcome, ok bool) {
	for i := range w.Secrets {
		if bytes.Equal(w.Secrets[i].NewMember, ref) {
			w.Secrets = w.Secrets[i : i+1 : i+1]
			return w, true
		}
	}
	return Welcome{}, false
}
