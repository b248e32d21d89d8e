package group

import (
	"bytes"
	"errors"
	"testing"

	"github.com/veche-im/veche/mls"
)

// openTree is a ratchet tree whose nodes a test may change.
type openTree struct{ nodes []treeNode }

type treeNode struct {
	leaf   *mls.LeafNode
	parent *mls.ParentNode
}

func (o *openTree) UnmarshalMLS(d *mls.Decoder) {
	o.nodes = mls.Vector(d, 1000, func(d *mls.Decoder, n *treeNode) {
		if !d.Optional() {
			return
		}
		if d.Uint8() == 1 {
			n.leaf = new(mls.LeafNode)
			n.leaf.UnmarshalMLS(d)
		} else {
			n.parent = new(mls.ParentNode)
			n.parent.UnmarshalMLS(d)
		}
	})
}

func (o *openTree) MarshalMLS(e *mls.Encoder) {
	e.Vector(func() {
		for _, n := range o.nodes {
			e.Optional(n.leaf != nil || n.parent != nil)
			switch {
			case n.leaf != nil:
				e.Uint8(1)
				n.leaf.MarshalMLS(e)
			case n.parent != nil:
				e.Uint8(2)
				n.parent.MarshalMLS(e)
			}
		}
	})
}

// TestRefusesTrees: whoever signs a GroupInfo may lie about the tree, and must
// be caught by the joiner and by the server.
func TestRefusesTrees(t *testing.T) {
	c := newCourt(t)
	// Someone unmerged: added by a commit with a path of another half.
	c.add(1, CommitOptions{NoPath: true})
	good, err := c.server.Tree()
	c.check(err)
	context := c.server.Context()
	liar := c.members[0]

	// forge returns the changed tree with a GroupInfo for it.
	forge := func(change func(*openTree)) (*mls.GroupInfo, []byte) {
		var o openTree
		c.check(mls.Unmarshal(good, &o))
		change(&o)
		b, err := mls.Marshal(&o)
		c.check(err)
		info := &mls.GroupInfo{
			Context: context, Signer: liar.group.OwnLeaf(),
			Extensions:      mls.Extensions{mls.ExternalPubExtension(must(liar.group.epoch.externalPub(c.suite)))},
			ConfirmationTag: liar.group.epoch.confirmationTag(&context),
		}
		if tree, err := mls.ParseTree(c.suite, b); err == nil {
			info.Context.TreeHash = tree.Hash()
		}
		c.check(liar.signer.signInfo(info))
		return info, b
	}
	clientAt := func(i mls.LeafIndex) *client {
		for _, m := range c.members {
			if m.group.OwnLeaf() == i {
				return m
			}
		}
		t.Fatalf("nobody at %d", i)
		return nil
	}
	resign := func(o *openTree, i mls.LeafIndex) {
		c.check(clientAt(i).signer.signLeaf(o.nodes[i.Node()].leaf, context.GroupID, i))
	}
	firstParent := func(o *openTree) *mls.ParentNode {
		for _, n := range o.nodes {
			if n.parent != nil {
				return n.parent
			}
		}
		t.Fatal("no parent node")
		return nil
	}
	unmerged := func(o *openTree) *mls.ParentNode {
		for _, n := range o.nodes {
			if n.parent != nil && len(n.parent.Unmerged) > 0 {
				return n.parent
			}
		}
		t.Fatal("nobody is unmerged")
		return nil
	}
	root := func(o *openTree) *mls.ParentNode { return o.nodes[7].parent }

	info, tree := forge(func(*openTree) {})
	if _, err := mls.NewPublicGroup(info, tree); err != nil {
		t.Fatalf("the tree as it is: %v", err)
	}
	if len(c.server.Members()) < 6 {
		t.Fatal("the tree is too small for the attacks below")
	}

	for _, tt := range []struct {
		name   string
		change func(*openTree)
		want   error
	}{
		{"a broken leaf signature", func(o *openTree) { o.nodes[2].leaf.Signature[0] ^= 1 }, mls.ErrSignature},
		{"a leaf at another's place", func(o *openTree) { o.nodes[2].leaf, o.nodes[4].leaf = o.nodes[4].leaf, o.nodes[2].leaf }, mls.ErrSignature},
		{"a leaf without basic credentials", func(o *openTree) { o.nodes[2].leaf.Capabilities.Credentials = nil; resign(o, 1) }, mls.ErrCredential},
		{"a leaf key that is none", func(o *openTree) { o.nodes[2].leaf.EncryptionKey = []byte{1}; resign(o, 1) }, mls.ErrEncryptionKey},
		{"two leaves with one encryption key", func(o *openTree) {
			o.nodes[2].leaf.EncryptionKey = o.nodes[4].leaf.EncryptionKey
			resign(o, 1)
		}, mls.ErrDuplicateKey},
		{"a leaf with the key of an inner node", func(o *openTree) {
			o.nodes[2].leaf.EncryptionKey = firstParent(o).EncryptionKey
			resign(o, 1)
		}, mls.ErrDuplicateKey},
		{"two leaves with one signature key", func(o *openTree) {
			o.nodes[2].leaf.SignatureKey = o.nodes[4].leaf.SignatureKey
			c.check(clientAt(2).signer.signLeaf(o.nodes[2].leaf, context.GroupID, 1))
		}, mls.ErrDuplicateClient},
		{"an inner key that is none", func(o *openTree) { firstParent(o).EncryptionKey = []byte{1} }, mls.ErrEncryptionKey},
		{"an inner key that nobody below put there", func(o *openTree) {
			_, firstParent(o).EncryptionKey, _ = newKeyPair(c.suite)
		}, mls.ErrParentHash},
		{"a root that nobody put there", func(o *openTree) {
			_, root(o).EncryptionKey, _ = newKeyPair(c.suite)
		}, mls.ErrParentHash},
		{"another parent hash", func(o *openTree) {
			for _, n := range o.nodes {
				if n.parent != nil && len(n.parent.ParentHash) > 0 {
					n.parent.ParentHash[0] ^= 1
					return
				}
			}
		}, mls.ErrParentHash},
		{"a leaf parent hash of another", func(o *openTree) {
			for i := range mls.LeafIndex(5) {
				if l := o.nodes[i.Node()].leaf; l.Source == mls.LeafCommit {
					l.ParentHash[0] ^= 1
					resign(o, i)
				}
			}
		}, mls.ErrParentHash},
		{"a blank where a leaf was", func(o *openTree) { o.nodes[2].leaf = nil }, mls.ErrParentHash},
		{"an unmerged leaf that is not below", func(o *openTree) { firstParent(o).Unmerged = []mls.LeafIndex{5} }, mls.ErrUnmerged},
		{"an unmerged leaf that is blank", func(o *openTree) { root(o).Unmerged = append(root(o).Unmerged, 7) }, mls.ErrUnmerged},
		{"an unmerged leaf outside of the tree", func(o *openTree) { root(o).Unmerged = append(root(o).Unmerged, 1<<31) }, mls.ErrUnmerged},
		{"an unmerged leaf that a node in between does not list", func(o *openTree) {
			list := unmerged(o).Unmerged
			for i := range o.nodes {
				if p := o.nodes[i].parent; p != nil && i != 7 {
					p.Unmerged = nil
				}
			}
			root(o).Unmerged = list
			if len(o.nodes) < 12 || o.nodes[11].parent == nil {
				o.nodes[3].parent.Unmerged = nil
				root(o).Unmerged = []mls.LeafIndex{1}
			}
		}, mls.ErrUnmerged},
		{"a merged leaf as unmerged", func(o *openTree) {
			for _, x := range []int{1, 3, 7} {
				if p := o.nodes[x].parent; p != nil {
					p.Unmerged = append([]mls.LeafIndex{1}, p.Unmerged...)
				}
			}
		}, mls.ErrParentHash},
		{"nobody at the signer's place", func(o *openTree) {
			o.nodes[liar.group.OwnLeaf().Node()].leaf = nil
		}, mls.ErrNotMember},
		{"a parent among the leaves", func(o *openTree) { o.nodes[2] = treeNode{parent: firstParent(o)} }, mls.ErrTree},
		{"a leaf among the parents", func(o *openTree) { o.nodes[1] = treeNode{leaf: o.nodes[2].leaf} }, mls.ErrTree},
		{"blanks at the end", func(o *openTree) { o.nodes = append(o.nodes, treeNode{}, treeNode{}) }, mls.ErrTree},
		{"nothing at all", func(o *openTree) { o.nodes = nil }, mls.ErrTree},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.t = t
			info, tree := forge(tt.change)
			if _, err := mls.NewPublicGroup(info, tree); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			stranger := c.client()
			cfg := Config{Signer: stranger.signer, Credential: mls.Basic([]byte("stranger")), Capabilities: testCapabilities()}
			if _, _, err := JoinExternal(info, tree, cfg, ExternalOptions{}); !errors.Is(err, tt.want) {
				t.Errorf("an external joiner says %v, want %v", err, tt.want)
			}
		})
	}

	t.Run("an unmerged list out of order", func(t *testing.T) {
		_, b := forge(func(o *openTree) { root(o).Unmerged = []mls.LeafIndex{5, 4} })
		if _, err := mls.ParseTree(c.suite, b); !errors.Is(err, mls.ErrTree) {
			t.Errorf("got %v", err)
		}
	})
	for _, tt := range []struct {
		name   string
		change func(*mls.GroupInfo)
		want   error
	}{
		{"another tree hash", func(i *mls.GroupInfo) { i.Context.TreeHash = make([]byte, 32) }, mls.ErrTreeHash},
		{"an unknown suite", func(i *mls.GroupInfo) { i.Context.Suite = 0x1234 }, mls.ErrSuite},
		{"a version to come", func(i *mls.GroupInfo) { i.Context.Version = 2 }, mls.ErrVersion},
		{"an extension twice", func(i *mls.GroupInfo) { i.Extensions = append(i.Extensions, i.Extensions[0]) }, mls.ErrExtension},
		{"a context extension twice", func(i *mls.GroupInfo) {
			i.Context.Extensions = mls.Extensions{{Type: testExtension}, {Type: testExtension}}
		}, mls.ErrExtension},
		{"a context extension that members lack", func(i *mls.GroupInfo) {
			i.Context.Extensions = mls.Extensions{{Type: 0xf999}}
		}, mls.ErrExtension},
		{"a signer outside of the tree", func(i *mls.GroupInfo) { i.Signer = 1 << 31 }, mls.ErrNotMember},
	} {
		t.Run(tt.name, func(t *testing.T) {
			info, tree := forge(func(*openTree) {})
			tt.change(info)
			if info.Context.Suite.Supported() {
				c.check(liar.signer.signInfo(info))
			}
			if _, err := mls.NewPublicGroup(info, tree); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	info, tree = forge(func(*openTree) {})
	info.Signature[0] ^= 1
	if _, err := mls.NewPublicGroup(info, tree); !errors.Is(err, mls.ErrSignature) {
		t.Errorf("a broken signature: %v", err)
	}
	info, _ = forge(func(*openTree) {})
	if _, err := mls.NewPublicGroup(info, nil); !errors.Is(err, mls.ErrTree) {
		t.Errorf("no tree: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestCheckGroupInfo: the server keeps only the GroupInfo of exactly this epoch.
func TestCheckGroupInfo(t *testing.T) {
	c := newCourt(t)
	author := c.members[0]
	context := c.server.Context()
	for _, tt := range []struct {
		name   string
		change func(*mls.GroupInfo)
	}{
		{"another epoch", func(i *mls.GroupInfo) { i.Context.Epoch++ }},
		{"another group", func(i *mls.GroupInfo) { i.Context.GroupID = []byte("elsewhere") }},
		{"another transcript", func(i *mls.GroupInfo) { i.Context.ConfirmedTranscriptHash = make([]byte, 32) }},
		{"another tree hash", func(i *mls.GroupInfo) { i.Context.TreeHash = make([]byte, 32) }},
		{"other extensions", func(i *mls.GroupInfo) { i.Context.Extensions = mls.Extensions{{Type: testExtension}} }},
		{"another confirmation tag", func(i *mls.GroupInfo) { i.ConfirmationTag = make([]byte, 32) }},
		{"a blank signer", func(i *mls.GroupInfo) { i.Signer = 6 }},
		{"another signer", func(i *mls.GroupInfo) { i.Signer = c.members[1].group.OwnLeaf() }},
		{"an external_pub that is no key", func(i *mls.GroupInfo) { i.Extensions = mls.Extensions{mls.ExternalPubExtension([]byte{1})} }},
		{"a broken external_pub", func(i *mls.GroupInfo) {
			i.Extensions = mls.Extensions{{Type: mls.ExtensionExternalPub, Data: []byte{9}}}
		}},
		{"an extension twice", func(i *mls.GroupInfo) { i.Extensions = append(i.Extensions, i.Extensions[0]) }},
		{"another tree", func(i *mls.GroupInfo) { i.Extensions = i.Extensions.With(mls.ExtensionRatchetTree, []byte{0}) }},
	} {
		info := must(mls.ParseGroupInfo(must(author.group.GroupInfo(true))))
		if err := c.server.CheckGroupInfo(info); err != nil {
			t.Fatal(err)
		}
		tt.change(info)
		c.check(author.signer.signInfo(info))
		if err := c.server.CheckGroupInfo(info); !errors.Is(err, mls.ErrGroupInfo) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	info := must(mls.ParseGroupInfo(must(author.group.GroupInfo(false))))
	info.Signature[0] ^= 1
	if err := c.server.CheckGroupInfo(info); !errors.Is(err, mls.ErrGroupInfo) {
		t.Errorf("a broken signature: %v", err)
	}
	if !info.Context.Equal(&context) {
		t.Error("the group has moved")
	}
}

func TestRefusesWelcomes(t *testing.T) {
	c := newCourt(t)
	joiner, other := c.client(), c.client()
	kp, private := joiner.keyPackage(t, c.suite)
	otherKP, otherPrivate := other.keyPackage(t, c.suite)
	author := c.members[0]
	p, err := author.group.Commit(CommitOptions{Add: []mls.KeyPackage{kp}, TreeInWelcome: true,
		WelcomeExtensions: mls.Extensions{{Type: testExtension, Data: []byte("for you")}}})
	c.check(err)
	tree, err := mls.Marshal(p.Tree())
	c.check(err)
	parse := func() *mls.Welcome { return must(mls.ParseWelcome(p.Welcome)) }

	g, err := Join(parse(), kp, private, JoinOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := g.WelcomeExtensions().Get(testExtension); string(data) != "for you" {
		t.Errorf("welcome extensions: %v", g.WelcomeExtensions())
	}
	if !bytes.Equal(g.EpochAuthenticator(), p.EpochAuthenticator()) {
		t.Error("the joiner is elsewhere")
	}
	if _, err := Join(parse(), kp, private, JoinOptions{Tree: tree}); err != nil {
		t.Errorf("with the tree beside it: %v", err)
	}
	ref, err := kp.Ref()
	c.check(err)
	one, ok := parse().For(ref)
	if !ok || len(one.Secrets) != 1 {
		t.Error("no welcome for the joiner alone")
	}
	if _, ok := parse().For([]byte("nobody")); ok {
		t.Error("a welcome for nobody")
	}

	for _, tt := range []struct {
		name    string
		welcome func() *mls.Welcome
		kp      mls.KeyPackage
		private KeyPackageSecrets
		tree    []byte
		want    error
	}{
		{"for somebody else", parse, otherKP, otherPrivate, nil, mls.ErrWelcome},
		{"with another's secrets", parse, kp, otherPrivate, nil, mls.ErrWelcome},
		{"with the secrets of another leaf", parse, kp, KeyPackageSecrets{private.init, otherPrivate.leaf, private.signer}, nil, mls.ErrKeyPackage},
		{"with another signature key", parse, kp, KeyPackageSecrets{private.init, private.leaf, otherPrivate.signer}, nil, mls.ErrKeyPackage},
		{"with sealed secrets changed", func() *mls.Welcome {
			w := parse()
			w.Secrets[0].Secrets.Ciphertext[0] ^= 1
			return w
		}, kp, private, nil, mls.ErrWelcome},
		{"with the group info changed", func() *mls.Welcome {
			w := parse()
			w.EncryptedGroupInfo[0] ^= 1
			return w
		}, kp, private, nil, mls.ErrWelcome},
		{"of another suite", func() *mls.Welcome {
			w := parse()
			w.Suite = mls.X25519ChaCha
			return w
		}, kp, private, nil, mls.ErrWelcome},
		{"of an unknown suite", func() *mls.Welcome {
			w := parse()
			w.Suite = 0x1234
			return w
		}, kp, private, nil, mls.ErrSuite},
		{"with the tree of the epoch before", parse, kp, private, must(c.server.Tree()), mls.ErrTreeHash},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Join(tt.welcome(), tt.kp, tt.private, JoinOptions{Tree: tt.tree}); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}

	// A committer that lies in what it seals to the joiner.
	forge := func(change func(*groupSecrets, *mls.GroupInfo)) *mls.Welcome {
		w := parse()
		opened, err := openWith(c.suite, private.init, "Welcome", w.EncryptedGroupInfo, w.Secrets[0].Secrets)
		c.check(err)
		gs, err := decodeGroupSecrets(opened)
		c.check(err)
		zero := zeroSecret(c.suite)
		info, err := openGroupInfo(c.suite, welcomeSecret(c.suite, gs.joiner, zero), w.EncryptedGroupInfo)
		c.check(err)
		change(gs, info)
		c.check(author.signer.signInfo(info))
		psk := zero
		if len(gs.psks) > 0 {
			psk = must(pskSecret(c.suite, gs.psks, []Secret{NewSecret([]byte("known"))}))
		}
		secret := welcomeSecret(c.suite, gs.joiner, psk)
		aead, err := c.suite.AEAD(expandLabel(c.suite, secret, "key", nil, c.suite.KeySize()).bytes())
		c.check(err)
		w.EncryptedGroupInfo = aead.Seal(nil, expandLabel(c.suite, secret, "nonce", nil, 12).bytes(), must(mls.Marshal(info)), nil)
		w.Secrets[0].Secrets, err = sealTo(c.suite, kp.InitKey, "Welcome", w.EncryptedGroupInfo, must(gs.encode()))
		c.check(err)
		return w
	}
	external := func(nonce int) mls.PreSharedKeyID {
		return mls.PreSharedKeyID{Type: mls.PSKExternal, ID: []byte("id"), Nonce: make([]byte, nonce)}
	}
	for _, tt := range []struct {
		name   string
		change func(*groupSecrets, *mls.GroupInfo)
		want   error
	}{
		{"another joiner secret", func(s *groupSecrets, _ *mls.GroupInfo) { s.joiner = randomSecret(32) }, mls.ErrConfirmation},
		{"another path secret", func(s *groupSecrets, _ *mls.GroupInfo) { p := randomSecret(32); s.path = &p }, ErrUndecryptable},
		{"a short path secret", func(s *groupSecrets, _ *mls.GroupInfo) { p := randomSecret(3); s.path = &p }, ErrUndecryptable},
		{"another confirmation tag", func(_ *groupSecrets, i *mls.GroupInfo) { i.ConfirmationTag[0] ^= 1 }, mls.ErrConfirmation},
		{"another suite in the group info", func(_ *groupSecrets, i *mls.GroupInfo) { i.Context.Suite = mls.X25519ChaCha }, mls.ErrWelcome},
		{"a psk that we lack", func(s *groupSecrets, _ *mls.GroupInfo) { s.psks = []mls.PreSharedKeyID{external(32)} }, mls.ErrPSK},
		{"a psk with a short nonce", func(s *groupSecrets, _ *mls.GroupInfo) { s.psks = []mls.PreSharedKeyID{external(31)} }, mls.ErrPSK},
		{"a resumption psk", func(s *groupSecrets, _ *mls.GroupInfo) {
			s.psks = []mls.PreSharedKeyID{{Type: mls.PSKResumption, Usage: mls.PSKBranch, Nonce: make([]byte, 32)}}
		}, mls.ErrPSK},
		{"a path secret by ourselves", func(_ *groupSecrets, i *mls.GroupInfo) { i.Signer = p.Added[0].Index }, mls.ErrSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Join(forge(tt.change), kp, private, JoinOptions{}); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("a short nonce of a psk that we have", func(t *testing.T) {
		w := forge(func(s *groupSecrets, _ *mls.GroupInfo) { s.psks = []mls.PreSharedKeyID{external(31)} })
		if _, err := Join(w, kp, private, JoinOptions{PSKs: []PSK{{[]byte("id"), NewSecret([]byte("known"))}}}); !errors.Is(err, mls.ErrPSK) {
			t.Errorf("got %v", err)
		}
	})
}
