package group

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/veche-im/veche/mls"
)

// Config says how this member takes part in a group that it creates or joins by
// external commit. Signer and Credential are required, Suite and GroupID too for
// Create; when joining those two are the group's.
type Config struct {
	Suite          mls.Suite
	GroupID        []byte
	Signer         Signer
	Credential     mls.Credential
	Extensions     mls.Extensions    // of the group context; Create alone
	LeafExtensions mls.Extensions    // of this member's leaf node
	Capabilities   *mls.Capabilities // nil means DefaultCapabilities, with the types of all extensions, the group's included
	Grease         bool              // put values into the leaf node that peers must ignore (RFC 9420 §13.5)
	Records        Recording         // which epochs to keep readable, see Record
	Authority      Authority         // nil leaves basic credentials to the caller, and refuses X.509
}

// Status is where this client stands towards a group.
type Status uint8

// What a client can be to a group.
const (
	Member  Status = 1
	Joining Status = 2 // by an external commit that is still pending
	Removed Status = 3 // it can look at the group as it was left, and do nothing more
)

// Group is one member's view of a group in its current epoch.
type Group struct {
	public *mls.PublicGroup
	status Status
	leaf   mls.LeafIndex // own; while joining, where it will be
	signer Signer

	authority Authority // not stored

	epoch   *epochSecrets // nil unless member
	secrets *secretTree
	keys    map[mls.NodeIndex]*Secret // private HPKE keys of the own leaf and of nodes above

	pending *pendingCommit
	updates []ownUpdate // Update proposals of our own in this epoch
	psks    psks

	recording Recording
	ready     []Record // of epochs, for the caller to take; replaced, not changed in place

	welcome mls.Extensions // of the GroupInfo by which we joined; not stored
	saved   saved
}

// Create starts a group with one member at epoch 0 (RFC 9420 §11).
func Create(cfg Config) (*Group, error) {
	s := cfg.Suite
	if !s.Supported() {
		return nil, fmt.Errorf("create a group: %w: %v", mls.ErrSuite, s)
	}
	private, public, err := newKeyPair(s)
	if err != nil {
		return nil, fmt.Errorf("create a group: %w", err)
	}
	leaf := &mls.LeafNode{
		EncryptionKey: public,
		SignatureKey:  cfg.Signer.Public(),
		Credential:    cfg.Credential,
		Capabilities:  capabilitiesFor(cfg.Capabilities, cfg.Credential, cfg.LeafExtensions, cfg.Extensions),
		Source:        mls.LeafUpdate, // a key package would need a lifetime, a commit a parent hash
		Extensions:    slices.Clone(cfg.LeafExtensions),
	}
	if cfg.Grease {
		leaf.Capabilities = grease(leaf.Capabilities, &leaf.Extensions)
	}
	if err := cfg.Signer.signLeaf(leaf, cfg.GroupID, 0); err != nil {
		return nil, fmt.Errorf("create a group: %w", err)
	}
	g := &Group{status: Member, signer: cfg.Signer, authority: cfg.Authority, recording: cfg.Records, keys: map[mls.NodeIndex]*Secret{0: &private}}
	var encryption Secret
	g.epoch, encryption = deriveEpoch(s, randomSecret(s.HashSize()))
	g.public, err = mls.FoundPublicGroup(s, bytes.Clone(cfg.GroupID), slices.Clone(cfg.Extensions), leaf,
		func(c *mls.GroupContext) ([]byte, error) { return g.epoch.confirmationTag(c), nil })
	if err != nil {
		return nil, fmt.Errorf("create a group: %w", err)
	}
	recordBeginning(g, encryption, nil)
	g.secrets = newSecretTree(s, encryption, g.public.RatchetTree().Root())
	return g, nil
}

// active returns an error unless this member may act in the group.
func (g *Group) active() error {
	switch {
	case g.status == Joining:
		return ErrJoining
	case g.status == Removed:
		return ErrRemoved
	case g.public.Closed():
		return fmt.Errorf("%w: the group is closed", mls.ErrReInit)
	}
	return nil
}

func (g *Group) suite() mls.Suite { return g.public.Context().Suite }

// EpochAuthenticator is equal for all members that share this epoch's state
// (RFC 9420 §8.7). It is nil for one who is not a member.
func (g *Group) EpochAuthenticator() []byte {
	if g.epoch == nil {
		return nil
	}
	return g.epoch.authenticator.Export()
}

// Public returns what everybody knows of the group: its context, its members,
// the proposals that wait. It is owned by the Group and must only be read.
func (g *Group) Public() *mls.PublicGroup { return g.public }

// OwnLeaf is this member's own position. While joining it is where the member
// will be.
func (g *Group) OwnLeaf() mls.LeafIndex { return g.leaf }

// Epoch is the number of the current epoch.
func (g *Group) Epoch() uint64 { return g.public.Epoch() }

// Status says whether this client is a member, was removed, or waits for the
// external commit by which it enters. A member of a group that a ReInit has
// closed is still a Member; see mls.PublicGroup.Closed.
func (g *Group) Status() Status { return g.status }

// WelcomeExtensions are the extensions of the GroupInfo by which this member
// joined: what the committer had to tell joiners alone. They are not stored, and
// empty after Load.
func (g *Group) WelcomeExtensions() mls.Extensions { return g.welcome }

// GroupInfo returns a signed GroupInfo of the current epoch with external_pub,
// an MLSMessage; with withTree the ratchet tree too.
func (g *Group) GroupInfo(withTree bool) ([]byte, error) {
	if err := g.active(); err != nil {
		return nil, err
	}
	c := g.public.Context()
	info := &mls.GroupInfo{Context: c, ConfirmationTag: g.epoch.confirmationTag(&c), Signer: g.leaf}
	pub, err := g.epoch.externalPub(c.Suite)
	if err != nil {
		return nil, err
	}
	info.Extensions = mls.Extensions{mls.ExternalPubExtension(pub)}
	if withTree {
		tree, err := g.public.Tree()
		if err != nil {
			return nil, err
		}
		info.Extensions = info.Extensions.With(mls.ExtensionRatchetTree, tree)
	}
	if err := g.signer.signInfo(info); err != nil {
		return nil, err
	}
	return mls.Marshal(mls.Message{GroupInfo: info})
}

// signInfo fills in the signature of a GroupInfo.
func (s Signer) signInfo(info *mls.GroupInfo) error {
	content, err := info.SignedContent()
	if err != nil {
		return err
	}
	info.Signature, err = s.SignWithLabel(mls.GroupInfoLabel, content)
	return err
}
