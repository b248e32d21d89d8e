package mls

import "errors"

var errNotYet = errors.New("mls: not written yet")

// Storage is where a group is kept. The caller makes it from a transaction of
// its own, and commits that transaction before anything that depends on it
// leaves the process. Key layout: docs/spec/mls.md#storage.
type Storage interface {
	// Get returns the value at key, or nil and no error if there is none.
	Get(key string) ([]byte, error)
	Put(key string, value []byte) error
	// Delete removes the value at key; that there is none is no error.
	Delete(key string) error
}

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
}

// NewPublicGroup starts to follow a group at the epoch of info. tree is the
// encoding of the ratchet tree, or nil to take it from the extension in info.
// All that a joiner would check without secrets is checked: the signature of
// info, the tree hash, each leaf node, the parent hashes (RFC 9420 §12.4.3.1).
func NewPublicGroup(info *GroupInfo, tree []byte) (*PublicGroup, error) { return nil, errNotYet }

// LoadPublicGroup reads a group that Save wrote. It returns ErrStorage if there
// is none or it is damaged.
func LoadPublicGroup(s Storage) (*PublicGroup, error) { return nil, errNotYet }

// Save writes what has changed since the group was loaded or last saved. If the
// transaction behind s fails to commit, the group must be loaded again.
func (g *PublicGroup) Save(s Storage) error { return errNotYet }

// Context returns the group's context in the current epoch.
func (g *PublicGroup) Context() GroupContext { return g.context }

// Epoch returns the number of the current epoch.
func (g *PublicGroup) Epoch() uint64 { return g.context.Epoch }

// Members lists the members from left to right.
func (g *PublicGroup) Members() []Member { return nil }

// Leaf returns the leaf node at i, or nil if there is none. It must not be
// changed.
func (g *PublicGroup) Leaf(i LeafIndex) *LeafNode { return nil }

// Tree returns the encoding of the ratchet tree, as it stands in the
// ratchet_tree extension.
func (g *PublicGroup) Tree() ([]byte, error) { return nil, errNotYet }

// TreeNodes returns the encoding of the ratchet tree node by node, each an
// optional<Node>, blank ones included up to the last that is not; Tree is a
// length followed by these.
func (g *PublicGroup) TreeNodes() ([][]byte, error) { return nil, errNotYet }

// StagedPublicCommit is a commit that was found valid and not yet applied.
type StagedPublicCommit struct {
	Committer         LeafIndex // for an external commit, the committer's new leaf
	External          bool
	ExternalLeaf      LeafIndex // of the joiner, if External
	Added             []Member  // by Add proposals; not the external committer
	Removed           []Member  // as they stood before
	Updated           []Change  // by Update proposals or the commit's path
	Context           GroupContext
	AuthenticatedData []byte
	HasPath           bool
	ReInit            *ReInit // if the commit closes the group in favour of a new one
}

// StageCommit checks m as far as is possible without secrets and returns what
// it would change. The group itself stays as it is until Apply.
func (g *PublicGroup) StageCommit(m *PublicMessage) (*StagedPublicCommit, error) {
	return nil, errNotYet
}

// Apply moves the group to the epoch after c. It returns ErrStale if c was
// staged on another epoch.
func (g *PublicGroup) Apply(c *StagedPublicCommit) error { return errNotYet }

// StagedProposal is a proposal that was found valid and not yet kept.
type StagedProposal struct {
	Ref               []byte
	Sender            Sender
	Proposal          *Proposal
	AuthenticatedData []byte
}

// StageProposal checks m as far as is possible without secrets.
func (g *PublicGroup) StageProposal(m *PublicMessage) (*StagedProposal, error) {
	return nil, errNotYet
}

// AddProposal keeps p for commits of this epoch to refer to.
func (g *PublicGroup) AddProposal(p *StagedProposal) error { return errNotYet }

// PendingProposals lists the proposals of this epoch, in the order in which
// they came.
func (g *PublicGroup) PendingProposals() []*StagedProposal { return nil }

// CheckGroupInfo returns ErrGroupInfo unless info describes exactly this epoch
// and a member signed it. Its external_pub cannot be checked without secrets.
func (g *PublicGroup) CheckGroupInfo(info *GroupInfo) error { return errNotYet }
