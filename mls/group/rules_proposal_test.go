package group

import (
	"slices"

	"github.com/veche-im/veche/mls"
)

// proposalAttacks are proposals that are refused when they arrive, before any
// commit speaks of them (RFC 9420 §12.1, §7.3).
func proposalAttacks() []attack {
	propose := func(make func(*court) mls.Proposal) func(*court) *forgery {
		return func(c *court) *forgery {
			p := make(c)
			content := c.content()
			content.Type, content.Commit, content.Proposal = mls.ContentProposal, nil, &p
			return &forgery{content: content}
		}
	}
	this := func(p mls.Proposal) func(*court) *forgery { return propose(func(*court) mls.Proposal { return p }) }
	// update is an Update of mallory's, signed after the change.
	update := func(change func(*court, *mls.LeafNode)) func(*court) *forgery {
		return propose(func(c *court) mls.Proposal {
			at := c.mallory.group.OwnLeaf()
			l := *c.server.Leaf(at)
			l.Source, l.ParentHash = mls.LeafUpdate, nil
			var err error
			_, l.EncryptionKey, err = newKeyPair(c.suite)
			c.check(err)
			change(c, &l)
			c.check(c.mallory.signer.signLeaf(&l, []byte("town"), at))
			return mls.ProposeUpdate(l)
		})
	}
	outside := func(by func(*court) (mls.Sender, Signer), make func(*court) mls.Proposal) func(*court) *forgery {
		return func(c *court) *forgery {
			f := propose(make)(c)
			f.content.Sender, f.by = by(c)
			return f
		}
	}
	service := func(c *court) (mls.Sender, Signer) { return mls.Sender{Type: mls.SenderExternal}, c.service.signer }
	add := func(change func(*mls.KeyPackage)) func(*court) *forgery {
		return propose(func(c *court) mls.Proposal {
			return *c.newcomer(func(kp *mls.KeyPackage, n *client) {
				change(kp)
				c.resign(kp, n)
			}).Proposal
		})
	}
	public := mls.WirePublicMessage
	return []attack{
		{rule: 105, name: "a proposal to add somebody with another suite", forge: propose(func(c *court) mls.Proposal {
			kp, _ := c.client().keyPackage(c.t, mls.X25519ChaCha)
			return mls.ProposeAdd(kp)
		})},
		{rule: 104, name: "a proposal to add somebody with one key for two purposes", forge: add(func(kp *mls.KeyPackage) { kp.InitKey = kp.Leaf.EncryptionKey })},
		{rule: 106, name: "a proposal to add somebody without what the group requires", forge: add(func(kp *mls.KeyPackage) { kp.Leaf.Capabilities.Extensions = nil })},
		{rule: 108, name: "a proposal to remove nobody", forge: this(mls.ProposeRemove(7))},
		{rule: 109, name: "an update without what the group requires", forge: update(func(_ *court, l *mls.LeafNode) { l.Capabilities.Extensions = nil })},
		{rule: 110, name: "an update with a member's encryption key", forge: update(func(c *court, l *mls.LeafNode) { l.EncryptionKey = c.server.Leaf(0).EncryptionKey })},
		{rule: 110, name: "an update with the key of an inner node", forge: update(func(c *court, l *mls.LeafNode) {
			tree := c.server.RatchetTree()
			l.EncryptionKey = tree.EncryptionKey(tree.Root())
		})},
		{rule: 112, name: "an update by an external sender", wire: public, forge: outside(service, func(c *court) mls.Proposal { return mls.ProposeUpdate(*c.server.Leaf(0)) })},
		{rule: 112, name: "an update by one who proposes itself", wire: public, forge: outside(func(c *court) (mls.Sender, Signer) {
			return mls.Sender{Type: mls.SenderNewMemberProposal}, c.mallory.signer
		}, func(c *court) mls.Proposal { return mls.ProposeUpdate(*c.server.Leaf(0)) })},
		{rule: 113, name: "a self_remove that one member does not support", wire: public, forge: this(mls.ProposeSelfRemove())},
		{rule: 113, name: "an app_data_update that one member does not support", forge: this(mls.ProposeAppData(mls.AppDataUpdate{Component: 0x8000}))},
		{rule: 401, name: "a proposed psk with a short nonce", forge: propose(func(c *court) mls.Proposal {
			external, _ := pskIDs(c)
			external.Nonce = external.Nonce[1:]
			return mls.ProposePSK(external)
		})},
		{rule: 402, name: "a proposed psk for a branch", forge: propose(func(c *court) mls.Proposal {
			_, resumption := pskIDs(c)
			return mls.ProposePSK(resumption(mls.PSKBranch, c.server.Epoch()))
		})},
		{rule: 4, name: "an external sender beyond the list", wire: public, forge: outside(func(c *court) (mls.Sender, Signer) {
			return mls.Sender{Type: mls.SenderExternal, Index: 1}, c.service.signer
		}, func(*court) mls.Proposal { return mls.ProposeRemove(0) })},
		{rule: 10, name: "a member in the external sender's name", wire: public, forge: outside(func(c *court) (mls.Sender, Signer) {
			return mls.Sender{Type: mls.SenderExternal}, c.mallory.signer
		}, func(*court) mls.Proposal { return mls.ProposeRemove(0) })},
		{rule: 10, name: "another proposes a newcomer in its name", wire: public, forge: outside(func(c *court) (mls.Sender, Signer) {
			return mls.Sender{Type: mls.SenderNewMemberProposal}, c.mallory.signer
		}, func(c *court) mls.Proposal { return *c.newcomer(nil).Proposal })},
		{rule: 8, name: "a proposal with another membership tag", wire: public, hidden: true, forge: func(c *court) *forgery {
			f := this(mls.ProposeRemove(0))(c)
			f.reframe = func(m *mls.Message) { m.Public.MembershipTag[0] ^= 1 }
			return f
		}},
		{rule: 7, name: "a proposal with a short membership tag", wire: public, forge: func(c *court) *forgery {
			f := this(mls.ProposeRemove(0))(c)
			f.reframe = func(m *mls.Message) { m.Public.MembershipTag = m.Public.MembershipTag[1:] }
			return f
		}},
		{name: "a newcomer that proposes a removal", want: mls.ErrSender, wire: public, forge: outside(func(c *court) (mls.Sender, Signer) {
			return mls.Sender{Type: mls.SenderNewMemberProposal}, c.mallory.signer
		}, func(*court) mls.Proposal { return mls.ProposeRemove(0) })},
		{name: "an update from a commit", want: mls.ErrLeafSource, forge: update(func(_ *court, l *mls.LeafNode) { l.Source = mls.LeafCommit })},
		{name: "an update with the old key", want: mls.ErrSameKey, forge: update(func(c *court, l *mls.LeafNode) {
			l.EncryptionKey = c.server.Leaf(c.mallory.group.OwnLeaf()).EncryptionKey
		})},
		{name: "an update without the version", want: mls.ErrCapabilities, forge: update(func(_ *court, l *mls.LeafNode) { l.Capabilities.Versions = nil })},
		{name: "an update that lacks a credential type of others", want: mls.ErrCredential, forge: update(func(_ *court, l *mls.LeafNode) {
			l.Capabilities.Credentials = slices.Clone(l.Capabilities.Credentials[:0])
		})},
		{name: "an update to a credential that others do not support", want: mls.ErrCredential, forge: update(func(_ *court, l *mls.LeafNode) {
			l.Credential = mls.Credential{Type: mls.CredentialX509, Certificates: [][]byte{{1}}}
			l.Capabilities.Credentials = []mls.CredentialType{mls.CredentialBasic, mls.CredentialX509}
		})},
		{name: "an update with somebody's signature key", want: mls.ErrDuplicateClient, forge: propose(func(c *court) mls.Proposal {
			l := *c.server.Leaf(c.mallory.group.OwnLeaf())
			l.Source, l.ParentHash = mls.LeafUpdate, nil
			_, l.EncryptionKey, _ = newKeyPair(c.suite)
			l.SignatureKey = c.members[0].signer.Public()
			c.check(c.members[0].signer.signLeaf(&l, []byte("town"), c.mallory.group.OwnLeaf()))
			return mls.ProposeUpdate(l)
		})},
		{name: "an update with a broken signature", want: mls.ErrSignature, forge: func(c *court) *forgery {
			f := update(func(*court, *mls.LeafNode) {})(c)
			f.content.Proposal.Update.Leaf.Signature[0] ^= 1
			return f
		}},
		{name: "a proposed external init", want: mls.ErrProposal, forge: this(mls.ProposeExternalInit(nil))},
		{name: "a proposed reinit to version 0", want: mls.ErrReInit, forge: this(mls.Proposal{Type: mls.ProposalReInit, ReInit: &mls.ReInit{Suite: 1}})},
		{name: "proposed extensions with a type twice", want: mls.ErrExtension, forge: this(mls.ProposeExtensions(mls.Extensions{{Type: testExtension}, {Type: testExtension}}))},
	}
}
