package mls

import (
	"fmt"
	"slices"
)

// ParentNode is an inner node of the tree (RFC 9420 §7.1).
type ParentNode struct {
	EncryptionKey []byte
	ParentHash    []byte
	Unmerged      []LeafIndex // increasing: leaves below that do not know the private key
}

// MarshalMLS implements Marshaler.
func (p *ParentNode) MarshalMLS(e *Encoder) {
	e.Bytes(p.EncryptionKey)
	e.Bytes(p.ParentHash)
	e.Vector(func() {
		for _, l := range p.Unmerged {
			e.Uint32(uint32(l))
		}
	})
}

// UnmarshalMLS implements Unmarshaler.
func (p *ParentNode) UnmarshalMLS(d *Decoder) {
	p.EncryptionKey = d.Bytes(maxKey)
	p.ParentHash = d.Bytes(maxHash)
	p.Unmerged = Vector(d, maxLeaves, func(d *Decoder, l *LeafIndex) { *l = LeafIndex(d.Uint32()) })
	for i := 1; i < len(p.Unmerged); i++ {
		if p.Unmerged[i-1] >= p.Unmerged[i] {
			d.Fail("unmerged leaves out of order")
		}
	}
}

// node is one place of a tree: a leaf node, a parent node, or blank. It never
// changes once it is in a tree, so that copies of the tree share it; only hash
// is filled in when it is first asked for. hash covers all that is below the
// node too, so whoever changes something below replaces the node by a copy
// without it.
type node struct {
	leaf   *LeafNode
	parent *ParentNode
	hash   []byte // tree hash (RFC 9420 §7.8), nil if not computed yet
}

func (n *node) blank() bool { return n.leaf == nil && n.parent == nil }

// marshal writes optional<Node> (RFC 9420 §12.4.3.3).
func (n *node) marshal(e *Encoder) {
	e.Optional(!n.blank())
	switch {
	case n.leaf != nil:
		e.Uint8(1)
		n.leaf.MarshalMLS(e)
	case n.parent != nil:
		e.Uint8(2)
		n.parent.MarshalMLS(e)
	}
}

func (n *node) unmarshal(d *Decoder) {
	if !d.Optional() {
		return
	}
	switch t := d.Uint8(); t {
	case 1:
		n.leaf = new(LeafNode)
		n.leaf.UnmarshalMLS(d)
	case 2:
		n.parent = new(ParentNode)
		n.parent.UnmarshalMLS(d)
	default:
		d.Fail("node type %d", t)
	}
}

// Tree is a ratchet tree (RFC 9420 §4.1, §7), public keys only. Its width is a
// power of two. Copies are cheap: they share their nodes.
type Tree struct {
	suite Suite
	nodes []*node
}

func newTree(s Suite) *Tree { return &Tree{suite: s, nodes: []*node{{}}} }

// ParseTree decodes the ratchet_tree object of RFC 9420 §12.4.3.3. It checks
// the shape alone, and returns ErrTree or ErrTreeSize if that is wrong.
func ParseTree(s Suite, b []byte) (*Tree, error) {
	if !s.Supported() {
		return nil, fmt.Errorf("%w: %v", ErrSuite, s)
	}
	d := NewDecoder(b)
	nodes := Vector(d, maxNodes, func(d *Decoder, n **node) {
		*n = new(node)
		(*n).unmarshal(d)
	})
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTree, err)
	}
	if len(nodes) == 0 || nodes[len(nodes)-1].blank() {
		return nil, fmt.Errorf("%w: last node is blank", ErrTree)
	}
	width := widthFor(len(nodes)/2 + 1)
	if width > maxLeaves {
		return nil, ErrTreeSize
	}
	for len(nodes) < 2*width-1 {
		nodes = append(nodes, &node{})
	}
	for i, n := range nodes {
		if n.leaf != nil && i%2 == 1 || n.parent != nil && i%2 == 0 {
			return nil, fmt.Errorf("%w: wrong type of node at %d", ErrTree, i)
		}
	}
	return &Tree{s, nodes}, nil
}

// MarshalMLS implements Marshaler: the ratchet_tree object.
func (t *Tree) MarshalMLS(e *Encoder) {
	e.Vector(func() {
		for _, n := range t.nodes[:t.used()] {
			n.marshal(e)
		}
	})
}

// used is the number of nodes up to the last that is not blank.
func (t *Tree) used() int {
	n := len(t.nodes)
	for n > 0 && t.nodes[n-1].blank() {
		n--
	}
	return n
}

// Clone returns a copy that shares the nodes. All hashes are computed before,
// because a node without one would stay shared when something below it changes.
func (t *Tree) Clone() *Tree {
	t.Hash()
	return &Tree{t.suite, slices.Clone(t.nodes)}
}

// Width is the number of leaves, blank ones included.
func (t *Tree) Width() int { return len(t.nodes)/2 + 1 }

// Root is the position of the root.
func (t *Tree) Root() NodeIndex { return rootOf(t.Width()) }

// Leaf returns the leaf node at i, nil if it is blank or outside of the tree.
// It must not be changed.
func (t *Tree) Leaf(i LeafIndex) *LeafNode {
	if int64(i) >= int64(t.Width()) {
		return nil
	}
	return t.nodes[i.Node()].leaf
}

// Members lists the leaves that are not blank, from left to right.
func (t *Tree) Members() []Member {
	var out []Member
	for i := 0; i < len(t.nodes); i += 2 {
		if l := t.nodes[i].leaf; l != nil {
			out = append(out, Member{LeafIndex(i / 2), l})
		}
	}
	return out
}

// EncryptionKey returns the HPKE public key at x, nil if the node is blank.
func (t *Tree) EncryptionKey(x NodeIndex) []byte {
	switch n := t.nodes[x]; {
	case n.leaf != nil:
		return n.leaf.EncryptionKey
	case n.parent != nil:
		return n.parent.EncryptionKey
	}
	return nil
}

// Resolution returns the nodes that together reach all members below x
// (RFC 9420 §4.1.1), without the leaves in except.
func (t *Tree) Resolution(x NodeIndex, except map[LeafIndex]bool) []NodeIndex {
	return t.resolve(nil, x, except)
}

func (t *Tree) resolve(out []NodeIndex, x NodeIndex, except map[LeafIndex]bool) []NodeIndex {
	n := t.nodes[x]
	switch {
	case n.leaf != nil:
		if !except[x.Leaf()] {
			out = append(out, x)
		}
	case n.parent != nil:
		out = append(out, x)
		for _, l := range n.parent.Unmerged {
			if !except[l] {
				out = append(out, l.Node())
			}
		}
	case !x.IsLeaf():
		out = t.resolve(out, x.Left(), except)
		out = t.resolve(out, x.Right(), except)
	}
	return out
}

// empty reports whether the resolution of x is empty.
func (t *Tree) empty(x NodeIndex) bool {
	if !t.nodes[x].blank() {
		return false
	}
	return x.IsLeaf() || t.empty(x.Left()) && t.empty(x.Right())
}

// PathStep is one node of a filtered direct path (RFC 9420 §4.1.2).
type PathStep struct {
	Node   NodeIndex
	Copath NodeIndex // the child of Node that is not above the leaf
}

// FilteredPath returns the nodes above the leaf, from the bottom, without those
// whose copath child has no member below it.
func (t *Tree) FilteredPath(l LeafIndex) []PathStep {
	var out []PathStep
	for x := l.Node(); x != t.Root(); x = x.Parent() {
		if s := x.Sibling(); !t.empty(s) {
			out = append(out, PathStep{x.Parent(), s})
		}
	}
	return out
}

// put sets a node and forgets the hashes above it.
func (t *Tree) put(x NodeIndex, n *node) {
	t.nodes[x] = n
	for root := t.Root(); x != root; {
		x = x.Parent()
		old := t.nodes[x]
		t.nodes[x] = &node{leaf: old.leaf, parent: old.parent} // without a hash it may be another tree's too, who will fill one in
	}
}

// blankPath blanks all nodes above the leaf.
func (t *Tree) blankPath(l LeafIndex) {
	for _, x := range directPath(l.Node(), t.Root()) {
		if !t.nodes[x].blank() {
			t.nodes[x] = &node{}
		}
	}
	t.put(l.Node(), t.nodes[l.Node()])
}

// setLeaf replaces the leaf node at l.
func (t *Tree) setLeaf(l LeafIndex, leaf *LeafNode) { t.put(l.Node(), &node{leaf: leaf}) }

// remove blanks the leaf and all above it. The caller truncates.
func (t *Tree) remove(l LeafIndex) {
	t.blankPath(l)
	t.put(l.Node(), &node{})
}

// truncate drops the right half while it has no members (RFC 9420 §7.7).
func (t *Tree) truncate() {
	last := 0
	for i := 0; i < len(t.nodes); i += 2 {
		if t.nodes[i].leaf != nil {
			last = i / 2
		}
	}
	t.nodes = t.nodes[:2*widthFor(last+1)-1]
}

// free returns the leftmost blank leaf, making the tree twice as wide if there
// is none.
func (t *Tree) free(from LeafIndex) (LeafIndex, error) {
	width := t.Width()
	for i := from; int(i) < width; i++ {
		if t.nodes[i.Node()].leaf == nil {
			return i, nil
		}
	}
	if 2*width > maxLeaves {
		return 0, fmt.Errorf("%w: %d leaves", ErrTreeSize, 2*width)
	}
	for range 2 * width {
		t.nodes = append(t.nodes, &node{})
	}
	return LeafIndex(width), nil
}

// add puts leaf at l, which is blank, and notes it as unmerged above (RFC 9420
// §12.1.1).
func (t *Tree) add(l LeafIndex, leaf *LeafNode) {
	for _, x := range directPath(l.Node(), t.Root()) {
		p := t.nodes[x].parent
		if p == nil {
			continue
		}
		at, _ := slices.BinarySearch(p.Unmerged, l)
		t.nodes[x] = &node{parent: &ParentNode{
			EncryptionKey: p.EncryptionKey,
			ParentHash:    p.ParentHash,
			Unmerged:      slices.Insert(slices.Clone(p.Unmerged), at, l),
		}}
	}
	t.setLeaf(l, leaf)
}

// setPath puts fresh keys on the filtered direct path of l, blanks the rest of
// the direct path, and returns the parent hash for the leaf (RFC 9420 §7.5).
func (t *Tree) setPath(l LeafIndex, path []PathStep, keys [][]byte) (parentHash []byte) {
	t.blankPath(l)
	above := []byte{}
	h := newHasher(t)
	for i := len(path) - 1; i >= 0; i-- {
		p := &ParentNode{EncryptionKey: keys[i], ParentHash: above, Unmerged: []LeafIndex{}}
		t.put(path[i].Node, &node{parent: p})
		above = h.parentHash(p, h.at(path[i].Copath))
	}
	return above
}
