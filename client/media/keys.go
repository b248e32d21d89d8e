package media

import (
	"encoding/base64"
	"fmt"
	"slices"
	"sync"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/e2ee/sframe"
)

// keyring seals and opens with what the core says of a call's keys.
type keyring struct {
	open *sframe.Opener

	mu      sync.Mutex // guards what follows
	leaf    uint32
	join    uint16
	epochs  map[int]string // their keys in base64, to know a new one by
	seal    int            // the epoch to seal with, -1 for none
	sealers map[sframe.Source]*sframe.Sealer
	used    map[sframe.KID]string   // keys that a sealer was made for: never twice
	leaves  map[uint64]api.CallLeaf // as of the newest epoch
	changes int
}

func newKeyring() *keyring {
	return &keyring{
		open: sframe.NewOpener(), epochs: map[int]string{}, seal: -1,
		sealers: map[sframe.Source]*sframe.Sealer{}, used: map[sframe.KID]string{}, leaves: map[uint64]api.CallLeaf{},
	}
}

// take makes k what is sealed and opened with.
func (r *keyring) take(k api.CallKeys) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes > 0 && r.join != uint16(k.Join) {
		clear(r.sealers)
	}
	if k.Leaf < 0 || k.Leaf > sframe.MaxLeaf || k.Join < 0 || k.Join > sframe.MaxJoin {
		return fmt.Errorf("media: no key id for leaf %d, join %d", k.Leaf, k.Join)
	}
	r.leaf, r.join = uint32(k.Leaf), uint16(k.Join)
	listed := map[int]string{}
	seal := -1
	for _, e := range k.Epochs {
		base, err := baseKey(e)
		if err != nil {
			return err
		}
		listed[e.Epoch] = e.Key
		r.open.Install(uint64(e.Epoch), base)
		if e.Seal {
			seal = e.Epoch
		}
	}
	for number := range r.epochs {
		if _, there := listed[number]; !there {
			r.open.Forget(uint64(number))
		}
	}
	if seal != r.seal || seal >= 0 && listed[seal] != r.epochs[seal] {
		clear(r.sealers)
		r.changes++
	}
	r.epochs, r.seal = listed, seal
	clear(r.leaves)
	for _, l := range k.Leaves {
		r.leaves[uint64(l.Leaf)] = l
	}
	return nil
}

func baseKey(e api.CallEpoch) (sframe.Key, error) {
	b, err := base64.StdEncoding.DecodeString(e.Key)
	if err != nil {
		return sframe.Key{}, fmt.Errorf("media: key of epoch %d: %w", e.Epoch, err)
	}
	return sframe.ParseKey(b)
}

// sealed appends frame as source sends it, or false while there is no key.
func (r *keyring) sealed(dst []byte, source sframe.Source, frame []byte, clear int) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seal < 0 {
		return nil, false
	}
	s := r.sealers[source]
	if s == nil {
		kid := sframe.NewKID(uint64(r.seal), source, r.join, r.leaf)
		if r.used[kid] == r.epochs[r.seal] {
			return nil, false // its counters were used: a new join number is needed
		}
		e := api.CallEpoch{Epoch: r.seal, Key: r.epochs[r.seal]}
		base, err := baseKey(e)
		if err != nil {
			return nil, false
		}
		s = sframe.NewSealer(base, kid)
		r.sealers[source], r.used[kid] = s, r.epochs[r.seal]
	}
	out, err := s.Seal(dst, frame, clear)
	return out, err == nil
}

// opened appends what is in frame and says whose leaf sealed it. A frame of a
// leaf that is not in the room opens for nobody.
func (r *keyring) opened(dst, frame []byte, clear int) ([]byte, sframe.KID, api.CallLeaf, error) {
	out, kid, err := r.open.Open(dst, frame, clear)
	if err != nil {
		return nil, 0, api.CallLeaf{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l, there := r.leaves[kid.Leaf()]
	if !there || !slices.Contains(l.Epochs, int(kid.Epoch())) {
		return nil, kid, api.CallLeaf{}, sframe.ErrOpen
	}
	return out, kid, l, nil
}

// switches returns how often the key to seal with changed, the first included.
func (r *keyring) switches() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changes
}
