package mls

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
)

// Storage is where a group is kept. The caller makes it from a transaction of
// its own, and commits that transaction before anything that depends on it
// leaves the process. Key layout: docs/spec/mls.md#storage.
type Storage interface {
	// Get returns the value at key, or nil and no error if there is none.
	Get(key string) ([]byte, error)
	Put(key string, value []byte) error
	// Delete removes the value at key; that there is none is no error.
	Delete(key string) error
}

// storeVersion stands at the beginning of the context row, so that a later
// layout can be told apart.
const storeVersion = 1

// The keys of a PublicGroup: contextKey, proposalsKey, and nodeKey for each
// node that is not in an empty subtree.
const (
	contextKey   = "context"
	proposalsKey = "proposals"
)

func nodeKey(i int) string { return "tree/" + strconv.Itoa(i) }

// saved is what Storage holds, so that Save can write the difference.
type saved struct {
	context  []byte
	nodes    []*node // nil where there is no row
	proposed []*StagedProposal
}

// Save writes what has changed since the group was loaded or last saved: the
// nodes of a path after a commit. If the transaction behind s fails to commit,
// the group must be loaded again.
func (g *PublicGroup) Save(s Storage) error {
	g.tree.Hash()
	if err := g.saveNodes(s); err != nil {
		return err
	}
	if !slices.Equal(g.pending, g.saved.proposed) {
		if err := g.saveProposals(s); err != nil {
			return err
		}
	}
	var e Encoder
	e.Uint8(storeVersion)
	e.Optional(g.Closed())
	e.Uint32(uint32(g.tree.Width()))
	e.Bytes(g.interim)
	g.context.MarshalMLS(&e)
	if g.Closed() {
		g.reinit.MarshalMLS(&e)
	}
	b, err := e.Result()
	if err != nil {
		return err
	}
	if bytes.Equal(b, g.saved.context) {
		return nil
	}
	if err := s.Put(contextKey, b); err != nil {
		return fmt.Errorf("store the context: %w", err)
	}
	g.saved.context = b
	return nil
}

// saveNodes writes the rows of nodes that were replaced. A node without any
// member below it has no row: its hash is cheap to compute again.
func (g *PublicGroup) saveNodes(s Storage) error {
	nodes := g.tree.nodes
	rows := make([]*node, len(nodes))
	for i := 0; i < len(nodes); i += 2 {
		if nodes[i].leaf == nil {
			continue
		}
		rows[i] = nodes[i]
		for _, x := range directPath(NodeIndex(i), g.tree.Root()) {
			if rows[x] != nil {
				break
			}
			rows[x] = nodes[x]
		}
	}
	for i := range max(len(rows), len(g.saved.nodes)) {
		var now, before *node
		if i < len(rows) {
			now = rows[i]
		}
		if i < len(g.saved.nodes) {
			before = g.saved.nodes[i]
		}
		switch {
		case now == before:
			continue
		case now == nil:
			if err := s.Delete(nodeKey(i)); err != nil {
				return fmt.Errorf("delete node %d: %w", i, err)
			}
			continue
		}
		var e Encoder
		e.Bytes(now.hash)
		now.marshal(&e)
		b, err := e.Result()
		if err != nil {
			return err
		}
		if err := s.Put(nodeKey(i), b); err != nil {
			return fmt.Errorf("store node %d: %w", i, err)
		}
	}
	g.saved.nodes = rows
	return nil
}

func (g *PublicGroup) saveProposals(s Storage) error {
	if len(g.pending) == 0 {
		if err := s.Delete(proposalsKey); err != nil {
			return fmt.Errorf("delete proposals: %w", err)
		}
		g.saved.proposed = nil
		return nil
	}
	var e Encoder
	e.Vector(func() {
		for _, p := range g.pending {
			p.content.MarshalMLS(&e)
		}
	})
	b, err := e.Result()
	if err != nil {
		return err
	}
	if err := s.Put(proposalsKey, b); err != nil {
		return fmt.Errorf("store proposals: %w", err)
	}
	g.saved.proposed = slices.Clone(g.pending)
	return nil
}

// LoadPublicGroup reads a group that Save wrote. It returns ErrStorage if there
// is none or it is damaged.
func LoadPublicGroup(s Storage) (*PublicGroup, error) {
	b, err := s.Get(contextKey)
	if err != nil {
		return nil, fmt.Errorf("read the context: %w", err)
	}
	if b == nil {
		return nil, fmt.Errorf("%w: no context", ErrStorage)
	}
	g := new(PublicGroup)
	d := NewDecoder(b)
	if v := d.Uint8(); v != storeVersion {
		return nil, fmt.Errorf("%w: written by version %d of the layout", ErrStorage, v)
	}
	closed := d.Optional()
	width := int(d.Uint32())
	g.interim = d.Bytes(maxHash)
	g.context.UnmarshalMLS(d)
	if closed {
		g.reinit = new(ReInit) // what follows was not always stored, and then stays unknown
		if d.Rest() > 0 {
			g.reinit.UnmarshalMLS(d)
		}
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: context: %w", ErrStorage, err)
	}
	if !g.context.Suite.Supported() {
		return nil, fmt.Errorf("%w: %w: %v", ErrStorage, ErrSuite, g.context.Suite)
	}
	if width < 1 || width > maxLeaves || width != widthFor(width) {
		return nil, fmt.Errorf("%w: %d leaves", ErrStorage, width)
	}
	g.saved.context = b
	if err := g.loadNodes(s, width); err != nil {
		return nil, err
	}
	return g, g.loadProposals(s)
}

func (g *PublicGroup) loadNodes(s Storage, width int) error {
	g.tree = &Tree{g.context.Suite, make([]*node, 2*width-1)}
	g.saved.nodes = make([]*node, 2*width-1)
	for i := range g.tree.nodes {
		b, err := s.Get(nodeKey(i))
		if err != nil {
			return fmt.Errorf("read node %d: %w", i, err)
		}
		n := new(node)
		g.tree.nodes[i] = n
		if b == nil {
			continue
		}
		d := NewDecoder(bytes.Clone(b))
		d.keep = true // a row is one node, and lives as long
		n.hash = d.Bytes(maxHash)
		n.unmarshal(d)
		if err := d.Finish(); err != nil {
			return fmt.Errorf("%w: node %d: %w", ErrStorage, i, err)
		}
		if n.leaf != nil && i%2 == 1 || n.parent != nil && i%2 == 0 {
			return fmt.Errorf("%w: wrong type of node at %d", ErrStorage, i)
		}
		g.saved.nodes[i] = n
	}
	if !bytes.Equal(g.tree.Hash(), g.context.TreeHash) {
		return fmt.Errorf("%w: %w", ErrStorage, ErrTreeHash)
	}
	return nil
}

func (g *PublicGroup) loadProposals(s Storage) error {
	b, err := s.Get(proposalsKey)
	if err != nil {
		return fmt.Errorf("read proposals: %w", err)
	}
	if b == nil {
		return nil
	}
	d := NewDecoder(b)
	list := Vector(d, MaxPendingProposals, func(d *Decoder, v **AuthenticatedContent) {
		*v = new(AuthenticatedContent)
		(*v).UnmarshalMLS(d)
	})
	if err := d.Finish(); err != nil {
		return fmt.Errorf("%w: proposals: %w", ErrStorage, err)
	}
	for _, a := range list {
		if a.Content.Proposal == nil {
			return fmt.Errorf("%w: a proposal without content", ErrStorage)
		}
		ref, size, err := a.proposalRef(g.context.Suite)
		if err != nil {
			return err
		}
		g.pending = append(g.pending, &StagedProposal{
			Ref: ref, Sender: a.Content.Sender, Proposal: a.Content.Proposal,
			AuthenticatedData: a.Content.AuthenticatedData, content: a, size: size, base: g.interim,
		})
	}
	g.saved.proposed = slices.Clone(g.pending)
	return nil
}
