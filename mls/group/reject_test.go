package group

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

// court is a group of five in which one member, mallory, breaks the rules. It
// has all secrets of a member, so that what it sends is signed and tagged
// properly; the rule alone can stop it.
type court struct {
	*town
	mallory, victim *client
}

func newCourt(t *testing.T) *court {
	w := newTown(t, mls.X25519AES128, 7)
	w.add(3, CommitOptions{})
	w.add(1, CommitOptions{})
	for _, c := range w.members {
		w.commit(c, CommitOptions{}, nil)
	}
	return &court{w, w.members[1], w.members[3]}
}

// sign completes a handshake message of mallory's: signature, a confirmation
// tag that nobody can check before all else is in order, membership tag.
func (c *court) sign(content mls.FramedContent) *mls.PublicMessage {
	c.t.Helper()
	return c.signAs(c.mallory.signer, content)
}

func (c *court) signAs(signer Signer, content mls.FramedContent) *mls.PublicMessage {
	c.t.Helper()
	g := c.mallory.group
	context := g.Public().Context()
	a := &mls.AuthenticatedContent{WireFormat: mls.WirePublicMessage, Content: content}
	c.check(signer.signContent(a, &context))
	if content.Type == mls.ContentCommit {
		a.Auth.ConfirmationTag = make([]byte, c.suite.HashSize())
	}
	m, err := framingOf(g).tag(a)
	c.check(err)
	return m
}

func (c *court) content() mls.FramedContent {
	context := c.mallory.group.Public().Context()
	return mls.FramedContent{
		GroupID: context.GroupID, Epoch: context.Epoch, Sender: mls.MemberSender(c.mallory.group.OwnLeaf()),
		Type: mls.ContentCommit, Commit: &mls.Commit{},
	}
}

// commitOf is a commit by mallory of the proposals, with a path made for an
// empty commit.
func (c *court) commitOf(list ...mls.ProposalOrRef) *mls.PublicMessage {
	c.t.Helper()
	content := c.content()
	content.Commit = &mls.Commit{Proposals: list, Path: c.path()}
	return c.sign(content)
}

// path is a good path of mallory's, for a commit without proposals.
func (c *court) path() *mls.UpdatePath {
	c.t.Helper()
	p, err := c.mallory.group.Commit(CommitOptions{})
	c.check(err)
	c.mallory.group.ClearPending()
	m, err := mls.ParsePublic(p.Message)
	c.check(err)
	return m.Content.Commit.Path
}

// refused checks that the server and the victim both refuse m with want, and
// that neither has moved.
func (c *court) refused(m *mls.PublicMessage, want error) {
	c.t.Helper()
	b, err := mls.Marshal(mls.Message{Public: m})
	c.check(err)
	m, err = mls.ParsePublic(b)
	c.check(err)
	before := c.server.Context()
	if _, err := c.server.StageCommit(m); !errors.Is(err, want) {
		c.t.Errorf("the server says %v, want %v", err, want)
	}
	if _, err := c.victim.group.StageCommit(m); !errors.Is(err, want) {
		c.t.Errorf("a member says %v, want %v", err, want)
	}
	after, member := c.server.Context(), c.victim.group.Public().Context()
	if !after.Equal(&before) || !member.Equal(&before) {
		c.t.Error("a refused commit has changed the group")
	}
}

func byValue(p mls.Proposal) mls.ProposalOrRef { return mls.ProposalOrRef{Proposal: &p} }

func (c *court) newcomer(change func(*mls.KeyPackage, *client)) mls.ProposalOrRef {
	c.t.Helper()
	n := c.client()
	kp, _ := n.keyPackage(c.t, c.suite)
	if change != nil {
		change(&kp, n)
	}
	return byValue(mls.ProposeAdd(kp))
}

// resign signs a changed key package anew, leaf node included.
func (c *court) resign(kp *mls.KeyPackage, by *client) {
	c.t.Helper()
	c.check(by.signer.signLeaf(&kp.Leaf, []byte("town"), 0))
	content, err := kp.SignedContent()
	c.check(err)
	kp.Signature, err = by.signer.SignWithLabel(mls.KeyPackageLabel, content)
	c.check(err)
}

func TestRefusesProposalLists(t *testing.T) {
	c := newCourt(t)
	me, other, third := c.mallory.group.OwnLeaf(), c.members[0].group.OwnLeaf(), c.members[2].group.OwnLeaf()
	nonce := make([]byte, c.suite.HashSize())
	psk := func(id mls.PreSharedKeyID) mls.ProposalOrRef { return byValue(mls.ProposePSK(id)) }
	external := mls.PreSharedKeyID{Type: mls.PSKExternal, ID: []byte("x"), Nonce: nonce}
	resumption := func(u mls.PSKUsage) mls.PreSharedKeyID {
		return mls.PreSharedKeyID{Type: mls.PSKResumption, Usage: u, GroupID: []byte("town"), Nonce: nonce}
	}
	reinit := byValue(mls.Proposal{Type: mls.ProposalReInit, ReInit: &mls.ReInit{GroupID: []byte("n"), Version: mls.MLS10, Suite: c.suite}})
	extensions := func(x ...mls.Extension) mls.ProposalOrRef { return byValue(mls.ProposeExtensions(x)) }
	required := func(r mls.RequiredCapabilities) mls.Extension {
		b, err := mls.Marshal(r)
		c.check(err)
		return mls.Extension{Type: mls.ExtensionRequiredCapabilities, Data: b}
	}
	remove := func(i mls.LeafIndex) mls.ProposalOrRef { return byValue(mls.ProposeRemove(i)) }
	ownLeaf := *c.mallory.group.public.Leaf(me)

	for _, tt := range []struct {
		name string
		list []mls.ProposalOrRef
		want error
	}{
		{"an update by the committer", []mls.ProposalOrRef{byValue(mls.ProposeUpdate(ownLeaf))}, mls.ErrOwnProposal},
		{"a removal of the committer", []mls.ProposalOrRef{remove(me)}, mls.ErrOwnProposal},
		{"two removals of one member", []mls.ProposalOrRef{remove(other), remove(other)}, mls.ErrDoubleProposal},
		{"a removal of nobody", []mls.ProposalOrRef{remove(6)}, mls.ErrNotMember},
		{"a removal outside of the tree", []mls.ProposalOrRef{remove(1 << 31)}, mls.ErrNotMember},
		{"an external init by a member", []mls.ProposalOrRef{byValue(mls.ProposeExternalInit([]byte("kem")))}, mls.ErrProposal},
		{"a reinit beside something else", []mls.ProposalOrRef{reinit, remove(third)}, mls.ErrReInit},
		{"a reinit to version 0", []mls.ProposalOrRef{byValue(mls.Proposal{Type: mls.ProposalReInit, ReInit: &mls.ReInit{Suite: c.suite}})}, mls.ErrReInit},
		{"a reinit with doubled extensions", []mls.ProposalOrRef{byValue(mls.Proposal{Type: mls.ProposalReInit, ReInit: &mls.ReInit{Version: 1, Suite: c.suite, Extensions: mls.Extensions{{Type: testExtension}, {Type: testExtension}}}})}, mls.ErrExtension},
		{"extensions twice", []mls.ProposalOrRef{extensions(), extensions()}, mls.ErrDoubleProposal},
		{"an extension type twice", []mls.ProposalOrRef{extensions(mls.Extension{Type: testExtension}, mls.Extension{Type: testExtension})}, mls.ErrExtension},
		{"an extension that members lack", []mls.ProposalOrRef{extensions(mls.Extension{Type: 0xf999})}, mls.ErrExtension},
		{"broken required capabilities", []mls.ProposalOrRef{extensions(mls.Extension{Type: mls.ExtensionRequiredCapabilities, Data: []byte{9}})}, mls.ErrExtension},
		{"broken external senders", []mls.ProposalOrRef{extensions(mls.Extension{Type: mls.ExtensionExternalSenders, Data: []byte{9}})}, mls.ErrExtension},
		{"a required extension that members lack", []mls.ProposalOrRef{extensions(required(mls.RequiredCapabilities{Extensions: []mls.ExtensionType{0xf999}}))}, mls.ErrCapabilities},
		{"a required proposal that members lack", []mls.ProposalOrRef{extensions(required(mls.RequiredCapabilities{Proposals: []mls.ProposalType{0xf999}}))}, mls.ErrCapabilities},
		{"a required credential that members lack", []mls.ProposalOrRef{extensions(required(mls.RequiredCapabilities{Credentials: []mls.CredentialType{2}}))}, mls.ErrCapabilities},
		{"a psk with a short nonce", []mls.ProposalOrRef{psk(mls.PreSharedKeyID{Type: mls.PSKExternal, Nonce: nonce[1:]})}, mls.ErrPSK},
		{"a psk twice", []mls.ProposalOrRef{psk(external), psk(external)}, mls.ErrPSK},
		{"a psk for reinit", []mls.ProposalOrRef{psk(resumption(mls.PSKReInit))}, mls.ErrPSK},
		{"a psk for a branch", []mls.ProposalOrRef{psk(resumption(mls.PSKBranch))}, mls.ErrPSK},
		{"an unknown proposal", []mls.ProposalOrRef{{Ref: make([]byte, 32)}}, mls.ErrUnknownProposal},

		{"the same newcomer twice", slices.Repeat([]mls.ProposalOrRef{c.newcomer(nil)}, 2), mls.ErrDuplicateKey},
		{"a member as newcomer", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, _ *client) {
			*kp, _ = c.members[2].keyPackage(t, c.suite)
		})}, mls.ErrDuplicateKey},
		{"a newcomer with a member's encryption key", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.EncryptionKey = ownLeaf.EncryptionKey
			c.resign(kp, n)
		})}, mls.ErrDuplicateKey},
		{"a key package of another suite", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			*kp, _ = n.keyPackage(t, mls.X25519ChaCha)
		})}, mls.ErrKeyPackage},
		{"a key package of another version", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Version = 2
			c.resign(kp, n)
		})}, mls.ErrKeyPackage},
		{"a key package with a broken signature", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, _ *client) { kp.Signature[3] ^= 1 })}, mls.ErrSignature},
		{"a leaf node with a broken signature", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.Signature[3] ^= 1
			content, err := kp.SignedContent()
			c.check(err)
			kp.Signature, err = n.signer.SignWithLabel(mls.KeyPackageLabel, content)
			c.check(err)
		})}, mls.ErrSignature},
		{"a key package signed by another", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, _ *client) { c.resign(kp, c.mallory) })}, mls.ErrSignature},
		{"a leaf node from an update", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.Source = mls.LeafUpdate
			c.resign(kp, n)
		})}, mls.ErrLeafSource},
		{"one key for two purposes", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.InitKey = kp.Leaf.EncryptionKey
			c.resign(kp, n)
		})}, mls.ErrSameKey},
		{"an init key that is none", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.InitKey = kp.InitKey[1:]
			c.resign(kp, n)
		})}, mls.ErrEncryptionKey},
		{"an encryption key that is none", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.EncryptionKey = kp.Leaf.EncryptionKey[1:]
			c.resign(kp, n)
		})}, mls.ErrEncryptionKey},
		{"a signature key that is none", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.SignatureKey = kp.Leaf.SignatureKey[1:]
		})}, mls.ErrSignatureKey},
		{"a newcomer without the version", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.Capabilities.Versions = nil
			c.resign(kp, n)
		})}, mls.ErrCapabilities},
		{"a newcomer without the suite", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.Capabilities.Suites = []mls.Suite{mls.X25519ChaCha}
			c.resign(kp, n)
		})}, mls.ErrCapabilities},
		{"a newcomer without basic credentials", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.Capabilities.Credentials = []mls.CredentialType{mls.CredentialX509}
			c.resign(kp, n)
		})}, mls.ErrCredential},
		{"a newcomer with a credential that nobody supports", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.Credential = mls.Credential{Type: mls.CredentialX509}
			kp.Leaf.Capabilities.Credentials = []mls.CredentialType{mls.CredentialBasic, mls.CredentialX509}
			c.resign(kp, n)
		})}, mls.ErrCredential},
		{"a newcomer with an extension beyond its capabilities", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.Extensions = mls.Extensions{{Type: 0xf999}}
			c.resign(kp, n)
		})}, mls.ErrExtension},
		{"a key package with an extension beyond its capabilities", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Extensions = mls.Extensions{{Type: 0xf999}}
			c.resign(kp, n)
		})}, mls.ErrExtension},
		{"a newcomer with an extension twice", []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) {
			kp.Leaf.Extensions = mls.Extensions{{Type: testExtension}, {Type: testExtension}}
			c.resign(kp, n)
		})}, mls.ErrExtension},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.t = t
			content := c.content()
			content.Commit = &mls.Commit{Proposals: tt.list}
			needsPath := func(p mls.ProposalOrRef) bool { return p.Proposal == nil || p.Proposal.Type.NeedsPath() }
			if slices.ContainsFunc(tt.list, needsPath) {
				content.Commit.Path = c.path()
			}
			c.refused(c.sign(content), tt.want)
		})
	}
}

func TestRefusesUpdateAndRemoveOfOneLeaf(t *testing.T) {
	c := newCourt(t)
	from := c.members[2]
	b, err := from.group.ProposeUpdate(ProposeOptions{})
	c.check(err)
	c.propose(from, b)
	m, err := mls.ParsePublic(b)
	c.check(err)
	ref, err := m.Authenticated().ProposalRef(c.suite)
	c.check(err)
	c.refused(c.commitOf(mls.ProposalOrRef{Ref: ref}, byValue(mls.ProposeRemove(from.group.OwnLeaf()))), mls.ErrDoubleProposal)
	// An update is its sender's alone: the same proposal by value is mallory's.
	c.refused(c.commitOf(byValue(*m.Content.Proposal)), mls.ErrOwnProposal)
}

func TestRefusesPaths(t *testing.T) {
	c := newCourt(t)
	me := c.mallory.group.OwnLeaf()
	old := c.mallory.group.public.Leaf(me)
	other := c.members[0]
	otherLeaf := other.group.public.Leaf(other.group.OwnLeaf())
	rootKey := c.mallory.group.public.RatchetTree().EncryptionKey(c.mallory.group.public.RatchetTree().Root())

	for _, tt := range []struct {
		name   string
		change func(*mls.UpdatePath)
		want   error
	}{
		{"the leaf of an update", func(u *mls.UpdatePath) { u.Leaf.Source = mls.LeafUpdate }, mls.ErrLeafSource},
		{"another parent hash", func(u *mls.UpdatePath) { u.Leaf.ParentHash[0] ^= 1 }, mls.ErrParentHash},
		{"no parent hash", func(u *mls.UpdatePath) { u.Leaf.ParentHash = nil }, mls.ErrParentHash},
		{"the old encryption key", func(u *mls.UpdatePath) { u.Leaf.EncryptionKey = old.EncryptionKey }, mls.ErrSameKey},
		{"somebody's encryption key", func(u *mls.UpdatePath) { u.Leaf.EncryptionKey = otherLeaf.EncryptionKey }, mls.ErrDuplicateKey},
		{"the key of an inner node for the leaf", func(u *mls.UpdatePath) { u.Leaf.EncryptionKey = rootKey }, mls.ErrDuplicateKey},
		{"one key for the leaf and its parent", func(u *mls.UpdatePath) { u.Leaf.EncryptionKey = u.Nodes[0].EncryptionKey }, mls.ErrDuplicateKey},
		{"no encryption key", func(u *mls.UpdatePath) { u.Leaf.EncryptionKey = nil }, mls.ErrEncryptionKey},
		{"an inner key that is none", func(u *mls.UpdatePath) { u.Nodes[0].EncryptionKey = []byte{1} }, mls.ErrEncryptionKey},
		{"an inner key from elsewhere", func(u *mls.UpdatePath) { u.Nodes[0].EncryptionKey = otherLeaf.EncryptionKey }, mls.ErrDuplicateKey},
		{"an inner key that stays", func(u *mls.UpdatePath) { u.Nodes[len(u.Nodes)-1].EncryptionKey = rootKey }, mls.ErrDuplicateKey},
		{"another inner key", func(u *mls.UpdatePath) {
			_, u.Nodes[0].EncryptionKey, _ = newKeyPair(c.suite)
		}, mls.ErrParentHash},
		{"a node too few", func(u *mls.UpdatePath) { u.Nodes = u.Nodes[1:] }, mls.ErrPath},
		{"a node too many", func(u *mls.UpdatePath) { u.Nodes = append(u.Nodes, u.Nodes[0]) }, mls.ErrPath},
		{"a secret too few", func(u *mls.UpdatePath) { u.Nodes[0].Secrets = u.Nodes[0].Secrets[1:] }, mls.ErrPath},
		{"a secret too many", func(u *mls.UpdatePath) {
			u.Nodes[0].Secrets = append(u.Nodes[0].Secrets, u.Nodes[0].Secrets[0])
		}, mls.ErrPath},
		{"without its credential type", func(u *mls.UpdatePath) { u.Leaf.Capabilities.Credentials = nil }, mls.ErrCredential},
		{"with an extension beyond its capabilities", func(u *mls.UpdatePath) { u.Leaf.Extensions = mls.Extensions{{Type: 0xf999}} }, mls.ErrExtension},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.t = t
			content := c.content()
			path := c.path()
			content.Commit.Path = path
			tt.change(path)
			c.check(c.mallory.signer.signLeaf(&path.Leaf, content.GroupID, me))
			c.refused(c.sign(content), tt.want)
		})
	}

	t.Run("a leaf that is not signed anew", func(t *testing.T) {
		c.t = t
		content := c.content()
		content.Commit.Path = c.path()
		content.Commit.Path.Leaf.Signature[7] ^= 1
		c.refused(c.sign(content), mls.ErrSignature)
	})
	t.Run("a leaf that is signed for another place", func(t *testing.T) {
		c.t = t
		content := c.content()
		content.Commit.Path = c.path()
		c.check(c.mallory.signer.signLeaf(&content.Commit.Path.Leaf, content.GroupID, me+1))
		c.refused(c.sign(content), mls.ErrSignature)
	})
	t.Run("a leaf that is signed for another group", func(t *testing.T) {
		c.t = t
		content := c.content()
		content.Commit.Path = c.path()
		c.check(c.mallory.signer.signLeaf(&content.Commit.Path.Leaf, []byte("elsewhere"), me))
		c.refused(c.sign(content), mls.ErrSignature)
	})
	t.Run("somebody's signature key", func(t *testing.T) {
		c.t = t
		content := c.content()
		content.Commit.Path = c.path()
		content.Commit.Path.Leaf.SignatureKey = other.signer.Public()
		c.check(other.signer.signLeaf(&content.Commit.Path.Leaf, content.GroupID, me))
		c.refused(c.sign(content), mls.ErrDuplicateKey)
	})
	t.Run("no path for an empty commit", func(t *testing.T) {
		c.t = t
		c.refused(c.sign(c.content()), mls.ErrPathRequired)
	})
	t.Run("no path for a removal", func(t *testing.T) {
		c.t = t
		content := c.content()
		content.Commit.Proposals = []mls.ProposalOrRef{byValue(mls.ProposeRemove(other.group.OwnLeaf()))}
		c.refused(c.sign(content), mls.ErrPathRequired)
	})
	t.Run("no path for extensions", func(t *testing.T) {
		c.t = t
		content := c.content()
		content.Commit.Proposals = []mls.ProposalOrRef{byValue(mls.ProposeExtensions(nil))}
		c.refused(c.sign(content), mls.ErrPathRequired)
	})
}

func TestRefusesLeafThatDropsWhatTheGroupUses(t *testing.T) {
	c := newCourt(t)
	x := mls.Extensions{{Type: testExtension, Data: []byte("in use")}}
	c.commit(c.members[0], CommitOptions{Extensions: &x}, nil)
	content := c.content()
	content.Commit.Path = c.path()
	leaf := &content.Commit.Path.Leaf
	leaf.Capabilities.Extensions = nil
	c.check(c.mallory.signer.signLeaf(leaf, content.GroupID, c.mallory.group.OwnLeaf()))
	c.refused(c.sign(content), mls.ErrExtension)
}

func TestRefusesFrames(t *testing.T) {
	c := newCourt(t)
	good := func() mls.FramedContent {
		content := c.content()
		content.Commit.Path = c.path()
		return content
	}
	for _, tt := range []struct {
		name   string
		change func(*mls.FramedContent)
		want   error
	}{
		{"another group", func(f *mls.FramedContent) { f.GroupID = []byte("elsewhere") }, mls.ErrGroupID},
		{"the epoch before", func(f *mls.FramedContent) { f.Epoch-- }, mls.ErrEpoch},
		{"the epoch after", func(f *mls.FramedContent) { f.Epoch++ }, mls.ErrEpoch},
		{"a blank sender", func(f *mls.FramedContent) { f.Sender.Leaf = 6 }, mls.ErrSender},
		{"a sender outside of the tree", func(f *mls.FramedContent) { f.Sender.Leaf = 1 << 31 }, mls.ErrSender},
		{"another's name", func(f *mls.FramedContent) { f.Sender.Leaf = c.members[0].group.OwnLeaf() }, mls.ErrSignature},
		{"an external sender", func(f *mls.FramedContent) { f.Sender = mls.Sender{Type: mls.SenderExternal} }, mls.ErrSender},
		{"one who proposes itself", func(f *mls.FramedContent) { f.Sender = mls.Sender{Type: mls.SenderNewMemberProposal} }, mls.ErrSender},
		{"an application message", func(f *mls.FramedContent) { f.Type, f.Commit = mls.ContentApplication, nil }, mls.ErrContentType},
		{"a proposal", func(f *mls.FramedContent) {
			p := mls.ProposeRemove(0)
			f.Type, f.Commit, f.Proposal = mls.ContentProposal, nil, &p
		}, mls.ErrContentType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.t = t
			content := good()
			tt.change(&content)
			c.refused(c.sign(content), tt.want)
		})
	}
	t.Run("a broken signature", func(t *testing.T) {
		c.t = t
		m := c.sign(good())
		m.Auth.Signature[5] ^= 1
		m, err := framingOf(c.mallory.group).tag(m.Authenticated())
		c.check(err)
		c.refused(m, mls.ErrSignature)
	})
	t.Run("a signature for the other wire format", func(t *testing.T) {
		c.t = t
		context := c.mallory.group.Public().Context()
		a := &mls.AuthenticatedContent{WireFormat: mls.WirePrivateMessage, Content: good()}
		c.check(c.mallory.signer.signContent(a, &context))
		a.WireFormat = mls.WirePublicMessage
		a.Auth.ConfirmationTag = make([]byte, 32)
		m, err := framingOf(c.mallory.group).tag(a)
		c.check(err)
		c.refused(m, mls.ErrSignature)
	})
	t.Run("a short confirmation tag", func(t *testing.T) {
		c.t = t
		m := c.sign(good())
		m.Auth.ConfirmationTag = m.Auth.ConfirmationTag[1:]
		m, err := framingOf(c.mallory.group).tag(m.Authenticated())
		c.check(err)
		c.refused(m, mls.ErrConfirmation)
	})
	t.Run("a membership tag of the wrong size", func(t *testing.T) {
		c.t = t
		m := c.sign(good())
		m.MembershipTag = nil
		c.refused(m, mls.ErrMembershipTag)
	})

	// What only a member can see.
	m := c.sign(good())
	m.MembershipTag[0] ^= 1
	if _, err := c.victim.group.StageCommit(m); !errors.Is(err, mls.ErrMembershipTag) {
		t.Errorf("a wrong membership tag: %v", err)
	}
	if _, err := c.victim.group.StageCommit(c.sign(good())); !errors.Is(err, mls.ErrConfirmation) {
		t.Errorf("a wrong confirmation tag: %v", err)
	}
	content := good()
	for i := range content.Commit.Path.Nodes {
		for j := range content.Commit.Path.Nodes[i].Secrets {
			content.Commit.Path.Nodes[i].Secrets[j].Ciphertext[0] ^= 1
		}
	}
	if _, err := c.victim.group.StageCommit(c.sign(content)); !errors.Is(err, ErrUndecryptable) {
		t.Errorf("path secrets that do not open: %v", err)
	}
	if _, err := c.mallory.group.StageCommit(c.sign(good())); !errors.Is(err, ErrOwnCommit) {
		t.Errorf("an own commit that is not pending: %v", err)
	}
}

// TestRefusesPathSecretForOtherKeys: the path opens, but to another key than
// the one in the tree.
func TestRefusesPathSecretForOtherKeys(t *testing.T) {
	c := newCourt(t)
	g := c.mallory.group
	m := &making{g: g, sender: mls.MemberSender(g.OwnLeaf()), leaf: *g.public.Leaf(g.OwnLeaf()), init: g.epoch.init}
	draft, err := g.public.Draft(m.sender, nil)
	c.check(err)
	m.draft = draft
	context := g.Public().Context()
	path, err := m.makePath(&context)
	c.check(err)
	provisional := draft.Context()
	encoded, err := mls.Marshal(&provisional)
	c.check(err)
	other, err := derivePath(c.suite, randomSecret(32), len(draft.Path()))
	c.check(err)
	other.public = m.keys.public
	path.Nodes, err = sealPath(c.suite, draft, other, encoded)
	c.check(err)
	content := c.content()
	content.Commit.Path = path
	if _, err := c.victim.group.StageCommit(c.sign(content)); !errors.Is(err, ErrUndecryptable) {
		t.Errorf("got %v", err)
	}
}

func TestReInitClosesTheGroup(t *testing.T) {
	c := newCourt(t)
	g := c.members[0].group
	b, err := g.Propose(mls.Proposal{Type: mls.ProposalReInit, ReInit: &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, Suite: mls.HybridX25519MLKEM768}}, ProposeOptions{})
	c.check(err)
	c.propose(c.members[0], b)
	p := c.commit(c.members[0], CommitOptions{IncludePending: true}, nil)
	if p.ReInit == nil || !bytes.Equal(p.ReInit.GroupID, []byte("next")) {
		t.Fatal("the commit does not say what comes next")
	}
	for _, m := range c.members {
		m.reload(t)
		if _, err := m.group.Seal(nil, nil); !errors.Is(err, mls.ErrReInit) {
			t.Errorf("sealed in a closed group: %v", err)
		}
		if _, err := m.group.Commit(CommitOptions{}); !errors.Is(err, mls.ErrReInit) {
			t.Errorf("committed in a closed group: %v", err)
		}
	}
	content := c.content()
	content.Commit.Path = &mls.UpdatePath{Leaf: *c.server.Leaf(0)}
	c.refused(c.sign(content), mls.ErrReInit)
}
