package group

import (
	"fmt"
	"maps"
	"slices"

	"github.com/veche-im/veche/mls"
)

// exporterRoot is the root of the exporter tree, which has a leaf for each of
// the 2^16 component ids (draft-ietf-mls-extensions, Exported Secrets).
const exporterRoot mls.NodeIndex = 1<<16 - 1

// newExporterTree starts from the application_export secret of an epoch. It is a
// secret tree with another size and without ratchets.
func newExporterTree(s mls.Suite, root Secret) *secretTree {
	return newSecretTree(s, root, exporterRoot)
}

// encodeFrontier writes the secrets from which those of all components can be
// derived that were not taken yet.
func (t *secretTree) encodeFrontier(e *mls.Encoder) {
	e.Vector(func() {
		if t == nil {
			return
		}
		for _, x := range slices.Sorted(maps.Keys(t.frontier)) {
			e.Uint32(uint32(x))
			e.Bytes(t.frontier[x].bytes())
		}
	})
}

func decodeExporterTree(s mls.Suite, d *mls.Decoder) *secretTree {
	t := &secretTree{suite: s, frontier: map[mls.NodeIndex]*Secret{}, ratchets: map[ratchetID]*ratchet{}}
	mls.Vector(d, 1<<16, func(d *mls.Decoder, _ *struct{}) {
		x, secret := mls.NodeIndex(d.Uint32()), takeSecret(d)
		t.frontier[x] = &secret
	})
	return t
}

// Export derives a secret of n bytes of this epoch for the application
// (RFC 9420 §8.5). Labels must be unique to their purpose. n is at most 255
// hashes. It can be derived again as long as the epoch lasts, by a thief of the
// state too; SafeExport does not have this weakness.
func (g *Group) Export(label string, context []byte, n int) ([]byte, error) {
	if g.epoch == nil {
		return nil, g.active()
	}
	return exportFrom(g.epoch, g.suite(), label, context, n)
}

func exportFrom(e *epochSecrets, s mls.Suite, label string, context []byte, n int) ([]byte, error) {
	if n < 1 || n > 255*s.HashSize() {
		return nil, fmt.Errorf("%w: export of %d bytes", ErrConfig, n)
	}
	return e.export(s, label, context, n).bytes(), nil
}

// SafeExport returns the secret that all members of this epoch have for one
// component of the application, as long as a hash of the suite
// (draft-ietf-mls-extensions, Exported Secrets). It can be had once in an epoch,
// then it is ErrExported: what it came from is deleted, so that who steals the
// state later does not find it. Components learn nothing of one another's.
//
// The deletion takes effect with Save. Before a crash in between, the secret was
// had; after it, it can be had once more.
func (g *Group) SafeExport(component mls.ComponentID) (Secret, error) {
	if g.epoch == nil {
		return Secret{}, g.active()
	}
	if g.epoch.exports == nil {
		return Secret{}, fmt.Errorf("%w: this epoch began before there were any", ErrExported)
	}
	secret, ok := g.epoch.exports.take(mls.LeafIndex(component).Node())
	if !ok {
		return Secret{}, fmt.Errorf("%w: component %#04x", ErrExported, uint16(component))
	}
	g.epoch.dirty = true
	return secret, nil
}
