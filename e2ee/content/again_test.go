package content

import (
	"errors"
	"slices"
	"testing"

	"github.com/veche-im/veche/wire"
)

// What asks for entries, and what says one again, is read back as it was made,
// and says one thing only.
func TestAskingForWhatIsMissingAndSayingItAgain(t *testing.T) {
	sent := []Sent{{wire.DeviceID{1}, wire.NewClientID()}, {wire.DeviceID{2}, wire.NewClientID()}}
	made, err := NewMissing(sent)
	if err != nil {
		t.Fatal(err)
	}
	if v, _, err := Read(made.Content); err != nil || v.Kind != KindMissing || !slices.Equal(v.Missing, sent) {
		t.Errorf("read %+v, %v", v, err)
	}
	for _, said := range [][]byte{{}, []byte("content")} {
		made, err := NewAgain(sent[0].Client, said)
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := Read(made.Content)
		if err != nil || v.Kind != KindAgain || v.Again.Client != sent[0].Client || string(v.Again.Content) != string(said) {
			t.Errorf("read %+v, %v", v, err)
		}
	}
	if _, err := NewMissing(make([]Sent, MaxMissing+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("too many: %v", err)
	}
	if _, err := NewAgain(sent[0].Client, make([]byte, MaxContent)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for _, s := range []roomState{
		{Version: 1, Name: "both", Missing: sent},
		{Version: 1, Ask: true, Again: &Again{Client: sent[0].Client, Content: []byte{}}},
		{Version: 1, Missing: sent, Again: &Again{Client: sent[0].Client, Content: []byte{}}},
		{Version: 1, Missing: make([]Sent, MaxMissing+1)},
	} {
		made, err := newRoomState(s)
		if err != nil {
			t.Fatal(err)
		}
		if v, _, err := Read(made.Content); err != nil || v.Kind != KindUnknown {
			t.Errorf("%+v is %s, %v", s, v.Kind, err)
		}
	}
}
