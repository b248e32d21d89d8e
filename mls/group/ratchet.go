package group

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/veche-im/veche/mls"
)

const (
	// maxAhead is how many generations a message may lie ahead of the last
	// one of its sender that was opened.
	maxAhead = 1000
	// maxSkipped is how many keys of messages that have not come yet are
	// kept for one sender; the oldest go first.
	maxSkipped = 1000
)

// ratchetID names one of the two ratchets of a sender (RFC 9420 §9).
type ratchetID struct {
	leaf      mls.LeafIndex
	handshake bool
}

// ratchet yields the message keys of one sender, each once (RFC 9420 §9.1).
type ratchet struct {
	generation uint32 // of the next key
	secret     Secret
	skipped    []messageKey // by generation
	dirty      bool         // not in Storage as it is here
}

// messageKey opens or seals one message.
type messageKey struct {
	generation uint32
	key, nonce Secret
}

// step derives the key of the next generation from secret, and the secret after
// it.
func step(s mls.Suite, secret Secret, generation uint32) (messageKey, Secret) {
	var g [4]byte
	binary.BigEndian.PutUint32(g[:], generation)
	k := newKDF(s, secret)
	return messageKey{
			generation: generation,
			key:        k.expandLabel("key", g[:], s.KeySize()),
			nonce:      k.expandLabel("nonce", g[:], s.NonceSize()),
		},
		k.expandLabel("secret", g[:], s.HashSize())
}

func nextSecret(s mls.Suite, secret Secret, generation uint32) Secret {
	return expandLabel(s, secret, "secret", binary.BigEndian.AppendUint32(nil, generation), s.HashSize())
}

// peeked is a key that was looked up and not yet used up.
type peeked struct {
	messageKey
	found   int // index in skipped, or -1
	next    Secret
	skipped []messageKey // those in between
}

// peek finds the key of a generation and leaves the ratchet as it is.
func (r *ratchet) peek(s mls.Suite, generation uint32) (peeked, bool) {
	if generation < r.generation {
		i, found := slices.BinarySearchFunc(r.skipped, generation, func(k messageKey, g uint32) int {
			return int(int64(k.generation) - int64(g))
		})
		if !found {
			return peeked{}, false
		}
		return peeked{messageKey: r.skipped[i], found: i}, true
	}
	if generation-r.generation > maxAhead || generation == math.MaxUint32 {
		return peeked{}, false
	}
	p := peeked{found: -1, next: r.secret}
	for g := r.generation; ; g++ {
		var k messageKey
		k, p.next = step(s, p.next, g)
		if g == generation {
			p.messageKey = k
			return p, true
		}
		p.skipped = append(p.skipped, k)
	}
}

// use takes a peeked key out of the ratchet for good.
func (r *ratchet) use(p peeked) {
	r.dirty = true
	if p.found >= 0 {
		r.skipped = slices.Delete(r.skipped, p.found, p.found+1)
		return
	}
	r.secret.Wipe()
	r.secret, r.generation = p.next, p.generation+1
	r.skipped = append(r.skipped, p.skipped...)
	if over := len(r.skipped) - maxSkipped; over > 0 {
		for i := range over {
			r.skipped[i].wipe()
		}
		r.skipped = slices.Delete(r.skipped, 0, over)
	}
}

func (k *messageKey) wipe() {
	k.key.Wipe()
	k.nonce.Wipe()
}

func (r *ratchet) wipe() {
	r.secret.Wipe()
	for i := range r.skipped {
		r.skipped[i].wipe()
	}
}

// secretTree holds what the message keys of an epoch come from (RFC 9420 §9).
// Of the tree only its frontier is kept: secrets whose children have not been
// derived yet. The first message of a sender takes the secret above it apart;
// from then on the sender has two ratchets.
type secretTree struct {
	suite    mls.Suite
	frontier map[mls.NodeIndex]*Secret
	ratchets map[ratchetID]*ratchet
}

// newSecretTree starts from the encryption secret of an epoch, which it owns
// from now on.
func newSecretTree(s mls.Suite, encryption Secret, root mls.NodeIndex) *secretTree {
	return &secretTree{
		suite:    s,
		frontier: map[mls.NodeIndex]*Secret{root: &encryption},
		ratchets: map[ratchetID]*ratchet{},
	}
}

// ratchet returns the ratchet of a sender, without changing the tree: if there
// is none yet, plant puts it there. It is nil if the leaf is not in the tree.
func (t *secretTree) ratchet(id ratchetID) *ratchet {
	if r := t.ratchets[id]; r != nil {
		return r
	}
	above, x := t.above(id.leaf.Node())
	if above == nil {
		return nil
	}
	secret := *above
	for x != id.leaf.Node() {
		x, secret = t.child(x, secret, id.leaf.Node())
	}
	label := "application"
	if id.handshake {
		label = "handshake"
	}
	return &ratchet{secret: expandLabel(t.suite, secret, label, nil, t.suite.HashSize()), dirty: true}
}

// above finds the frontier secret that leaf comes from.
func (t *secretTree) above(leaf mls.NodeIndex) (*Secret, mls.NodeIndex) {
	for x := leaf; x.Level() < 31; x = x.Parent() {
		if s := t.frontier[x]; s != nil {
			return s, x
		}
	}
	return nil, 0
}

// child derives the secret of x's child on the way to leaf.
func (t *secretTree) child(x mls.NodeIndex, secret Secret, leaf mls.NodeIndex) (mls.NodeIndex, Secret) {
	if leaf < x {
		return x.Left(), expandLabel(t.suite, secret, "tree", []byte("left"), t.suite.HashSize())
	}
	return x.Right(), expandLabel(t.suite, secret, "tree", []byte("right"), t.suite.HashSize())
}

// plant gives a sender its two ratchets, of which r is one, and deletes the
// secrets that they came from.
func (t *secretTree) plant(id ratchetID, r *ratchet) {
	if t.ratchets[id] != nil {
		return
	}
	other := ratchetID{id.leaf, !id.handshake}
	second := t.ratchet(other)
	if secret, ok := t.take(id.leaf.Node()); ok {
		secret.Wipe()
	}
	t.ratchets[id], t.ratchets[other] = r, second
}

// take returns the secret of a leaf and deletes those that it came from, so that
// it can be had once (RFC 9420 §9.2).
func (t *secretTree) take(leaf mls.NodeIndex) (Secret, bool) {
	above, x := t.above(leaf)
	if above == nil {
		return Secret{}, false
	}
	delete(t.frontier, x)
	secret := *above
	for x != leaf {
		var sibling Secret
		next, down := t.child(x, secret, leaf)
		aside := next.Sibling()
		_, sibling = t.child(x, secret, aside)
		t.frontier[aside] = &sibling
		secret.Wipe()
		x, secret = next, down
	}
	return secret, true
}

func (t *secretTree) wipe() {
	if t == nil {
		return
	}
	for _, s := range t.frontier {
		s.Wipe()
	}
	for _, r := range t.ratchets {
		r.wipe()
	}
}
