package mls

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func TestDecoderRefuses(t *testing.T) {
	caps := func(lists ...[]byte) []byte { return bytes.Join(lists, nil) }
	empty := []byte{0}
	for _, tt := range []struct {
		name string
		into Unmarshaler
		b    []byte
	}{
		{"nothing", new(Extension), nil},
		{"a cut number", new(Extension), []byte{0}},
		{"a length without its bytes", new(Extension), []byte{0, 1, 5, 1}},
		{"a length in a longer form than needed", new(Extension), []byte{0, 1, 0x40, 1, 7}},
		{"a length of four bytes where two do", new(Extension), append([]byte{0, 1, 0x80, 0, 1, 0}, make([]byte, 256)...)},
		{"a length header with both bits", new(Extension), []byte{0, 1, 0xc0, 0, 0, 0}},
		{"bytes after the end", new(Extension), []byte{0, 1, 0, 9}},
		{"half an item in a vector", new(Capabilities), caps([]byte{3, 0, 1, 0}, empty, empty, empty, empty)},
		{"a presence byte that is neither", new(Commit), []byte{0, 2}},
		{"an unknown credential", new(Credential), []byte{0, 9, 0}},
		{"an unknown proposal", new(Proposal), []byte{0, 9}},
		{"an unknown psk type", new(PreSharedKeyID), []byte{3, 0, 0}},
		{"an unknown psk usage", new(PreSharedKeyID), append([]byte{2, 4}, make([]byte, 10)...)},
		{"an unknown kind of proposal or reference", new(ProposalOrRef), []byte{3, 0}},
		{"an unknown sender type", new(Sender), []byte{5}},
		{"an unknown content type", new(PrivateMessage), append(make([]byte, 9), 4, 0, 0, 0)},
		{"an unknown wire format", new(Message), []byte{0, 1, 0, 9}},
		{"another version", new(Message), []byte{0, 2, 0, 1}},
		{"another version of the context", new(GroupContext), append([]byte{0, 2, 0, 1}, make([]byte, 12)...)},
		{"an unknown leaf source", new(LeafNode), caps([]byte{0, 0, 0, 1, 0}, empty, empty, empty, empty, empty, []byte{4, 0, 0})},
	} {
		if err := Unmarshal(tt.b, tt.into); !errors.Is(err, ErrDecoding) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := ParseTree(X25519AES128, []byte{2, 1, 3}); !errors.Is(err, ErrTree) {
		t.Errorf("an unknown node type: %v", err)
	}
	if _, err := ParseTree(0x1234, []byte{0}); !errors.Is(err, ErrSuite) {
		t.Errorf("a tree of an unknown suite: %v", err)
	}
}

// TestDecoderCaps: what announces more than its cap is refused before memory is
// spent on it.
func TestDecoderCaps(t *testing.T) {
	bytesOf := func(n int) []byte {
		var e Encoder
		e.Bytes(make([]byte, n))
		return e.buf
	}
	many := func(n int, item []byte) []byte {
		var e Encoder
		e.Bytes(bytes.Repeat(item, n))
		return e.buf
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, tt := range []struct {
		name string
		into func() Unmarshaler
		at   []byte // exactly at the cap
		over []byte
	}{
		{"identity", func() Unmarshaler { return new(Credential) }, join([]byte{0, 1}, bytesOf(maxIdentity)), join([]byte{0, 1}, bytesOf(maxIdentity+1))},
		{"certificates", func() Unmarshaler { return new(Credential) }, join([]byte{0, 2}, many(maxChain, []byte{0})), join([]byte{0, 2}, many(maxChain+1, []byte{0}))},
		{"extensions", func() Unmarshaler { return new(Extensions) }, many(maxExtensions, []byte{0, 1, 0}), many(maxExtensions+1, []byte{0, 1, 0})},
		{"capabilities", func() Unmarshaler { return new(Capabilities) }, join(many(maxCodes, []byte{0, 1}), make([]byte, 4)), join(many(maxCodes+1, []byte{0, 1}), make([]byte, 4))},
		{"proposals", func() Unmarshaler { return new(Commit) }, join(many(maxProposals, []byte{2, 0}), []byte{0}), join(many(maxProposals+1, []byte{2, 0}), []byte{0})},
		{"sealed path secret", func() Unmarshaler { return new(UpdatePathNode) },
			join([]byte{0}, many(1, join([]byte{0}, bytesOf(maxSealedPath)))), join([]byte{0}, many(1, join([]byte{0}, bytesOf(maxSealedPath+1))))},
		{"kem output", func() Unmarshaler { return new(HPKECiphertext) }, join(bytesOf(maxKEM), []byte{0}), join(bytesOf(maxKEM+1), []byte{0})},
		{"joiners of a welcome", func() Unmarshaler { return new(Welcome) },
			join([]byte{0, 1}, many(maxLeaves, []byte{0, 0, 0}), []byte{0}), join([]byte{0, 1}, many(maxLeaves+1, []byte{0, 0, 0}), []byte{0})},
	} {
		if err := Unmarshal(tt.at, tt.into()); err != nil {
			t.Errorf("%s at its cap: %v", tt.name, err)
		}
		if err := Unmarshal(tt.over, tt.into()); !errors.Is(err, ErrDecoding) {
			t.Errorf("%s over its cap: %v", tt.name, err)
		}
	}
	if err := Unmarshal(make([]byte, maxMessage+1), new(Extension)); !errors.Is(err, ErrDecoding) {
		t.Errorf("a message over its cap: %v", err)
	}
	blanks := many(maxNodes+2, []byte{0})
	if _, err := ParseTree(X25519AES128, blanks); !errors.Is(err, ErrTree) {
		t.Errorf("a tree over its cap: %v", err)
	}
	leaf := &LeafNode{Credential: Basic(nil), Source: LeafUpdate}
	path := &UpdatePath{Leaf: *leaf}
	for range 2 {
		path.Nodes = append(path.Nodes, UpdatePathNode{Secrets: make([]HPKECiphertext, maxLeaves/2+1)})
	}
	b, err := Marshal(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Unmarshal(b, new(UpdatePath)); !errors.Is(err, ErrDecoding) {
		t.Errorf("a path with more secrets than a tree has leaves: %v", err)
	}
}

func TestEncoderRefuses(t *testing.T) {
	for name, v := range map[string]Marshaler{
		"an empty proposal":       Proposal{},
		"a proposal without body": Proposal{Type: ProposalAdd},
		"an unknown credential":   Credential{Type: 9},
		"an unknown sender":       Sender{},
		"an empty message":        Message{},
		"an unknown leaf source":  &LeafNode{Credential: Basic(nil)},
		"a commit without commit": &FramedContent{Sender: MemberSender(0), Type: ContentCommit},
		"an unknown psk type":     PreSharedKeyID{},
	} {
		if _, err := Marshal(v); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTreeGrowsToItsCap(t *testing.T) {
	tree := newTree(X25519AES128)
	tree.nodes = make([]*node, maxNodes)
	for i := range tree.nodes {
		tree.nodes[i] = &node{leaf: &LeafNode{}}
	}
	if _, err := tree.free(0); !errors.Is(err, ErrTreeSize) {
		t.Errorf("a tree beyond its cap: %v", err)
	}
}

// TestHashesAreCached: a change below a node is seen in its hash, in one copy
// of the tree and not in the other.
func TestHashesAreCached(t *testing.T) {
	leaf := func(i int) *LeafNode {
		return &LeafNode{EncryptionKey: []byte(fmt.Sprint(i)), Credential: Basic(nil), Source: LeafUpdate}
	}
	a := newTree(X25519AES128)
	for i := range 100 {
		l, err := a.free(0)
		if err != nil {
			t.Fatal(err)
		}
		a.add(l, leaf(i))
	}
	fresh := func(t *Tree) []byte {
		c := &Tree{t.suite, nil}
		for _, n := range t.nodes {
			c.nodes = append(c.nodes, &node{leaf: n.leaf, parent: n.parent})
		}
		return c.Hash()
	}
	before := bytes.Clone(a.Hash())
	for i := range 100 {
		b := a.Clone()
		switch i % 4 {
		case 0:
			b.remove(LeafIndex(i))
			b.truncate()
		case 1:
			b.setLeaf(LeafIndex(i), leaf(1000+i))
		case 2:
			path := b.FilteredPath(LeafIndex(i))
			keys := make([][]byte, len(path))
			for k := range keys {
				keys[k] = []byte(fmt.Sprint(i, k))
			}
			b.setPath(LeafIndex(i), path, keys)
			b.add(LeafIndex(100), leaf(2000+i))
		case 3:
			for l := 40; l < 100; l++ {
				b.remove(LeafIndex(l))
			}
			b.truncate()
			next, err := b.free(40)
			if err != nil {
				t.Fatal(err)
			}
			b.add(next, leaf(3000))
		}
		if !bytes.Equal(b.Hash(), fresh(b)) {
			t.Fatalf("change %d: a hash is out of date", i)
		}
		if !bytes.Equal(a.Hash(), before) || !bytes.Equal(fresh(a), before) {
			t.Fatalf("change %d shows in the original", i)
		}
		if bytes.Equal(b.Hash(), before) {
			t.Fatalf("change %d does not show", i)
		}
	}
}

func TestExtensions(t *testing.T) {
	a := Extensions{{1, []byte("a")}, {2, []byte("b")}}
	for _, tt := range []struct {
		name string
		b    Extensions
		want bool
	}{
		{"the same", Extensions{{1, []byte("a")}, {2, []byte("b")}}, true},
		{"other data", Extensions{{1, []byte("a")}, {2, []byte("c")}}, false},
		{"another type", Extensions{{1, []byte("a")}, {3, []byte("b")}}, false},
		{"another order", Extensions{{2, []byte("b")}, {1, []byte("a")}}, false},
		{"one less", a[:1], false},
		{"replaced by the same", a.Without(2).With(2, []byte("b")), true},
	} {
		if a.Equal(tt.b) != tt.want {
			t.Errorf("%s: %v", tt.name, !tt.want)
		}
	}
	if data, ok := a.Get(2); !ok || string(data) != "b" {
		t.Errorf("got %q, %v", data, ok)
	}
	if _, ok := a.Get(9); ok {
		t.Error("got what is not there")
	}
}

// TestSafeAAD: components find their own item again, and no two readings of
// authenticated data are possible.
func TestSafeAAD(t *testing.T) {
	list := SafeAAD{}.With(0x8001, []byte("b")).With(7, []byte("a")).With(0x8001, []byte("c"))
	b, err := Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte("\x08\x00\x07\x01a\x80\x01\x01c"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
	var again SafeAAD
	if err := Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if data, ok := again.Get(0x8001); !ok || string(data) != "c" {
		t.Errorf("component 0x8001 has %q", data)
	}
	for _, bad := range []string{"\x08\x80\x01\x01c\x00\x07\x01a", "\x08\x00\x07\x01a\x00\x07\x01b"} {
		if err := Unmarshal([]byte(bad), &again); !errors.Is(err, ErrDecoding) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}
