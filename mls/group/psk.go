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

// PSK is an external pre-shared key (RFC 9420 §8.4).
type PSK struct {
	ID     []byte
	Secret Secret
}

// psks are the pre-shared keys that a member can inject into an epoch.
type psks struct {
	external []PSK       // not stored
	past     []pastEpoch // newest last
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
}

// find looks a key up. context and epoch are those of the current epoch; epoch
// is nil for one who is not a member.
func (p *psks) find(id mls.PreSharedKeyID, context *mls.GroupContext, epoch *epochSecrets) (Secret, bool) {
	if id.Type == mls.PSKResumption {
		if epoch == nil || !bytes.Equal(id.GroupID, context.GroupID) {
			return Secret{}, false
		}
		if id.Epoch == context.Epoch {
			return epoch.resumption, true
		}
		i := slices.IndexFunc(p.past, func(e pastEpoch) bool { return e.epoch == id.Epoch })
		if i < 0 {
			return Secret{}, false
		}
		return p.past[i].resumption, true
	}
	i := slices.IndexFunc(p.external, func(k PSK) bool { return bytes.Equal(k.ID, id.ID) })
	if i < 0 {
		return Secret{}, false
	}
	return p.external[i].Secret, true
}

// secret looks the keys up and chains them (RFC 9420 §8.4).
func (p *psks) secret(ids []mls.PreSharedKeyID, context *mls.GroupContext, epoch *epochSecrets) (Secret, error) {
	values := make([]Secret, len(ids))
	for i, id := range ids {
		v, ok := p.find(id, context, epoch)
		if !ok {
			return Secret{}, fmt.Errorf("%w: %x", mls.ErrPSK, id.ID)
		}
		values[i] = v
	}
	return pskSecret(context.Suite, ids, values)
}

// welcomed is secret for a Welcome, where there is no group yet.
func (p *psks) welcomed(s mls.Suite, ids []mls.PreSharedKeyID) (Secret, error) {
	for _, id := range ids {
		if id.Type != mls.PSKExternal {
			return Secret{}, fmt.Errorf("%w: resumption in a welcome", mls.ErrPSK)
		}
		if len(id.Nonce) != s.HashSize() {
			return Secret{}, fmt.Errorf("%w: nonce of %d bytes", mls.ErrPSK, len(id.Nonce))
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
