// Package ledger judges what a messenger promised from what its clients wrote
// down: that they meant to send, that they were told it is done, what they saw.
//
// It knows nothing of how the clients ran or how the server was hurt, so that
// every rig (kill, power cut, network loss, failing disk) uses the same judge.
// Each message carries a text that is used once: its token. The rules are L1 to
// L7 of docs/ARCHITECTURE.md.
package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Kind is what a client wrote down.
type Kind string

const (
	Intent Kind = "intent" // it is about to send Token
	Ack    Kind = "ack"    // it was told that Token is stored as Seq
	Seen   Kind = "seen"   // it showed Token as Seq, in the order of the record
	Final  Kind = "final"  // at the end, with everything up, the room holds Token as Seq
)

// A Record is one line of a client's book.
type Record struct {
	Client string `json:"client"`
	Kind   Kind   `json:"kind"`
	Room   string `json:"room"`
	Token  string `json:"token"`
	Seq    int64  `json:"seq,omitempty"`
	Head   string `json:"head,omitempty"` // of the log at Seq, where a client knows it
}

// A Ledger collects records of several clients. It is safe for use by several
// goroutines; the records of one client stay in their order.
type Ledger struct {
	mu      sync.Mutex // guards records
	records []Record
}

// Add writes r down.
func (l *Ledger) Add(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
}

// Records returns all that was written.
func (l *Ledger) Records() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.records)
}

// Drop forgets the records of a kind: a final view that was not the last one.
func (l *Ledger) Drop(kind Kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = slices.DeleteFunc(l.records, func(r Record) bool { return r.Kind == kind })
}

// Count returns how many records are of kind.
func (l *Ledger) Count(kind Kind) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, r := range l.records {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// A Breach is a promise that was broken.
type Breach struct {
	Rule string // "L1" …
	What string
}

func (b Breach) String() string { return b.Rule + ": " + b.What }

// view is what one client saw of one room.
type view struct{ client, room string }

// Judge returns every broken promise. members says who must see a room's
// messages: all of them were members from the first to the last.
func Judge(records []Record, members map[string][]string) []Breach {
	j := judge{seen: map[view][]Record{}, final: map[view]map[string]int64{}, meant: map[string]bool{}}
	for _, r := range records {
		j.take(r)
	}
	for room, clients := range members {
		for _, c := range clients {
			if j.final[view{c, room}] == nil {
				j.final[view{c, room}] = map[string]int64{} // an empty view is judged too
			}
		}
	}
	j.acknowledged(records, members)
	j.order(records)
	j.agreement(members)
	j.heads(records)
	j.gaps()
	slices.SortFunc(j.found, func(a, b Breach) int { return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.What, b.What)) })
	return j.found
}

type judge struct {
	seen  map[view][]Record
	final map[view]map[string]int64 // token → seq
	meant map[string]bool           // tokens that somebody meant to send
	found []Breach
}

func (j *judge) breach(rule, format string, args ...any) {
	j.found = append(j.found, Breach{rule, fmt.Sprintf(format, args...)})
}

func (j *judge) take(r Record) {
	v := view{r.Client, r.Room}
	switch r.Kind {
	case Intent:
		j.meant[r.Token] = true
	case Seen:
		j.seen[v] = append(j.seen[v], r)
	case Final:
		if j.final[v] == nil {
			j.final[v] = map[string]int64{}
		}
		if at, twice := j.final[v][r.Token]; twice {
			j.breach("L2", "%s has %q in %s as %d and again as %d", r.Client, r.Token, r.Room, at, r.Seq)
		}
		j.final[v][r.Token] = r.Seq
		if !j.meant[r.Token] {
			j.breach("L2", "%s has %q in %s, which nobody sent", r.Client, r.Token, r.Room)
		}
	}
}

// acknowledged: L1 and L6.
func (j *judge) acknowledged(records []Record, members map[string][]string) {
	acked := map[string]int64{}
	for _, r := range records {
		if r.Kind != Ack {
			continue
		}
		if at, before := acked[r.Token]; before && at != r.Seq {
			j.breach("L6", "%q was acknowledged as %d and as %d", r.Token, at, r.Seq)
		}
		acked[r.Token] = r.Seq
		for _, c := range members[r.Room] {
			switch at, there := j.final[view{c, r.Room}][r.Token]; {
			case !there:
				j.breach("L1", "%q was acknowledged to %s as %d of %s, and %s does not have it", r.Token, r.Client, r.Seq, r.Room, c)
			case at != r.Seq:
				j.breach("L6", "%q was acknowledged to %s as %d of %s, and %s has it as %d", r.Token, r.Client, r.Seq, r.Room, c, at)
			}
		}
	}
}

// order: L3, numbers increase in every final view and none is used twice.
func (j *judge) order(records []Record) {
	last := map[view]int64{}
	for _, r := range records {
		if r.Kind != Final {
			continue
		}
		v := view{r.Client, r.Room}
		if r.Seq <= last[v] {
			j.breach("L3", "%s shows %d after %d in %s", r.Client, r.Seq, last[v], r.Room)
		}
		last[v] = r.Seq
	}
}

// agreement: L4 and L5, all members have the same messages under the same
// numbers; so a send without an acknowledgement is nowhere or everywhere.
func (j *judge) agreement(members map[string][]string) {
	for room, clients := range members {
		for i, a := range clients {
			for _, b := range clients[i+1:] {
				j.compare(room, a, b)
				j.compare(room, b, a)
			}
		}
	}
}

func (j *judge) compare(room, a, b string) {
	for token, seq := range j.final[view{a, room}] {
		switch other, there := j.final[view{b, room}][token]; {
		case !there:
			j.breach("L5", "%s has %q as %d of %s, and %s does not", a, token, seq, room, b)
		case other != seq && a < b:
			j.breach("L4", "%q of %s is %d for %s and %d for %s", token, room, seq, a, other, b)
		}
	}
}

// heads: L4, one number stands for one history, whoever was told it and when.
func (j *judge) heads(records []Record) {
	type point struct {
		room string
		seq  int64
	}
	first := map[point]Record{}
	for _, r := range records {
		at := point{r.Room, r.Seq}
		switch was, known := first[at]; {
		case r.Head == "":
		case !known:
			first[at] = r
		case was.Head != r.Head:
			j.breach("L4", "%d of %s is another history for %s (%s) than for %s (%s)", r.Seq, r.Room, was.Client, was.Kind, r.Client, r.Kind)
		}
	}
}

// gaps: L7, what was shown on the way is what stands there in the end, and
// nothing slipped in before something that had been shown already.
func (j *judge) gaps() {
	for v, shown := range j.seen {
		top := int64(0)
		was := map[string]bool{}
		for _, r := range shown {
			if r.Seq <= top {
				j.breach("L7", "%s was shown %d of %s after %d", v.client, r.Seq, v.room, top)
			}
			top = max(top, r.Seq)
			was[r.Token] = true
			if at, there := j.final[v][r.Token]; !there || at != r.Seq {
				j.breach("L7", "%s was shown %q as %d of %s, which is not so in the end (%d)", v.client, r.Token, r.Seq, v.room, at)
			}
		}
		for token, seq := range j.final[v] {
			if seq <= top && !was[token] {
				j.breach("L7", "%s was shown %d of %s while %q, %d, was missing", v.client, top, v.room, token, seq)
			}
		}
	}
}
