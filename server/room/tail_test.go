package room

import (
	"testing"

	"github.com/veche-im/veche/wire"
)

// However many rooms there are and however long what is said in them, what is
// kept of their logs is bounded, and without gaps.
func TestTailsAreBounded(t *testing.T) {
	var ts tails
	seqs := make(map[wire.RoomID]int64)
	check := func() {
		t.Helper()
		size := 0
		for id, el := range ts.rooms {
			tl, own := el.Value.(*tail), 0
			for i := range tl.entries {
				own += len(tl.entries[i].Body) + entryCost
				if want := seqs[id] - int64(len(tl.entries)) + int64(i) + 1; tl.entries[i].Seq != want {
					t.Fatalf("entry %d is where %d belongs", tl.entries[i].Seq, want)
				}
			}
			if own != tl.size || own > maxTail || len(tl.entries) > maxTailEntries || len(tl.entries) == 0 {
				t.Fatalf("%d entries of %d bytes, said to be %d", len(tl.entries), own, tl.size)
			}
			size += own
		}
		if size != ts.size || size > maxTails || ts.order.Len() != len(ts.rooms) {
			t.Fatalf("%d bytes, said to be %d, in %d rooms", size, ts.size, len(ts.rooms))
		}
	}
	add := func(id wire.RoomID, size int) {
		seqs[id]++
		ts.add(id, wire.Entry{Seq: seqs[id], Body: make([]byte, size)})
	}
	one := wire.NewRoomID()
	for range 3 * maxTailEntries {
		add(one, 10)
		check()
	}
	for range 20 {
		add(one, maxTail/3)
		check()
	}
	add(one, maxTail) // with what it costs beside it is too large
	if ts.page(one, seqs[one]-1, seqs[one]) != nil || len(ts.rooms) != 0 {
		t.Error("there is a gap")
	}
	check()
	add(one, 10)
	if got := ts.page(one, seqs[one], seqs[one]); len(got) != 1 {
		t.Error("it does not begin anew after a gap")
	}
	for range 400 {
		id := wire.NewRoomID()
		for range 3 {
			add(id, maxTail/4)
		}
	}
	check()
	if ts.page(one, seqs[one], seqs[one]) != nil {
		t.Error("the room that nobody wrote to longest is still kept")
	}
}

func TestATailGivesAllOrNothing(t *testing.T) {
	var ts tails
	id := wire.NewRoomID()
	for seq := int64(5); seq <= 9; seq++ {
		ts.add(id, wire.Entry{Seq: seq})
	}
	for _, tt := range []struct {
		from, to int64
		n        int
	}{{5, 9, 5}, {6, 8, 3}, {9, 9, 1}, {4, 9, 0}, {5, 10, 0}, {10, 10, 0}, {1, 4, 0}, {7, 6, 0}} {
		got := ts.page(id, tt.from, tt.to)
		if len(got) != tt.n || tt.n > 0 && (got[0].Seq != tt.from || got[tt.n-1].Seq != tt.to) {
			t.Errorf("%d to %d gives %d", tt.from, tt.to, len(got))
		}
	}
	ts.add(id, wire.Entry{Seq: 11})
	if ts.page(id, 9, 11) != nil || ts.page(id, 9, 9) != nil || len(ts.page(id, 11, 11)) != 1 {
		t.Error("there is a gap in it")
	}
	ts.drop(id)
	if ts.page(id, 11, 11) != nil {
		t.Error("it is not dropped")
	}
}
