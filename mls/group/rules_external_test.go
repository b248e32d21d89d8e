package group

import (
	"bytes"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

// entering is an external commit by a stranger, changed before it is signed.
func entering(opts func(*court) ExternalOptions, change func(*court, *client, *mls.FramedContent)) func(*court) *forgery {
	return func(c *court) *forgery {
		stranger := c.client()
		o := ExternalOptions{}
		if opts != nil {
			o = opts(c)
		}
		_, p, err := JoinExternal(must(mls.ParseGroupInfo(c.info)), must(c.server.Tree()), Config{
			Signer: stranger.signer, Credential: mls.Basic([]byte("stranger")), Capabilities: testCapabilities(),
		}, o)
		c.check(err)
		m, err := mls.ParsePublic(p.Message)
		c.check(err)
		f := &forgery{content: m.Content, by: stranger.signer, confirmation: m.Auth.ConfirmationTag}
		change(c, stranger, &f.content)
		return f
	}
}

// externalAttacks break what is said of external commits (RFC 9420 §12.2,
// §12.4.3.2). They come as PublicMessage and in no other way.
func externalAttacks() []attack {
	// with has more proposals than an external commit should.
	with := func(more func(*court) []mls.ProposalOrRef) func(*court) *forgery {
		return entering(nil, func(c *court, _ *client, f *mls.FramedContent) {
			f.Commit.Proposals = append(f.Commit.Proposals, more(c)...)
		})
	}
	these := func(list ...mls.Proposal) func(*court) *forgery {
		return with(func(*court) []mls.ProposalOrRef {
			var out []mls.ProposalOrRef
			for _, p := range list {
				out = append(out, byValue(p))
			}
			return out
		})
	}
	psk := mls.ProposePSK(mls.PreSharedKeyID{Type: mls.PSKExternal, Nonce: make([]byte, 32)})
	attacks := []attack{
		{rule: 240, name: "without an init", forge: entering(nil, func(_ *court, _ *client, f *mls.FramedContent) { f.Commit.Proposals = nil })},
		{rule: 241, name: "with two inits", forge: entering(nil, func(_ *court, _ *client, f *mls.FramedContent) {
			f.Commit.Proposals = slices.Repeat(f.Commit.Proposals, 2)
		})},
		{rule: 242, name: "that removes two", forge: these(mls.ProposeRemove(0), mls.ProposeRemove(2))},
		{rule: 242, name: "that adds", forge: with(func(c *court) []mls.ProposalOrRef { return []mls.ProposalOrRef{c.newcomer(nil)} })},
		{rule: 242, name: "that updates", forge: with(func(c *court) []mls.ProposalOrRef {
			return []mls.ProposalOrRef{byValue(mls.ProposeUpdate(*c.server.Leaf(0)))}
		})},
		{rule: 242, name: "that changes extensions", forge: these(mls.ProposeExtensions(nil))},
		{rule: 242, name: "that begins the group anew", forge: these(mls.Proposal{Type: mls.ProposalReInit, ReInit: &mls.ReInit{Version: 1, Suite: 1}})},
		{rule: 244, name: "with a reference", forge: with(func(c *court) []mls.ProposalOrRef {
			b := must(c.members[0].group.Propose(mls.ProposeRemove(2), ProposeOptions{}))
			return []mls.ProposalOrRef{c.proposeRef(c.members[0], b)}
		})},
		{rule: 245, name: "without a path", forge: entering(nil, func(_ *court, _ *client, f *mls.FramedContent) { f.Commit.Path = nil })},
		{rule: 246, name: "signed by another", forge: func(c *court) *forgery {
			f := entering(nil, func(*court, *client, *mls.FramedContent) {})(c)
			f.by = c.mallory.signer
			return f
		}},
		{rule: 246, name: "with a member's signature key in its leaf", forge: entering(nil, func(c *court, _ *client, f *mls.FramedContent) {
			f.Commit.Path.Leaf.SignatureKey = c.members[0].signer.Public()
		})},
		{rule: 403, name: "with a psk twice", forge: these(psk, psk)},
		{rule: 401, name: "with a psk of a short nonce", forge: these(mls.ProposePSK(mls.PreSharedKeyID{Type: mls.PSKExternal, Nonce: make([]byte, 31)}))},
		{rule: 108, name: "that removes nobody", forge: these(mls.ProposeRemove(6))},
		{rule: 113, name: "with a proposal that one member does not support", forge: these(mls.ProposeAppData(mls.AppDataUpdate{Component: 0x8000}))},
		{rule: 3, name: "for another epoch", forge: entering(nil, func(_ *court, _ *client, f *mls.FramedContent) { f.Epoch-- })},
		{rule: 205, name: "with another confirmation tag", hidden: true, forge: func(c *court) *forgery {
			f := entering(nil, func(*court, *client, *mls.FramedContent) {})(c)
			f.confirmation[0] ^= 1
			return f
		}},
		{rule: 206, name: "with a member's encryption key", forge: entering(nil, func(c *court, s *client, f *mls.FramedContent) {
			f.Commit.Path.Leaf.EncryptionKey = c.server.Leaf(0).EncryptionKey
			c.check(s.signer.signLeaf(&f.Commit.Path.Leaf, f.GroupID, 6))
		})},
		{name: "with a leaf signed for another place", want: mls.ErrSignature, forge: entering(nil, func(c *court, s *client, f *mls.FramedContent) {
			c.check(s.signer.signLeaf(&f.Commit.Path.Leaf, f.GroupID, 0))
		})},
		{name: "by a member a second time", want: mls.ErrDuplicateClient, forge: func(c *court) *forgery {
			f := entering(nil, func(c *court, _ *client, f *mls.FramedContent) {
				f.Commit.Path.Leaf.SignatureKey = c.mallory.signer.Public()
				c.check(c.mallory.signer.signLeaf(&f.Commit.Path.Leaf, f.GroupID, 6))
			})(c)
			f.by = c.mallory.signer
			return f
		}},
		{name: "that keeps the encryption key of the leaf it replaces", want: mls.ErrSameKey, forge: entering(func(c *court) ExternalOptions {
			former := c.members[2].group.OwnLeaf()
			return ExternalOptions{RemoveOwn: &former}
		}, func(c *court, s *client, f *mls.FramedContent) {
			former := c.members[2].group.OwnLeaf()
			f.Commit.Path.Leaf.EncryptionKey = c.server.Leaf(former).EncryptionKey
			c.check(s.signer.signLeaf(&f.Commit.Path.Leaf, f.GroupID, former))
		})},
		{name: "with an init that does not open", want: mls.ErrExternalCommit, forge: entering(nil, func(_ *court, _ *client, f *mls.FramedContent) {
			f.Commit.Proposals[0].Proposal.ExternalInit.KEMOutput = []byte("short")
		})},
		{name: "without what the group requires", want: mls.ErrCapabilities, forge: entering(nil, func(c *court, s *client, f *mls.FramedContent) {
			f.Commit.Path.Leaf.Capabilities.Extensions = nil
			c.check(s.signer.signLeaf(&f.Commit.Path.Leaf, f.GroupID, 6))
		})},
	}
	for i := range attacks {
		attacks[i].name = "an external commit " + attacks[i].name
		attacks[i].wire = mls.WirePublicMessage
	}
	return append(attacks, attack{
		name: "an external commit by a member under its own name", want: mls.ErrProposal, forge: func(c *court) *forgery {
			f := entering(nil, func(*court, *client, *mls.FramedContent) {})(c)
			f.content.Sender, f.by = mls.MemberSender(c.mallory.group.OwnLeaf()), c.mallory.signer
			return f
		},
	})
}

// TestJoinerThatRemovesAnother: whether the joiner is the one whom it removes,
// come back, cannot be seen from keys and leaves (rule 243). Member and server
// are told both, and judge before they apply the commit.
func TestJoinerThatRemovesAnother(t *testing.T) {
	c := newCourt(t)
	poor := c.members[2].group.OwnLeaf()
	m := entering(func(*court) ExternalOptions { return ExternalOptions{RemoveOwn: &poor} }, func(*court, *client, *mls.FramedContent) {})(c).public(c)
	server, victim := must(c.server.StageCommit(m)), must(c.victim.group.StageCommit(m))
	for who, s := range map[string]*mls.StagedPublicCommit{"the server": server, "a member": victim.StagedPublicCommit} {
		if !s.External || len(s.Removed) != 1 || s.Removed[0].Index != poor || s.Joiner == nil {
			t.Errorf("%s is not told who takes whose place", who)
			continue
		}
		if bytes.Equal(s.Joiner.Credential.Identity, s.Removed[0].Leaf.Credential.Identity) {
			t.Errorf("%s takes the stranger for the one whom it removes", who)
		}
	}
}
