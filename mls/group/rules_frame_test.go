package group

import "github.com/veche-im/veche/mls"

// frameAttacks break what is said of messages as such (RFC 9420 §6).
func frameAttacks() []attack {
	frame := func(change func(*court, *mls.FramedContent)) func(*court) *forgery {
		return func(c *court) *forgery {
			f := c.good(CommitOptions{})
			change(c, &f.content)
			return f
		}
	}
	spoil := func(change func(*court, *mls.AuthenticatedContent, func(mls.WireFormat))) func(*court) *forgery {
		return func(c *court) *forgery {
			f := c.good(CommitOptions{})
			f.spoil = func(a *mls.AuthenticatedContent, sign func(mls.WireFormat)) { change(c, a, sign) }
			return f
		}
	}
	reframe := func(change func(*mls.Message)) func(*court) *forgery {
		return func(c *court) *forgery {
			f := c.good(CommitOptions{})
			f.reframe = change
			return f
		}
	}
	public, private := mls.WirePublicMessage, mls.WirePrivateMessage
	return []attack{
		{rule: 2, name: "another group", inPrivate: ErrOpen, forge: frame(func(_ *court, f *mls.FramedContent) { f.GroupID = []byte("elsewhere") })},
		{rule: 3, name: "the epoch before", inPrivate: ErrOpen, forge: frame(func(_ *court, f *mls.FramedContent) { f.Epoch-- })},
		{rule: 3, name: "the epoch after", inPrivate: ErrOpen, forge: frame(func(_ *court, f *mls.FramedContent) { f.Epoch++ })},
		{rule: 4, name: "a blank sender", inPrivate: ErrOpen, forge: frame(func(_ *court, f *mls.FramedContent) { f.Sender.Leaf = 6 })},
		{rule: 4, name: "a sender outside of the tree", wire: public, forge: frame(func(_ *court, f *mls.FramedContent) { f.Sender.Leaf = 1 << 31 })},
		{rule: 5, name: "a message for all to read, as a commit", wire: public, as: mls.ContentCommit, forge: frame(openly)},
		{rule: 5, name: "a message for all to read, as a proposal", wire: public, as: mls.ContentProposal, forge: frame(openly)},
		{rule: 6, name: "a ciphertext with a bit flipped", wire: private, forge: reframe(func(m *mls.Message) { m.Private.Ciphertext[40] ^= 1 })},
		{rule: 6, name: "sender data with a bit flipped", wire: private, forge: reframe(func(m *mls.Message) { m.Private.SenderData[0] ^= 1 })},
		{rule: 6, name: "other authenticated data", wire: private, forge: reframe(func(m *mls.Message) { m.Private.AuthenticatedData = []byte("x") })},
		{rule: 7, name: "no membership tag", wire: public, forge: reframe(func(m *mls.Message) { m.Public.MembershipTag = nil })},
		{rule: 7, name: "a short membership tag", wire: public, forge: reframe(func(m *mls.Message) { m.Public.MembershipTag = m.Public.MembershipTag[1:] })},
		{rule: 8, name: "another membership tag", wire: public, hidden: true, forge: reframe(func(m *mls.Message) { m.Public.MembershipTag[0] ^= 1 })},
		{rule: 9, name: "no confirmation tag", forge: spoil(func(_ *court, a *mls.AuthenticatedContent, _ func(mls.WireFormat)) { a.Auth.ConfirmationTag = nil })},
		{rule: 9, name: "a short confirmation tag", forge: spoil(func(_ *court, a *mls.AuthenticatedContent, _ func(mls.WireFormat)) {
			a.Auth.ConfirmationTag = a.Auth.ConfirmationTag[1:]
		})},
		{rule: 10, name: "a broken signature", inPrivate: ErrOpen, forge: spoil(func(_ *court, a *mls.AuthenticatedContent, _ func(mls.WireFormat)) { a.Auth.Signature[5] ^= 1 })},
		{rule: 10, name: "another's name", inPrivate: ErrOpen, forge: frame(func(c *court, f *mls.FramedContent) { f.Sender.Leaf = c.members[0].group.OwnLeaf() })},
		{rule: 10, name: "a signature for the other wire format", inPrivate: ErrOpen, forge: spoil(func(_ *court, a *mls.AuthenticatedContent, sign func(mls.WireFormat)) {
			sign(mls.WirePublicMessage + mls.WirePrivateMessage - a.WireFormat)
		})},
		{rule: 10, name: "a signature over another context", inPrivate: ErrOpen, forge: spoil(func(c *court, a *mls.AuthenticatedContent, _ func(mls.WireFormat)) {
			other := c.mallory.group.Public().Context()
			other.TreeHash = make([]byte, len(other.TreeHash))
			c.check(c.mallory.signer.signContent(a, &other))
		})},
		{rule: 11, name: "padding that is not zeros", wire: private, forge: func(c *court) *forgery {
			f := c.good(CommitOptions{})
			f.padding = []byte{0, 0, 1}
			return f
		}},
		{name: "a commit by an external sender", want: mls.ErrSender, wire: public, forge: frame(func(_ *court, f *mls.FramedContent) { f.Sender = mls.Sender{Type: mls.SenderExternal} })},
		{name: "a commit by one who proposes itself", want: mls.ErrSender, wire: public, forge: frame(func(_ *court, f *mls.FramedContent) {
			f.Sender = mls.Sender{Type: mls.SenderNewMemberProposal}
		})},
		{name: "a proposal as a commit", want: mls.ErrContentType, as: mls.ContentCommit, forge: frame(func(_ *court, f *mls.FramedContent) {
			p := mls.ProposeRemove(0)
			f.Type, f.Commit, f.Proposal = mls.ContentProposal, nil, &p
		})},
		{name: "a commit as a proposal", want: mls.ErrContentType, as: mls.ContentProposal, forge: frame(func(*court, *mls.FramedContent) {})},
	}
}

func openly(_ *court, f *mls.FramedContent) {
	f.Type, f.Commit, f.ApplicationData = mls.ContentApplication, nil, []byte("good morning")
}
