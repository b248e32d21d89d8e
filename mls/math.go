package mls

import "math/bits"

// NodeIndex is the position of a node in the array form of a tree (RFC 9420
// Appendix C): leaves at even positions, parents between their children. Trees
// are full, so that with 2^d leaves the root is at 2^d - 1.
type NodeIndex uint32

// Node returns the position of the leaf among all nodes.
func (l LeafIndex) Node() NodeIndex { return NodeIndex(l) * 2 }

// IsLeaf reports whether the node is a leaf.
func (x NodeIndex) IsLeaf() bool { return x&1 == 0 }

// Leaf returns the position of a leaf among the leaves.
func (x NodeIndex) Leaf() LeafIndex { return LeafIndex(x / 2) }

// Level is the height of the node above the leaves.
func (x NodeIndex) Level() int { return bits.TrailingZeros32(^uint32(x)) }

// Left returns the left child of a parent node.
func (x NodeIndex) Left() NodeIndex { return x ^ 1<<(x.Level()-1) }

// Right returns the right child of a parent node.
func (x NodeIndex) Right() NodeIndex { return x ^ 3<<(x.Level()-1) }

// Parent returns the node above, which must not be asked of the root.
func (x NodeIndex) Parent() NodeIndex {
	k := x.Level()
	return (x | 1<<k) &^ (1 << (k + 1))
}

// Sibling returns the other child of the node's parent.
func (x NodeIndex) Sibling() NodeIndex {
	p := x.Parent()
	if x < p {
		return p.Right()
	}
	return p.Left()
}

// span returns the first leaf under the node and the first one after it.
func (x NodeIndex) span() (from, to LeafIndex) {
	half := NodeIndex(1)<<x.Level() - 1
	return (x - half).Leaf(), (x + half).Leaf() + 1
}

// Above reports whether y is x or below it.
func (x NodeIndex) Above(y NodeIndex) bool {
	half := NodeIndex(1)<<x.Level() - 1
	return x-half <= y && y <= x+half
}

// rootOf returns the root of a tree with width leaves, a power of two.
func rootOf(width int) NodeIndex { return NodeIndex(width - 1) }

// directPath returns the nodes above x, up to the root.
func directPath(x, root NodeIndex) []NodeIndex {
	var out []NodeIndex
	for x != root {
		x = x.Parent()
		out = append(out, x)
	}
	return out
}

// CommonAncestor returns the lowest node that is above both leaves.
func CommonAncestor(a, b LeafIndex) NodeIndex {
	x := a.Node()
	for !x.Above(b.Node()) {
		x = x.Parent()
	}
	return x
}

// widthFor returns the smallest power of two that is at least n, and at least 1.
func widthFor(n int) int {
	w := 1
	for w < n {
		w *= 2
	}
	return w
}
