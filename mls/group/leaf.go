package group

import (
	"bytes"
	"slices"

	"github.com/veche-im/veche/mls"
)

// LeafChange is what else a member changes of its own leaf node when it renews
// its keys; nil leaves a part as it is. A new Signer or Credential is judged by
// the Authorities of all others. Messages of the epoch that ends are still
// signed with the old key.
type LeafChange struct {
	Signer       *Signer
	Credential   *mls.Credential
	Capabilities *mls.Capabilities // must go on to cover what the leaf and the group use
	Extensions   *mls.Extensions
}

func (c *LeafChange) empty() bool { return *c == LeafChange{} }

// apply changes a copy of a leaf node, and returns who signs it.
func (c *LeafChange) apply(l *mls.LeafNode, signer Signer) Signer {
	if c.Signer != nil {
		signer = *c.Signer
	}
	if c.Credential != nil {
		l.Credential = *c.Credential
		if known := l.Capabilities.Credentials; !slices.Contains(known, c.Credential.Type) {
			l.Capabilities.Credentials = append(slices.Clone(known), c.Credential.Type)
		}
	}
	if c.Capabilities != nil {
		l.Capabilities = *c.Capabilities
	}
	if c.Extensions != nil {
		l.Extensions = slices.Clone(*c.Extensions)
	}
	l.SignatureKey = signer.Public()
	return signer
}

// ownUpdate is what stands behind an Update proposal of our own.
type ownUpdate struct {
	public  []byte // encryption key
	private Secret
	signer  Secret // private key of the new signer; empty if it is the same as before
}

// nextSigner finds who signs for us after a commit in which tree has our leaf:
// the same as before, or one that an Update of ours or the commit itself brings.
func nextSigner(g *Group, tree *mls.Tree, leaf mls.LeafIndex, pending Secret) (Signer, error) {
	node := tree.Leaf(leaf)
	if node == nil || bytes.Equal(node.SignatureKey, g.signer.Public()) {
		return g.signer, nil
	}
	candidates := []Secret{pending}
	for i := range g.updates {
		candidates = append(candidates, g.updates[i].signer)
	}
	for _, c := range candidates {
		if c.Len() == 0 {
			continue
		}
		if s, err := parseSigner(g.suite().Signature(), c.bytes()); err == nil && bytes.Equal(s.Public(), node.SignatureKey) {
			return s, nil
		}
	}
	return Signer{}, ErrUndecryptable // our leaf has a key that we do not know
}
