package group

import "github.com/veche-im/veche/mls"

// pathAttacks break what is said of update paths (RFC 9420 §7.3, §7.5, §12.4).
func pathAttacks() []attack {
	// changed is a commit with a path whose leaf is signed anew after the change.
	changed := func(change func(*court, *mls.UpdatePath)) func(*court) *forgery {
		return func(c *court) *forgery {
			content := c.content()
			content.Commit.Path = c.path()
			change(c, content.Commit.Path)
			c.check(c.mallory.signer.signLeaf(&content.Commit.Path.Leaf, content.GroupID, c.mallory.group.OwnLeaf()))
			return &forgery{content: content}
		}
	}
	signedFor := func(groupID string, shift mls.LeafIndex) func(*court) *forgery {
		return func(c *court) *forgery {
			content := c.content()
			content.Commit.Path = c.path()
			c.check(c.mallory.signer.signLeaf(&content.Commit.Path.Leaf, []byte(groupID), c.mallory.group.OwnLeaf()+shift))
			return &forgery{content: content}
		}
	}
	without := func(list func(*court) []mls.ProposalOrRef) func(*court) *forgery {
		return func(c *court) *forgery {
			content := c.content()
			if list != nil {
				content.Commit.Proposals = list(c)
			}
			return &forgery{content: content}
		}
	}
	rootKey := func(c *court) []byte {
		tree := c.server.RatchetTree()
		return tree.EncryptionKey(tree.Root())
	}
	one := func(p mls.Proposal) []mls.ProposalOrRef { return []mls.ProposalOrRef{byValue(p)} }
	return []attack{
		{rule: 201, name: "no path for an empty commit", forge: without(nil)},
		{rule: 201, name: "no path for a removal", forge: without(func(*court) []mls.ProposalOrRef { return one(mls.ProposeRemove(0)) })},
		{rule: 201, name: "no path for extensions", forge: without(func(c *court) []mls.ProposalOrRef {
			return one(mls.ProposeExtensions(c.server.Context().Extensions))
		})},
		{rule: 201, name: "no path for an update", forge: without(func(c *court) []mls.ProposalOrRef {
			return []mls.ProposalOrRef{c.proposeRef(c.members[2], must(c.members[2].group.ProposeUpdate(ProposeOptions{})))}
		})},
		{rule: 202, name: "a node too few", forge: changed(func(_ *court, u *mls.UpdatePath) { u.Nodes = u.Nodes[1:] })},
		{rule: 202, name: "no nodes", forge: changed(func(_ *court, u *mls.UpdatePath) { u.Nodes = nil })},
		{rule: 202, name: "a node too many", forge: changed(func(_ *court, u *mls.UpdatePath) { u.Nodes = append(u.Nodes, u.Nodes[0]) })},
		{rule: 202, name: "a secret too few", forge: changed(func(_ *court, u *mls.UpdatePath) { u.Nodes[0].Secrets = u.Nodes[0].Secrets[1:] })},
		{rule: 202, name: "a secret too many", forge: changed(func(_ *court, u *mls.UpdatePath) {
			u.Nodes[0].Secrets = append(u.Nodes[0].Secrets, u.Nodes[0].Secrets[0])
		})},
		{rule: 203, name: "path secrets that do not open", hidden: true, forge: changed(func(_ *court, u *mls.UpdatePath) {
			for _, n := range u.Nodes {
				for j := range n.Secrets {
					n.Secrets[j].Ciphertext[0] ^= 1
				}
			}
		})},
		{rule: 203, name: "path secrets for another's key", hidden: true, forge: changed(func(_ *court, u *mls.UpdatePath) {
			for i := range u.Nodes {
				u.Nodes[i].Secrets[0] = u.Nodes[(i+1)%len(u.Nodes)].Secrets[0]
			}
		})},
		{rule: 204, name: "path secrets of other keys", hidden: true, forge: otherPathSecrets},
		{rule: 205, name: "another confirmation tag", hidden: true, forge: func(c *court) *forgery {
			f := c.good(CommitOptions{})
			f.confirmation[0] ^= 1
			return f
		}},
		{rule: 206, name: "somebody's encryption key", forge: changed(func(c *court, u *mls.UpdatePath) { u.Leaf.EncryptionKey = c.server.Leaf(0).EncryptionKey })},
		{rule: 206, name: "the key of an inner node for the leaf", forge: changed(func(c *court, u *mls.UpdatePath) { u.Leaf.EncryptionKey = rootKey(c) })},
		{rule: 206, name: "one key for the leaf and its parent", forge: changed(func(_ *court, u *mls.UpdatePath) { u.Leaf.EncryptionKey = u.Nodes[0].EncryptionKey })},
		{rule: 206, name: "a newcomer's key for the leaf", forge: func(c *court) *forgery {
			kp, _ := c.client().keyPackage(c.t, c.suite)
			f := c.good(CommitOptions{Add: []mls.KeyPackage{kp}})
			leaf := &f.content.Commit.Path.Leaf
			leaf.EncryptionKey = kp.Leaf.EncryptionKey
			c.check(c.mallory.signer.signLeaf(leaf, f.content.GroupID, c.mallory.group.OwnLeaf()))
			return f
		}},
		{rule: 207, name: "somebody's key for an inner node", forge: changed(func(c *court, u *mls.UpdatePath) { u.Nodes[0].EncryptionKey = c.server.Leaf(0).EncryptionKey })},
		{rule: 207, name: "an inner key that stays", forge: changed(func(c *court, u *mls.UpdatePath) { u.Nodes[len(u.Nodes)-1].EncryptionKey = rootKey(c) })},
		{rule: 207, name: "one key for two inner nodes", forge: changed(func(c *court, u *mls.UpdatePath) {
			u.Nodes[1].EncryptionKey = u.Nodes[0].EncryptionKey
			d := must(c.mallory.group.public.Draft(mls.MemberSender(c.mallory.group.OwnLeaf()), nil))
			keys := make([][]byte, len(u.Nodes))
			for i, n := range u.Nodes {
				keys[i] = n.EncryptionKey
			}
			u.Leaf.ParentHash = must(d.SetPathKeys(keys)) // so that it is the right one for these keys
		})},
		{name: "the old encryption key", want: mls.ErrSameKey, forge: changed(func(c *court, u *mls.UpdatePath) {
			u.Leaf.EncryptionKey = c.server.Leaf(c.mallory.group.OwnLeaf()).EncryptionKey
		})},
		{name: "the leaf of an update", want: mls.ErrLeafSource, forge: changed(func(_ *court, u *mls.UpdatePath) { u.Leaf.Source = mls.LeafUpdate })},
		{name: "another parent hash", want: mls.ErrParentHash, forge: changed(func(_ *court, u *mls.UpdatePath) { u.Leaf.ParentHash[0] ^= 1 })},
		{name: "no parent hash", want: mls.ErrParentHash, forge: changed(func(_ *court, u *mls.UpdatePath) { u.Leaf.ParentHash = nil })},
		{name: "another inner key", want: mls.ErrParentHash, forge: changed(func(c *court, u *mls.UpdatePath) { _, u.Nodes[0].EncryptionKey, _ = newKeyPair(c.suite) })},
		{name: "no encryption key", want: mls.ErrEncryptionKey, forge: changed(func(_ *court, u *mls.UpdatePath) { u.Leaf.EncryptionKey = nil })},
		{name: "an inner key that is none", want: mls.ErrEncryptionKey, forge: changed(func(_ *court, u *mls.UpdatePath) { u.Nodes[0].EncryptionKey = []byte{1} })},
		{name: "a leaf without its credential type", want: mls.ErrCredential, forge: changed(func(_ *court, u *mls.UpdatePath) { u.Leaf.Capabilities.Credentials = nil })},
		{name: "a leaf without the version", want: mls.ErrCapabilities, forge: changed(func(_ *court, u *mls.UpdatePath) { u.Leaf.Capabilities.Versions = nil })},
		{name: "a leaf without what the group requires", want: mls.ErrCapabilities, forge: changed(func(_ *court, u *mls.UpdatePath) { u.Leaf.Capabilities.Extensions = nil })},
		{name: "a leaf with an extension beyond its capabilities", want: mls.ErrExtension, forge: changed(func(_ *court, u *mls.UpdatePath) {
			u.Leaf.Extensions = mls.Extensions{{Type: 0xf999}}
		})},
		{name: "a leaf that is not signed anew", want: mls.ErrSignature, forge: func(c *court) *forgery {
			content := c.content()
			content.Commit.Path = c.path()
			content.Commit.Path.Leaf.Signature[7] ^= 1
			return &forgery{content: content}
		}},
		{name: "a leaf that is signed for another place", want: mls.ErrSignature, forge: signedFor("town", 1)},
		{name: "a leaf that is signed for another group", want: mls.ErrSignature, forge: signedFor("elsewhere", 0)},
		{name: "somebody's signature key", want: mls.ErrDuplicateClient, forge: func(c *court) *forgery {
			content := c.content()
			content.Commit.Path = c.path()
			other := c.members[0]
			content.Commit.Path.Leaf.SignatureKey = other.signer.Public()
			c.check(other.signer.signLeaf(&content.Commit.Path.Leaf, content.GroupID, c.mallory.group.OwnLeaf()))
			return &forgery{content: content}
		}},
	}
}

// otherPathSecrets is a path that opens, but to other keys than those in it.
func otherPathSecrets(c *court) *forgery {
	g := c.mallory.group
	m := &making{g: g, sender: mls.MemberSender(g.OwnLeaf()), leaf: *g.public.Leaf(g.OwnLeaf()), init: g.epoch.init, signer: g.signer}
	var err error
	m.draft, err = g.public.Draft(m.sender, nil)
	c.check(err)
	context := g.Public().Context()
	path, err := m.makePath(&context)
	c.check(err)
	provisional := m.draft.Context()
	encoded, err := mls.Marshal(&provisional)
	c.check(err)
	other, err := derivePath(c.suite, randomSecret(c.suite.HashSize()), len(m.draft.Path()))
	c.check(err)
	other.public = m.keys.public
	path.Nodes, err = sealPath(c.suite, m.draft, other, encoded)
	c.check(err)
	content := c.content()
	content.Commit.Path = path
	return &forgery{content: content}
}
