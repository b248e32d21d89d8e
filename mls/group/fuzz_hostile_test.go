package group

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

// FuzzHostileMember lets a member with all its secrets send anything: a valid
// message is taken apart and changed as the input says, field by field or byte by
// byte, and then signed, tagged or encrypted as if nothing were wrong. It goes to
// the server and to two members.
//
// Nothing panics. What is refused changes nothing. What the server refuses,
// members refuse. Whoever takes a commit arrives where the server says, and at
// the same epoch as everybody else who takes it, and can store and load the group
// there.
func FuzzHostileMember(f *testing.F) {
	s := newStage(f)
	for base := range s.bases {
		for framing := range byte(2) {
			f.Add([]byte{byte(base), framing, 0})
			for op := range byte(len(mutations)) {
				f.Add([]byte{byte(base), framing, 1, op, 1, 2, 3, 4})
			}
		}
	}
	f.Add([]byte{0, 0, 3, 1, 0, 5, 2, 9, 9, 14, 3, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 200 {
			return
		}
		s.c.t = t
		s.play(&tape{b})
	})
}

// tape is the input: where it ends, everything is 0.
type tape struct{ b []byte }

func (p *tape) next() byte {
	if len(p.b) == 0 {
		return 0
	}
	v := p.b[0]
	p.b = p.b[1:]
	return v
}

// below returns a number from 0 to n-1; n must be at least 1.
func (p *tape) below(n int) int {
	if n <= 256 {
		return int(p.next()) % n
	}
	return (int(p.next())<<8 | int(p.next())) % n
}

// stage is a court on which the same evening is played again and again.
type stage struct {
	c         *court
	bases     []*forgery
	signers   []Signer
	pool      []mls.Proposal      // for lists
	refs      []mls.ProposalOrRef // pending, known to all
	keys      [][]byte            // HPKE keys
	member    map[string][]byte   // rows of the victim
	other     map[string][]byte   // and of another member
	secondary *client
	server    string
}

func newStage(t testing.TB) *stage {
	c := newLaws(t, mls.X25519AES128)
	s := &stage{c: c, secondary: c.members[0]}
	stranger := c.client()
	_, p, err := JoinExternal(must(mls.ParseGroupInfo(c.info)), must(c.server.Tree()), Config{
		Signer: stranger.signer, Credential: mls.Basic([]byte("stranger")), Capabilities: testCapabilities(),
	}, ExternalOptions{})
	c.check(err)
	external := must(mls.ParsePublic(p.Message))
	s.signers = []Signer{c.mallory.signer, stranger.signer, c.service.signer, c.members[0].signer}

	s.refs = []mls.ProposalOrRef{
		c.proposeRef(c.members[2], must(c.members[2].group.ProposeUpdate(ProposeOptions{}))),
		c.proposeRef(c.members[0], must(c.members[0].group.Propose(mls.ProposeRemove(4), ProposeOptions{}))),
		c.proposeRef(c.mallory, must(c.mallory.group.ProposeUpdate(ProposeOptions{}))),
	}
	add := c.newcomer(nil)
	external0, resumption := pskIDs(c)
	context := c.server.Context()
	s.pool = []mls.Proposal{
		*add.Proposal, *c.newcomer(nil).Proposal, mls.ProposeRemove(0), mls.ProposeRemove(3), mls.ProposeRemove(6),
		mls.ProposePSK(external0), mls.ProposePSK(resumption(mls.PSKApplication, context.Epoch)), mls.ProposePSK(resumption(mls.PSKBranch, context.Epoch)),
		{Type: mls.ProposalReInit, ReInit: &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, Suite: mls.HybridX25519MLKEM768}},
		*external.Content.Commit.Proposals[0].Proposal, mls.ProposeExtensions(context.Extensions), mls.ProposeExtensions(nil),
		mls.ProposeSelfRemove(), mls.ProposeAppData(mls.AppDataUpdate{Component: 0x8000, Data: []byte("x")}),
		mls.ProposeUpdate(*c.server.Leaf(0)),
	}
	tree := c.server.RatchetTree()
	for x := range mls.NodeIndex(2*tree.Width() - 1) {
		if k := tree.EncryptionKey(x); k != nil {
			s.keys = append(s.keys, k)
		}
	}
	s.keys = append(s.keys, nil, []byte{1}, external.Content.Commit.Path.Leaf.EncryptionKey)

	kp := add.Proposal.Add.KeyPackage
	s.bases = []*forgery{
		c.good(CommitOptions{}),
		c.good(CommitOptions{Add: []mls.KeyPackage{kp}, NoPath: true}),
		c.good(CommitOptions{Add: []mls.KeyPackage{kp}, Remove: []mls.LeafIndex{c.members[2].group.OwnLeaf()}}),
		c.good(CommitOptions{IncludePending: true}),
		{content: external.Content, confirmation: external.Auth.ConfirmationTag, by: stranger.signer},
	}
	for i := range s.pool {
		content := c.content()
		content.Type, content.Commit, content.Proposal = mls.ContentProposal, nil, &s.pool[i]
		s.bases = append(s.bases, &forgery{content: content})
	}
	content := c.content()
	openly(nil, &content)
	s.bases = append(s.bases, &forgery{content: content})

	for _, m := range []*client{c.victim, s.secondary} {
		c.check(m.group.Save(m.store))
	}
	s.member, s.other = maps.Clone(c.victim.store.rows), maps.Clone(s.secondary.store.rows)
	s.server = c.serverImage()
	return s
}

func (s *stage) load(rows map[string][]byte) (*Group, *memory) {
	m := &memory{rows: maps.Clone(rows)}
	return must(Load(m)), m
}

// play sends one message.
func (s *stage) play(p *tape) {
	c := s.c
	c.t.Helper()
	base := s.bases[p.below(len(s.bases))]
	framing := p.next()
	f := &forgery{content: copyContent(base.content), confirmation: base.confirmation, by: base.by}
	for range p.below(6) {
		mutations[p.below(len(mutations))](s, f, p)
	}
	if _, err := mls.Marshal(&f.content); err != nil {
		return // not even mallory can send it
	}
	if framing&1 == 0 {
		s.playPublic(f, p)
	} else {
		s.playPrivate(f, p)
	}
	if c.serverImage() != s.server {
		c.t.Fatal("the server has changed by looking at a message")
	}
}

func (s *stage) playPublic(f *forgery, p *tape) {
	c := s.c
	tagged, err := framingOf(c.mallory.group).tag(f.signed(c, mls.WirePublicMessage))
	if err != nil {
		return
	}
	b := must(mls.Marshal(mls.Message{Public: tagged}))
	if flips := p.below(3); flips > 0 && p.next()%4 == 0 {
		for range flips {
			b[p.below(len(b))] ^= 1 << p.below(8)
		}
	}
	m, err := mls.ParsePublic(b)
	if err != nil {
		return
	}
	if m.Content.Type == mls.ContentProposal {
		_, serverSays := c.server.StageProposal(m)
		for _, rows := range []map[string][]byte{s.member, s.other} {
			g, _ := s.load(rows)
			before := snapshot(c.t, g)
			if _, err := g.ReceiveProposal(m); err == nil && serverSays != nil {
				c.t.Fatalf("a member takes a proposal that the server refuses: %v", serverSays)
			}
			if snapshot(c.t, g) != before {
				c.t.Fatal("a proposal has changed a member's secrets")
			}
		}
		return
	}
	public, serverSays := c.server.StageCommit(m)
	s.arrive(public, serverSays, func(g *Group) (*Staged, error) { return g.StageCommit(m) })
}

// playPrivate encrypts the message; the server sees only that there is one.
func (s *stage) playPrivate(f *forgery, p *tape) {
	c := s.c
	if f.content.Sender.Type != mls.SenderMember || f.content.Sender.Leaf > 7 {
		return // nobody has keys for it
	}
	if n := p.below(4); n > 0 {
		f.padding = make([]byte, n)
		f.padding[0] = p.next() % 2
	}
	m := c.encrypt(f.signed(c, mls.WirePrivateMessage), 50, f.padding)
	if p.next()%8 == 1 {
		m.Ciphertext[p.below(len(m.Ciphertext))] ^= 1
	}
	s.arrive(nil, nil, func(g *Group) (*Staged, error) {
		before := snapshot(c.t, g)
		if m.Type == mls.ContentApplication {
			if _, err := g.Open(m); err != nil && snapshot(c.t, g) != before {
				c.t.Fatal("a message that does not open has changed a member")
			}
			return nil, ErrOpen
		}
		h, err := g.Unprotect(m)
		if err != nil {
			if snapshot(c.t, g) != before {
				c.t.Fatal("a message that does not open has changed a member")
			}
			return nil, err
		}
		if m.Type == mls.ContentProposal {
			if _, err := h.Receive(); err != nil {
				return nil, err
			}
			return nil, mls.ErrContentType // kept, and nothing to arrive at
		}
		return h.Stage()
	})
}

// arrive lets both members stage a commit, and compares where they come out.
func (s *stage) arrive(public *mls.StagedPublicCommit, serverSays error, stage func(*Group) (*Staged, error)) {
	c := s.c
	var first []byte
	for _, rows := range []map[string][]byte{s.member, s.other} {
		g, m := s.load(rows)
		before := g.Public().Context()
		staged, err := stage(g)
		if now := g.Public().Context(); !now.Equal(&before) {
			c.t.Fatal("a member has moved by looking at a message")
		}
		if err != nil {
			continue
		}
		if serverSays != nil {
			c.t.Fatalf("a member takes a commit that the server refuses: %v", serverSays)
		}
		if public != nil && !staged.Context.Equal(&public.Context) {
			c.t.Fatal("a member arrives elsewhere than the server")
		}
		if err := g.Apply(staged); err != nil {
			c.t.Fatalf("a staged commit is not applied: %v", err)
		}
		if err := g.Save(m); err != nil {
			c.t.Fatal(err)
		}
		again, err := Load(m)
		if err != nil {
			c.t.Fatalf("what was applied does not load: %v", err)
		}
		if staged.RemovesUs {
			continue
		}
		c.invariant(again)
		if first == nil {
			first = again.EpochAuthenticator()
		} else if !bytes.Equal(first, again.EpochAuthenticator()) {
			c.t.Fatal("two members took one commit and arrived at two epochs")
		}
	}
}

// copyContent is a deep copy.
func copyContent(content mls.FramedContent) mls.FramedContent {
	var out mls.FramedContent
	if err := mls.Unmarshal(must(mls.Marshal(&content)), &out); err != nil {
		panic(err)
	}
	return out
}

// mutations are what mallory may do to a message before it is signed.
var mutations = []func(*stage, *forgery, *tape){
	func(_ *stage, f *forgery, p *tape) { f.content.Sender.Leaf = mls.LeafIndex(p.below(9)) },
	func(_ *stage, f *forgery, p *tape) { f.content.Sender.Type = mls.SenderType(1 + p.below(4)) },
	func(_ *stage, f *forgery, p *tape) { f.content.Epoch += uint64(p.next()) - 1 },
	func(_ *stage, f *forgery, p *tape) { f.content.GroupID = append(f.content.GroupID, p.next()) },
	func(_ *stage, f *forgery, p *tape) { f.content.AuthenticatedData = make([]byte, p.below(300)) },
	func(s *stage, f *forgery, p *tape) { f.by = s.signers[p.below(len(s.signers))] },
	func(_ *stage, f *forgery, p *tape) { f.confirmation = make([]byte, p.below(40)) },
	flipContent,
	appendProposal, dropProposal, repeatProposal, appendRef,
	func(_ *stage, f *forgery, p *tape) {
		if f.content.Commit != nil {
			f.content.Commit.Path = nil
		}
	},
	dropNode, swapKey, changeLeaf, resignLeaf, changeProposal,
}

// flipContent flips bits of the encoding, if the result is one.
func flipContent(_ *stage, f *forgery, p *tape) {
	b := encoding(&f.content)
	if len(b) == 0 {
		return
	}
	for range 1 + p.below(3) {
		b[p.below(len(b))] ^= p.next()
	}
	var content mls.FramedContent
	if mls.Unmarshal(b, &content) == nil {
		f.content = content
	}
}

// encoding is nil for what has none.
func encoding(v mls.Marshaler) []byte {
	b, err := mls.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

func appendProposal(s *stage, f *forgery, p *tape) {
	if c := f.content.Commit; c != nil {
		c.Proposals = append(c.Proposals, byValue(s.pool[p.below(len(s.pool))]))
	}
}

func appendRef(s *stage, f *forgery, p *tape) {
	if c := f.content.Commit; c != nil {
		c.Proposals = append(c.Proposals, s.refs[p.below(len(s.refs))])
	}
}

func dropProposal(_ *stage, f *forgery, p *tape) {
	if c := f.content.Commit; c != nil && len(c.Proposals) > 0 {
		i := p.below(len(c.Proposals))
		c.Proposals = slices.Delete(c.Proposals, i, i+1)
	}
}

func repeatProposal(_ *stage, f *forgery, p *tape) {
	if c := f.content.Commit; c != nil && len(c.Proposals) > 0 {
		c.Proposals = append(c.Proposals, c.Proposals[p.below(len(c.Proposals))])
	}
}

func dropNode(_ *stage, f *forgery, p *tape) {
	c := f.content.Commit
	if c == nil || c.Path == nil || len(c.Path.Nodes) == 0 {
		return
	}
	i := p.below(len(c.Path.Nodes))
	switch n := &c.Path.Nodes[i]; p.below(4) {
	case 0:
		c.Path.Nodes = slices.Delete(c.Path.Nodes, i, i+1)
	case 1:
		c.Path.Nodes = slices.Insert(c.Path.Nodes, i, *n)
	case 2:
		n.Secrets = n.Secrets[:p.below(len(n.Secrets)+1)]
	case 3:
		n.Secrets = append(n.Secrets, mls.HPKECiphertext{})
	}
}

// swapKey puts a key from somewhere else into the path.
func swapKey(s *stage, f *forgery, p *tape) {
	c := f.content.Commit
	if c == nil || c.Path == nil {
		return
	}
	key := s.keys[p.below(len(s.keys))]
	if i := p.below(len(c.Path.Nodes) + 1); i < len(c.Path.Nodes) {
		c.Path.Nodes[i].EncryptionKey = key
	} else {
		c.Path.Leaf.EncryptionKey = key
	}
}

// leafOf is a leaf node in the message, nil if there is none.
func leafOf(f *forgery) *mls.LeafNode {
	switch c := &f.content; {
	case c.Commit != nil && c.Commit.Path != nil:
		return &c.Commit.Path.Leaf
	case c.Proposal != nil && c.Proposal.Update != nil:
		return &c.Proposal.Update.Leaf
	case c.Proposal != nil && c.Proposal.Add != nil:
		return &c.Proposal.Add.KeyPackage.Leaf
	}
	return nil
}

func changeLeaf(s *stage, f *forgery, p *tape) {
	l := leafOf(f)
	if l == nil {
		return
	}
	for _, change := range [][]func(){{
		func() { l.Source = mls.LeafSource(1 + p.below(3)) },
		func() { l.ParentHash = make([]byte, p.below(40)) },
		func() { l.SignatureKey = s.signers[p.below(len(s.signers))].Public() },
		func() { l.Credential = mls.Credential{Type: mls.CredentialX509} },
		func() { l.Capabilities.Extensions = nil },
		func() { l.Capabilities.Credentials = nil },
		func() { l.Capabilities.Suites = nil },
		func() {
			l.Extensions = append(l.Extensions, mls.Extension{Type: mls.ExtensionType(p.next()), Data: []byte{p.next()}})
		},
	}} {
		change[p.below(len(change))]()
	}
}

// resignLeaf signs the leaf node as its receiver would want it.
func resignLeaf(s *stage, f *forgery, p *tape) {
	l := leafOf(f)
	if l == nil {
		return
	}
	signer := s.signers[p.below(len(s.signers))]
	l.SignatureKey = signer.Public()
	if b, err := l.SignedContent(f.content.GroupID, f.content.Sender.Leaf); err == nil {
		l.Signature = must(signer.SignWithLabel(mls.LeafNodeLabel, b))
	}
}

// changeProposal changes a number in a proposal.
func changeProposal(_ *stage, f *forgery, p *tape) {
	q := f.content.Proposal
	if c := f.content.Commit; c != nil && len(c.Proposals) > 0 {
		q = c.Proposals[p.below(len(c.Proposals))].Proposal
	}
	switch {
	case q == nil:
	case q.Remove != nil:
		q.Remove.Removed = mls.LeafIndex(p.below(9))
	case q.PSK != nil:
		q.PSK.ID.Epoch += uint64(p.next()) - 8
		q.PSK.ID.Usage = mls.PSKUsage(1 + p.below(3))
	case q.ReInit != nil:
		q.ReInit.Version = mls.Version(p.next() % 3)
		q.ReInit.Suite = mls.Suite(p.next())
	case q.ExternalInit != nil:
		q.ExternalInit.KEMOutput = q.ExternalInit.KEMOutput[:p.below(len(q.ExternalInit.KEMOutput)+1)]
	case q.Extensions != nil:
		q.Extensions.Extensions = append(q.Extensions.Extensions, mls.Extension{Type: mls.ExtensionType(p.next()), Data: []byte{p.next()}})
	case q.AppData != nil:
		q.AppData.Remove = !q.AppData.Remove
	}
}
