package mls

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"
)

// Draft is a group after the proposals of a commit and before its path. It is
// how commits are made (mls/group) and checked (StageContent), so that both
// follow the same rules.
type Draft struct {
	base       *PublicGroup
	sender     Sender
	leaf       LeafIndex
	tree       *Tree
	extensions Extensions
	path       []PathStep
	hasPath    bool

	added        []Member
	packages     []*KeyPackage // of added, in the same order
	removed      []Member
	left         []Member  // of removed, by their own SelfRemove
	replaced     *LeafNode // of the leaf that a joiner removes as its own
	updated      []Change
	psks         []PreSharedKeyID
	externalInit []byte
	reinit       *ReInit
	needsPath    bool
	fresh        map[LeafIndex]bool // leaves that the commit adds
}

// resolved is a proposal of a commit with its sender.
type resolved struct {
	*Proposal
	sender  Sender
	checked bool // when it was received
}

// Draft applies the proposals of a commit by sender to a copy of the group. It
// returns the error of the first rule of RFC 9420 §12.2 that they break.
func (g *PublicGroup) Draft(sender Sender, list []ProposalOrRef) (*Draft, error) {
	if g.context.Epoch == math.MaxUint64 {
		return nil, ErrEpochOverflow
	}
	d := &Draft{
		base: g, sender: sender, tree: g.tree.Clone(), extensions: g.context.Extensions,
		fresh: map[LeafIndex]bool{}, needsPath: len(list) == 0,
	}
	all, err := g.resolve(sender, list)
	if err != nil {
		return nil, err
	}
	check := d.checkList
	if sender.Type == SenderNewMemberCommit {
		check = d.checkExternalList
	}
	if err := check(all); err != nil {
		return nil, err
	}
	unverified := signatures{scheme: g.context.Suite.Signature()}
	for _, p := range all {
		d.needsPath = d.needsPath || p.Type.NeedsPath()
		if p.checked {
			continue
		}
		if p.Type == ProposalPSK && p.PSK.ID.Links() && sender.Type == SenderMember && g.context.Epoch == 0 {
			continue // checkList has seen that it is the only one
		}
		if err := g.checkProposal(p.Proposal, p.sender, &unverified); err != nil {
			return nil, err
		}
	}
	if err := unverified.verify(); err != nil {
		return nil, err
	}
	if err := d.apply(all); err != nil {
		return nil, err
	}
	if err := d.updateAppData(all); err != nil {
		return nil, err
	}
	for _, p := range all {
		if p.Type.Default() {
			continue
		}
		if err := checkSupport(d.staying(), p.Type); err != nil {
			return nil, err
		}
	}
	if sender.Type == SenderNewMemberCommit {
		d.leaf, err = d.tree.free(0)
	} else {
		d.leaf = sender.Leaf
	}
	if err != nil {
		return nil, err
	}
	d.path = d.tree.FilteredPath(d.leaf)
	return d, nil
}

// resolve looks up the proposals that a commit refers to.
func (g *PublicGroup) resolve(sender Sender, list []ProposalOrRef) ([]resolved, error) {
	all := make([]resolved, 0, len(list))
	for _, p := range list {
		if p.Proposal != nil {
			all = append(all, resolved{p.Proposal, sender, false})
			continue
		}
		known := g.find(p.Ref)
		if known == nil {
			return nil, fmt.Errorf("%w: %x", ErrUnknownProposal, p.Ref)
		}
		if sender.Type == SenderNewMemberCommit && known.Proposal.Type != ProposalSelfRemove {
			return nil, fmt.Errorf("%w: proposal by reference", ErrExternalCommit)
		}
		all = append(all, resolved{known.Proposal, known.Sender, true})
	}
	return all, nil
}

// checkList checks which proposals may stand together in a member's commit
// (RFC 9420 §12.2).
func (d *Draft) checkList(all []resolved) error {
	touched := map[LeafIndex]bool{} // leaves with an Update or a Remove
	psks := map[string]bool{}
	links := 0
	extensions := false
	for _, p := range all {
		switch p.Type {
		case ProposalUpdate, ProposalRemove, ProposalSelfRemove:
			target := p.sender.Leaf
			if p.Type == ProposalRemove {
				target = p.Remove.Removed
			}
			if p.Type == ProposalSelfRemove && !p.checked {
				return fmt.Errorf("%w: self_remove by value", ErrProposal)
			}
			if target == d.sender.Leaf {
				return fmt.Errorf("%w: leaf %d", ErrOwnProposal, target)
			}
			if touched[target] {
				return fmt.Errorf("%w: leaf %d", ErrDoubleProposal, target)
			}
			touched[target] = true
		case ProposalPSK:
			if err := onlyOnce(psks, p.PSK.ID); err != nil {
				return err
			}
			if p.PSK.ID.Links() {
				links++
			}
			if links > 1 || len(p.PSK.ID.Nonce) != d.base.context.Suite.HashSize() {
				return fmt.Errorf("%w: %d links to other groups, nonce of %d bytes", ErrPSK, links, len(p.PSK.ID.Nonce))
			}
		case ProposalGroupContextExtensions:
			if extensions {
				return fmt.Errorf("%w: group context extensions", ErrDoubleProposal)
			}
			extensions = true
		case ProposalReInit:
			if len(all) != 1 {
				return fmt.Errorf("%w: with %d other proposals", ErrReInit, len(all)-1)
			}
		case ProposalExternalInit:
			return fmt.Errorf("%w: external init in the commit of a member", ErrProposal)
		}
	}
	return nil
}

// checkExternalList checks the proposals of a joiner's commit (RFC 9420 §12.2).
func (d *Draft) checkExternalList(all []resolved) error {
	inits, removes := 0, 0
	psks := map[string]bool{}
	leaving := map[LeafIndex]bool{}
	leave := func(i LeafIndex) error {
		if leaving[i] {
			return fmt.Errorf("%w: leaf %d", ErrDoubleProposal, i)
		}
		leaving[i] = true
		return nil
	}
	for _, p := range all {
		switch p.Type {
		case ProposalExternalInit:
			inits++
		case ProposalRemove:
			removes++
			if err := leave(p.Remove.Removed); err != nil && removes == 1 {
				return err
			}
		case ProposalSelfRemove:
			if !p.checked {
				return fmt.Errorf("%w: self_remove by value", ErrProposal)
			}
			if err := leave(p.sender.Leaf); err != nil {
				return err
			}
		case ProposalAppDataUpdate:
		case ProposalPSK:
			if err := onlyOnce(psks, p.PSK.ID); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: proposal of type %d", ErrExternalCommit, p.Type)
		}
	}
	if inits != 1 || removes > 1 {
		return fmt.Errorf("%w: %d external inits, %d removes", ErrExternalCommit, inits, removes)
	}
	return nil
}

func onlyOnce(seen map[string]bool, id PreSharedKeyID) error {
	if len(seen) >= maxPSKs {
		return fmt.Errorf("%w: more than %d", ErrPSK, maxPSKs)
	}
	b, err := Marshal(id)
	if err != nil {
		return err
	}
	if seen[string(b)] {
		return fmt.Errorf("%w: the same one twice", ErrPSK)
	}
	seen[string(b)] = true
	return nil
}

// checkProposal checks a proposal on its own (RFC 9420 §12.1), but for the
// signatures in it, which it adds to unverified.
func (g *PublicGroup) checkProposal(p *Proposal, sender Sender, unverified *signatures) error {
	s := g.context.Suite
	switch p.Type {
	case ProposalAdd:
		k := &p.Add.KeyPackage
		if k.Version != g.context.Version || k.Suite != s {
			return fmt.Errorf("%w: %v", ErrKeyPackage, k.Suite)
		}
		if err := k.Check(time.Time{}); err != nil { // receivers leave the lifetime alone, lest clocks split the group (§7.3)
			return err
		}
		return k.collect(unverified)
	case ProposalUpdate:
		if sender.Type != SenderMember {
			return fmt.Errorf("%w: update from outside of the group", ErrSender)
		}
		old := g.tree.Leaf(sender.Leaf)
		if old == nil {
			return fmt.Errorf("%w: leaf %d", ErrNotMember, sender.Leaf)
		}
		if err := g.checkSuccessor(old, &p.Update.Leaf, LeafUpdate, sender.Leaf); err != nil {
			return err
		}
		return p.Update.Leaf.collect(unverified, g.context.GroupID, sender.Leaf)
	case ProposalRemove:
		if g.tree.Leaf(p.Remove.Removed) == nil {
			return fmt.Errorf("%w: leaf %d", ErrNotMember, p.Remove.Removed)
		}
	case ProposalPSK:
		id := &p.PSK.ID
		if len(id.Nonce) != s.HashSize() {
			return fmt.Errorf("%w: nonce of %d bytes", ErrPSK, len(id.Nonce))
		}
		if id.Type == PSKResumption && id.Usage != PSKApplication {
			return fmt.Errorf("%w: usage %d", ErrPSK, id.Usage)
		}
	case ProposalReInit:
		if p.ReInit.Version < g.context.Version {
			return fmt.Errorf("%w: version %d", ErrReInit, p.ReInit.Version)
		}
		return p.ReInit.Extensions.check()
	case ProposalExternalInit:
		if sender.Type != SenderNewMemberCommit {
			return fmt.Errorf("%w: external init by %d", ErrProposal, sender.Type)
		}
		if err := s.checkKEMOutput(p.ExternalInit.KEMOutput); err != nil {
			return fmt.Errorf("%w: %w", ErrExternalCommit, err)
		}
	case ProposalGroupContextExtensions:
		return CheckContextExtensions(p.Extensions.Extensions)
	case ProposalSelfRemove:
		if sender.Type != SenderMember {
			return fmt.Errorf("%w: self_remove from outside of the group", ErrSender)
		}
	case ProposalAppDataUpdate: // judged with the others, in updateAppData
	default:
		return fmt.Errorf("%w: type %d", ErrProposal, p.Type)
	}
	return nil
}

// checkSuccessor checks a leaf node that replaces old at index (RFC 9420 §7.3),
// but for its signature. old is nil for a joiner.
func (g *PublicGroup) checkSuccessor(old, leaf *LeafNode, source LeafSource, index LeafIndex) error {
	if leaf.Source != source {
		return fmt.Errorf("%w: %d instead of %d", ErrLeafSource, leaf.Source, source)
	}
	if old != nil && bytes.Equal(old.EncryptionKey, leaf.EncryptionKey) {
		return fmt.Errorf("%w: leaf %d", ErrSameKey, index)
	}
	return leaf.checkAlone(g.context.Suite)
}

// apply carries the proposals out, in the order of RFC 9420 §12.3.
func (d *Draft) apply(all []resolved) error {
	for _, p := range all {
		switch p.Type {
		case ProposalGroupContextExtensions:
			d.extensions = p.Extensions.Extensions
		case ProposalUpdate:
			i, leaf := p.sender.Leaf, &p.Update.Leaf
			d.updated = append(d.updated, Change{i, d.tree.Leaf(i), leaf})
		case ProposalRemove:
			i := p.Remove.Removed
			d.removed = append(d.removed, Member{i, d.tree.Leaf(i)})
			d.replaced = d.tree.Leaf(i)
		case ProposalSelfRemove:
			m := Member{p.sender.Leaf, d.tree.Leaf(p.sender.Leaf)}
			d.removed, d.left = append(d.removed, m), append(d.left, m)
		case ProposalPSK:
			d.psks = append(d.psks, p.PSK.ID)
		case ProposalExternalInit:
			d.externalInit = p.ExternalInit.KEMOutput
		case ProposalReInit:
			d.reinit = p.ReInit
		}
	}
	for _, c := range d.updated {
		d.tree.blankPath(c.Index)
		d.tree.setLeaf(c.Index, c.New)
	}
	for _, m := range d.removed {
		d.tree.remove(m.Index)
	}
	if len(d.removed) > 0 {
		d.tree.truncate()
	}
	next := LeafIndex(0)
	initKeys := map[string]bool{}
	for _, p := range all {
		if p.Type != ProposalAdd {
			continue
		}
		if key := string(p.Add.KeyPackage.InitKey); initKeys[key] {
			return fmt.Errorf("%w: two key packages share it", ErrInitKey)
		} else {
			initKeys[key] = true
		}
		i, err := d.tree.free(next)
		if err != nil {
			return err
		}
		leaf := &p.Add.KeyPackage.Leaf
		d.tree.add(i, leaf)
		d.added = append(d.added, Member{i, leaf})
		d.packages = append(d.packages, &p.Add.KeyPackage)
		d.fresh[i] = true
		next = i + 1
	}
	return nil
}

// staying lists the members that were in the group before and still are.
func (d *Draft) staying() []Member {
	return slices.DeleteFunc(d.base.tree.Members(), func(m Member) bool {
		return slices.ContainsFunc(d.removed, func(r Member) bool { return r.Index == m.Index })
	})
}

// checkSupport returns ErrUnsupportedProposal unless all members support proposals of
// type t (RFC 9420 §12.2).
func checkSupport(members []Member, t ProposalType) error {
	if t.Default() {
		return nil
	}
	for _, m := range members {
		if !m.Leaf.Capabilities.HasProposal(t) {
			return fmt.Errorf("%w: leaf %d, proposal %#04x", ErrUnsupportedProposal, m.Index, uint16(t))
		}
	}
	return nil
}

// Leaf is where the committer sits after the commit.
func (d *Draft) Leaf() LeafIndex { return d.leaf }

// Tree is the tree as it stands in the draft, to be read only.
func (d *Draft) Tree() *Tree { return d.tree }

// Path is the committer's filtered direct path.
func (d *Draft) Path() []PathStep { return d.path }

// NeedsPath reports whether the proposals demand an update path (RFC 9420
// §12.4).
func (d *Draft) NeedsPath() bool { return d.needsPath }

// Added lists the members that the commit's proposals add, in their order.
func (d *Draft) Added() []Member { return d.added }

// Packages lists the key packages of the Added members.
func (d *Draft) Packages() []*KeyPackage { return d.packages }

// PSKs lists the pre-shared keys that the commit injects, in their order.
func (d *Draft) PSKs() []PreSharedKeyID { return d.psks }

// Recipients returns the nodes to whose keys the secret of a step is sealed
// (RFC 9420 §7.6).
func (d *Draft) Recipients(s PathStep) []NodeIndex { return d.tree.Resolution(s.Copath, d.fresh) }

// SetPathKeys puts fresh keys on the committer's path, one for each step, and
// returns the parent hash that its leaf node must have. None of the keys may be
// in the tree already (RFC 9420 §12.4.2).
func (d *Draft) SetPathKeys(keys [][]byte) (parentHash []byte, err error) {
	if len(keys) != len(d.path) {
		return nil, fmt.Errorf("%w: %d nodes instead of %d", ErrPath, len(keys), len(d.path))
	}
	for i, k := range keys {
		if err := d.tree.suite.CheckEncryptionKey(k); err != nil {
			return nil, fmt.Errorf("path node %d: %w", i, err)
		}
	}
	if i := d.tree.findAny(keys); i >= 0 {
		return nil, fmt.Errorf("%w: path node %d", ErrDuplicateKey, i)
	}
	d.hasPath = true
	return d.tree.setPath(d.leaf, d.path, keys), nil
}

// SetLeaf puts the committer's new leaf node in its place, after SetPathKeys. It
// is for the committer itself: the signature is not verified.
func (d *Draft) SetLeaf(leaf *LeafNode) error {
	old := d.predecessor()
	if err := d.base.checkSuccessor(old, leaf, LeafCommit, d.leaf); err != nil {
		return err
	}
	if old != nil && d.sender.Type == SenderMember {
		d.updated = append(d.updated, Change{d.leaf, old, leaf})
	}
	d.tree.setLeaf(d.leaf, leaf)
	return nil
}

// predecessor is the leaf node that the committer's new one replaces: its own,
// or for a joiner the one that it removes, if any (RFC 9420 §12.2).
func (d *Draft) predecessor() *LeafNode {
	if d.sender.Type == SenderMember {
		return d.tree.Leaf(d.leaf)
	}
	return d.replaced
}

// mergePath checks a received path and puts it into the tree (RFC 9420 §7.5,
// §12.4.2).
func (d *Draft) mergePath(u *UpdatePath) error {
	keys := make([][]byte, len(u.Nodes))
	for i := range u.Nodes {
		keys[i] = u.Nodes[i].EncryptionKey
	}
	if u.Leaf.Source != LeafCommit {
		return fmt.Errorf("%w: path with source %d", ErrLeafSource, u.Leaf.Source)
	}
	if old := d.predecessor(); d.tree.findAny([][]byte{u.Leaf.EncryptionKey}) == 0 && (old == nil || !bytes.Equal(old.EncryptionKey, u.Leaf.EncryptionKey)) {
		return fmt.Errorf("%w: leaf node of the path", ErrDuplicateKey)
	}
	parentHash, err := d.SetPathKeys(keys)
	if err != nil {
		return err
	}
	for i, s := range d.path {
		if n := len(d.Recipients(s)); n != len(u.Nodes[i].Secrets) {
			return fmt.Errorf("%w: node %d is sealed %d times instead of %d", ErrPath, i, len(u.Nodes[i].Secrets), n)
		}
		for j := range u.Nodes[i].Secrets {
			if err := d.tree.suite.checkSealedSecret(&u.Nodes[i].Secrets[j]); err != nil {
				return fmt.Errorf("path node %d: %w", i, err)
			}
		}
	}
	if !bytes.Equal(u.Leaf.ParentHash, parentHash) {
		return fmt.Errorf("%w: leaf node of the path", ErrParentHash)
	}
	if err := u.Leaf.verifySignature(d.tree.suite, d.base.context.GroupID, d.leaf); err != nil {
		return err
	}
	return d.SetLeaf(&u.Leaf)
}

// Context is the provisional group context: that of the next epoch, with the
// confirmed transcript hash of this one (RFC 9420 §12.4.1). Path secrets are
// sealed under it.
func (d *Draft) Context() GroupContext {
	c := d.base.context
	c.Epoch++
	c.TreeHash = d.tree.Hash()
	c.Extensions = d.extensions
	return c
}

// Finish checks the resulting group as a whole and returns the staged commit.
// a is the commit with its signature; its confirmation tag may be missing yet,
// and Confirm adds it.
func (d *Draft) Finish(a *AuthenticatedContent) (*StagedPublicCommit, error) {
	if !d.hasPath && (d.needsPath || d.sender.Type == SenderNewMemberCommit) {
		return nil, ErrPathRequired
	}
	if err := d.tree.checkTogether(d.extensions, d.base.tree); err != nil {
		return nil, err
	}
	provisional := d.Context()
	c := provisional
	confirmed, err := a.ConfirmedHash(c.Suite, d.base.interim)
	if err != nil {
		return nil, err
	}
	c.ConfirmedTranscriptHash = confirmed
	staged := &StagedPublicCommit{
		Committer:         d.leaf,
		Added:             d.added,
		Removed:           d.removed,
		Left:              d.left,
		Updated:           d.updated,
		Context:           c,
		AuthenticatedData: a.Content.AuthenticatedData,
		HasPath:           d.hasPath,
		ReInit:            d.reinit,
		draft:             d,
		base:              d.base.interim,
		tree:              d.tree,
		provisional:       provisional,
		path:              a.Content.Commit.Path,
	}
	if d.sender.Type == SenderNewMemberCommit {
		staged.External = true
		staged.ExternalLeaf = d.leaf
		staged.Joiner = d.tree.Leaf(d.leaf)
	}
	return staged, nil
}

// StagedPublicCommit is a commit that was found valid and not yet applied.
type StagedPublicCommit struct {
	Committer         LeafIndex // for an external commit, the committer's new leaf
	External          bool
	ExternalLeaf      LeafIndex    // of the joiner, if External
	Joiner            *LeafNode    // if External; not to be changed
	Added             []Member     // by Add proposals; not the external committer
	Removed           []Member     // as they stood before
	Left              []Member     // those of Removed that asked for it themselves, by SelfRemove
	Updated           []Change     // by Update proposals, or the path of a committer that was a member before
	Context           GroupContext // of the epoch that the commit starts
	AuthenticatedData []byte
	HasPath           bool
	ReInit            *ReInit // if the commit closes the group in favour of a new one

	draft       *Draft
	base        []byte // interim transcript hash before
	interim     []byte // and after; nil until Confirm
	tree        *Tree
	provisional GroupContext
	path        *UpdatePath
}

// Draft returns the draft from which the commit was made.
func (c *StagedPublicCommit) Draft() *Draft { return c.draft }

// Tree is the tree after the commit, to be read only.
func (c *StagedPublicCommit) Tree() *Tree { return c.tree }

// Provisional is the context under which the secrets of the path are sealed.
func (c *StagedPublicCommit) Provisional() *GroupContext { return &c.provisional }

// Path is the commit's update path, nil if it has none.
func (c *StagedPublicCommit) Path() *UpdatePath { return c.path }

// ExternalInit is the KEM output of an external commit.
func (c *StagedPublicCommit) ExternalInit() []byte { return c.draft.externalInit }

// Confirm completes the commit with its confirmation tag, from which the
// transcript goes on.
func (c *StagedPublicCommit) Confirm(tag []byte) {
	c.interim = InterimHash(c.Context.Suite, c.Context.ConfirmedTranscriptHash, tag)
}
