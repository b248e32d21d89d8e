package group

import (
	"bytes"
	"errors"
	"testing"

	"github.com/veche-im/veche/mls"
)

// TestSafeExport: each component has a secret of its own that all members share,
// once in each epoch.
func TestSafeExport(t *testing.T) {
	c := newCourt(t)
	ids := []mls.ComponentID{0, 1, 0x8000, 0x8001, 0xffff}
	for range 2 {
		seen := map[string]bool{}
		for _, id := range ids {
			var first Secret
			for i, m := range c.members {
				secret := must(m.group.SafeExport(id))
				if i == 0 {
					first = secret
				}
				if !secret.Equal(first) || secret.Len() != c.suite.HashSize() {
					t.Errorf("%s has another secret for component %#x", m.name, uint16(id))
				}
				if _, err := m.group.SafeExport(id); !errors.Is(err, ErrExported) {
					t.Errorf("a secret that was had already: %v", err)
				}
				m.reload(t)
				if _, err := m.group.SafeExport(id); !errors.Is(err, ErrExported) {
					t.Errorf("a secret that was had before the crash: %v", err)
				}
			}
			if seen[string(first.bytes())] {
				t.Errorf("component %#x has the secret of another, or of another epoch", uint16(id))
			}
			seen[string(first.bytes())] = true
		}
		c.commit(c.mallory, CommitOptions{}, nil)
	}
}

// TestSafeExportForgets: from all that is stored after a secret was had, with
// any derivation of the tree, it cannot be had again.
func TestSafeExportForgets(t *testing.T) {
	c := newCourt(t)
	g := c.victim.group
	root := *g.epoch.exports.frontier[exporterRoot]
	above := map[string]bool{string(root.bytes()): true}
	tree := newExporterTree(c.suite, NewSecret(root.bytes()))
	leaf := mls.LeafIndex(0x8003).Node()
	for x, s := exporterRoot, root; x != leaf; {
		x, s = tree.child(x, s, leaf)
		above[string(s.bytes())] = true
	}
	if len(above) != 17 {
		t.Fatalf("%d secrets above a component", len(above))
	}
	secret := must(g.SafeExport(0x8003))
	if !above[string(secret.bytes())] {
		t.Error("the secret is not that of the leaf of the tree")
	}
	c.victim.reload(t)
	for key, row := range c.victim.store.rows {
		for s := range above {
			if bytes.Contains(row, []byte(s)) {
				t.Errorf("row %s still leads to the secret", key)
			}
		}
	}
	if n := len(c.victim.group.epoch.exports.frontier); n != 16 {
		t.Errorf("%d secrets left, want one beside each step down", n)
	}
}

// TestOldLayout: a group that was stored in the first layout is read, and written
// in the new one at the next Save.
func TestOldLayout(t *testing.T) {
	c := newCourt(t)
	must(c.victim.group.ProposeUpdate(ProposeOptions{}))
	p := must(c.victim.group.Commit(CommitOptions{}))
	c.victim.reload(t)
	rows := c.victim.store.rows
	cut := func(key string, n int) { rows[key] = rows[key][:len(rows[key])-n] }
	rows[selfKey][0] = 1
	cut(selfKey, 1)
	var e mls.Encoder
	c.victim.group.epoch.exports.encodeFrontier(&e)
	cut(epochKey, len(must(e.Result()))+1)
	cut(pendingKey, 1)
	cut(updatesKey, 2)
	g := must(Load(c.victim.store))
	if _, err := g.SafeExport(1); !errors.Is(err, ErrExported) {
		t.Errorf("a safe export in an epoch of the old layout: %v", err)
	}
	c.check(g.Save(c.victim.store))
	c.victim.group = g
	c.victim.reload(t)
	if rows[selfKey][0] != storeVersion {
		t.Errorf("still stored as version %d", rows[selfKey][0])
	}
	c.check(c.victim.group.MergePending())
	if !bytes.Equal(c.victim.group.EpochAuthenticator(), p.EpochAuthenticator()) {
		t.Error("the commit of the old layout leads elsewhere")
	}
	if _, err := c.victim.group.SafeExport(1); err != nil {
		t.Errorf("in the next epoch: %v", err)
	}
}

// TestSafeExportOfOldStates: a group that was stored before there was an
// exporter tree is read, and has one from the next epoch on.
func TestSafeExportOfOldStates(t *testing.T) {
	c := newCourt(t)
	c.victim.group.epoch.exports = nil
	c.victim.group.epoch.dirty = true
	c.victim.reload(t)
	if _, err := c.victim.group.SafeExport(1); !errors.Is(err, ErrExported) {
		t.Errorf("in the old epoch: %v", err)
	}
	c.commit(c.mallory, CommitOptions{}, nil)
	if !must(c.victim.group.SafeExport(1)).Equal(must(c.mallory.group.SafeExport(1))) {
		t.Error("in the next epoch, members have different secrets")
	}
	g := c.members[2].group
	c.commit(c.mallory, CommitOptions{Remove: []mls.LeafIndex{g.OwnLeaf()}}, nil)
	if _, err := g.SafeExport(1); !errors.Is(err, ErrRemoved) {
		t.Errorf("one who was removed: %v", err)
	}
}
