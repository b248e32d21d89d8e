package mls

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestShortcutsInTreesAgreeWithTheLongWay changes trees at random, also several
// copies of one tree, and compares the hashes that were kept with those of the
// same tree computed from nothing, and the search for keys that stand twice
// with that among all nodes.
func TestShortcutsInTreesAgreeWithTheLongWay(t *testing.T) {
	twice := 0
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fresh := 0
		key := func() []byte {
			if rng.IntN(12) == 0 && fresh > 0 {
				return fmt.Appendf(nil, "key %d", rng.IntN(fresh)) // which may be in the tree already
			}
			fresh++
			return fmt.Appendf(nil, "key %d", fresh-1)
		}
		leaf := func() *LeafNode {
			return &LeafNode{EncryptionKey: key(), SignatureKey: key(), Credential: Basic(nil), Source: LeafUpdate}
		}
		trees := []*Tree{newTree(X25519AES128)}
		trees[0].setLeaf(0, leaf())
		for range 60 {
			before := trees[rng.IntN(len(trees))]
			next := before.Clone()
			for range 1 + rng.IntN(3) {
				change(rng, next, leaf, key)
			}
			if !bytes.Equal(next.Hash(), anew(next).Hash()) {
				t.Fatalf("seed %d: the hash that was kept is another", seed)
			}
			short, long := next.checkKeysDiffer(before), next.checkKeysDiffer(nil)
			if errors.Is(short, ErrDuplicateKey) != errors.Is(long, ErrDuplicateKey) && errors.Is(short, ErrDuplicateClient) != errors.Is(long, ErrDuplicateClient) ||
				(short == nil) != (long == nil) {
				t.Fatalf("seed %d: %v, and among all nodes %v", seed, short, long)
			}
			if short != nil {
				twice++
				continue
			}
			trees = append(trees, next)
		}
		for _, tree := range trees { // what was made of it has not changed it
			if !bytes.Equal(tree.Hash(), anew(tree).Hash()) {
				t.Fatalf("seed %d: a copy has changed the tree", seed)
			}
		}
	}
	if twice < 100 {
		t.Errorf("only %d trees had a key twice", twice)
	}
}

// change does one thing to a tree that a commit could do.
func change(rng *rand.Rand, t *Tree, leaf func() *LeafNode, key func() []byte) {
	members := t.Members()
	at := members[rng.IntN(len(members))].Index
	switch rng.IntN(5) {
	case 0, 1:
		if i, err := t.free(0); err == nil && t.Width() <= 32 {
			t.add(i, leaf())
		}
	case 2:
		if len(members) > 1 {
			t.remove(at)
			t.truncate()
		}
	case 3:
		t.blankPath(at)
		t.setLeaf(at, leaf())
	case 4:
		path := t.FilteredPath(at)
		keys := make([][]byte, len(path))
		for i := range keys {
			keys[i] = key()
		}
		t.setPath(at, path, keys)
		t.setLeaf(at, leaf())
	}
}

// anew is the tree without any hash.
func anew(t *Tree) *Tree {
	nodes := slices.Clone(t.nodes)
	for i, n := range nodes {
		nodes[i] = &node{leaf: n.leaf, parent: n.parent}
	}
	return &Tree{t.suite, nodes}
}
