package mls

// ProposalType is the number of a kind of proposal (RFC 9420 §17.4).
type ProposalType uint16

// The kinds of proposal that can be decoded. Others cannot, since their length
// is unknown.
const (
	ProposalAdd                    ProposalType = 1
	ProposalUpdate                 ProposalType = 2
	ProposalRemove                 ProposalType = 3
	ProposalPSK                    ProposalType = 4
	ProposalReInit                 ProposalType = 5
	ProposalExternalInit           ProposalType = 6
	ProposalGroupContextExtensions ProposalType = 7
	// ProposalAppDataUpdate changes one entry of the app_data_dictionary
	// (draft-ietf-mls-extensions §4.7).
	ProposalAppDataUpdate ProposalType = 8
	// ProposalSelfRemove is how a member leaves: it has no content, is sent as
	// a PublicMessage and committed by reference, by a member or by a joiner
	// (draft-ietf-mls-extensions, self_remove).
	ProposalSelfRemove ProposalType = 10
)

// Default reports whether every client supports the proposal (RFC 9420 §7.2).
func (t ProposalType) Default() bool { return t >= 1 && t <= 7 }

// NeedsPath reports whether a commit of such a proposal must have an update
// path (RFC 9420 §12.4).
func (t ProposalType) NeedsPath() bool {
	return t != ProposalAdd && t != ProposalPSK && t != ProposalReInit && t != ProposalAppDataUpdate
}

// ByExternalSender reports whether a sender outside of the group may send such
// a proposal (RFC 9420 §12.1.8).
func (t ProposalType) ByExternalSender() bool {
	return t == ProposalAdd || t == ProposalRemove || t == ProposalPSK ||
		t == ProposalReInit || t == ProposalGroupContextExtensions || t == ProposalAppDataUpdate
}

// Proposal is a change that a commit may bring about (RFC 9420 §12.1). The
// field that belongs to Type is set, all others are nil.
type Proposal struct {
	Type         ProposalType
	Add          *Add
	Update       *Update
	Remove       *Remove
	PSK          *PreSharedKey
	ReInit       *ReInit
	ExternalInit *ExternalInit
	Extensions   *GroupContextExtensions
	AppData      *AppDataUpdate
}

// Add asks that a client be added (RFC 9420 §12.1.1).
type Add struct{ KeyPackage KeyPackage }

// Update replaces the leaf node of its sender (RFC 9420 §12.1.2).
type Update struct{ Leaf LeafNode }

// Remove asks that a member be removed (RFC 9420 §12.1.3).
type Remove struct{ Removed LeafIndex }

// PreSharedKey injects a key that the members already share (RFC 9420 §12.1.4).
type PreSharedKey struct{ ID PreSharedKeyID }

// ReInit asks that the group be replaced by a new one with other parameters
// (RFC 9420 §12.1.5).
type ReInit struct {
	GroupID    []byte
	Version    Version
	Suite      Suite
	Extensions Extensions
}

// MarshalMLS implements Marshaler.
func (r *ReInit) MarshalMLS(e *Encoder) {
	e.Bytes(r.GroupID)
	e.Uint16(uint16(r.Version))
	e.Uint16(uint16(r.Suite))
	r.Extensions.MarshalMLS(e)
}

// UnmarshalMLS implements Unmarshaler.
func (r *ReInit) UnmarshalMLS(d *Decoder) {
	r.GroupID = d.Bytes(maxGroupID)
	r.Version, r.Suite = Version(d.Uint16()), Suite(d.Uint16())
	r.Extensions.UnmarshalMLS(d)
}

// ExternalInit carries the init secret of a joiner, sealed to the group
// (RFC 9420 §12.1.6).
type ExternalInit struct{ KEMOutput []byte }

// GroupContextExtensions replaces all extensions of the group (RFC 9420
// §12.1.7).
type GroupContextExtensions struct{ Extensions Extensions }

// ProposeAdd returns an Add of the key package.
func ProposeAdd(k KeyPackage) Proposal {
	return Proposal{Type: ProposalAdd, Add: &Add{k}}
}

// ProposeUpdate returns an Update to the leaf node.
func ProposeUpdate(l LeafNode) Proposal {
	return Proposal{Type: ProposalUpdate, Update: &Update{l}}
}

// ProposeRemove returns a Remove of the member at i.
func ProposeRemove(i LeafIndex) Proposal {
	return Proposal{Type: ProposalRemove, Remove: &Remove{i}}
}

// ProposePSK returns a PreSharedKey proposal.
func ProposePSK(id PreSharedKeyID) Proposal {
	return Proposal{Type: ProposalPSK, PSK: &PreSharedKey{id}}
}

// ProposeReInit returns a ReInit. The new group's version is that of RFC 9420.
func ProposeReInit(groupID []byte, s Suite, extensions Extensions) Proposal {
	return Proposal{Type: ProposalReInit, ReInit: &ReInit{GroupID: groupID, Version: MLS10, Suite: s, Extensions: extensions}}
}

// ProposeExternalInit returns an ExternalInit with the KEM output.
func ProposeExternalInit(kemOutput []byte) Proposal {
	return Proposal{Type: ProposalExternalInit, ExternalInit: &ExternalInit{kemOutput}}
}

// ProposeExtensions returns a GroupContextExtensions with the list.
func ProposeExtensions(list Extensions) Proposal {
	return Proposal{Type: ProposalGroupContextExtensions, Extensions: &GroupContextExtensions{list}}
}

// ProposeSelfRemove returns a SelfRemove.
func ProposeSelfRemove() Proposal { return Proposal{Type: ProposalSelfRemove} }

// ProposeAppData returns an AppDataUpdate.
func ProposeAppData(u AppDataUpdate) Proposal {
	return Proposal{Type: ProposalAppDataUpdate, AppData: &u}
}

// MarshalMLS implements Marshaler.
func (p Proposal) MarshalMLS(e *Encoder) {
	e.Uint16(uint16(p.Type))
	switch {
	case p.Type == ProposalAdd && p.Add != nil:
		p.Add.KeyPackage.MarshalMLS(e)
	case p.Type == ProposalUpdate && p.Update != nil:
		p.Update.Leaf.MarshalMLS(e)
	case p.Type == ProposalRemove && p.Remove != nil:
		e.Uint32(uint32(p.Remove.Removed))
	case p.Type == ProposalPSK && p.PSK != nil:
		p.PSK.ID.MarshalMLS(e)
	case p.Type == ProposalReInit && p.ReInit != nil:
		p.ReInit.MarshalMLS(e)
	case p.Type == ProposalExternalInit && p.ExternalInit != nil:
		e.Bytes(p.ExternalInit.KEMOutput)
	case p.Type == ProposalGroupContextExtensions && p.Extensions != nil:
		p.Extensions.Extensions.MarshalMLS(e)
	case p.Type == ProposalAppDataUpdate && p.AppData != nil:
		p.AppData.MarshalMLS(e)
	case p.Type == ProposalSelfRemove:
	default:
		e.Fail("proposal type %d without its content", p.Type)
	}
}

// UnmarshalMLS implements Unmarshaler.
func (p *Proposal) UnmarshalMLS(d *Decoder) {
	p.Type = ProposalType(d.Uint16())
	switch p.Type {
	case ProposalAdd:
		p.Add = new(Add)
		p.Add.KeyPackage.UnmarshalMLS(d)
	case ProposalUpdate:
		p.Update = new(Update)
		p.Update.Leaf.UnmarshalMLS(d)
	case ProposalRemove:
		p.Remove = &Remove{LeafIndex(d.Uint32())}
	case ProposalPSK:
		p.PSK = new(PreSharedKey)
		p.PSK.ID.UnmarshalMLS(d)
	case ProposalReInit:
		p.ReInit = new(ReInit)
		p.ReInit.UnmarshalMLS(d)
	case ProposalExternalInit:
		p.ExternalInit = &ExternalInit{d.Bytes(maxKEM)}
	case ProposalGroupContextExtensions:
		p.Extensions = new(GroupContextExtensions)
		p.Extensions.Extensions.UnmarshalMLS(d)
	case ProposalAppDataUpdate:
		p.AppData = new(AppDataUpdate)
		p.AppData.UnmarshalMLS(d)
	case ProposalSelfRemove:
	default:
		d.Fail("proposal type %#04x", uint16(p.Type))
	}
}

// ProposalOrRef is how a commit names a proposal: the proposal itself, or the
// hash of the message in which it was sent (RFC 9420 §12.4).
type ProposalOrRef struct {
	Proposal *Proposal
	Ref      []byte // if Proposal is nil
}

// MarshalMLS implements Marshaler.
func (p ProposalOrRef) MarshalMLS(e *Encoder) {
	if p.Proposal != nil {
		e.Uint8(1)
		p.Proposal.MarshalMLS(e)
		return
	}
	e.Uint8(2)
	e.Bytes(p.Ref)
}

// UnmarshalMLS implements Unmarshaler.
func (p *ProposalOrRef) UnmarshalMLS(d *Decoder) {
	switch t := d.Uint8(); t {
	case 1:
		p.Proposal = new(Proposal)
		p.Proposal.UnmarshalMLS(d)
	case 2:
		p.Ref = d.Bytes(maxHash)
	default:
		d.Fail("proposal-or-ref type %d", t)
	}
}

// PSKType is the number of a kind of pre-shared key (RFC 9420 §8.4).
type PSKType uint8

// The kinds of pre-shared keys.
const (
	PSKExternal   PSKType = 1
	PSKResumption PSKType = 2
)

// PSKUsage is what a resumption PSK is used for (RFC 9420 §8.4).
type PSKUsage uint8

// The usages of resumption PSKs.
const (
	PSKApplication PSKUsage = 1
	PSKReInit      PSKUsage = 2
	PSKBranch      PSKUsage = 3
)

// PreSharedKeyID names a pre-shared key and makes its use unique (RFC 9420
// §8.4).
type PreSharedKeyID struct {
	Type    PSKType
	ID      []byte   // external
	Usage   PSKUsage // resumption
	GroupID []byte   // resumption
	Epoch   uint64   // resumption
	Nonce   []byte   // as long as the suite's hash
}

// Links reports whether the key ties a new group to the old one that it follows,
// which only the commit by which the founder leaves epoch 0 may do (RFC 9420
// §11.2, §11.3).
func (p PreSharedKeyID) Links() bool {
	return p.Type == PSKResumption && (p.Usage == PSKReInit || p.Usage == PSKBranch)
}

// MarshalMLS implements Marshaler.
func (p PreSharedKeyID) MarshalMLS(e *Encoder) {
	p.marshalKey(e)
	e.Bytes(p.Nonce)
}

// marshalKey writes all but the nonce: which key it is.
func (p PreSharedKeyID) marshalKey(e *Encoder) {
	e.Uint8(uint8(p.Type))
	switch p.Type {
	case PSKExternal:
		e.Bytes(p.ID)
	case PSKResumption:
		e.Uint8(uint8(p.Usage))
		e.Bytes(p.GroupID)
		e.Uint64(p.Epoch)
	default:
		e.Fail("psk type %d", p.Type)
	}
}

// UnmarshalMLS implements Unmarshaler.
func (p *PreSharedKeyID) UnmarshalMLS(d *Decoder) {
	p.Type = PSKType(d.Uint8())
	switch p.Type {
	case PSKExternal:
		p.ID = d.Bytes(maxIdentity)
	case PSKResumption:
		p.Usage = PSKUsage(d.Uint8())
		if d.Err() == nil && (p.Usage < PSKApplication || p.Usage > PSKBranch) {
			d.Fail("psk usage %d", p.Usage)
		}
		p.GroupID = d.Bytes(maxGroupID)
		p.Epoch = d.Uint64()
	default:
		d.Fail("psk type %d", p.Type)
	}
	p.Nonce = d.Bytes(maxHash)
}

// HPKECiphertext is a message sealed to a public key (RFC 9420 §7.6).
type HPKECiphertext struct {
	KEMOutput  []byte
	Ciphertext []byte
}

// MarshalMLS implements Marshaler.
func (c HPKECiphertext) MarshalMLS(e *Encoder) {
	e.Bytes(c.KEMOutput)
	e.Bytes(c.Ciphertext)
}

// UnmarshalMLS implements Unmarshaler.
func (c *HPKECiphertext) UnmarshalMLS(d *Decoder) {
	c.KEMOutput = d.Bytes(maxKEM)
	c.Ciphertext = d.Bytes(maxMessage)
}

// UpdatePathNode is the new key of one node above the committer, and the secret
// behind it sealed to those below its other child (RFC 9420 §7.6).
type UpdatePathNode struct {
	EncryptionKey []byte
	Secrets       []HPKECiphertext // one for each node of the resolution of the copath child
}

// MarshalMLS implements Marshaler.
func (n UpdatePathNode) MarshalMLS(e *Encoder) {
	e.Bytes(n.EncryptionKey)
	e.Vector(func() {
		for _, s := range n.Secrets {
			s.MarshalMLS(e)
		}
	})
}

// UnmarshalMLS implements Unmarshaler.
func (n *UpdatePathNode) UnmarshalMLS(d *Decoder) {
	n.EncryptionKey = d.Bytes(maxKey)
	n.Secrets = Vector(d, maxLeaves, func(d *Decoder, c *HPKECiphertext) {
		c.KEMOutput = d.Bytes(maxKEM)
		c.Ciphertext = d.Bytes(maxSealedPath)
	})
}

// UpdatePath renews the committer's leaf node and the nodes above it (RFC 9420
// §7.6).
type UpdatePath struct {
	Leaf  LeafNode
	Nodes []UpdatePathNode // along the filtered direct path, from the leaf up
}

// MarshalMLS implements Marshaler.
func (u *UpdatePath) MarshalMLS(e *Encoder) {
	u.Leaf.MarshalMLS(e)
	e.Vector(func() {
		for _, n := range u.Nodes {
			n.MarshalMLS(e)
		}
	})
}

// UnmarshalMLS implements Unmarshaler.
func (u *UpdatePath) UnmarshalMLS(d *Decoder) {
	u.Leaf.UnmarshalMLS(d)
	secrets := 0
	u.Nodes = Vector(d, maxPath, func(d *Decoder, n *UpdatePathNode) {
		n.UnmarshalMLS(d)
		if secrets += len(n.Secrets); secrets > maxLeaves {
			d.Fail("a path sealed more than %d times", maxLeaves)
		}
	})
}

// Commit starts a new epoch (RFC 9420 §12.4).
type Commit struct {
	Proposals []ProposalOrRef
	Path      *UpdatePath // nil if absent
}

// MarshalMLS implements Marshaler.
func (c *Commit) MarshalMLS(e *Encoder) {
	e.Vector(func() {
		for _, p := range c.Proposals {
			p.MarshalMLS(e)
		}
	})
	e.Optional(c.Path != nil)
	if c.Path != nil {
		c.Path.MarshalMLS(e)
	}
}

// UnmarshalMLS implements Unmarshaler.
func (c *Commit) UnmarshalMLS(d *Decoder) {
	c.Proposals = Vector(d, maxProposals, func(d *Decoder, p *ProposalOrRef) { p.UnmarshalMLS(d) })
	if d.Optional() {
		c.Path = new(UpdatePath)
		c.Path.UnmarshalMLS(d)
	}
}
