package group

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/veche-im/veche/mls"
)

const (
	storeVersion = 2        // of the rows of a Group; those of version 1 are read, and written anew
	maxSecret    = 4 << 10  // bytes of one stored secret
	maxStored    = 32 << 20 // bytes of a stored message
	maxRows      = 2 * mls.MaxLeaves
	maxPSKs      = 256 // of one Welcome
)

// The keys of a Group, beside those of its mls.PublicGroup.
const (
	selfKey    = "self"
	epochKey   = "epoch"
	sendersKey = "senders"
	updatesKey = "updates"
	pendingKey = "pending"
	psksKey    = "psks"
	recordsKey = "records"
)

func privateKey(x mls.NodeIndex) string { return fmt.Sprintf("key/%d", x) }
func secretKey(x mls.NodeIndex) string  { return fmt.Sprintf("secret/%d", x) }
func ratchetKey(l mls.LeafIndex) string { return fmt.Sprintf("ratchet/%d", l) }
func recordKey(epoch uint64) string     { return fmt.Sprintf("record/%d", epoch) }

// saved is what Storage holds, so that Save can write the difference. It holds
// no copies of secrets, only which ones were written.
type saved struct {
	self     *self
	epoch    *epochSecrets
	keys     map[mls.NodeIndex]*Secret
	frontier map[mls.NodeIndex]*Secret
	senders  map[mls.LeafIndex]bool
	updates  []ownUpdate
	pending  *pendingCommit
	psks     []PSK
	ready    []uint64 // epochs of the records
}

// self is the row that says who we are in the group.
type self struct {
	status Status
	leaf   mls.LeafIndex
	public string // signature key
	record Recording
}

// takeSecret reads a secret from an encoding.
func takeSecret(d *mls.Decoder) Secret { return own(d.Bytes(maxSecret)) }

// rows is a group on its way into Storage or out of it. It remembers the first
// error.
type rows struct {
	s   mls.Storage
	old bool // they are of version 1
	err error
}

func (r *rows) put(key string, write func(*mls.Encoder)) {
	if r.err != nil {
		return
	}
	var e mls.Encoder
	write(&e)
	b, err := e.Result()
	if err == nil {
		err = r.s.Put(key, b)
	}
	if err != nil {
		r.err = fmt.Errorf("store %s: %w", key, err)
	}
}

func (r *rows) delete(key string) {
	if r.err != nil {
		return
	}
	if err := r.s.Delete(key); err != nil {
		r.err = fmt.Errorf("delete %s: %w", key, err)
	}
}

// get reads a row; ok is false if there is none or it is damaged, and then r has
// an error if the row was required or damaged.
func (r *rows) get(key string, required bool, read func(*mls.Decoder)) (ok bool) {
	if r.err != nil {
		return false
	}
	b, err := r.s.Get(key)
	switch {
	case err != nil:
		r.err = fmt.Errorf("read %s: %w", key, err)
		return false
	case b == nil && required:
		r.err = fmt.Errorf("%w: no row %s", mls.ErrStorage, key)
		return false
	case b == nil:
		return false
	}
	d := mls.NewDecoder(b)
	read(d)
	if err := d.Finish(); err != nil {
		r.err = fmt.Errorf("%w: %s: %w", mls.ErrStorage, key, err)
		return false
	}
	return true
}

// Save writes what has changed since the group was loaded or last saved: one
// small row after Seal or Open, a path after a commit. If the transaction
// behind s fails to commit, the group must be loaded again.
func (g *Group) Save(s mls.Storage) error {
	if err := g.public.Save(s); err != nil {
		return err
	}
	r := &rows{s: s}
	if now := (self{g.status, g.leaf, string(g.signer.public), g.recording}); g.saved.self == nil || *g.saved.self != now {
		r.put(selfKey, func(e *mls.Encoder) {
			e.Uint8(storeVersion)
			e.Uint8(uint8(g.status))
			e.Uint32(uint32(g.leaf))
			e.Uint8(uint8(g.signer.scheme))
			e.Bytes(g.signer.priv.bytes())
			e.Uint8(uint8(g.recording))
		})
		g.saved.self = &now
	}
	r.saveEpoch(g)
	r.saveSecrets(g)
	r.savePending(g)
	r.savePSKs(g)
	r.saveRecords(g)
	return r.err
}

// saveEpoch writes the epoch's secrets and the private keys of the tree.
func (r *rows) saveEpoch(g *Group) {
	if g.epoch != g.saved.epoch || g.epoch != nil && g.epoch.dirty {
		if g.epoch == nil {
			r.delete(epochKey)
		} else {
			r.put(epochKey, func(e *mls.Encoder) { encodeEpoch(e, g) })
			g.epoch.dirty = false
		}
		g.saved.epoch = g.epoch
	}
	for _, x := range slices.Sorted(maps.Keys(g.keys)) {
		if private := g.keys[x]; g.saved.keys[x] != private {
			r.put(privateKey(x), func(e *mls.Encoder) { e.Bytes(private.bytes()) })
		}
	}
	for _, x := range slices.Sorted(maps.Keys(g.saved.keys)) {
		if g.keys[x] == nil {
			r.delete(privateKey(x))
		}
	}
	g.saved.keys = maps.Clone(g.keys)
}

func encodeEpoch(e *mls.Encoder, g *Group) {
	for _, s := range g.epoch.all() {
		e.Bytes(s.bytes())
	}
	putIndices(e, slices.Sorted(maps.Keys(g.keys)))
	e.Vector(func() {
		for _, p := range g.psks.past {
			e.Uint64(p.epoch)
			e.Bytes(p.resumption.bytes())
		}
	})
	g.epoch.exports.encodeFrontier(e)
	e.Bytes(g.epoch.encryption.bytes())
}

// saveSecrets writes what has changed in the secret tree.
func (r *rows) saveSecrets(g *Group) {
	frontier := map[mls.NodeIndex]*Secret{}
	senders := map[mls.LeafIndex]bool{}
	if g.secrets != nil {
		frontier = g.secrets.frontier
		for id := range g.secrets.ratchets {
			senders[id.leaf] = true
		}
	}
	if !maps.Equal(frontier, g.saved.frontier) || !maps.Equal(senders, g.saved.senders) {
		r.put(sendersKey, func(e *mls.Encoder) {
			putIndices(e, slices.Sorted(maps.Keys(frontier)))
			putIndices(e, slices.Sorted(maps.Keys(senders)))
		})
	}
	for _, x := range slices.Sorted(maps.Keys(frontier)) {
		if secret := frontier[x]; g.saved.frontier[x] != secret {
			r.put(secretKey(x), func(e *mls.Encoder) { e.Bytes(secret.bytes()) })
		}
	}
	for _, x := range slices.Sorted(maps.Keys(g.saved.frontier)) {
		if frontier[x] == nil {
			r.delete(secretKey(x))
		}
	}
	for _, l := range slices.Sorted(maps.Keys(senders)) {
		handshake, application := g.secrets.ratchets[ratchetID{l, true}], g.secrets.ratchets[ratchetID{l, false}]
		if handshake.dirty || application.dirty {
			r.put(ratchetKey(l), func(e *mls.Encoder) {
				handshake.encode(e)
				application.encode(e)
			})
			handshake.dirty, application.dirty = false, false
		}
	}
	for _, l := range slices.Sorted(maps.Keys(g.saved.senders)) {
		if !senders[l] {
			r.delete(ratchetKey(l))
		}
	}
	g.saved.frontier, g.saved.senders = maps.Clone(frontier), senders
}

func (r *rows) savePending(g *Group) {
	if g.pending != g.saved.pending {
		if g.pending == nil {
			r.delete(pendingKey)
		} else {
			r.put(pendingKey, func(e *mls.Encoder) {
				e.Bytes(g.pending.message)
				for _, s := range g.pending.secrets.all() {
					e.Bytes(s.bytes())
				}
				if g.pending.content != nil {
					g.pending.content.MarshalMLS(e)
				}
				e.Bytes(g.pending.secrets.signer.bytes())
			})
		}
		g.saved.pending = g.pending
	}
	same := func(a, b ownUpdate) bool { return bytes.Equal(a.public, b.public) }
	if !slices.EqualFunc(g.updates, g.saved.updates, same) {
		if len(g.updates) == 0 {
			r.delete(updatesKey)
		} else {
			r.put(updatesKey, func(e *mls.Encoder) {
				e.Vector(func() {
					for _, u := range g.updates {
						e.Bytes(u.public)
						e.Bytes(u.private.bytes())
					}
				})
				e.Vector(func() {
					for _, u := range g.updates {
						e.Bytes(u.signer.bytes())
					}
				})
			})
		}
		g.saved.updates = slices.Clone(g.updates)
	}
}

// savePSKs writes the external pre-shared keys, if there are others than before.
func (r *rows) savePSKs(g *Group) {
	now, before := g.psks.external, g.saved.psks
	if slices.EqualFunc(now, before, func(a, b PSK) bool { return bytes.Equal(a.ID, b.ID) && a.Secret.Equal(b.Secret) }) {
		return
	}
	if len(now) == 0 {
		r.delete(psksKey)
	} else {
		r.put(psksKey, func(e *mls.Encoder) {
			e.Vector(func() {
				for _, p := range now {
					e.Bytes(p.ID)
					e.Bytes(p.Secret.bytes())
				}
			})
		})
	}
	g.saved.psks = now
}

func (r *ratchet) encode(e *mls.Encoder) {
	e.Uint32(r.generation)
	e.Bytes(r.secret.bytes())
	e.Vector(func() {
		for _, k := range r.skipped {
			e.Uint32(k.generation)
			e.Bytes(k.key.bytes())
			e.Bytes(k.nonce.bytes())
		}
	})
}

func decodeRatchet(d *mls.Decoder) *ratchet {
	return &ratchet{
		generation: d.Uint32(),
		secret:     takeSecret(d),
		skipped: mls.Vector(d, maxSkipped, func(d *mls.Decoder, k *messageKey) {
			k.generation, k.key, k.nonce = d.Uint32(), takeSecret(d), takeSecret(d)
		}),
	}
}

func putIndices[T ~uint32](e *mls.Encoder, list []T) {
	e.Vector(func() {
		for _, x := range list {
			e.Uint32(uint32(x))
		}
	})
}

func indices[T ~uint32](d *mls.Decoder) []T {
	return mls.Vector(d, maxRows, func(d *mls.Decoder, x *T) { *x = T(d.Uint32()) })
}

// Load reads a group that Save wrote. It returns mls.ErrStorage if there is none
// or it is damaged.
func Load(s mls.Storage) (*Group, error) {
	public, err := mls.LoadPublicGroup(s)
	if err != nil {
		return nil, err
	}
	g := &Group{public: public}
	r := &rows{s: s}
	r.loadSelf(g)
	if g.status == Member {
		r.loadEpoch(g)
		r.loadSecrets(g)
	}
	r.loadPending(g)
	r.loadRecords(g)
	if r.old { // the next Save writes all that has another form now
		g.saved.self, g.saved.epoch, g.saved.pending, g.saved.updates = nil, nil, nil, nil
	}
	if r.err != nil {
		return nil, r.err
	}
	if g.status == Joining && g.pending == nil {
		return nil, fmt.Errorf("%w: joining without a commit", mls.ErrStorage)
	}
	return g, nil
}

func (r *rows) loadSelf(g *Group) {
	r.get(selfKey, true, func(d *mls.Decoder) {
		v := d.Uint8()
		if v != 1 && v != storeVersion {
			d.Fail("written by version %d of the layout", v)
			return
		}
		g.status = Status(d.Uint8())
		g.leaf = mls.LeafIndex(d.Uint32())
		scheme := mls.SignatureScheme(d.Uint8())
		private := takeSecret(d)
		if r.old = v == 1; !r.old {
			g.recording = Recording(d.Uint8())
		}
		if d.Err() != nil {
			return
		}
		if g.recording > RecordBeginnings {
			d.Fail("recording %d", g.recording)
			return
		}
		if g.status < Member || g.status > Removed {
			d.Fail("status %d", g.status)
			return
		}
		signer, err := parseSigner(scheme, private.bytes())
		if err != nil {
			d.Fail("%v", err)
			return
		}
		g.signer = signer
		g.saved.self = &self{g.status, g.leaf, string(signer.public), g.recording}
	})
}

func (r *rows) loadEpoch(g *Group) {
	g.epoch = new(epochSecrets)
	var nodes []mls.NodeIndex
	r.get(epochKey, true, func(d *mls.Decoder) {
		for _, s := range g.epoch.all() {
			*s = takeSecret(d)
		}
		nodes = indices[mls.NodeIndex](d)
		g.psks.past = mls.Vector(d, keepPast, func(d *mls.Decoder, p *pastEpoch) {
			p.epoch, p.resumption = d.Uint64(), takeSecret(d)
		})
		if !r.old {
			g.epoch.exports = decodeExporterTree(g.suite(), d)
			g.epoch.encryption = takeSecret(d)
		}
	})
	g.keys = map[mls.NodeIndex]*Secret{}
	for _, x := range nodes {
		r.get(privateKey(x), true, func(d *mls.Decoder) {
			private := takeSecret(d)
			g.keys[x] = &private
		})
	}
	if r.err == nil && (g.keys[g.leaf.Node()] == nil || g.public.Leaf(g.leaf) == nil) {
		r.err = fmt.Errorf("%w: no key for our own leaf", mls.ErrStorage)
	}
	g.saved.epoch, g.saved.keys = g.epoch, maps.Clone(g.keys)
}

func (r *rows) loadSecrets(g *Group) {
	g.secrets = &secretTree{
		suite:    g.suite(),
		frontier: map[mls.NodeIndex]*Secret{},
		ratchets: map[ratchetID]*ratchet{},
	}
	var frontier []mls.NodeIndex
	var senders []mls.LeafIndex
	r.get(sendersKey, true, func(d *mls.Decoder) {
		frontier = indices[mls.NodeIndex](d)
		senders = indices[mls.LeafIndex](d)
	})
	g.saved.senders = map[mls.LeafIndex]bool{}
	for _, x := range frontier {
		r.get(secretKey(x), true, func(d *mls.Decoder) {
			secret := takeSecret(d)
			g.secrets.frontier[x] = &secret
		})
	}
	for _, l := range senders {
		r.get(ratchetKey(l), true, func(d *mls.Decoder) {
			g.secrets.ratchets[ratchetID{l, true}] = decodeRatchet(d)
			g.secrets.ratchets[ratchetID{l, false}] = decodeRatchet(d)
		})
		g.saved.senders[l] = true
	}
	g.saved.frontier = maps.Clone(g.secrets.frontier)
}

func (r *rows) loadPending(g *Group) {
	r.get(pendingKey, false, func(d *mls.Decoder) {
		p := &pendingCommit{message: d.Bytes(maxStored)}
		for _, s := range p.secrets.all() {
			*s = takeSecret(d)
		}
		if m, err := mls.ParseMessage(p.message); err == nil && m.Private != nil {
			p.content = new(mls.AuthenticatedContent)
			p.content.UnmarshalMLS(d)
		}
		if !r.old {
			p.secrets.signer = takeSecret(d)
		}
		g.pending = p
	})
	r.get(updatesKey, false, func(d *mls.Decoder) {
		g.updates = mls.Vector(d, mls.MaxPendingProposals, func(d *mls.Decoder, u *ownUpdate) {
			u.public, u.private = d.Bytes(maxSecret), takeSecret(d)
		})
		if r.old {
			return
		}
		signers := mls.Vector(d, mls.MaxPendingProposals, func(d *mls.Decoder, s *Secret) { *s = takeSecret(d) })
		if len(signers) != len(g.updates) {
			d.Fail("%d signers of %d updates", len(signers), len(g.updates))
			return
		}
		for i := range signers {
			g.updates[i].signer = signers[i]
		}
	})
	g.saved.pending, g.saved.updates = g.pending, slices.Clone(g.updates)
	r.get(psksKey, false, func(d *mls.Decoder) {
		g.psks.external = mls.Vector(d, maxRows, func(d *mls.Decoder, p *PSK) {
			p.ID, p.Secret = d.Bytes(maxPSKID), takeSecret(d)
		})
	})
	g.saved.psks = g.psks.external
}
