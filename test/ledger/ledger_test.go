package ledger

import (
	"slices"
	"testing"
)

// honest is a life in which every promise is kept: two acknowledged messages,
// one that was cut off and did arrive, one that was cut off and did not.
func honest() []Record {
	return []Record{
		{"ann", Intent, "r", "a", 0, ""}, {"ann", Ack, "r", "a", 2, ""},
		{"bob", Seen, "r", "a", 2, ""},
		{"bob", Intent, "r", "b", 0, ""}, {"ann", Intent, "r", "c", 0, ""}, {"ann", Intent, "r", "d", 0, ""},
		{"bob", Ack, "r", "b", 3, ""},
		{"bob", Seen, "r", "b", 3, ""}, {"bob", Seen, "r", "c", 5, ""},
		{"ann", Final, "r", "a", 2, ""}, {"ann", Final, "r", "b", 3, ""}, {"ann", Final, "r", "c", 5, ""},
		{"bob", Final, "r", "a", 2, ""}, {"bob", Final, "r", "b", 3, ""}, {"bob", Final, "r", "c", 5, ""},
	}
}

var both = map[string][]string{"r": {"ann", "bob"}}

func TestAnHonestLifeIsNotAccused(t *testing.T) {
	if found := Judge(honest(), both); len(found) > 0 {
		t.Error(found)
	}
}

// A judge that never convicts is worth nothing: each promise is broken once.
func TestEachBrokenPromiseIsFound(t *testing.T) {
	drop := func(r []Record, gone ...Record) []Record {
		return slices.DeleteFunc(r, func(x Record) bool { return slices.Contains(gone, x) })
	}
	for _, tt := range []struct {
		rule, name string
		records    []Record
	}{
		{"L1", "an acknowledged message is missing", drop(honest(), Record{"ann", Final, "r", "b", 3, ""}, Record{"bob", Final, "r", "b", 3, ""}, Record{"bob", Seen, "r", "b", 3, ""})},
		{"L1", "one member has nothing at all", slices.DeleteFunc(honest(), func(r Record) bool { return r.Client == "bob" && (r.Kind == Final || r.Kind == Seen) })},
		{"L2", "a message appears twice", append(honest(), Record{"ann", Final, "r", "a", 6, ""})},
		{"L2", "a message that nobody sent", append(honest(), Record{"ann", Final, "r", "x", 6, ""})},
		{"L3", "a number is used twice", append(honest(), Record{"ann", Intent, "r", "e", 0, ""}, Record{"ann", Final, "r", "e", 5, ""})},
		{"L4", "two see another order", replace(honest(), Record{"ann", Final, "r", "c", 5, ""}, Record{"ann", Final, "r", "c", 4, ""})},
		{"L4", "one number, two histories", append(honest(), Record{"ann", Intent, "r", "e", 0, ""}, Record{"bob", Intent, "r", "f", 0, ""}, Record{"ann", Ack, "r", "e", 6, "one"}, Record{"bob", Ack, "r", "f", 6, "other"})},
		{"L5", "an unacknowledged send exists for one only", drop(honest(), Record{"ann", Final, "r", "c", 5, ""})},
		{"L6", "a retry got another number", append(honest(), Record{"ann", Ack, "r", "a", 4, ""})},
		{"L7", "shown across a gap", drop(honest(), Record{"bob", Seen, "r", "a", 2, ""})},
		{"L7", "shown and gone", append(honest(), Record{"bob", Seen, "r", "d", 6, ""})},
		{"L7", "shown out of order", append(honest(), Record{"bob", Seen, "r", "a", 2, ""})},
	} {
		t.Run(tt.rule+" "+tt.name, func(t *testing.T) {
			found := Judge(tt.records, both)
			if !slices.ContainsFunc(found, func(b Breach) bool { return b.Rule == tt.rule }) {
				t.Errorf("found only %v", found)
			}
		})
	}
}

func replace(records []Record, old, with Record) []Record {
	i := slices.Index(records, old)
	records[i] = with
	return records
}
