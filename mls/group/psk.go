package group

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/veche-im/veche/mls"
)

// keepPast is for how many epochs after its own a resumption PSK can still be
// injected (RFC 9420 §8.6 leaves the number to the application).
const keepPast = 4

// maxPSKID is the longest id of an external pre-shared key that a message can
// name, in bytes.
const maxPSKID = 16 << 10

// PSK is an external pre-shared key (RFC 9420 §8.4).
type PSK struct {
	ID     []byte
	Secret Secret
}

// AddPSK makes an external pre-shared key available to commits of this group,
// one's own and those of others, until DropPSK or the member's removal. A key of
// the same id is replaced. It is stored with the group: a commit that needs it
// can be followed after a crash, once Save is committed.
// It is ErrConfig if the secret is empty or longer than 4 KiB, or the id longer
// than 16 KiB.
func (g *Group) AddPSK(p PSK) error { return g.psks.add([]PSK{p}) }

// DropPSK wipes an external pre-shared key, as should be done once the epochs
// that it was meant for have begun: who keeps it keeps a part of their secrecy.
// A pending commit of one's own does not need it any more.
func (g *Group) DropPSK(id []byte) { g.psks.drop(id) }

// psks are the pre-shared keys that a member can inject into an epoch.
type psks struct {
	external []PSK       // not changed in place, so that Save sees a change
	past     []pastEpoch // newest last
	link     *link       // to the group that this one follows, until epoch 1; not stored
}

func (p *psks) add(list []PSK) error {
	for _, k := range list {
		if n := k.Secret.Len(); n == 0 || n > maxSecret || len(k.ID) > maxPSKID {
			return fmt.Errorf("%w: pre-shared key of %d bytes with an id of %d", ErrConfig, n, len(k.ID))
		}
		fresh := PSK{bytes.Clone(k.ID), NewSecret(k.Secret.bytes())} // k may be the one that goes
		p.drop(k.ID)
		p.external = append(slices.Clip(p.external), fresh)
	}
	return nil
}

func (p *psks) drop(id []byte) {
	same := func(k PSK) bool { return bytes.Equal(k.ID, id) }
	if i := slices.IndexFunc(p.external, same); i >= 0 {
		p.external[i].Secret.Wipe()
		p.external = slices.DeleteFunc(slices.Clone(p.external), same)
	}
}

// pastEpoch is what is kept of an epoch that is over: its resumption PSK, which
// opens none of its messages.
type pastEpoch struct {
	epoch      uint64
	resumption Secret
}

// leave keeps the resumption PSK of an epoch that ends.
func (p *psks) leave(epoch uint64, resumption Secret) {
	p.past = append(p.past, pastEpoch{epoch, NewSecret(resumption.bytes())})
	if len(p.past) > keepPast {
		p.past[0].resumption.Wipe()
		p.past = slices.Delete(p.past, 0, 1)
	}
}

// forget wipes what is left of past epochs.
func (p *psks) forget() {
	for i := range p.past {
		p.past[i].resumption.Wipe()
	}
	p.past = nil
	for i := range p.external {
		p.external[i].Secret.Wipe()
	}
	p.external = nil
}

// find looks a key up. context and epoch are those of the current epoch; epoch
// is nil for one who is not a member.
func (p *psks) find(id mls.PreSharedKeyID, context *mls.GroupContext, epoch *epochSecrets) (Secret, bool) {
	switch {
	case id.Links():
		if p.link == nil || !p.link.names(id) {
			return Secret{}, false
		}
		return p.link.secret, true
	case id.Type == mls.PSKExternal:
		i := slices.IndexFunc(p.external, func(k PSK) bool { return bytes.Equal(k.ID, id.ID) })
		if i < 0 {
			return Secret{}, false
		}
		return p.external[i].Secret, true
	case !bytes.Equal(id.GroupID, context.GroupID):
		return Secret{}, false
	case epoch != nil && id.Epoch == context.Epoch:
		return epoch.resumption, true
	}
	return p.former(id.Epoch)
}

// former returns the resumption PSK of an epoch that is over.
func (p *psks) former(epoch uint64) (Secret, bool) {
	i := slices.IndexFunc(p.past, func(e pastEpoch) bool { return e.epoch == epoch })
	if i < 0 {
		return Secret{}, false
	}
	return p.past[i].resumption, true
}

// secret looks the keys up and chains them (RFC 9420 §8.4).
func (p *psks) secret(ids []mls.PreSharedKeyID, context *mls.GroupContext, epoch *epochSecrets) (Secret, error) {
	values := make([]Secret, len(ids))
	for i, id := range ids {
		v, ok := p.find(id, context, epoch)
		if !ok {
			return Secret{}, fmt.Errorf("%w: %w: type %d, id %x, epoch %d", mls.ErrPSK, mls.ErrUnknownPSK, id.Type, id.ID, id.Epoch)
		}
		values[i] = v
	}
	return pskSecret(context.Suite, ids, values)
}

// welcomed is secret for a Welcome to a group of suite s, where there is no group
// yet.
func (p *psks) welcomed(s mls.Suite, ids []mls.PreSharedKeyID) (Secret, error) {
	for _, id := range ids {
		if len(id.Nonce) != s.HashSize() {
			return Secret{}, fmt.Errorf("%w: nonce of %d bytes", mls.ErrPSK, len(id.Nonce))
		}
		if id.Type == mls.PSKResumption && !id.Links() {
			return Secret{}, fmt.Errorf("%w: resumption in a welcome", mls.ErrPSK)
		}
	}
	return p.secret(ids, &mls.GroupContext{Suite: s}, nil)
}

// pskSecret chains pre-shared keys (RFC 9420 §8.4). values has the key for
// each id.
func pskSecret(s mls.Suite, ids []mls.PreSharedKeyID, values []Secret) (Secret, error) {
	zero := zeroSecret(s)
	out := zero
	for i, id := range ids {
		var e mls.Encoder
		id.MarshalMLS(&e)
		e.Uint16(uint16(i))
		e.Uint16(uint16(len(ids)))
		label, err := e.Result()
		if err != nil {
			return Secret{}, err
		}
		input := expandLabel(s, extract(s, zero, values[i]), "derived psk", label, s.HashSize())
		out = extract(s, input, out)
	}
	return out, nil
}
