package group

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/veche-im/veche/mls"
)

// TestPendingProposalsCanBeLoaded: what members may propose in an epoch is
// bounded as a whole, so that what is stored can be read again.
func TestPendingProposalsCanBeLoaded(t *testing.T) {
	c := newCourt(t)
	long := make([]byte, 1<<20)
	refused := 0
	for i := range 40 {
		content := c.content()
		content.Type, content.Commit = mls.ContentProposal, nil
		p := mls.ProposeExtensions(nil)
		content.Proposal, content.AuthenticatedData = &p, append(long, byte(i))
		m := c.sign(content)
		staged := must(c.server.StageProposal(m))
		server := c.server.AddProposal(staged)
		_, victim := c.victim.group.ReceiveProposal(m)
		if (server == nil) != (victim == nil) {
			t.Fatalf("proposal %d: the server says %v, a member %v", i, server, victim)
		}
		if errors.Is(server, mls.ErrTooManyProposals) {
			refused++
		} else if server != nil {
			t.Fatal(server)
		}
	}
	if refused == 0 {
		t.Error("40 MiB of proposals were kept")
	}
	c.check(c.server.Save(c.disk))
	if _, err := mls.LoadPublicGroup(c.disk); err != nil {
		t.Errorf("the server cannot read what it stored: %v", err)
	}
	c.check(c.victim.group.Save(c.victim.store))
	if _, err := Load(c.victim.store); err != nil {
		t.Errorf("a member cannot read what it stored: %v", err)
	}
}

// TestAppDataStaysReadable: an update must not lead to extensions that nobody
// can decode, which would end the group.
func TestAppDataStaysReadable(t *testing.T) {
	c := newCourt(t)
	var many []mls.ProposalOrRef
	for id := range mls.ComponentID(1<<10 + 1) {
		many = append(many, byValue(mls.ProposeAppData(mls.AppDataUpdate{Component: id})))
	}
	c.refused(c.commitOf(many...), mls.ErrExtension)

	caps := testCapabilities()
	var full mls.Extensions
	for i := range 256 {
		x := mls.Extension{Type: 0x2000 + mls.ExtensionType(i)}
		full = append(full, x)
		caps.Extensions = append(caps.Extensions, x.Type)
	}
	founder := newClient(t, c.suite, "full")
	g := must(Create(Config{
		Suite: c.suite, GroupID: []byte("full"), Signer: founder.signer, Credential: mls.Basic(nil), Extensions: full, Capabilities: caps,
	}))
	c.check(g.Save(founder.store))
	m := &making{
		g: g, sender: mls.MemberSender(0), init: g.epoch.init, leaf: *g.public.Leaf(0),
		list: []mls.ProposalOrRef{byValue(mls.ProposeAppData(mls.AppDataUpdate{Component: 1}))},
	}
	if _, err := m.make(); !errors.Is(err, mls.ErrExtension) {
		t.Errorf("one extension more than a list may have: %v", err)
		c.check(g.MergePending())
		c.check(g.Save(founder.store))
	}
	if _, err := Load(founder.store); err != nil {
		t.Error(err)
	}
}

// TestClearedCommitDoesNotApply: the secrets of a commit that was cleared are
// wiped, and a group without secrets is one that everybody can read.
func TestClearedCommitDoesNotApply(t *testing.T) {
	c := newCourt(t)
	p := must(c.mallory.group.Commit(CommitOptions{}))
	c.mallory.group.ClearPending()
	if err := c.mallory.group.Apply(p.Staged); !errors.Is(err, mls.ErrStale) {
		t.Errorf("applied: %v", err)
	}
	if _, err := p.Export("x", nil, 32); !errors.Is(err, mls.ErrStale) {
		t.Errorf("exported: %v", err)
	}
	if p.EpochAuthenticator() != nil {
		t.Error("it still has an authenticator")
	}
	if g := c.mallory.group; g.Epoch() != c.server.Epoch() {
		t.Errorf("the group is in %d", g.Epoch())
	}
}

// smallPoints are the points of X25519 with which everybody's shared secret is
// zero (RFC 7748 §6.1), as u, without the top bit, which does not count.
var smallPoints = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// TestKeysThatNobodyCanSealTo: a leaf with such a key would make every path of
// every other member fail.
func TestKeysThatNobodyCanSealTo(t *testing.T) {
	own := must(ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{7}, 32)))
	for _, s := range []mls.Suite{mls.X25519AES128, mls.HybridX25519MLKEM768} {
		c := newCourtOf(t, s)
		_, good, err := newKeyPair(s)
		c.check(err)
		for _, text := range smallPoints {
			for _, top := range []byte{0, 0x80} {
				u := must(hex.DecodeString(text))
				u[31] |= top
				if _, err := own.ECDH(must(ecdh.X25519().NewPublicKey(u))); err == nil {
					t.Fatalf("%x is a good key", u)
				}
				key := bytes.Clone(good)
				copy(key[len(key)-32:], u)
				if err := s.CheckEncryptionKey(key); !errors.Is(err, mls.ErrEncryptionKey) {
					t.Errorf("%v, %x: %v", s, u, err)
				}
			}
		}
		leaf := *c.mallory.group.public.Leaf(c.mallory.group.OwnLeaf())
		leaf.EncryptionKey = bytes.Clone(good)
		clear(leaf.EncryptionKey[len(good)-32:])
		leaf.Source, leaf.ParentHash = mls.LeafUpdate, nil
		c.check(c.mallory.signer.signLeaf(&leaf, []byte("town"), c.mallory.group.OwnLeaf()))
		content := c.content()
		content.Type, content.Commit = mls.ContentProposal, nil
		p := mls.ProposeUpdate(leaf)
		content.Proposal = &p
		c.refused(c.sign(content), mls.ErrEncryptionKey)
	}
}

// TestClosedInTheOldLayout: a group that was closed before what follows was
// stored with it is read, and stays closed.
func TestClosedInTheOldLayout(t *testing.T) {
	c := newCourt(t)
	next := mls.ProposeReInit([]byte("next"), c.suite, nil).ReInit
	c.commit(c.mallory, CommitOptions{ReInit: next}, nil)
	c.check(c.server.Save(c.disk))
	var e mls.Encoder
	next.MarshalMLS(&e)
	row := c.disk.rows["context"]
	c.disk.rows["context"] = row[:len(row)-len(must(e.Result()))]
	for range 2 {
		g, err := mls.LoadPublicGroup(c.disk)
		if err != nil {
			t.Fatal(err)
		}
		if !g.Closed() {
			t.Error("it is open again")
		}
		c.check(g.Save(c.disk))
	}
}

// TestSealedThingsOfTheWrongLength: that nobody can open them is seen without
// secrets, so the server keeps them out too.
func TestSealedThingsOfTheWrongLength(t *testing.T) {
	for _, s := range []mls.Suite{mls.X25519AES128, mls.P256AES128, mls.HybridX25519MLKEM768} {
		c := newCourtOf(t, s)
		for name, spoil := range map[string]func(*mls.HPKECiphertext){
			"short KEM output": func(x *mls.HPKECiphertext) { x.KEMOutput = x.KEMOutput[1:] },
			"long KEM output":  func(x *mls.HPKECiphertext) { x.KEMOutput = append(bytes.Clone(x.KEMOutput), 0) },
			"zero KEM output": func(x *mls.HPKECiphertext) {
				x.KEMOutput = bytes.Clone(x.KEMOutput)
				clear(x.KEMOutput[max(0, len(x.KEMOutput)-65):])
			},
			"short secret": func(x *mls.HPKECiphertext) { x.Ciphertext = x.Ciphertext[1:] },
			"long secret":  func(x *mls.HPKECiphertext) { x.Ciphertext = append(bytes.Clone(x.Ciphertext), 0) },
		} {
			t.Run(s.String()+", "+name, func(t *testing.T) {
				c.t = t
				f := c.good(CommitOptions{})
				nodes := f.content.Commit.Path.Nodes
				spoil(&nodes[len(nodes)-1].Secrets[0])
				c.refused(f.public(c), mls.ErrPath)
			})
		}
		c.t = t
		joiner := c.client()
		info := must(mls.ParseGroupInfo(must(c.mallory.group.GroupInfo(true))))
		_, p, err := JoinExternal(info, nil, Config{Signer: joiner.signer, Credential: mls.Basic([]byte("x")), Capabilities: testCapabilities()}, ExternalOptions{})
		c.check(err)
		m := must(mls.ParsePublic(p.Message))
		for _, kem := range [][]byte{nil, {1, 2, 3}, make([]byte, 32), make([]byte, 65), make([]byte, 1120)} {
			forged := *m
			init := mls.ProposeExternalInit(kem)
			forged.Content.Commit = &mls.Commit{Proposals: []mls.ProposalOrRef{byValue(init)}, Path: m.Content.Commit.Path}
			context := c.mallory.group.Public().Context()
			a := forged.Authenticated()
			c.check(joiner.signer.signContent(a, &context))
			a.Auth.ConfirmationTag = m.Auth.ConfirmationTag
			forged.Auth = a.Auth
			c.refused(&forged, mls.ErrExternalCommit)
		}
	}
}

// TestReInitThatNobodyCanFollow: a group is not closed by mistake.
func TestReInitThatNobodyCanFollow(t *testing.T) {
	c := newCourt(t)
	twice := mls.Extensions{{Type: testExtension}, {Type: testExtension}}
	for name, r := range map[string]*mls.ReInit{
		"unknown suite":    mls.ProposeReInit([]byte("next"), 0x0999, nil).ReInit,
		"unknown version":  {GroupID: []byte("next"), Version: 2, Suite: c.suite},
		"the same id":      mls.ProposeReInit([]byte("town"), c.suite, nil).ReInit,
		"extensions twice": mls.ProposeReInit([]byte("next"), c.suite, twice).ReInit,
	} {
		if _, err := c.mallory.group.Commit(CommitOptions{ReInit: r}); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: committed: %v", name, err)
		}
		c.mallory.group.ClearPending()
		if _, err := c.mallory.group.Propose(mls.Proposal{Type: mls.ProposalReInit, ReInit: r}, ProposeOptions{}); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: proposed: %v", name, err)
		}
	}
}

// TestLostPathIsWiped: the private keys of a commit that was cleared, or lost
// against another, go; those of the group stay.
func TestLostPathIsWiped(t *testing.T) {
	c := newCourt(t)
	for name, lose := range map[string]func(){
		"cleared": func() { c.victim.group.ClearPending() },
		"lost":    func() { c.commit(c.mallory, CommitOptions{}, nil) },
	} {
		p := must(c.victim.group.Commit(CommitOptions{}))
		var fresh []*Secret
		for x, s := range p.keys {
			if s != c.victim.group.keys[x] {
				fresh = append(fresh, s)
			}
		}
		if len(fresh) < 2 {
			t.Fatalf("%s: %d keys", name, len(fresh))
		}
		lose()
		for _, s := range fresh {
			if s.Len() != 0 {
				t.Errorf("%s: a private key of the path is still there", name)
			}
		}
		for x, s := range c.victim.group.keys {
			if s.Len() == 0 {
				t.Errorf("%s: the group's own key of node %d is gone", name, x)
			}
		}
		c.commit(c.mallory, CommitOptions{}, nil) // and it can follow
	}
}

// TestRecordsTooLargeToRead are left out, and do not stand in the way of others.
func TestRecordsTooLargeToRead(t *testing.T) {
	c := newCourt(t)
	g := c.victim.group
	entry := &RosterEntry{Credential: mls.Basic(make([]byte, 16<<10))}
	changes := make([]rosterChange, 2100)
	for i := range changes {
		changes[i] = rosterChange{mls.LeafIndex(i), nil, entry}
	}
	context := g.public.Context()
	secret := randomSecret(c.suite.HashSize())
	large := record(context, g.public.RatchetTree(), secret, secret, rosterAfter, changes)
	context.Epoch++
	small := record(context, g.public.RatchetTree(), secret, secret, rosterAfter, changes[:1])
	g.keepRecords(large, small)
	c.check(g.Save(c.victim.store))
	again := must(Load(c.victim.store))
	if list := again.Records().Take(); len(list) != 1 || !list[0].Equal(small.Secret) {
		t.Errorf("%d records", len(list))
	}
}
