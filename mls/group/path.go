package group

import (
	"bytes"
	"fmt"

	"github.com/veche-im/veche/mls"
)

const pathLabel = "UpdatePathNode"

// pathKeys are the keys that a chain of path secrets yields (RFC 9420 §7.4).
type pathKeys struct {
	secrets []Secret // path secrets, from the lowest node up
	private []*Secret
	public  [][]byte
	commit  Secret // commit_secret
}

// derivePath goes up from the path secret of the lowest of n nodes. With no
// nodes the secret itself, which nobody else needs then, is the commit secret.
func derivePath(s mls.Suite, first Secret, n int) (*pathKeys, error) {
	p := &pathKeys{commit: first}
	for range n {
		private, public, err := deriveKeyPair(s, derive(s, p.commit, "node"))
		if err != nil {
			return nil, err
		}
		p.secrets = append(p.secrets, p.commit)
		p.private = append(p.private, &private)
		p.public = append(p.public, public)
		p.commit = derive(s, p.commit, "path")
	}
	return p, nil
}

// sealPath encrypts the path secrets to everybody below the copath (RFC 9420
// §7.6). context is the encoding of the provisional group context.
func sealPath(s mls.Suite, d *mls.Draft, keys *pathKeys, context []byte) ([]mls.UpdatePathNode, error) {
	type letter struct {
		to     mls.NodeIndex
		secret Secret
		sealed *mls.HPKECiphertext
	}
	var letters []letter
	nodes := make([]mls.UpdatePathNode, len(d.Path()))
	for i, step := range d.Path() {
		recipients := d.Recipients(step)
		nodes[i] = mls.UpdatePathNode{EncryptionKey: keys.public[i], Secrets: make([]mls.HPKECiphertext, len(recipients))}
		for j, x := range recipients {
			letters = append(letters, letter{x, keys.secrets[i], &nodes[i].Secrets[j]})
		}
	}
	return nodes, parallel(len(letters), func(i int) (err error) {
		l := letters[i]
		if *l.sealed, err = sealTo(s, d.Tree().EncryptionKey(l.to), pathLabel, context, l.secret); err != nil {
			return fmt.Errorf("seal the path to node %d: %w", l.to, err)
		}
		return nil
	})
}

// openPath decrypts the one path secret that is meant for us, derives those
// above it, and adds the private keys to keys (RFC 9420 §7.5). It returns the
// commit secret.
func openPath(c *mls.StagedPublicCommit, own mls.LeafIndex, keys map[mls.NodeIndex]*Secret) (Secret, error) {
	s := c.Context.Suite
	d := c.Draft()
	steps := d.Path()
	at := 0
	for at < len(steps) && !steps[at].Copath.Above(own.Node()) {
		at++
	}
	if at == len(steps) {
		return Secret{}, fmt.Errorf("%w: our leaf is not below the path", ErrUndecryptable)
	}
	context, err := mls.Marshal(c.Provisional())
	if err != nil {
		return Secret{}, err
	}
	var first Secret
	found := false
	for j, x := range d.Recipients(steps[at]) {
		if private := keys[x]; private != nil {
			if first, err = openWith(s, *private, pathLabel, context, c.Path().Nodes[at].Secrets[j]); err != nil {
				return Secret{}, fmt.Errorf("%w: %w", ErrUndecryptable, err)
			}
			found = true
			break
		}
	}
	if !found {
		return Secret{}, fmt.Errorf("%w: none of its recipients is us", ErrUndecryptable)
	}
	return installPath(s, first, steps[at:], c.Tree(), keys)
}

// installPath derives the key pairs of the steps from the lowest path secret,
// compares them with those in the tree, and adds the private ones to keys.
func installPath(s mls.Suite, first Secret, steps []mls.PathStep, tree *mls.Tree, keys map[mls.NodeIndex]*Secret) (Secret, error) {
	if first.Len() != s.HashSize() {
		return Secret{}, fmt.Errorf("%w: path secret of %d bytes", ErrUndecryptable, first.Len())
	}
	p, err := derivePath(s, first, len(steps))
	if err != nil {
		return Secret{}, err
	}
	for i, step := range steps {
		if !bytes.Equal(p.public[i], tree.EncryptionKey(step.Node)) {
			return Secret{}, fmt.Errorf("%w: the key of node %d is another", ErrUndecryptable, step.Node)
		}
	}
	for i, step := range steps {
		keys[step.Node] = p.private[i]
	}
	return p.commit, nil
}

// keysFor returns the private keys of ours that still fit the tree.
func keysFor(g *Group, tree *mls.Tree) map[mls.NodeIndex]*Secret {
	out := map[mls.NodeIndex]*Secret{}
	old := g.public.RatchetTree()
	for x, private := range g.keys {
		if int(x) >= 2*tree.Width()-1 {
			continue
		}
		if now := tree.EncryptionKey(x); now != nil && bytes.Equal(now, old.EncryptionKey(x)) {
			out[x] = private
		}
	}
	if leaf := tree.Leaf(g.leaf); leaf != nil {
		for i := range g.updates {
			if bytes.Equal(g.updates[i].public, leaf.EncryptionKey) {
				private := NewSecret(g.updates[i].private.bytes())
				out[g.leaf.Node()] = &private
			}
		}
	}
	return out
}
