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
