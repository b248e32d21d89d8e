package db

import (
	"iter"
	"maps"
	"slices"
)

// maxMemory is how many facts the writer remembers: those of some tens of
// thousands of devices that send, some 20 MB.
const maxMemory = 100_000

// memory is what the writer knows without asking the database. A noun keeps a
// fact under a key of a type of its own.
//
// A fact is always one that the database holds, or will hold if this transaction
// commits: whoever writes what a fact says forgets it or remembers the new one
// in the same job; a job that is undone forgets all that it touched, a
// transaction that is undone everything. To forget is always right. What a job has
// forgotten it does not remember again: whatever it reads before it has written, or
// between two writes, is not what will be there in the end.
type memory struct {
	facts   map[any]any
	touched []any // keys of the job that is running
	changed []any // those that it has forgotten
}

func newMemory() memory { return memory{facts: make(map[any]any)} }

func (m *memory) clear() {
	clear(m.facts)
	m.begin()
}

// begin is called before each job.
func (m *memory) begin() { m.touched, m.changed = m.touched[:0], m.changed[:0] }

func (m *memory) forgetTouched() {
	for _, key := range m.touched {
		delete(m.facts, key)
	}
}

// bound forgets some facts, whichever, once there are too many.
func (m *memory) bound() {
	for key := range m.facts {
		if len(m.facts) <= maxMemory {
			return
		}
		delete(m.facts, key)
	}
}

// Recall returns what was remembered under key, nil if nothing is. In View it
// is always nil, because there a moment is read that the writer may have left.
func (tx *Tx) Recall(key any) any {
	if tx.db == nil {
		return nil
	}
	return tx.db.memory.facts[key]
}

// Remember keeps a fact for later jobs, as long as this one is not undone. What
// is kept is not changed any more; a newer fact replaces it. In View it does
// nothing.
func (tx *Tx) Remember(key, fact any) {
	if tx.db == nil || slices.Contains(tx.db.memory.changed, key) {
		return
	}
	tx.db.memory.facts[key] = fact
	tx.db.memory.touched = append(tx.db.memory.touched, key)
}

// Facts is all that is remembered, for those who hold it against the rows.
func (tx *Tx) Facts() iter.Seq2[any, any] { return maps.All(tx.db.memory.facts) }

// Forget drops a fact, until the end of the job. Whoever changes what it says calls
// it in the same job.
func (tx *Tx) Forget(key any) {
	if tx.db != nil {
		delete(tx.db.memory.facts, key)
		tx.db.memory.changed = append(tx.db.memory.changed, key)
	}
}

// postponed is what jobs have left to be written at the end of the transaction:
// a row that many of them change is written once.
type postponed struct {
	keys   []any
	writes map[any]func(*Tx) error
}

func (p *postponed) clear() {
	p.keys = p.keys[:0]
	clear(p.writes)
}

func (p *postponed) all(tx *Tx) error {
	tx.saved = true // they are undone with the whole transaction or not at all
	for _, key := range p.keys {
		if write := p.writes[key]; write != nil { // or it was settled
			delete(p.writes, key)
			if err := write(tx); err != nil {
				return err
			}
		}
	}
	p.clear()
	return nil
}

// Postpone has write run before the transaction commits, once for each key. If
// it fails the whole transaction is undone. It is called after ExecLast, by a
// job that cannot be undone any more.
func (tx *Tx) Postpone(key any, write func(*Tx) error) {
	p := &tx.db.put
	if p.writes == nil {
		p.writes = make(map[any]func(*Tx) error)
	}
	if p.writes[key] == nil {
		p.writes[key] = write
		p.keys = append(p.keys, key)
	}
}

// Settle runs what was postponed under key now, so that the job finds the rows
// as they are. It is called before the job writes: what is settled is not undone
// with it.
func (tx *Tx) Settle(key any) error {
	if tx.db == nil || tx.db.put.writes[key] == nil {
		return nil
	}
	if tx.saved || tx.settled {
		return errSettled
	}
	write := tx.db.put.writes[key]
	delete(tx.db.put.writes, key)
	tx.saved = true // of the transaction, not of the job
	err := write(tx)
	tx.saved = false
	if err != nil && tx.lost == nil && !tx.corrupt {
		tx.lost = err // others count on it
	}
	return err
}
