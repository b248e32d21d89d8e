package group

import (
	"fmt"
	"slices"

	"github.com/veche-im/veche/mls"
)

// Recording says whether a member keeps records of its epochs, and when each
// can be had. RFC 9420 §9.2 wants none; see docs/spec/mls.md for what it costs.
type Recording uint8

// The ways of recording.
const (
	RecordNothing Recording = iota
	// RecordEnds: the record of an epoch is ready when the epoch is over. The
	// root of its secret tree stays in the state until then.
	RecordEnds
	// RecordBeginnings: the record of an epoch is ready when it begins, and
	// the state itself keeps nothing for it.
	RecordBeginnings
)

// Record is what opens the application messages of one epoch that is over, and
// nothing else: the encryption secret, the sender data secret, the group
// context, the number of leaves, and who sat at which leaf, as the difference to
// the epoch beside it. No key of another epoch follows from it. Its Export is
// what ParseRecord takes; like all secrets it does not print or marshal
// otherwise.
type Record struct{ Secret }

const recordVersion = 1

// The neighbours from which the roster of a record is known.
const (
	rosterWhole  = 0 // none is needed
	rosterBefore = 1 // that of the epoch before
	rosterAfter  = 2 // that of the epoch after
)

// RosterEntry is what there is to know of a member in order to verify what it
// wrote.
type RosterEntry struct {
	SignatureKey []byte
	Credential   mls.Credential
}

// MarshalMLS implements mls.Marshaler.
func (r RosterEntry) MarshalMLS(e *mls.Encoder) {
	e.Bytes(r.SignatureKey)
	r.Credential.MarshalMLS(e)
}

// UnmarshalMLS implements mls.Unmarshaler.
func (r *RosterEntry) UnmarshalMLS(d *mls.Decoder) {
	r.SignatureKey = d.Bytes(maxSecret)
	r.Credential.UnmarshalMLS(d)
}

func (r RosterEntry) same(o RosterEntry) bool {
	a, err1 := mls.Marshal(r)
	b, err2 := mls.Marshal(o)
	return err1 == nil && err2 == nil && slices.Equal(a, b)
}

// Roster is who sits where in one epoch.
type Roster map[mls.LeafIndex]RosterEntry

// RosterOf returns the roster of the group's current epoch.
func RosterOf(g *mls.PublicGroup) Roster {
	r := Roster{}
	for _, m := range g.Members() {
		r[m.Index] = *entryOf(m.Leaf)
	}
	return r
}

// entryOf returns nil for a blank leaf.
func entryOf(l *mls.LeafNode) *RosterEntry {
	if l == nil {
		return nil
	}
	return &RosterEntry{l.SignatureKey, l.Credential}
}

// recordContent is a Record, decoded.
type recordContent struct {
	context    mls.GroupContext
	width      uint32 // leaves of the tree
	encryption Secret
	senderData Secret
	roster     uint8 // rosterWhole, rosterBefore, rosterAfter
	changes    []rosterChange
}

// rosterChange is a leaf that is not the same in this epoch and in the one
// beside it; nil is a blank leaf.
type rosterChange struct {
	leaf         mls.LeafIndex
	here, beside *RosterEntry
}

func (c *recordContent) seal() Record {
	var e mls.Encoder
	e.Uint8(recordVersion)
	c.context.MarshalMLS(&e)
	e.Uint32(c.width)
	e.Bytes(c.encryption.bytes())
	e.Bytes(c.senderData.bytes())
	e.Uint8(c.roster)
	e.Vector(func() {
		for _, x := range c.changes {
			e.Uint32(uint32(x.leaf))
			for _, entry := range []*RosterEntry{x.here, x.beside} {
				e.Optional(entry != nil)
				if entry != nil {
					entry.MarshalMLS(&e)
				}
			}
		}
	})
	b, err := e.Result()
	if err != nil {
		panic(err) // all of it is part of a group, and so has an encoding
	}
	return Record{own(b)}
}

func (r Record) content() (*recordContent, error) {
	d := mls.NewDecoder(r.bytes())
	if v := d.Uint8(); d.Err() == nil && v != recordVersion {
		return nil, fmt.Errorf("%w: version %d", ErrRecord, v)
	}
	c := new(recordContent)
	c.context.UnmarshalMLS(d)
	c.width = d.Uint32()
	c.encryption, c.senderData = takeSecret(d), takeSecret(d)
	c.roster = d.Uint8()
	c.changes = mls.Vector(d, mls.MaxLeaves, func(d *mls.Decoder, x *rosterChange) {
		x.leaf = mls.LeafIndex(d.Uint32())
		for _, entry := range []**RosterEntry{&x.here, &x.beside} {
			if d.Optional() {
				*entry = new(RosterEntry)
				(*entry).UnmarshalMLS(d)
			}
		}
	})
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	s := c.context.Suite
	switch {
	case !s.Supported():
		return nil, fmt.Errorf("%w: %w: %v", ErrRecord, mls.ErrSuite, s)
	case c.encryption.Len() != s.HashSize() || c.senderData.Len() != s.HashSize():
		return nil, fmt.Errorf("%w: secrets of %d and %d bytes", ErrRecord, c.encryption.Len(), c.senderData.Len())
	case c.width < 1 || c.width > mls.MaxLeaves || c.width&(c.width-1) != 0:
		return nil, fmt.Errorf("%w: %d leaves", ErrRecord, c.width)
	case c.roster > rosterAfter:
		return nil, fmt.Errorf("%w: roster of kind %d", ErrRecord, c.roster)
	}
	return c, nil
}

// ParseRecord reads what Export returned. It is ErrRecord if b is not one
// record, whole.
func ParseRecord(b []byte) (Record, error) {
	r := Record{NewSecret(b)}
	if _, err := r.content(); err != nil {
		return Record{}, err
	}
	return r, nil
}

// Context is the group context of the epoch. It is not a secret.
func (r Record) Context() (mls.GroupContext, error) {
	c, err := r.content()
	if err != nil {
		return mls.GroupContext{}, err
	}
	return c.context, nil
}

// Whole returns the same record with the whole roster of its epoch instead of
// the difference, so that it can be read alone. beside is as for NewReader.
func (r Record) Whole(beside Roster) (Record, error) {
	c, err := r.content()
	if err != nil {
		return Record{}, err
	}
	roster, err := c.resolve(beside)
	if err != nil {
		return Record{}, err
	}
	c.roster, c.changes = rosterWhole, wholeRoster(roster)
	return c.seal(), nil
}

func wholeRoster(r Roster) []rosterChange {
	var out []rosterChange
	for leaf, entry := range r {
		out = append(out, rosterChange{leaf: leaf, here: &entry})
	}
	slices.SortFunc(out, func(a, b rosterChange) int { return int(a.leaf) - int(b.leaf) })
	return out
}

// resolve returns the roster of the epoch, from that of its neighbour.
func (c *recordContent) resolve(beside Roster) (Roster, error) {
	out := Roster{}
	if c.roster != rosterWhole {
		if beside == nil {
			return nil, fmt.Errorf("%w: the roster of the epoch beside it is needed", ErrRecord)
		}
		for leaf, entry := range beside {
			out[leaf] = entry
		}
	}
	for _, x := range c.changes {
		there, ok := out[x.leaf]
		if ok != (x.beside != nil) || ok && !there.same(*x.beside) {
			return nil, fmt.Errorf("%w: leaf %d is another in the epoch beside it", ErrRecord, x.leaf)
		}
		delete(out, x.leaf)
		if x.here != nil {
			out[x.leaf] = *x.here
		}
	}
	return out, nil
}

// changesBetween lists the leaves whose members differ.
func changesBetween(here, beside *mls.Tree) []rosterChange {
	var out []rosterChange
	for i := range mls.LeafIndex(max(here.Width(), beside.Width())) {
		a, b := here.Leaf(i), beside.Leaf(i)
		if a == b {
			continue // trees share what has not changed
		}
		x := rosterChange{i, entryOf(a), entryOf(b)}
		if x.here != nil && x.beside != nil && x.here.same(*x.beside) {
			continue
		}
		out = append(out, x)
	}
	return out
}

// Records is the part of a Group that keeps its past readable.
type Records struct{ g *Group }

// Records returns the part of the group that keeps its past readable.
func (g *Group) Records() Records { return Records{g} }

// Keep says which epochs are recorded, from the next one on; RecordNothing from
// this one on. Records that are ready stay.
func (r Records) Keep(how Recording) {
	r.g.recording = how
	if how == RecordNothing && r.g.epoch != nil && r.g.epoch.encryption.Len() > 0 {
		r.g.epoch.encryption.Wipe()
		r.g.epoch.dirty = true
	}
}

// Take returns the records that are ready, oldest first, and forgets them; they
// belong into the same transaction as the Save after it. Those that nobody takes
// are stored with the group.
func (r Records) Take() []Record {
	out := r.g.ready
	r.g.ready = nil
	return out
}

// record seals what opens the messages of the epoch of context.
func record(context mls.GroupContext, tree *mls.Tree, encryption, senderData Secret, roster uint8, changes []rosterChange) Record {
	c := &recordContent{
		context: context, width: uint32(tree.Width()), encryption: encryption, senderData: senderData,
		roster: roster, changes: changes,
	}
	return c.seal()
}

// recordBeginning is called when g has entered its epoch, with the root of the
// secret tree, before any key is derived from it. before is the tree of the
// epoch before, nil for one who was not there.
func recordBeginning(g *Group, encryption Secret, before *mls.Tree) {
	switch g.recording {
	case RecordEnds:
		g.epoch.encryption = NewSecret(encryption.bytes())
	case RecordBeginnings:
		tree := g.public.RatchetTree()
		kind, changes := uint8(rosterWhole), wholeRoster(RosterOf(g.public))
		if before != nil {
			kind, changes = rosterBefore, changesBetween(tree, before)
		}
		g.keepRecords(record(g.public.Context(), tree, encryption, g.epoch.senderData, kind, changes))
	}
}

// recordEnd returns the record of the epoch that g leaves for one with the tree
// after, if it was kept.
func recordEnd(g *Group, after *mls.Tree) []Record {
	if g.epoch == nil || g.epoch.encryption.Len() == 0 {
		return nil
	}
	tree := g.public.RatchetTree()
	return []Record{record(g.public.Context(), tree, g.epoch.encryption, g.epoch.senderData, rosterAfter, changesBetween(tree, after))}
}

// keepRecords adds records to those that wait. One that is above the limit of
// what can be decoded is left out: it could not be read, and stored it would
// keep the group from being loaded.
func (g *Group) keepRecords(list ...Record) {
	for _, r := range list {
		if _, err := r.content(); err == nil {
			g.ready = append(slices.Clip(g.ready), r)
		}
	}
}

// epochs lists the epochs of records, of which each has one at most.
func epochs(list []Record) []uint64 {
	out := []uint64{}
	for _, r := range list {
		if c, err := r.content(); err == nil {
			out = append(out, c.context.Epoch)
		}
	}
	return out
}

// saveRecords writes the records that have become ready and deletes those that
// were taken.
func (r *rows) saveRecords(g *Group) {
	now := epochs(g.ready)
	if slices.Equal(now, g.saved.ready) {
		return
	}
	for i, epoch := range now {
		if !slices.Contains(g.saved.ready, epoch) {
			r.put(recordKey(epoch), func(e *mls.Encoder) { e.Bytes(g.ready[i].bytes()) })
		}
	}
	for _, epoch := range g.saved.ready {
		if !slices.Contains(now, epoch) {
			r.delete(recordKey(epoch))
		}
	}
	if len(now) == 0 {
		r.delete(recordsKey)
	} else {
		r.put(recordsKey, func(e *mls.Encoder) {
			e.Vector(func() {
				for _, epoch := range now {
					e.Uint64(epoch)
				}
			})
		})
	}
	g.saved.ready = now
}

func (r *rows) loadRecords(g *Group) {
	var list []uint64
	r.get(recordsKey, false, func(d *mls.Decoder) {
		list = mls.Vector(d, maxRows, func(d *mls.Decoder, v *uint64) { *v = d.Uint64() })
	})
	for _, epoch := range list {
		r.get(recordKey(epoch), true, func(d *mls.Decoder) {
			record := Record{takeRecord(d)}
			if c, err := record.content(); d.Err() == nil && (err != nil || c.context.Epoch != epoch) {
				d.Fail("not the record of epoch %d", epoch)
			}
			g.ready = append(g.ready, record)
		})
	}
	g.saved.ready = epochs(g.ready)
}

func takeRecord(d *mls.Decoder) Secret { return own(d.Bytes(maxStored)) }
