package call

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/e2ee/sframe"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

// Labels of the exporter, and the times of a change of epoch; calls.md#keys.
const (
	baseLabel  = "SFrame 1.0 Base Key"
	codeLabel  = "veche call code"
	sealAfter  = time.Second      // others need this long to hear of the commit
	forgetOld  = 10 * time.Second // frames of the epoch before are under way for no longer
	codeModulo = 1e16
)

// errNoKey is returned for sealing before there is a key, or after the end.
var errNoKey = errors.New("call: no key to seal with")

// keyring is the keys of one participation: of this device under one join
// number. It may be used by several goroutines.
type keyring struct {
	call    wire.CallID
	join    uint16
	changed func(sealing bool) // the keys changed, or what is sealed with; called without locks

	mu     sync.Mutex // guards what follows
	epochs []*epoch   // oldest first
	seal   *epoch     // nil before the first
	sealer *sframe.Sealer
	opener *sframe.Opener
	closed bool
}

type epoch struct {
	number uint64
	base   sframe.Key
	code   string
	own    uint32
	leaves map[uint64]policy.Leaf
	policy policy.Policy
	forget *time.Timer
}

func newKeyring(call wire.CallID, join uint16, changed func(bool)) *keyring {
	return &keyring{call: call, join: join, changed: changed, opener: sframe.NewOpener()}
}

// install takes the key of an epoch. An older one than is known is nothing new.
func (k *keyring) install(e *room.Epoch) error {
	raw, err := e.Export(baseLabel, k.call[:], sframe.KeySize)
	if err != nil {
		return fmt.Errorf("export the key of call %s: %w", k.call, err)
	}
	base, err := sframe.ParseKey(raw)
	clear(raw)
	if err != nil {
		return err
	}
	code, err := e.Export(codeLabel, k.call[:], 32)
	if err != nil {
		return fmt.Errorf("export the code of call %s: %w", k.call, err)
	}
	now := &epoch{number: e.Number, base: base, code: codeText(code), own: e.Own, policy: e.Policy,
		leaves: map[uint64]policy.Leaf{}}
	for _, l := range e.Leaves {
		now.leaves[uint64(l.Index)] = l
	}
	k.mu.Lock()
	newest := k.newest()
	if k.closed || newest != nil && newest.number >= e.Number {
		k.mu.Unlock()
		return nil
	}
	sealing := newest == nil || e.Removed
	for _, old := range k.epochs {
		if old.forget == nil {
			old.forget = time.AfterFunc(forgetOld, func() { k.forget(old) })
		}
	}
	k.epochs = append(k.epochs, now)
	k.opener.Install(now.number, now.base)
	if sealing {
		k.sealWith(now)
	} else {
		time.AfterFunc(sealAfter, func() { k.turn(now) })
	}
	k.mu.Unlock()
	k.changed(sealing)
	return nil
}

func codeText(b []byte) string {
	s := fmt.Sprintf("%016d", binary.BigEndian.Uint64(b)%codeModulo)
	return s[:4] + " " + s[4:8] + " " + s[8:12] + " " + s[12:]
}

func (k *keyring) newest() *epoch {
	if len(k.epochs) == 0 {
		return nil
	}
	return k.epochs[len(k.epochs)-1]
}

// sealWith makes e what is sealed with. The lock is held.
func (k *keyring) sealWith(e *epoch) {
	k.seal = e
	k.sealer = sframe.NewSealer(e.base, sframe.NewKID(e.number, sframe.Signals, k.join, e.own))
}

// turn seals with e from now on, unless that is over.
func (k *keyring) turn(e *epoch) {
	k.mu.Lock()
	if k.closed || k.seal != nil && k.seal.number >= e.number {
		k.mu.Unlock()
		return
	}
	k.sealWith(e)
	k.mu.Unlock()
	k.changed(true)
}

// forget opens nothing more of an old epoch.
func (k *keyring) forget(old *epoch) {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return
	}
	k.epochs = slices.DeleteFunc(k.epochs, func(e *epoch) bool { return e == old })
	if !slices.ContainsFunc(k.epochs, func(e *epoch) bool { return uint8(e.number) == uint8(old.number) }) {
		k.opener.Forget(old.number)
	}
	k.mu.Unlock()
	k.changed(false)
}

// close ends everything.
func (k *keyring) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	for _, e := range k.epochs {
		if e.forget != nil {
			e.forget.Stop()
		}
	}
	k.epochs, k.seal, k.sealer, k.opener = nil, nil, nil, sframe.NewOpener()
}

// keys is what a front end seals and opens media with.
func (k *keyring) keys() api.CallKeys {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := api.CallKeys{Join: int(k.join), Epochs: []api.CallEpoch{}, Leaves: []api.CallLeaf{}}
	newest := k.newest()
	if newest == nil {
		return out
	}
	for _, e := range k.epochs {
		out.Epochs = append(out.Epochs, api.CallEpoch{
			Epoch: int(uint8(e.number)), Key: base64.StdEncoding.EncodeToString(e.base.Bytes()), Seal: e == k.seal,
		})
	}
	out.Leaf = int(newest.own)
	if k.seal != nil {
		out.Leaf = int(k.seal.own)
	}
	for _, l := range newest.leaves {
		one := api.CallLeaf{Leaf: int(l.Index), Account: l.Account, Device: l.Device, Epochs: []int{}}
		for _, e := range k.epochs {
			if was, ok := e.leaves[uint64(l.Index)]; ok && was.Device == l.Device {
				one.Epochs = append(one.Epochs, int(uint8(e.number)))
			}
		}
		out.Leaves = append(out.Leaves, one)
	}
	slices.SortFunc(out.Leaves, func(a, b api.CallLeaf) int { return a.Leaf - b.Leaf })
	return out
}

// code is what all who are in the same epoch can compare.
func (k *keyring) code() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.newest(); e != nil {
		return e.code
	}
	return ""
}

// sealed seals a signal.
func (k *keyring) sealed(plain []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sealer == nil {
		return nil, errNoKey
	}
	return k.sealer.Seal(nil, plain, 0)
}

// opened is a signal that opened.
type opened struct {
	plain []byte
	from  policy.Leaf
	owner bool // of a group
	place place
}

// place orders what one participant sealed.
type place struct {
	epoch   uint64
	counter uint64
}

func (p place) after(q place) bool {
	return p.epoch > q.epoch || p.epoch == q.epoch && p.counter > q.counter
}

// errEpoch is returned for what was sealed in an epoch that is not known: it may
// be about to be.
var errEpoch = errors.New("call: an epoch that is not known")

// open opens a signal, once. What does not open is sframe.ErrOpen, and so is what
// opens and is not a signal of a device that is in the room now, in the same
// leaf.
func (k *keyring) open(frame []byte) (opened, error) {
	h, _, err := sframe.ParseHeader(frame)
	if err != nil || h.KID.Source() != sframe.Signals {
		return opened{}, sframe.ErrOpen
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var of *epoch
	for _, e := range k.epochs {
		if uint8(e.number) == h.KID.Epoch() {
			of = e
		}
	}
	if of == nil {
		return opened{}, errEpoch
	}
	newest := k.newest()
	from, there := of.leaves[h.KID.Leaf()]
	if now, still := newest.leaves[h.KID.Leaf()]; !there || !still || now.Device != from.Device || now.Account != from.Account {
		return opened{}, sframe.ErrOpen
	}
	plain, _, err := k.opener.Open(nil, frame, 0)
	if err != nil {
		return opened{}, sframe.ErrOpen
	}
	return opened{
		plain: plain, from: from, place: place{of.number, h.Counter},
		owner: newest.policy.Kind == wire.Group && newest.policy.Owns(from.Account),
	}, nil
}
