package group

import (
	"bytes"

	"github.com/veche-im/veche/mls"
)

const (
	// maxArchived bounds the generation of a message that is read from a
	// record, since each takes a step from the last one that is known.
	maxArchived = 1 << 14
	// archiveStride is how far apart the steps are that a Reader remembers.
	archiveStride = 64
)

// Reader opens the application messages of one epoch from its record. Other than
// a Group it opens a message any number of times, in any order, so that telling
// a message that is new from one that is repeated is up to the caller. It sends
// nothing and leads to no other epoch. It must not be used by two goroutines at
// once.
type Reader struct {
	context    mls.GroupContext
	senderData Secret
	leaves     *secretTree // its root alone: nothing is taken
	roster     Roster
	known      map[mls.LeafIndex][]Secret // ratchet secrets of every archiveStride-th generation
}

// NewReader reads the record of an epoch. beside is the roster of the epoch
// after it if the record is from the end of its epoch, or of the one before if
// it is from the beginning, and is not needed if the record is Whole; it must
// fit the record, else ErrRecord.
func NewReader(r Record, beside Roster) (*Reader, error) {
	c, err := r.content()
	if err != nil {
		return nil, err
	}
	roster, err := c.resolve(beside)
	if err != nil {
		return nil, err
	}
	return &Reader{
		context: c.context, senderData: c.senderData, roster: roster,
		leaves: newSecretTree(c.context.Suite, c.encryption, mls.NodeIndex(c.width-1)),
		known:  map[mls.LeafIndex][]Secret{},
	}, nil
}

// Roster is who sat where in the epoch: the neighbour of the record before or
// after. It must not be changed.
func (r *Reader) Roster() Roster { return r.roster }

// Open decrypts an application message of the epoch and verifies that the member
// at its leaf wrote it. Generations from 16,384 on do not open. Whatever goes
// wrong, the error is ErrOpen.
func (r *Reader) Open(m *mls.PrivateMessage) (Opened, error) {
	c := &r.context
	if m.Type != mls.ContentApplication || m.Epoch != c.Epoch || !bytes.Equal(m.GroupID, c.GroupID) {
		return Opened{}, ErrOpen
	}
	f := &framing{context: c, senderData: r.senderData}
	sender, generation, guard, ok := f.openSender(m)
	if !ok {
		return Opened{}, ErrOpen
	}
	author, ok := r.roster[sender]
	if !ok {
		return Opened{}, ErrOpen
	}
	key, ok := r.key(sender, generation)
	if !ok {
		return Opened{}, ErrOpen
	}
	defer key.wipe()
	a, ok := f.openContent(m, key, guard, sender, author.SignatureKey)
	if !ok {
		return Opened{}, ErrOpen
	}
	return Opened{
		Sender:            sender,
		Generation:        generation,
		Plaintext:         a.Content.ApplicationData,
		AuthenticatedData: a.Content.AuthenticatedData,
	}, nil
}

// key derives a message key, from the nearest secret before it that is known.
func (r *Reader) key(sender mls.LeafIndex, generation uint32) (messageKey, bool) {
	if generation >= maxArchived {
		return messageKey{}, false
	}
	s := r.context.Suite
	known := r.known[sender]
	if known == nil {
		first := r.leaves.ratchet(ratchetID{leaf: sender})
		if first == nil {
			return messageKey{}, false
		}
		known = []Secret{first.secret}
	}
	at := min(int(generation)/archiveStride, len(known)-1)
	secret := known[at]
	for g := uint32(at * archiveStride); g < generation; {
		secret = nextSecret(s, secret, g)
		if g++; g%archiveStride == 0 {
			known = append(known, secret)
		}
	}
	r.known[sender] = known
	key, _ := step(s, secret, generation)
	return key, true
}

// Wipe overwrites the secrets of the reader, which opens nothing afterwards.
func (r *Reader) Wipe() {
	r.senderData.Wipe()
	r.leaves.wipe()
	r.leaves.frontier = nil
	for _, list := range r.known {
		for i := range list {
			list[i].Wipe()
		}
	}
	clear(r.known)
	r.roster = nil
}
