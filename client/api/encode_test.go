package api

import "testing"

func TestListsAreNeverNull(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   any
		want string
	}{
		{"a list of a result", Rooms{}, `{"rooms":[]}`},
		{"two of an event", RoomsChanged{}, `{"rooms":[],"gone":[]}`},
		{"lists in lists", []Devices{{}}, `[{"devices":[]}]`},
		{"behind a pointer", &People{}, `{"people":[]}`},
		{"left out where it may be", Change{Kind: ChangeLeft, By: "ann"}, `{"kind":"left","by":"ann","me":false}`},
		{"nothing else changes", Rooms{Rooms: nil}, `{"rooms":[]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Encode(tt.in)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestEncodeLeavesTheValueAlone(t *testing.T) {
	in := []RoomsChanged{{}}
	if _, err := Encode(in); err != nil {
		t.Fatal(err)
	}
	if in[0].Rooms != nil || in[0].Gone != nil {
		t.Error("the caller's value was changed")
	}
}
