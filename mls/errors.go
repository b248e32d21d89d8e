package mls

import "errors"

// Every rule that a message, tree or key package can break has its own value,
// so that a caller may test for it and say what was wrong. Returned errors wrap
// one of these with the details.
var (
	// §2.1: encoding.

	ErrEncoding = errors.New("mls: value has no encoding")
	ErrDecoding = errors.New("mls: malformed encoding")

	// §5: cryptographic objects.

	ErrSuite         = errors.New("mls: cipher suite not supported")                 // §5.1
	ErrVersion       = errors.New("mls: protocol version not supported")             // §6
	ErrSignature     = errors.New("mls: signature does not verify")                  // §5.1.2
	ErrEncryptionKey = errors.New("mls: not a valid HPKE public key")                // §5.1.1
	ErrSignatureKey  = errors.New("mls: not a valid signature public key")           // §5.1.1
	ErrCredential    = errors.New("mls: credential type not supported by all")       // §5.3, §7.3
	ErrCapabilities  = errors.New("mls: required capability missing")                // §7.2, §11.1
	ErrExtension     = errors.New("mls: extension not supported, doubled or broken") // §7.2, §13.4

	// §6: framing.

	ErrWireFormat  = errors.New("mls: wrong wire format")  // §6
	ErrContentType = errors.New("mls: wrong content type") // §6
	// ErrPublicApplication: an application message came as a PublicMessage,
	// for everybody to read (§6).
	ErrPublicApplication = errors.New("mls: application message that is not encrypted")
	ErrGroupID           = errors.New("mls: message is for another group")    // §6
	ErrEpoch             = errors.New("mls: message is for another epoch")    // §6, §12.4.2
	ErrSender            = errors.New("mls: no such sender, or not allowed")  // §6.1
	ErrMembershipTag     = errors.New("mls: membership tag does not verify")  // §6.2
	ErrConfirmation      = errors.New("mls: confirmation tag does not match") // §6.1, §12.4.2

	// §7: the ratchet tree.

	ErrTree         = errors.New("mls: malformed ratchet tree")                     // §7.8, §12.4.3.3
	ErrTreeSize     = errors.New("mls: ratchet tree too large")                     // limits.go
	ErrTreeHash     = errors.New("mls: tree hash does not match")                   // §12.4.3.1
	ErrParentHash   = errors.New("mls: parent hash does not match")                 // §7.9.2
	ErrLeafSource   = errors.New("mls: leaf node from the wrong source")            // §7.3
	ErrLifetime     = errors.New("mls: outside the lifetime of the leaf node")      // §7.2
	ErrDuplicateKey = errors.New("mls: encryption key already in use in the group") // §7.3
	// ErrDuplicateClient: the signature key is a member's already, so that
	// one client would be in the group twice (§7.3, §12.2).
	ErrDuplicateClient = errors.New("mls: signature key already in use in the group")
	ErrUnmerged        = errors.New("mls: unmerged leaves do not fit the tree")      // §12.4.3.1
	ErrNotMember       = errors.New("mls: no such member")                           // §12.1.3
	ErrPath            = errors.New("mls: update path does not fit the tree")        // §7.5
	ErrPathRequired    = errors.New("mls: commit must have an update path")          // §12.4
	ErrSameKey         = errors.New("mls: new leaf node repeats its encryption key") // §7.3
	// ErrInitKey: a key package uses one key for two purposes, or two key
	// packages of a commit share their init key (§10.1).
	ErrInitKey    = errors.New("mls: init key is used for something else too")
	ErrKeyPackage = errors.New("mls: key package is for another suite or group") // §10.1

	// §8: key schedule.

	ErrLink = errors.New("mls: new group does not follow from the old one") // §11.2, §11.3

	ErrPSK = errors.New("mls: pre-shared key unknown, doubled or not allowed here") // §8.4, §12.1.4
	// ErrUnknownPSK: the key is allowed, and this member does not have it. It
	// comes with ErrPSK. Once the member has it, the same message can be tried again.
	ErrUnknownPSK = errors.New("mls: pre-shared key that we do not have")

	// §12: proposals and commits.

	ErrProposal = errors.New("mls: proposal not allowed here") // §12.1, §12.2
	// ErrUnsupportedProposal: a member does not list the proposal's type in its
	// capabilities (§12.2).
	ErrUnsupportedProposal = errors.New("mls: proposal type not supported by all")
	ErrUnknownProposal     = errors.New("mls: commit refers to an unknown proposal")       // §12.4
	ErrOwnProposal         = errors.New("mls: committer updates or removes itself")        // §12.2
	ErrDoubleProposal      = errors.New("mls: two proposals for the same thing")           // §12.2
	ErrReInit              = errors.New("mls: reinit with other proposals or version")     // §12.1.5, §12.2
	ErrExternalCommit      = errors.New("mls: not a valid external commit")                // §12.2, §12.4.3.2
	ErrTooManyProposals    = errors.New("mls: too many pending proposals in this epoch")   // limits.go
	ErrStale               = errors.New("mls: staged on a state that has moved on")        // ours: Apply
	ErrEpochOverflow       = errors.New("mls: epoch number exhausted")                     // §12
	ErrGroupInfo           = errors.New("mls: group info is not of this group and epoch")  // §12.4.3
	ErrWelcome             = errors.New("mls: welcome does not open or is not for us")     // §12.4.3.1
	ErrStorage             = errors.New("mls: stored group is damaged or of another kind") // docs/spec/mls.md
)
