package mls

import (
	"bytes"
	"fmt"
	"slices"
)

// Member is a member of a group in one epoch.
type Member struct {
	Index LeafIndex
	Leaf  *LeafNode // not to be changed
}

// Change is a member whose leaf node a commit replaces.
type Change struct {
	Index    LeafIndex
	Old, New *LeafNode // not to be changed
}

// PublicGroup is what can be known of a group without its secrets: context,
// tree, transcript and pending proposals. A server keeps one for each group.
type PublicGroup struct {
	context GroupContext
	interim []byte // interim transcript hash (RFC 9420 §8.2)
	tree    *Tree
	reinit  *ReInit // that closed the group, else nil
	pending []*StagedProposal

	saved saved
}

// NewPublicGroup starts to follow a group at the epoch of info. tree is the
// encoding of the ratchet tree, or nil to take it from the extension in info.
// All that a joiner would check without secrets is checked: the signature of
// info, the tree hash, each leaf node, the parent hashes (RFC 9420 §12.4.3.1).
func NewPublicGroup(info *GroupInfo, tree []byte) (*PublicGroup, error) {
	c := info.Context
	if c.Version != MLS10 {
		return nil, fmt.Errorf("%w: %d", ErrVersion, c.Version)
	}
	if !c.Suite.Supported() {
		return nil, fmt.Errorf("%w: %v", ErrSuite, c.Suite)
	}
	if tree == nil {
		data, ok := info.Extensions.Get(ExtensionRatchetTree)
		if !ok {
			return nil, fmt.Errorf("%w: no tree given", ErrTree)
		}
		tree = data
	}
	t, err := ParseTree(c.Suite, tree)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(t.Hash(), c.TreeHash) {
		return nil, ErrTreeHash
	}
	signer := t.Leaf(info.Signer)
	if signer == nil {
		return nil, fmt.Errorf("%w: group info is signed by leaf %d", ErrNotMember, info.Signer)
	}
	if err := info.verifySignature(signer.SignatureKey); err != nil {
		return nil, err
	}
	if err := info.Extensions.check(); err != nil {
		return nil, err
	}
	if err := CheckContextExtensions(c.Extensions); err != nil {
		return nil, err
	}
	if err := t.verify(c.GroupID, c.Extensions); err != nil {
		return nil, err
	}
	return &PublicGroup{
		context: c,
		interim: InterimHash(c.Suite, c.ConfirmedTranscriptHash, info.ConfirmationTag),
		tree:    t,
	}, nil
}

// FoundPublicGroup returns the group at epoch 0 with leaf as its only member
// (RFC 9420 §11), who is the caller: its signature is not verified. confirm computes the confirmation tag for the context.
func FoundPublicGroup(s Suite, groupID []byte, extensions Extensions, leaf *LeafNode, confirm func(*GroupContext) ([]byte, error)) (*PublicGroup, error) {
	if len(groupID) > maxGroupID {
		return nil, fmt.Errorf("%w: %d bytes", ErrGroupID, len(groupID))
	}
	t := newTree(s)
	t.setLeaf(0, leaf)
	if err := CheckContextExtensions(extensions); err != nil {
		return nil, err
	}
	if err := t.checkNodes(); err != nil {
		return nil, err
	}
	if err := t.checkTogether(extensions, nil); err != nil {
		return nil, err
	}
	g := &PublicGroup{tree: t, context: GroupContext{
		Version: MLS10, Suite: s, GroupID: groupID, TreeHash: t.Hash(),
		ConfirmedTranscriptHash: []byte{}, Extensions: extensions,
	}}
	tag, err := confirm(&g.context)
	if err != nil {
		return nil, err
	}
	g.interim = InterimHash(s, nil, tag)
	return g, nil
}

// CheckContextExtensions returns ErrExtension unless a list is fit to be the
// extensions of a GroupContext: not too large, nothing twice, and what we can
// read is readable.
func CheckContextExtensions(x Extensions) error {
	if len(x) > maxExtensions {
		return fmt.Errorf("%w: %d of them", ErrExtension, len(x))
	}
	size := 0
	for _, ext := range x {
		size += len(ext.Data)
	}
	if size > maxContext {
		return fmt.Errorf("%w: %d bytes of them", ErrExtension, size)
	}
	if err := x.check(); err != nil {
		return err
	}
	if _, err := x.RequiredCapabilities(); err != nil {
		return err
	}
	if _, err := x.AppData(); err != nil {
		return err
	}
	_, err := x.ExternalSenders()
	return err
}

// Context returns the group's context in the current epoch.
func (g *PublicGroup) Context() GroupContext { return g.context }

// Epoch returns the number of the current epoch.
func (g *PublicGroup) Epoch() uint64 { return g.context.Epoch }

// Closed reports whether a ReInit has ended the group: there are no commits
// after it.
func (g *PublicGroup) Closed() bool { return g.reinit != nil }

// ReInit returns what is to follow the group if it is closed, else nil. It must
// not be changed.
func (g *PublicGroup) ReInit() *ReInit { return g.reinit }

// Members lists the members from left to right.
func (g *PublicGroup) Members() []Member { return g.tree.Members() }

// Leaf returns the leaf node at i, or nil if there is none. It must not be
// changed.
func (g *PublicGroup) Leaf(i LeafIndex) *LeafNode { return g.tree.Leaf(i) }

// RatchetTree returns the tree of the current epoch, to be read only.
func (g *PublicGroup) RatchetTree() *Tree { return g.tree }

// Tree returns the encoding of the ratchet tree, as it stands in the
// ratchet_tree extension.
func (g *PublicGroup) Tree() ([]byte, error) { return Marshal(g.tree) }

// TreeNodes returns the encoding of the ratchet tree node by node, each an
// optional<Node>, blank ones included up to the last that is not; Tree is a
// length followed by these.
func (g *PublicGroup) TreeNodes() ([][]byte, error) {
	out := make([][]byte, g.tree.used())
	for i := range out {
		var e Encoder
		g.tree.nodes[i].marshal(&e)
		b, err := e.Result()
		if err != nil {
			return nil, err
		}
		out[i] = b
	}
	return out, nil
}

// checkFrame checks the envelope of a handshake message and its signature
// (RFC 9420 §6.1). Whether a membership tag or AEAD was good cannot be seen here.
func (g *PublicGroup) checkFrame(a *AuthenticatedContent, want ContentType) error {
	c := &a.Content
	if !bytes.Equal(c.GroupID, g.context.GroupID) {
		return ErrGroupID
	}
	if c.Epoch != g.context.Epoch {
		return fmt.Errorf("%w: %d, the group is in %d", ErrEpoch, c.Epoch, g.context.Epoch)
	}
	if c.Type == ContentApplication && a.WireFormat == WirePublicMessage {
		return ErrPublicApplication
	}
	if c.Type != want {
		return fmt.Errorf("%w: %d", ErrContentType, c.Type)
	}
	if g.Closed() {
		return fmt.Errorf("%w: the group is closed", ErrReInit)
	}
	if c.Sender.Type != SenderMember && a.WireFormat != WirePublicMessage {
		return fmt.Errorf("%w: from outside of the group", ErrWireFormat)
	}
	key, err := g.senderKey(c)
	if err != nil {
		return err
	}
	content, err := a.SignedContent(&g.context)
	if err != nil {
		return err
	}
	return g.context.Suite.VerifyWithLabel(key, FramedContentLabel, content, a.Auth.Signature)
}

// senderKey returns the signature key of the sender, whose role must fit the
// content (RFC 9420 §6.1).
func (g *PublicGroup) senderKey(c *FramedContent) ([]byte, error) {
	switch c.Sender.Type {
	case SenderMember:
		if l := g.tree.Leaf(c.Sender.Leaf); l != nil {
			return l.SignatureKey, nil
		}
		return nil, fmt.Errorf("%w: leaf %d is blank", ErrSender, c.Sender.Leaf)
	case SenderExternal:
		if c.Type != ContentProposal || !c.Proposal.Type.ByExternalSender() {
			return nil, fmt.Errorf("%w: external sender", ErrSender)
		}
		list, err := g.context.Extensions.ExternalSenders()
		if err != nil {
			return nil, err
		}
		if int64(c.Sender.Index) >= int64(len(list)) {
			return nil, fmt.Errorf("%w: external sender %d", ErrSender, c.Sender.Index)
		}
		return list[c.Sender.Index].SignatureKey, nil
	case SenderNewMemberProposal:
		if c.Type != ContentProposal || c.Proposal.Type != ProposalAdd {
			return nil, fmt.Errorf("%w: new member may propose to be added and nothing else", ErrSender)
		}
		return c.Proposal.Add.KeyPackage.Leaf.SignatureKey, nil
	case SenderNewMemberCommit:
		if c.Type != ContentCommit || c.Commit.Path == nil {
			return nil, fmt.Errorf("%w: no path", ErrExternalCommit)
		}
		return c.Commit.Path.Leaf.SignatureKey, nil
	}
	return nil, fmt.Errorf("%w: type %d", ErrSender, c.Sender.Type)
}

// StageCommit checks m as far as is possible without secrets and returns what
// it would change. The group itself stays as it is until Apply.
//
// Two things are left to the caller: whether the committer may do this and
// whether the new leaf nodes are who they say; and, with External and a removed
// member, whether the joiner is that member come back (RFC 9420 §12.2).
func (g *PublicGroup) StageCommit(m *PublicMessage) (*StagedPublicCommit, error) {
	if m.Content.Sender.Type == SenderMember && len(m.MembershipTag) != g.context.Suite.HashSize() {
		return nil, ErrMembershipTag
	}
	return g.StageContent(m.Authenticated())
}

// StageContent is StageCommit for a commit that was unprotected already, from
// whichever wire format.
func (g *PublicGroup) StageContent(a *AuthenticatedContent) (*StagedPublicCommit, error) {
	if err := g.checkFrame(a, ContentCommit); err != nil {
		return nil, err
	}
	if len(a.Auth.ConfirmationTag) != g.context.Suite.HashSize() {
		return nil, ErrConfirmation
	}
	commit := a.Content.Commit
	d, err := g.Draft(a.Content.Sender, commit.Proposals)
	if err != nil {
		return nil, err
	}
	if commit.Path != nil {
		if err := d.mergePath(commit.Path); err != nil {
			return nil, err
		}
	}
	staged, err := d.Finish(a)
	if err != nil {
		return nil, err
	}
	staged.Confirm(a.Auth.ConfirmationTag)
	return staged, nil
}

// Apply moves the group to the epoch after c. It returns ErrStale if c was
// staged on another state.
func (g *PublicGroup) Apply(c *StagedPublicCommit) error {
	if !bytes.Equal(c.base, g.interim) || c.interim == nil {
		return ErrStale
	}
	g.context, g.interim, g.tree = c.Context, c.interim, c.tree
	g.reinit = c.ReInit
	g.pending = nil
	return nil
}

// StagedProposal is a proposal that was found valid and not yet kept.
type StagedProposal struct {
	Ref               []byte
	Sender            Sender
	Proposal          *Proposal
	AuthenticatedData []byte

	content *AuthenticatedContent
	size    int    // bytes of content
	base    []byte // interim transcript hash of the state on which it was checked
}

// StageProposal checks m as far as is possible without secrets.
func (g *PublicGroup) StageProposal(m *PublicMessage) (*StagedProposal, error) {
	if m.Content.Sender.Type == SenderMember && len(m.MembershipTag) != g.context.Suite.HashSize() {
		return nil, ErrMembershipTag
	}
	return g.StageProposalContent(m.Authenticated())
}

// StageProposalContent is StageProposal for a proposal that was unprotected
// already, from whichever wire format.
func (g *PublicGroup) StageProposalContent(a *AuthenticatedContent) (*StagedProposal, error) {
	if err := g.checkFrame(a, ContentProposal); err != nil {
		return nil, err
	}
	if a.Content.Proposal.Type == ProposalSelfRemove && a.WireFormat != WirePublicMessage {
		return nil, fmt.Errorf("%w: self_remove that joiners cannot read", ErrWireFormat)
	}
	unverified := signatures{scheme: g.context.Suite.Signature()}
	if err := g.checkProposal(a.Content.Proposal, a.Content.Sender, &unverified); err != nil {
		return nil, err
	}
	if err := unverified.verify(); err != nil {
		return nil, err
	}
	if err := checkSupport(g.tree.Members(), a.Content.Proposal.Type); err != nil {
		return nil, err
	}
	if err := g.checkFits(a.Content.Proposal, a.Content.Sender); err != nil {
		return nil, err
	}
	ref, size, err := a.proposalRef(g.context.Suite)
	if err != nil {
		return nil, err
	}
	return &StagedProposal{
		Ref:               ref,
		Sender:            a.Content.Sender,
		Proposal:          a.Content.Proposal,
		AuthenticatedData: a.Content.AuthenticatedData,
		content:           a,
		size:              size,
		base:              g.interim,
	}, nil
}

// AddProposal keeps p for commits of this epoch to refer to. A proposal that is
// kept already is kept once. It returns ErrStale if p was staged on another
// epoch, ErrTooManyProposals if there is no room.
func (g *PublicGroup) AddProposal(p *StagedProposal) error {
	if !bytes.Equal(p.base, g.interim) {
		return ErrStale
	}
	if g.find(p.Ref) != nil {
		return nil
	}
	size := p.size
	for _, q := range g.pending {
		size += q.size
	}
	if len(g.pending) >= MaxPendingProposals || size > maxPending {
		return ErrTooManyProposals
	}
	g.pending = append(slices.Clip(g.pending), p)
	return nil
}

func (g *PublicGroup) find(ref []byte) *StagedProposal {
	for _, p := range g.pending {
		if bytes.Equal(p.Ref, ref) {
			return p
		}
	}
	return nil
}

// PendingProposals lists the proposals of this epoch, in the order in which
// they came.
func (g *PublicGroup) PendingProposals() []*StagedProposal { return slices.Clone(g.pending) }

// CheckGroupInfo returns ErrGroupInfo unless info describes exactly this epoch,
// with the confirmation tag of its commit, and a member signed it. Its
// external_pub must be a key of the suite if it is there; whether it is the
// right one cannot be seen without secrets.
func (g *PublicGroup) CheckGroupInfo(info *GroupInfo) error {
	if !info.Context.Equal(&g.context) {
		return fmt.Errorf("%w: context differs", ErrGroupInfo)
	}
	s := g.context.Suite
	if !bytes.Equal(InterimHash(s, info.Context.ConfirmedTranscriptHash, info.ConfirmationTag), g.interim) {
		return fmt.Errorf("%w: confirmation tag differs", ErrGroupInfo)
	}
	signer := g.tree.Leaf(info.Signer)
	if signer == nil {
		return fmt.Errorf("%w: signed by leaf %d: %w", ErrGroupInfo, info.Signer, ErrNotMember)
	}
	if err := info.Extensions.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrGroupInfo, err)
	}
	if key, ok, err := info.Extensions.ExternalPub(); err != nil {
		return fmt.Errorf("%w: %w", ErrGroupInfo, err)
	} else if ok {
		if err := s.CheckEncryptionKey(key); err != nil {
			return fmt.Errorf("%w: external_pub: %w", ErrGroupInfo, err)
		}
	}
	if tree, ok := info.Extensions.Get(ExtensionRatchetTree); ok {
		own, err := g.Tree()
		if err != nil {
			return err
		}
		if !bytes.Equal(tree, own) {
			return fmt.Errorf("%w: %w", ErrGroupInfo, ErrTreeHash)
		}
	}
	if err := info.verifySignature(signer.SignatureKey); err != nil {
		return fmt.Errorf("%w: %w", ErrGroupInfo, err)
	}
	return nil
}
