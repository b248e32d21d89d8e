package content

import (
	"reflect"
	"testing"

	"github.com/veche-im/veche/wire"
)

func TestCallsComeBackAsTheyWere(t *testing.T) {
	id := wire.NewCallID()
	for _, c := range []Call{
		{Call: id},
		{Call: id, Ring: true, Video: true},
		{Call: id, End: &CallEnd{Seconds: 61, People: []wire.AccountID{wire.NewAccountID(), wire.NewAccountID()}, Why: CallEnded}},
		{Call: id, End: &CallEnd{People: []wire.AccountID{}, Why: CallBusy}},
	} {
		made, err := NewCall(c)
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := Read(made.Content)
		if err != nil || v.Kind != KindCall || !reflect.DeepEqual(*v.Call, c) {
			t.Errorf("%+v comes back as %s %+v, %v", c, v.Kind, v.Call, err)
		}
	}
}

func TestCallsThatAreNone(t *testing.T) {
	id := wire.NewCallID()
	for name, body := range map[string]any{
		"nothing":            map[string]any{},
		"a newer version":    map[string]any{"v": 2, "call": id, "ring": true, "video": false},
		"more than there is": map[string]any{"v": 1, "call": id, "ring": true, "video": false, "x": 1},
		"no id":              map[string]any{"v": 1, "ring": true, "video": false},
		"another reason":     map[string]any{"v": 1, "call": id, "seconds": 1, "people": []wire.AccountID{}, "why": "x"},
		"a call in the past": map[string]any{"v": 1, "call": id, "seconds": -1, "people": []wire.AccountID{}, "why": "ended"},
		"both start and end": map[string]any{"v": 1, "call": id, "ring": true, "video": false, "seconds": 1, "people": []wire.AccountID{}, "why": "ended"},
	} {
		b, err := wire.Encode(body)
		if err != nil {
			t.Fatal(err)
		}
		made, err := finish(&Message{Body: Part{Disposition: Render, Single: &Single{callType, b}}})
		if err != nil {
			t.Fatal(err)
		}
		if v, _, err := Read(made.Content); err != nil || v.Kind != KindUnknown {
			t.Errorf("%s reads as %s, %v", name, v.Kind, err)
		}
	}
	if _, err := NewCall(Call{End: &CallEnd{Why: "x"}}); err == nil {
		t.Error("an end for no reason was made")
	}
}
