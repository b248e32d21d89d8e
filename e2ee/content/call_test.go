package content_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

func TestCallsAreReadAsTheyWereMade(t *testing.T) {
	id := wire.NewCallID()
	people := []wire.AccountID{wire.NewAccountID(), wire.NewAccountID()}
	for _, tt := range []struct {
		name string
		call content.Call
		kind content.Kind
	}{
		{"began", content.Call{Call: id, Ring: true, Video: true}, content.KindCall},
		{"began quietly", content.Call{Call: id}, content.KindCall},
		{"ended", content.Call{Call: id, Why: content.CallEnded, Seconds: 61, People: people}, content.KindCallEnd},
		{"nobody came", content.Call{Call: id, Why: content.CallNone, People: []wire.AccountID{}}, content.KindCallEnd},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made, err := content.NewCall(tt.call)
			if err != nil {
				t.Fatal(err)
			}
			v, _, err := content.Read(made.Content)
			if err != nil || v.Kind != tt.kind || !reflect.DeepEqual(*v.Call, tt.call) {
				t.Errorf("read as %s %+v, %v", v.Kind, v.Call, err)
			}
		})
	}
}

func TestWhatIsNoCallIsUnknown(t *testing.T) {
	id := wire.NewCallID()
	for name, v := range map[string]any{
		"of another version":  map[string]any{"v": 2, "call": id, "ring": true, "video": false},
		"without an id":       map[string]any{"v": 1, "call": wire.CallID{}, "ring": true, "video": false},
		"ended by nothing":    map[string]any{"v": 1, "call": id, "seconds": 1, "people": []wire.AccountID{}, "why": "bored"},
		"shorter than none":   map[string]any{"v": 1, "call": id, "seconds": -1, "people": []wire.AccountID{}, "why": "ended"},
		"longer than a month": map[string]any{"v": 1, "call": id, "seconds": content.MaxCallTime + 1, "people": []wire.AccountID{}, "why": "ended"},
		"a crowd":             map[string]any{"v": 1, "call": id, "seconds": 1, "people": make([]wire.AccountID, content.MaxCallPeople+1), "why": "ended"},
		"something else":      map[string]any{"v": 1, "call": id, "ring": true, "video": false, "more": 1},
		"a text":              "call",
	} {
		b, err := wire.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		m := &content.Message{Body: content.Part{Disposition: content.Render, Single: &content.Single{Type: "application/vnd.veche.call+cbor", Content: b}}}
		if got := m.View(); got.Kind != content.KindUnknown || got.Call != nil {
			t.Errorf("%s: %s", name, got.Kind)
		}
	}
	if _, err := content.NewCall(content.Call{Call: id, Why: "bored"}); !errors.Is(err, content.ErrMalformed) {
		t.Errorf("made: %v", err)
	}
}
