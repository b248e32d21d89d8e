package mls

import (
	"bytes"
	"fmt"
	"slices"
)

// Hash returns the tree hash of the whole tree (RFC 9420 §7.8). Only what has
// changed since it was last asked for is computed.
func (t *Tree) Hash() []byte { return t.hashAt(t.Root()) }

func (t *Tree) hashAt(x NodeIndex) []byte {
	n := t.nodes[x]
	if n.hash == nil {
		n.hash = t.hashNode(x, n.leaf, n.parent, t.hashAt)
	}
	return n.hash
}

// hashNode hashes one node, given how to hash its children.
func (t *Tree) hashNode(x NodeIndex, leaf *LeafNode, parent *ParentNode, child func(NodeIndex) []byte) []byte {
	var e Encoder
	if x.IsLeaf() {
		e.Uint8(1)
		e.Uint32(uint32(x.Leaf()))
		e.Optional(leaf != nil)
		if leaf != nil {
			leaf.MarshalMLS(&e)
		}
	} else {
		e.Uint8(2)
		e.Optional(parent != nil)
		if parent != nil {
			parent.MarshalMLS(&e)
		}
		e.Bytes(child(x.Left()))
		e.Bytes(child(x.Right()))
	}
	return t.suite.Hash(e.buf)
}

// hashWithout is the tree hash at x as if the leaves in without, which are in
// order, had never been added (RFC 9420 §7.9: original_sibling_tree_hash).
func (t *Tree) hashWithout(x NodeIndex, without []LeafIndex) []byte {
	from, to := x.span()
	i, _ := slices.BinarySearch(without, from)
	j, _ := slices.BinarySearch(without, to)
	without = without[i:j]
	if len(without) == 0 {
		return t.hashAt(x)
	}
	if x.IsLeaf() {
		return t.hashNode(x, nil, nil, nil)
	}
	p := t.nodes[x].parent
	if p != nil {
		rest := make([]LeafIndex, 0, len(p.Unmerged))
		for _, l := range p.Unmerged {
			if _, found := slices.BinarySearch(without, l); !found {
				rest = append(rest, l)
			}
		}
		p = &ParentNode{p.EncryptionKey, p.ParentHash, rest}
	}
	return t.hashNode(x, nil, p, func(c NodeIndex) []byte { return t.hashWithout(c, without) })
}

// parentHash is the hash of ParentHashInput (RFC 9420 §7.9).
func (t *Tree) parentHash(p *ParentNode, originalSibling []byte) []byte {
	var e Encoder
	e.Bytes(p.EncryptionKey)
	e.Bytes(p.ParentHash)
	e.Bytes(originalSibling)
	return t.suite.Hash(e.buf)
}

// verifyParentHashes returns ErrParentHash unless every parent node was put
// there by a leaf below it (RFC 9420 §7.9.2), going from the top down.
func (t *Tree) verifyParentHashes() error {
	for i := 1; i < len(t.nodes); i += 2 {
		p := t.nodes[i].parent
		if p == nil {
			continue
		}
		x := NodeIndex(i)
		proofs := 0
		if t.provesParent(x, p, x.Left(), x.Right()) {
			proofs++
		}
		if t.provesParent(x, p, x.Right(), x.Left()) {
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
func (t *Tree) provesParent(x NodeIndex, p *ParentNode, child, sibling NodeIndex) bool {
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
	return bytes.Equal(claimed, t.parentHash(p, t.hashWithout(sibling, p.Unmerged)))
}
