package mls

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/veche-im/veche/test/vectors"
)

// equal fails the test if got is not want.
func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	vectors.Equal(t, what, got, want)
}

// supported reports whether there is a suite of that number.
func supported(s uint16) bool { return Suite(s).Supported() }

func TestVectorsLengthHeader(t *testing.T) {
	type vector struct {
		Header vectors.Hex `json:"vlbytes_header"`
		Length int
	}
	vectors.Each(t, vectors.Deserialization, supported, func(t *testing.T, c vector) {
		if c.Length > maxMessage {
			d := NewDecoder(c.Header)
			if d.length(maxMessage); d.Err() == nil {
				t.Errorf("%x: a length of %d was not refused", c.Header, c.Length)
			}
			equal(t, "header", appendLength(nil, c.Length), c.Header)
			return
		}
		d := NewDecoder(append(bytes.Clone(c.Header), make([]byte, c.Length)...))
		if got := d.length(1 << 30); got != c.Length || d.Err() != nil {
			t.Errorf("%x: length %d, %v; want %d", c.Header, got, d.Err(), c.Length)
		}
		equal(t, "header", appendLength(nil, c.Length), c.Header)
	})
}

func TestVectorsTreeMath(t *testing.T) {
	type vector struct {
		Leaves int `json:"n_leaves"`
		Nodes  int `json:"n_nodes"`
		Root   NodeIndex
		Left   []*NodeIndex
		Right  []*NodeIndex
		Parent []*NodeIndex
		Sib    []*NodeIndex `json:"sibling"`
	}
	vectors.Each(t, vectors.TreeMath, supported, func(t *testing.T, c vector) {
		if rootOf(c.Leaves) != c.Root || 2*c.Leaves-1 != c.Nodes {
			t.Errorf("%d leaves: root %d", c.Leaves, rootOf(c.Leaves))
		}
		for i := range c.Nodes {
			x := NodeIndex(i)
			if x.IsLeaf() != (c.Left[i] == nil) {
				t.Fatalf("node %d: leaf %v", i, x.IsLeaf())
			}
			if !x.IsLeaf() && (x.Left() != *c.Left[i] || x.Right() != *c.Right[i]) {
				t.Errorf("node %d: children %d and %d", i, x.Left(), x.Right())
			}
			if x != c.Root && (x.Parent() != *c.Parent[i] || x.Sibling() != *c.Sib[i]) {
				t.Errorf("node %d: parent %d, sibling %d", i, x.Parent(), x.Sibling())
			}
		}
	})
}

func TestVectorsTreeValidation(t *testing.T) {
	type vector struct {
		Suite       Suite `json:"cipher_suite"`
		Tree        vectors.Hex
		GroupID     vectors.Hex   `json:"group_id"`
		TreeHashes  []vectors.Hex `json:"tree_hashes"`
		Resolutions [][]NodeIndex
	}
	vectors.Each(t, vectors.TreeValidation, supported, func(t *testing.T, c vector) {
		tree, err := ParseTree(c.Suite, c.Tree)
		if err != nil {
			t.Fatal(err)
		}
		for x := range c.TreeHashes {
			equal(t, fmt.Sprintf("tree hash %d", x), tree.hashAt(NodeIndex(x)), c.TreeHashes[x])
			if got := tree.Resolution(NodeIndex(x), nil); fmt.Sprint(got) != fmt.Sprint(c.Resolutions[x]) {
				t.Errorf("resolution of %d: %v, want %v", x, got, c.Resolutions[x])
			}
		}
		if err := tree.verify(c.GroupID, nil); err != nil {
			t.Error(err)
		}
		b, err := Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "encoding", b, c.Tree)
	})
}

func TestVectorsTreeOperations(t *testing.T) {
	type vector struct {
		Suite      Suite       `json:"cipher_suite"`
		Before     vectors.Hex `json:"tree_before"`
		HashBefore vectors.Hex `json:"tree_hash_before"`
		Proposal   vectors.Hex
		Sender     LeafIndex   `json:"proposal_sender"`
		After      vectors.Hex `json:"tree_after"`
		HashAfter  vectors.Hex `json:"tree_hash_after"`
	}
	vectors.Each(t, vectors.TreeOperations, supported, func(t *testing.T, c vector) {
		tree, err := ParseTree(c.Suite, c.Before)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "hash before", tree.Hash(), c.HashBefore)
		var p Proposal
		if err := Unmarshal(c.Proposal, &p); err != nil {
			t.Fatal(err)
		}
		d := &Draft{tree: tree.Clone(), fresh: map[LeafIndex]bool{}}
		if err := d.apply([]resolved{{&p, MemberSender(c.Sender), true}}); err != nil {
			t.Fatal(err)
		}
		b, err := Marshal(d.tree)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "tree after", b, c.After)
		equal(t, "hash after", d.tree.Hash(), c.HashAfter)
		equal(t, "the original tree's hash", tree.Hash(), c.HashBefore)
	})
}

func TestVectorsMessages(t *testing.T) {
	type vector = map[string]vectors.Hex
	// group_secrets is an object of mls/group, and tested there.
	fresh := map[string]func() codec{
		"mls_welcome":                       func() codec { return new(Message) },
		"mls_group_info":                    func() codec { return new(Message) },
		"mls_key_package":                   func() codec { return new(Message) },
		"public_message_application":        func() codec { return new(Message) },
		"public_message_proposal":           func() codec { return new(Message) },
		"public_message_commit":             func() codec { return new(Message) },
		"private_message":                   func() codec { return new(Message) },
		"ratchet_tree":                      func() codec { return new(treeCodec) },
		"add_proposal":                      func() codec { return &bareProposal{t: ProposalAdd} },
		"update_proposal":                   func() codec { return &bareProposal{t: ProposalUpdate} },
		"remove_proposal":                   func() codec { return &bareProposal{t: ProposalRemove} },
		"pre_shared_key_proposal":           func() codec { return &bareProposal{t: ProposalPSK} },
		"re_init_proposal":                  func() codec { return &bareProposal{t: ProposalReInit} },
		"external_init_proposal":            func() codec { return &bareProposal{t: ProposalExternalInit} },
		"group_context_extensions_proposal": func() codec { return &bareProposal{t: ProposalGroupContextExtensions} },
		"commit":                            func() codec { return new(Commit) },
	}
	vectors.Each(t, vectors.Messages, supported, func(t *testing.T, c vector) {
		for name, b := range c {
			f, ok := fresh[name]
			if !ok {
				if name != "group_secrets" {
					t.Fatalf("unknown field %s", name)
				}
				continue
			}
			v := f()
			if err := Unmarshal(b, v); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			again, err := Marshal(v)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			equal(t, name, again, b)
		}
	})
}

type codec interface {
	Marshaler
	Unmarshaler
}

// bareProposal is a proposal without its type, as the vectors have it.
type bareProposal struct {
	t ProposalType
	p Proposal
}

func (b *bareProposal) MarshalMLS(e *Encoder) {
	var inner Encoder
	b.p.MarshalMLS(&inner)
	out, err := inner.Result()
	if err != nil {
		e.Fail("%v", err)
		return
	}
	e.Raw(out[2:])
}

func (b *bareProposal) UnmarshalMLS(d *Decoder) {
	d.b = append([]byte{0, byte(b.t)}, d.b...)
	b.p.UnmarshalMLS(d)
}

// treeCodec parses a tree without a suite.
type treeCodec struct{ nodes []node }

func (t *treeCodec) MarshalMLS(e *Encoder) {
	e.Vector(func() {
		for i := range t.nodes {
			t.nodes[i].marshal(e)
		}
	})
}

func (t *treeCodec) UnmarshalMLS(d *Decoder) {
	t.nodes = Vector(d, maxNodes, func(d *Decoder, n *node) { n.unmarshal(d) })
}
