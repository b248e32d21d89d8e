package mls

import (
	"bytes"
	"fmt"
	"hash"
	"slices"
)

// Hash returns the tree hash of the whole tree (RFC 9420 §7.8). Only what has
// changed since it was last asked for is computed.
func (t *Tree) Hash() []byte { return t.hashAt(t.Root()) }

func (t *Tree) hashAt(x NodeIndex) []byte {
	if h := t.nodes[x].hash; h != nil {
		return h
	}
	return newHasher(t).at(x)
}

// hasher computes the hashes of a tree, one after the other.
type hasher struct {
	tree *Tree
	hash hash.Hash
	buf  []byte
}

func newHasher(t *Tree) *hasher { return &hasher{tree: t, hash: t.suite.NewHash()} }

// sum hashes whatever write writes.
func (h *hasher) sum(write func(*Encoder)) []byte {
	var e Encoder
	e.Into(h.buf)
	write(&e)
	h.buf = e.buf
	h.hash.Reset()
	h.hash.Write(e.buf)
	return h.hash.Sum(nil)
}

// at is the tree hash at x, computed at most once.
func (h *hasher) at(x NodeIndex) []byte {
	n := h.tree.nodes[x]
	if n.hash == nil {
		if x.IsLeaf() {
			n.hash = h.leaf(x.Leaf(), n.leaf)
		} else {
			n.hash = h.parent(n.parent, h.at(x.Left()), h.at(x.Right()))
		}
	}
	return n.hash
}

// leaf hashes LeafNodeHashInput.
func (h *hasher) leaf(l LeafIndex, leaf *LeafNode) []byte {
	return h.sum(func(e *Encoder) {
		e.Uint8(1)
		e.Uint32(uint32(l))
		e.Optional(leaf != nil)
		if leaf != nil {
			leaf.MarshalMLS(e)
		}
	})
}

// parent hashes ParentNodeHashInput.
func (h *hasher) parent(parent *ParentNode, left, right []byte) []byte {
	return h.sum(func(e *Encoder) {
		e.Uint8(2)
		e.Optional(parent != nil)
		if parent != nil {
			parent.MarshalMLS(e)
		}
		e.Bytes(left)
		e.Bytes(right)
	})
}

// without is the tree hash at x as if the leaves in without, which are in order,
// had never been added (RFC 9420 §7.9: original_sibling_tree_hash).
func (h *hasher) without(x NodeIndex, without []LeafIndex) []byte {
	from, to := x.span()
	i, _ := slices.BinarySearch(without, from)
	j, _ := slices.BinarySearch(without, to)
	without = without[i:j]
	if len(without) == 0 {
		return h.at(x)
	}
	if x.IsLeaf() {
		return h.leaf(x.Leaf(), nil)
	}
	p := h.tree.nodes[x].parent
	if p != nil {
		rest := make([]LeafIndex, 0, len(p.Unmerged))
		for _, l := range p.Unmerged {
			if _, found := slices.BinarySearch(without, l); !found {
				rest = append(rest, l)
			}
		}
		p = &ParentNode{p.EncryptionKey, p.ParentHash, rest}
	}
	return h.parent(p, h.without(x.Left(), without), h.without(x.Right(), without))
}

// parentHash is the hash of ParentHashInput (RFC 9420 §7.9).
func (h *hasher) parentHash(p *ParentNode, originalSibling []byte) []byte {
	return h.sum(func(e *Encoder) {
		e.Bytes(p.EncryptionKey)
		e.Bytes(p.ParentHash)
		e.Bytes(originalSibling)
	})
}

// verifyParentHashes returns ErrParentHash unless every parent node was put
// there by a leaf below it (RFC 9420 §7.9.2), going from the top down.
func (t *Tree) verifyParentHashes() error {
	h := newHasher(t)
	for i := 1; i < len(t.nodes); i += 2 {
		p := t.nodes[i].parent
		if p == nil {
			continue
		}
		x := NodeIndex(i)
		proofs := 0
		if t.provesParent(h, x, p, x.Left(), x.Right()) {
			proofs++
		}
		if t.provesParent(h, x, p, x.Right(), x.Left()) {
			proofs++
		}
		if proofs != 1 {
			return fmt.Errorf("%w: node %d has %d descendants that vouch for it", ErrParentHash, i, proofs)
		}
	}
	return nil
}

// provesParent reports whether a node in the resolution of child was set
// together with the parent p at x.
func (t *Tree) provesParent(h *hasher, x NodeIndex, p *ParentNode, child, sibling NodeIndex) bool {
	from, to := child.span()
	i, _ := slices.BinarySearch(p.Unmerged, from)
	j, _ := slices.BinarySearch(p.Unmerged, to)
	unmerged := p.Unmerged[i:j]

	resolution := t.Resolution(child, nil)
	if len(resolution) != len(unmerged)+1 {
		return false
	}
	var d *node
	for _, y := range resolution {
		if y.IsLeaf() {
			if _, found := slices.BinarySearch(unmerged, y.Leaf()); found {
				continue
			}
		}
		if d != nil {
			return false
		}
		d = t.nodes[y]
	}
	var claimed []byte
	switch {
	case d == nil:
		return false
	case d.parent != nil:
		claimed = d.parent.ParentHash
	case d.leaf.Source == LeafCommit:
		claimed = d.leaf.ParentHash
	default:
		return false
	}
	return bytes.Equal(claimed, h.parentHash(p, h.without(sibling, p.Unmerged)))
}
