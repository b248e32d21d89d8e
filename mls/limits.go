package mls

// Caps on what the decoder accepts. They bound the memory that a hostile
// message can claim before any signature is checked, and are far above what a
// group of 5,000 members with the hybrid suite needs.
const (
	maxMessage     = 32 << 20 // bytes of one encoded object; a hybrid tree of 5,000 warm leaves is 14 MB
	maxKey         = 4 << 10  // bytes of a public key; ML-KEM-768 with X25519 has 1,216
	maxSignature   = 8 << 10  // bytes of a signature; ML-DSA-87 would have 4,627
	maxHash        = 255      // bytes of a hash, reference, MAC or nonce
	maxGroupID     = 1 << 10  // bytes
	maxIdentity    = 16 << 10 // bytes of a basic credential
	maxCertificate = 64 << 10 // bytes of one X.509 certificate
	maxChain       = 16       // certificates in one credential
	maxExtensions  = 256      // extensions in one list
	maxCodes       = 1 << 10  // entries in one list of capabilities
	maxKEM         = 8 << 10  // bytes of a KEM output; ML-KEM-768 with X25519 has 1,120
	maxSealedPath  = 512      // bytes of a sealed path secret; ours have 48
	maxPath        = 32       // nodes on an update path: the depth of the tree
	maxProposals   = 1 << 16  // proposals in one commit
	maxSenders     = 256      // entries of external_senders
	maxPSKs        = 256      // pre-shared keys in one commit or welcome
	maxContext     = 16 << 20 // bytes of all extensions of a group context, for it to fit into messages and rows
	maxPending     = 8 << 20  // bytes of the pending proposals of one epoch, which are one row
	maxLeaves      = 1 << 16  // leaves of a tree, blanks included
	maxNodes       = 2*maxLeaves - 1
)

// MaxLeaves is the largest number of leaves, blank ones included, that a
// ratchet tree may have here. RFC 9420 itself sets no limit below 2^31.
const MaxLeaves = maxLeaves

// MaxPendingProposals is how many proposals of one epoch a PublicGroup keeps.
// Together they may have 8 MiB.
const MaxPendingProposals = 1 << 10
