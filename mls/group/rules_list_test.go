package group

import (
	"slices"

	"github.com/veche-im/veche/mls"
)

// committing is a commit by mallory of a list of proposals, with a path if they
// need one.
func committing(list func(*court) []mls.ProposalOrRef) func(*court) *forgery {
	return func(c *court) *forgery {
		content := c.content()
		content.Commit.Proposals = list(c)
		needsPath := func(p mls.ProposalOrRef) bool { return p.Proposal == nil || p.Proposal.Type.NeedsPath() }
		if len(content.Commit.Proposals) == 0 || slices.ContainsFunc(content.Commit.Proposals, needsPath) {
			content.Commit.Path = c.path()
		}
		return &forgery{content: content}
	}
}

// these is committing of proposals that do not depend on the group.
func these(list ...mls.Proposal) func(*court) *forgery {
	return committing(func(*court) []mls.ProposalOrRef {
		var out []mls.ProposalOrRef
		for _, p := range list {
			out = append(out, byValue(p))
		}
		return out
	})
}

// pskIDs are an external PSK that nobody knows, and resumption PSKs of the group.
func pskIDs(c *court) (external mls.PreSharedKeyID, resumption func(mls.PSKUsage, uint64) mls.PreSharedKeyID) {
	nonce := make([]byte, c.suite.HashSize())
	return mls.PreSharedKeyID{Type: mls.PSKExternal, ID: []byte("x"), Nonce: nonce},
		func(u mls.PSKUsage, epoch uint64) mls.PreSharedKeyID {
			return mls.PreSharedKeyID{Type: mls.PSKResumption, Usage: u, GroupID: []byte("town"), Epoch: epoch, Nonce: nonce}
		}
}

// listAttacks break what is said of a commit's proposals and of how they stand
// together (RFC 9420 §12.1, §12.2).
func listAttacks() []attack {
	remove := mls.ProposeRemove
	psk := func(list func(*court) []mls.PreSharedKeyID) func(*court) *forgery {
		return committing(func(c *court) []mls.ProposalOrRef {
			var out []mls.ProposalOrRef
			for _, id := range list(c) {
				out = append(out, byValue(mls.ProposePSK(id)))
			}
			return out
		})
	}
	withRequired := func(r mls.RequiredCapabilities) func(*court) *forgery {
		return committing(func(c *court) []mls.ProposalOrRef {
			return []mls.ProposalOrRef{byValue(mls.ProposeExtensions(mls.Extensions{c.required(r)}))}
		})
	}
	reinit := func(r mls.ReInit) mls.Proposal { return mls.Proposal{Type: mls.ProposalReInit, ReInit: &r} }
	extensions := func(x ...mls.Extension) mls.Proposal { return mls.ProposeExtensions(x) }
	return []attack{
		{rule: 107, name: "two removals of one member", forge: these(remove(0), remove(0))},
		{rule: 107, name: "an update and a removal of one member", forge: committing(func(c *court) []mls.ProposalOrRef {
			from := c.members[2]
			return []mls.ProposalOrRef{c.proposeRef(from, must(from.group.ProposeUpdate(ProposeOptions{}))), byValue(remove(from.group.OwnLeaf()))}
		})},
		{rule: 107, name: "two updates of one member", forge: committing(func(c *court) []mls.ProposalOrRef {
			from := c.members[2]
			first := c.proposeRef(from, must(from.group.ProposeUpdate(ProposeOptions{})))
			return []mls.ProposalOrRef{first, c.proposeRef(from, must(from.group.ProposeUpdate(ProposeOptions{})))}
		})},
		{rule: 108, name: "a removal of a blank leaf", forge: these(remove(6))},
		{rule: 108, name: "a removal outside of the tree", forge: these(remove(1 << 31))},
		{rule: 111, name: "an update by the committer", forge: committing(func(c *court) []mls.ProposalOrRef {
			return []mls.ProposalOrRef{byValue(mls.ProposeUpdate(*c.server.Leaf(c.mallory.group.OwnLeaf())))}
		})},
		{rule: 111, name: "an update that the committer has proposed", forge: committing(func(c *court) []mls.ProposalOrRef {
			return []mls.ProposalOrRef{c.proposeRef(c.mallory, must(c.mallory.group.ProposeUpdate(ProposeOptions{})))}
		})},
		{rule: 111, name: "another's update by value", forge: committing(func(c *court) []mls.ProposalOrRef {
			from := c.members[2]
			message := must(from.group.ProposeUpdate(ProposeOptions{}))
			c.propose(from, message)
			return []mls.ProposalOrRef{byValue(*must(mls.ParsePublic(message)).Content.Proposal)}
		})},
		{rule: 113, name: "a proposal that one member does not support", forge: these(mls.ProposeAppData(mls.AppDataUpdate{Component: 0x8000}))},
		{rule: 200, name: "a removal of the committer", forge: committing(func(c *court) []mls.ProposalOrRef {
			return []mls.ProposalOrRef{byValue(remove(c.mallory.group.OwnLeaf()))}
		})},
		{rule: 208, name: "extensions twice", forge: these(extensions(), extensions())},
		{rule: 209, name: "an extension that members lack", forge: these(extensions(mls.Extension{Type: 0xf999}))},

		{rule: 400, name: "a resumption psk of long ago", hidden: true, forge: psk(func(c *court) []mls.PreSharedKeyID {
			_, resumption := pskIDs(c)
			return []mls.PreSharedKeyID{resumption(mls.PSKApplication, c.server.Epoch()-keepPast-1)}
		})},
		{rule: 401, name: "a psk with a short nonce", forge: psk(func(c *court) []mls.PreSharedKeyID {
			external, _ := pskIDs(c)
			external.Nonce = external.Nonce[1:]
			return []mls.PreSharedKeyID{external}
		})},
		{rule: 401, name: "a psk with a long nonce", forge: psk(func(c *court) []mls.PreSharedKeyID {
			external, _ := pskIDs(c)
			external.Nonce = append(external.Nonce, 0)
			return []mls.PreSharedKeyID{external}
		})},
		{rule: 402, name: "a psk for reinit", forge: psk(func(c *court) []mls.PreSharedKeyID {
			_, resumption := pskIDs(c)
			return []mls.PreSharedKeyID{resumption(mls.PSKReInit, c.server.Epoch())}
		})},
		{rule: 402, name: "a psk for a branch", forge: psk(func(c *court) []mls.PreSharedKeyID {
			_, resumption := pskIDs(c)
			return []mls.PreSharedKeyID{resumption(mls.PSKBranch, c.server.Epoch())}
		})},
		{rule: 403, name: "a psk twice", forge: psk(func(c *court) []mls.PreSharedKeyID {
			external, _ := pskIDs(c)
			return []mls.PreSharedKeyID{external, external}
		})},
		{name: "a psk that the receiver lacks", want: mls.ErrUnknownPSK, hidden: true, forge: psk(func(c *court) []mls.PreSharedKeyID {
			external, _ := pskIDs(c)
			return []mls.PreSharedKeyID{external}
		})},

		{name: "an external init by a member", want: mls.ErrProposal, forge: these(mls.ProposeExternalInit([]byte("kem")))},
		{name: "a reinit beside something else", want: mls.ErrReInit, forge: these(reinit(mls.ReInit{GroupID: []byte("n"), Version: 1, Suite: 1}), remove(0))},
		{name: "a reinit to version 0", want: mls.ErrReInit, forge: these(reinit(mls.ReInit{Suite: 1}))},
		{name: "a reinit with doubled extensions", want: mls.ErrExtension, forge: these(reinit(mls.ReInit{
			Version: 1, Suite: 1, Extensions: mls.Extensions{{Type: testExtension}, {Type: testExtension}},
		}))},
		{name: "an extension type twice", want: mls.ErrExtension, forge: these(extensions(mls.Extension{Type: testExtension}, mls.Extension{Type: testExtension}))},
		{name: "broken required capabilities", want: mls.ErrExtension, forge: these(extensions(mls.Extension{Type: mls.ExtensionRequiredCapabilities, Data: []byte{9}}))},
		{name: "broken external senders", want: mls.ErrExtension, forge: these(extensions(mls.Extension{Type: mls.ExtensionExternalSenders, Data: []byte{9}}))},
		{name: "a required extension that members lack", want: mls.ErrCapabilities, forge: withRequired(mls.RequiredCapabilities{Extensions: []mls.ExtensionType{0xf999}})},
		{name: "a required proposal that members lack", want: mls.ErrCapabilities, forge: withRequired(mls.RequiredCapabilities{Proposals: []mls.ProposalType{0xf999}})},
		{name: "a required credential that members lack", want: mls.ErrCapabilities, forge: withRequired(mls.RequiredCapabilities{Credentials: []mls.CredentialType{0xf999}})},
		{name: "a reference to nothing", want: mls.ErrUnknownProposal, forge: committing(func(c *court) []mls.ProposalOrRef {
			return []mls.ProposalOrRef{{Ref: make([]byte, c.suite.HashSize())}}
		})},
		{name: "nobody left but the committer, twice", want: mls.ErrDoubleProposal, forge: these(remove(0), remove(2), remove(3), remove(4), remove(5), remove(0))},
	}
}

// keyPackageAttacks add somebody who cannot be added (RFC 9420 §7.3, §10.1,
// §12.1.1).
func keyPackageAttacks() []attack {
	add := func(change func(*court, *mls.KeyPackage, *client)) func(*court) *forgery {
		return committing(func(c *court) []mls.ProposalOrRef {
			return []mls.ProposalOrRef{c.newcomer(func(kp *mls.KeyPackage, n *client) { change(c, kp, n) })}
		})
	}
	// changed is a key package that is signed anew after the change.
	changed := func(change func(*mls.KeyPackage)) func(*court) *forgery {
		return add(func(c *court, kp *mls.KeyPackage, n *client) {
			change(kp)
			c.resign(kp, n)
		})
	}
	// two are two newcomers, of whom the second takes something from the first.
	two := func(take func(from, to *mls.KeyPackage)) func(*court) *forgery {
		return committing(func(c *court) []mls.ProposalOrRef {
			first := c.newcomer(nil)
			second := c.newcomer(func(kp *mls.KeyPackage, n *client) {
				take(&first.Proposal.Add.KeyPackage, kp)
				c.resign(kp, n)
			})
			return []mls.ProposalOrRef{first, second}
		})
	}
	return []attack{
		{rule: 101, name: "a member as newcomer", forge: add(func(c *court, kp *mls.KeyPackage, _ *client) { *kp, _ = c.members[2].keyPackage(c.t, c.suite) })},
		{rule: 101, name: "a client twice", forge: committing(func(c *court) []mls.ProposalOrRef {
			n := c.client()
			var out []mls.ProposalOrRef
			for range 2 {
				kp, _ := n.keyPackage(c.t, c.suite)
				out = append(out, byValue(mls.ProposeAdd(kp)))
			}
			return out
		})},
		{rule: 102, name: "the same newcomer twice", forge: committing(func(c *court) []mls.ProposalOrRef {
			return slices.Repeat([]mls.ProposalOrRef{c.newcomer(nil)}, 2)
		})},
		{rule: 102, name: "two newcomers with one init key", forge: two(func(from, to *mls.KeyPackage) { to.InitKey = from.InitKey })},
		{rule: 103, name: "two newcomers with one encryption key", forge: two(func(from, to *mls.KeyPackage) { to.Leaf.EncryptionKey = from.Leaf.EncryptionKey })},
		{rule: 103, name: "a newcomer with a member's encryption key", forge: add(func(c *court, kp *mls.KeyPackage, n *client) {
			kp.Leaf.EncryptionKey = c.server.Leaf(0).EncryptionKey
			c.resign(kp, n)
		})},
		{rule: 103, name: "a newcomer with the key of an inner node", forge: add(func(c *court, kp *mls.KeyPackage, n *client) {
			tree := c.server.RatchetTree()
			kp.Leaf.EncryptionKey = tree.EncryptionKey(tree.Root())
			c.resign(kp, n)
		})},
		{rule: 104, name: "one key for two purposes", forge: changed(func(kp *mls.KeyPackage) { kp.InitKey = kp.Leaf.EncryptionKey })},
		{rule: 105, name: "a key package of another suite", forge: add(func(c *court, kp *mls.KeyPackage, n *client) { *kp, _ = n.keyPackage(c.t, mls.X25519ChaCha) })},
		{rule: 105, name: "a key package of another version", forge: changed(func(kp *mls.KeyPackage) { kp.Version = 2 })},
		{rule: 106, name: "a newcomer without what the group requires", forge: changed(func(kp *mls.KeyPackage) { kp.Leaf.Capabilities.Extensions = nil })},

		{name: "a key package with a broken signature", want: mls.ErrSignature, forge: add(func(_ *court, kp *mls.KeyPackage, _ *client) { kp.Signature[3] ^= 1 })},
		{name: "a newcomer's leaf with a broken signature", want: mls.ErrSignature, forge: add(func(c *court, kp *mls.KeyPackage, n *client) {
			kp.Leaf.Signature[3] ^= 1
			kp.Signature = must(n.signer.SignWithLabel(mls.KeyPackageLabel, must(kp.SignedContent())))
		})},
		{name: "a key package signed by another", want: mls.ErrSignature, forge: add(func(c *court, kp *mls.KeyPackage, _ *client) { c.resign(kp, c.mallory) })},
		{name: "a newcomer's leaf from an update", want: mls.ErrLeafSource, forge: changed(func(kp *mls.KeyPackage) { kp.Leaf.Source = mls.LeafUpdate })},
		{name: "an init key that is none", want: mls.ErrEncryptionKey, forge: changed(func(kp *mls.KeyPackage) { kp.InitKey = kp.InitKey[1:] })},
		{name: "an encryption key that is none", want: mls.ErrEncryptionKey, forge: changed(func(kp *mls.KeyPackage) { kp.Leaf.EncryptionKey = kp.Leaf.EncryptionKey[1:] })},
		{name: "a signature key that is none", want: mls.ErrSignatureKey, forge: add(func(_ *court, kp *mls.KeyPackage, _ *client) { kp.Leaf.SignatureKey = kp.Leaf.SignatureKey[1:] })},
		{name: "a newcomer without the version", want: mls.ErrCapabilities, forge: changed(func(kp *mls.KeyPackage) { kp.Leaf.Capabilities.Versions = nil })},
		{name: "a newcomer without basic credentials", want: mls.ErrCredential, forge: changed(func(kp *mls.KeyPackage) {
			kp.Leaf.Capabilities.Credentials = []mls.CredentialType{mls.CredentialX509}
		})},
		{name: "a newcomer with an extension beyond its capabilities", want: mls.ErrExtension, forge: changed(func(kp *mls.KeyPackage) { kp.Leaf.Extensions = mls.Extensions{{Type: 0xf999}} })},
		{name: "a key package with an extension twice", want: mls.ErrExtension, forge: changed(func(kp *mls.KeyPackage) {
			kp.Extensions = mls.Extensions{{Type: testExtension}, {Type: testExtension}}
		})},
		{name: "a newcomer with an extension twice", want: mls.ErrExtension, forge: changed(func(kp *mls.KeyPackage) {
			kp.Leaf.Extensions = mls.Extensions{{Type: testExtension}, {Type: testExtension}}
		})},
		{name: "a newcomer with a credential that nobody supports", want: mls.ErrCredential, forge: changed(func(kp *mls.KeyPackage) {
			kp.Leaf.Credential = mls.Credential{Type: mls.CredentialX509}
			kp.Leaf.Capabilities.Credentials = []mls.CredentialType{mls.CredentialBasic, mls.CredentialX509}
		})},
	}
}
