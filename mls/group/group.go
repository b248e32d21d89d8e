package group

import (
	"errors"
	"time"

	"github.com/veche-im/veche/mls"
)

var errNotYet = errors.New("group: not written yet")

// Errors of a member's own side. What a message does wrong is said with the
// errors of package mls.
var (
	// ErrOpen is the answer to every PrivateMessage that does not open,
	// whatever the reason: a stranger learns nothing from it.
	ErrOpen = errors.New("group: message does not open")
	// ErrRemoved: this member was removed, or the group was closed by a
	// reinit; it can read its members but do nothing more.
	ErrRemoved = errors.New("group: no longer a member")
	// ErrJoining: the external commit by which this member joins has not yet
	// been merged.
	ErrJoining = errors.New("group: external commit not merged yet")
	// ErrPending: there is a pending commit already, or none to merge.
	ErrPending = errors.New("group: pending commit in the way, or missing")
	// ErrOwnCommit: the message is a commit by this member that is not the
	// pending one, so that its secrets are lost. Rejoin by external commit.
	ErrOwnCommit = errors.New("group: own commit whose secrets are lost")
	// ErrUndecryptable: the commit is well formed but its path does not open
	// for this member. Rejoin by external commit.
	ErrUndecryptable = errors.New("group: update path does not open for us")
	// ErrExhausted: a message ratchet has reached its last generation.
	ErrExhausted = errors.New("group: no more message keys in this epoch")
)

// Signer is a member's signature key pair. The private key does not print or
// marshal.
type Signer struct {
	scheme mls.SignatureScheme
	public []byte
	priv   Secret
}

// NewSigner makes a fresh key pair for the suite's signature scheme.
func NewSigner(suite mls.Suite) (Signer, error) { return Signer{}, errNotYet }

// ParseSigner makes a Signer from a private key: for Ed25519 the 32-byte seed,
// for ECDSA P-256 the 32-byte scalar.
func ParseSigner(suite mls.Suite, private []byte) (Signer, error) { return Signer{}, errNotYet }

// Public returns the public key, as it stands in leaf nodes.
func (s Signer) Public() []byte { return s.public }

// Private returns the private key in the form that ParseSigner takes.
func (s Signer) Private() Secret { return s.priv }

// KeyPackageConfig says what a key package should hold. Suite, Signer and
// Credential are required.
type KeyPackageConfig struct {
	Suite          mls.Suite
	Signer         Signer
	Credential     mls.Credential
	Lifetime       mls.Lifetime      // zero means 90 days from an hour ago
	LastResort     bool              // may be used more than once
	LeafExtensions mls.Extensions    // of the leaf node
	Extensions     mls.Extensions    // of the key package itself
	Capabilities   *mls.Capabilities // nil means DefaultCapabilities, with the types of all extensions above
}

// DefaultCapabilities is what this implementation supports, beyond the default
// types of RFC 9420 §7.2: all its suites, basic credentials, last_resort, and
// the given extension types.
func DefaultCapabilities(extensions ...mls.ExtensionType) mls.Capabilities {
	return mls.Capabilities{}
}

// KeyPackageSecrets is the private half of a key package.
type KeyPackageSecrets struct {
	init, leaf Secret
	signer     Signer
}

// NewKeyPackage makes a key package and its secrets.
func NewKeyPackage(cfg KeyPackageConfig) (mls.KeyPackage, KeyPackageSecrets, error) {
	return mls.KeyPackage{}, KeyPackageSecrets{}, errNotYet
}

// Export returns the secrets in the form that ParseKeyPackageSecrets takes, for
// the caller to store.
func (k KeyPackageSecrets) Export() []byte { return nil }

// ParseKeyPackageSecrets reads what Export returned.
func ParseKeyPackageSecrets(b []byte) (KeyPackageSecrets, error) {
	return KeyPackageSecrets{}, errNotYet
}

// Config says how this member takes part in a group that it creates or joins by
// external commit. Suite, Signer and Credential are required, GroupID too for
// Create. Suite and GroupID are not looked at when joining.
type Config struct {
	Suite          mls.Suite
	GroupID        []byte
	Signer         Signer
	Credential     mls.Credential
	Extensions     mls.Extensions    // of the group context; Create alone
	LeafExtensions mls.Extensions    // of this member's leaf node
	Capabilities   *mls.Capabilities // nil means DefaultCapabilities, with the types of all extensions above
}

// Group is one member's view of a group in its current epoch.
type Group struct {
	public *mls.PublicGroup
}

// Create starts a group with one member at epoch 0 (RFC 9420 §11).
func Create(cfg Config) (*Group, error) { return nil, errNotYet }

// Join enters the group that w welcomes the holder of kp into (RFC 9420
// §12.4.3.1). tree is the ratchet tree, or nil if w carries it. Everything that
// the RFC asks for is verified, but whether the members are who they say
// is for the caller, who looks at Members before trusting the group.
func Join(w *mls.Welcome, kp mls.KeyPackage, secrets KeyPackageSecrets, tree []byte) (*Group, error) {
	return nil, errNotYet
}

// ExternalOptions are the choices of a joiner by external commit.
type ExternalOptions struct {
	AuthenticatedData []byte
	RemoveOwn         *mls.LeafIndex // this client's former leaf, if it is still in the group
}

// JoinExternal makes an external commit to the group that info describes
// (RFC 9420 §12.4.3.2). The Group is in the epoch of info and not yet a member;
// once the commit is accepted, MergePending makes it one. tree is nil if info
// carries it.
func JoinExternal(info *mls.GroupInfo, tree []byte, cfg Config, opts ExternalOptions) (*Group, *Pending, error) {
	return nil, nil, errNotYet
}

// Load reads a group that Save wrote. It returns mls.ErrStorage if there is none
// or it is damaged.
func Load(s mls.Storage) (*Group, error) { return nil, errNotYet }

// Save writes what has changed since the group was loaded or last saved: one
// small row after Seal or Open, a path after a commit. If the transaction
// behind s fails to commit, the group must be loaded again.
func (g *Group) Save(s mls.Storage) error { return errNotYet }

// CommitOptions say what a commit should do. The zero value renews this
// member's own keys.
type CommitOptions struct {
	Add               []mls.KeyPackage
	Remove            []mls.LeafIndex
	Extensions        *mls.Extensions // replaces all extensions of the group context
	IncludePending    bool            // commit the pending proposals too, except those that cannot be
	NoPath            bool            // leave the path out if the proposals allow it
	AuthenticatedData []byte          // of the commit message, for all to read

	WelcomeExtensions mls.Extensions // for the joiners' eyes: group info extensions inside the Welcome
	TreeInWelcome     bool           // put the tree into the Welcome; otherwise joiners get it elsewhere

	Now time.Time // when lifetimes of added key packages are checked; zero means time.Now()
}

// Pending is a commit that this member made and that has not been accepted yet.
type Pending struct {
	*Staged
	Message   []byte // MLSMessage with a PublicMessage
	Welcome   []byte // MLSMessage with a Welcome for all added members; nil if there are none
	GroupInfo []byte // MLSMessage with the GroupInfo of the new epoch, with external_pub, without ratchet_tree
}

// Commit makes a commit. The group stays in its epoch, with the commit pending,
// until MergePending, ClearPending, or a commit of another member is applied.
func (g *Group) Commit(opts CommitOptions) (*Pending, error) { return nil, errNotYet }

// MergePending moves the group to the epoch of its pending commit.
func (g *Group) MergePending() error { return errNotYet }

// ClearPending forgets the pending commit.
func (g *Group) ClearPending() {}

// HasPending reports whether there is a pending commit.
func (g *Group) HasPending() bool { return false }

// PendingMessage returns the message of the pending commit, nil if there is
// none: when the same bytes turn up as the group's next commit, MergePending.
func (g *Group) PendingMessage() []byte { return nil }

// ProposeAdd returns a proposal to add a client, an MLSMessage with a
// PublicMessage. Like all proposals of one's own it is pending at once.
func (g *Group) ProposeAdd(kp mls.KeyPackage) ([]byte, error) { return nil, errNotYet }

// ProposeRemove returns a proposal to remove the member at i.
func (g *Group) ProposeRemove(i mls.LeafIndex) ([]byte, error) { return nil, errNotYet }

// ProposeUpdate returns a proposal to renew this member's own leaf.
func (g *Group) ProposeUpdate() ([]byte, error) { return nil, errNotYet }

// ProposeExtensions returns a proposal to replace the group's extensions.
func (g *Group) ProposeExtensions(list mls.Extensions) ([]byte, error) { return nil, errNotYet }

// ReceiveProposal verifies m and keeps its proposal for commits of this epoch.
func (g *Group) ReceiveProposal(m *mls.PublicMessage) (*mls.StagedProposal, error) {
	return nil, errNotYet
}

// PendingProposals lists the proposals of this epoch.
func (g *Group) PendingProposals() []*mls.StagedProposal { return nil }

// Staged is a commit that was verified and not yet applied. What it does is in
// the embedded description.
type Staged struct {
	*mls.StagedPublicCommit
	RemovesUs bool // this member is out after the commit; nothing of the new epoch can be derived
}

// Export derives a secret of the epoch that the commit starts, like Group.Export.
func (s *Staged) Export(label string, context []byte, n int) ([]byte, error) {
	return nil, errNotYet
}

// StageCommit verifies m in full, decrypts its path and checks its confirmation
// tag. The group does not change. If m is the pending commit of this member,
// the result is that one.
func (g *Group) StageCommit(m *mls.PublicMessage) (*Staged, error) { return nil, errNotYet }

// Apply moves the group to the epoch after c, which must be the result of
// StageCommit on this state, else mls.ErrStale.
func (g *Group) Apply(c *Staged) error { return errNotYet }

// Seal encrypts an application message and signs it; the result is an
// MLSMessage with a PrivateMessage. authenticatedData is for all to read. The
// key is used up: Save must be committed before the bytes leave.
func (g *Group) Seal(plaintext, authenticatedData []byte) ([]byte, error) { return nil, errNotYet }

// Opened is an application message that was decrypted and whose sender was
// verified.
type Opened struct {
	Sender            mls.LeafIndex
	Generation        uint32 // counts the messages of the sender in this epoch, from 0
	Plaintext         []byte
	AuthenticatedData []byte
}

// Open decrypts an application message of this epoch and uses up its key.
// Messages of one sender may arrive out of order, up to 1,000 ahead of the last.
// Whatever goes wrong, the error is ErrOpen and nothing has changed.
func (g *Group) Open(m *mls.PrivateMessage) (Opened, error) { return Opened{}, ErrOpen }

// Export derives a secret of n bytes of this epoch for the application
// (RFC 9420 §8.5). Labels must be unique to their purpose.
func (g *Group) Export(label string, context []byte, n int) ([]byte, error) { return nil, errNotYet }

// EpochAuthenticator is equal for all members that share this epoch's state
// (RFC 9420 §8.7).
func (g *Group) EpochAuthenticator() []byte { return nil }

// Context returns the group's context in the current epoch.
func (g *Group) Context() mls.GroupContext { return mls.GroupContext{} }

// Public returns what everybody knows of the group. It is owned by the Group
// and must only be read.
func (g *Group) Public() *mls.PublicGroup { return g.public }

// Members lists the members from left to right.
func (g *Group) Members() []mls.Member { return nil }

// OwnLeaf is this member's own position.
func (g *Group) OwnLeaf() mls.LeafIndex { return 0 }

// Epoch is the number of the current epoch.
func (g *Group) Epoch() uint64 { return 0 }

// GroupInfo returns a signed GroupInfo of the current epoch with external_pub,
// an MLSMessage; with withTree the ratchet tree too.
func (g *Group) GroupInfo(withTree bool) ([]byte, error) { return nil, errNotYet }
