package media

import (
	"bytes"
	"encoding/base64"
	"io"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/e2ee/sframe"
)

// member is somebody who has the room's keys and sends what he likes.
type member struct{ *keyring }

func newMember(t *testing.T, leaf int) member {
	t.Helper()
	r := newKeyring()
	if err := r.take(keysOf(leaf)); err != nil {
		t.Fatal(err)
	}
	return member{r}
}

// keysOf are keys of one epoch, with leaves 0 and 1 in it.
func keysOf(leaf int) api.CallKeys {
	return api.CallKeys{
		Leaf: leaf, Join: 1,
		Epochs: []api.CallEpoch{{Epoch: 5, Key: base64.StdEncoding.EncodeToString(make([]byte, sframe.KeySize)), Seal: true}},
		Leaves: []api.CallLeaf{{Leaf: 0, Epochs: []int{5}}, {Leaf: 1, Epochs: []int{5}}},
	}
}

func (m member) seal(t *testing.T, source sframe.Source, frame []byte, clear int) []byte {
	t.Helper()
	b, ok := m.sealed(nil, source, frame, clear)
	if !ok {
		t.Fatal("no key to seal with")
	}
	return b
}

type file struct{ bytes.Buffer }

func (*file) Close() error { return nil }

func newHearer(t *testing.T, files map[api.Source]*file) *hearing {
	t.Helper()
	h := newHearing(newMember(t, 0).keyring, Config{Record: func(s Sender) (io.WriteCloser, error) {
		f := &file{}
		files[s.Source] = f
		return f, nil
	}}, func(err error) { t.Errorf("a recording was broken: %v", err) })
	return h
}

func TestFramesThatClaimToBeSomethingElse(t *testing.T) {
	files := map[api.Source]*file{}
	h, mallory := newHearer(t, files), newMember(t, 1)
	picture := append([]byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 1, 0xf0, 0}, make([]byte, 70_000)...)

	h.sound(false, 1, 960, mallory.seal(t, sframe.Microphone, frame(1), 0))
	h.picture(mallory.seal(t, sframe.Camera, picture, 10))
	before := len(files)
	for _, attack := range []func(){
		func() { h.sound(false, 2, 1920, mallory.seal(t, sframe.Camera, frame(2), 0)) },
		func() { h.sound(false, 2, 1920, mallory.seal(t, sframe.Signals, frame(2), 0)) },
		func() { h.picture(mallory.seal(t, sframe.Microphone, picture, 10)) },
		func() { h.picture(mallory.seal(t, sframe.ScreenSound, picture, 10)) },
		func() { h.sound(true, 3, 2880, mallory.seal(t, sframe.Microphone, []byte{0x80}, 0)) },
		func() { h.sound(false, 3, 2880, nil) },
		func() { h.picture(nil) },
		func() { h.picture(picture) },
	} {
		attack()
	}
	if len(files) != before {
		t.Errorf("%d files, not %d", len(files), before)
	}
	var r Report
	if err := h.finish(&r, func(api.CallLeaf) string { return "" }); err != nil {
		t.Errorf("the recordings end with %v", err)
	}
	if len(r.Heard) != 2 || r.Unopened == 0 {
		t.Errorf("heard %+v, %d did not open", r.Heard, r.Unopened)
	}
}

func TestLeavesThatAreGoneAreNotHeard(t *testing.T) {
	h, mallory := newHearer(t, map[api.Source]*file{}), newMember(t, 1)
	h.sound(false, 1, 960, mallory.seal(t, sframe.Microphone, frame(1), 0))
	k := keysOf(0)
	k.Leaves = k.Leaves[:1]
	if err := h.keys.take(k); err != nil {
		t.Fatal(err)
	}
	h.sound(false, 2, 1920, mallory.seal(t, sframe.Microphone, frame(2), 0))
	k.Leaves = []api.CallLeaf{{Leaf: 1, Epochs: []int{6}}} // the place is another's, one epoch later
	if err := h.keys.take(k); err != nil {
		t.Fatal(err)
	}
	h.sound(false, 3, 2880, mallory.seal(t, sframe.Microphone, frame(3), 0))
	var r Report
	if err := h.finish(&r, func(api.CallLeaf) string { return "" }); err != nil {
		t.Fatal(err)
	}
	if r.Heard[0].Frames != 1 || r.Unopened != 2 {
		t.Errorf("heard %d frames, %d did not open", r.Heard[0].Frames, r.Unopened)
	}
}

func TestAKeyIsSealedWithOnce(t *testing.T) {
	m := newMember(t, 1)
	first := m.seal(t, sframe.Microphone, frame(1), 0)
	// The same key again, as after another epoch was announced and taken back.
	other := keysOf(1)
	other.Epochs = append(other.Epochs, api.CallEpoch{Epoch: 6, Key: base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, sframe.KeySize)), Seal: true})
	other.Epochs[0].Seal = false
	if err := m.take(other); err != nil {
		t.Fatal(err)
	}
	m.seal(t, sframe.Microphone, frame(1), 0)
	if err := m.take(keysOf(1)); err != nil {
		t.Fatal(err)
	}
	if again, ok := m.sealed(nil, sframe.Microphone, frame(1), 0); ok && bytes.Equal(again, first) {
		t.Error("sealed twice with the same key and counter")
	} else if ok {
		h, _, err := sframe.ParseHeader(again)
		was, _, _ := sframe.ParseHeader(first)
		if err == nil && h == was {
			t.Error("a counter came twice under one key")
		}
	}
}
