package vectors

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/veche-im/veche/e2ee/sframe"
)

// A frame of a call: which key id its sender has, and the first frames that it
// seals under it. Numbers above 2^53 would not survive JSON in a browser, so the
// key id is text.
type callFrame struct {
	What   string `json:"what"`
	Base   Hex    `json:"base"`
	Epoch  uint64 `json:"epoch"`
	Source uint8  `json:"source"`
	Join   uint16 `json:"join"`
	Leaf   uint32 `json:"leaf"`
	KID    string `json:"kid"`   // decimal
	Clear  int    `json:"clear"` // bytes of each frame that stay clear
	Plain  []Hex  `json:"plain"`
	Sealed []Hex  `json:"sealed"` // counters 0, 1, …
}

type callFrames struct {
	About  string      `json:"about"`
	Frames []callFrame `json:"frames"`
}

func TestCallFrames(t *testing.T) {
	v := load(t, "call-frames.json", func() callFrames {
		v := callFrames{About: "frames as senders of a call seal them: key id, key and counters of docs/spec/calls.md under SFrame (RFC 9605, suite 4)"}
		for _, f := range []callFrame{
			{What: "sound", Epoch: 1, Source: 0, Join: 1, Leaf: 0, Clear: 0, Plain: []Hex{pattern(1, 60), pattern(2, 60)}},
			{What: "a key frame of video", Epoch: 258, Source: 1, Join: 8191, Leaf: 4999, Clear: 10, Plain: []Hex{pattern(3, 300)}},
			{What: "another frame of video", Epoch: 255, Source: 2, Join: 12, Leaf: 7, Clear: 3, Plain: []Hex{pattern(4, 30)}},
			{What: "a signal", Epoch: 70_000, Source: 7, Join: 0, Leaf: 1<<24 - 1, Clear: 0, Plain: []Hex{pattern(5, 64), {}}},
		} {
			f.Base = pattern(9, 16)
			s := sealerOf(t, f)
			f.KID = strconv.FormatUint(uint64(s.KID()), 10)
			for _, p := range f.Plain {
				sealed, err := s.Seal(nil, p, f.Clear)
				if err != nil {
					t.Fatal(err)
				}
				f.Sealed = append(f.Sealed, sealed)
			}
			v.Frames = append(v.Frames, f)
		}
		return v
	})
	for _, f := range v.Frames {
		s := sealerOf(t, f)
		if got := strconv.FormatUint(uint64(s.KID()), 10); got != f.KID {
			t.Errorf("%s: the key id is %s, not %s", f.What, got, f.KID)
		}
		o := sframe.NewOpener()
		base, err := sframe.ParseKey(f.Base)
		if err != nil {
			t.Fatal(err)
		}
		o.Install(f.Epoch, base)
		for i, p := range f.Plain {
			sealed, err := s.Seal(nil, p, f.Clear)
			if err != nil || !bytes.Equal(sealed, f.Sealed[i]) {
				t.Errorf("%s, frame %d is sealed as %x, %v", f.What, i, sealed, err)
			}
			plain, kid, err := o.Open(nil, f.Sealed[i], f.Clear)
			if err != nil || kid != s.KID() || !bytes.Equal(plain, p) {
				t.Errorf("%s, frame %d opens as %x from %d, %v", f.What, i, plain, kid, err)
			}
		}
	}
}

func sealerOf(t *testing.T, f callFrame) *sframe.Sealer {
	t.Helper()
	base, err := sframe.ParseKey(f.Base)
	if err != nil {
		t.Fatal(err)
	}
	return sframe.NewSealer(base, sframe.NewKID(f.Epoch, sframe.Source(f.Source), f.Join, f.Leaf))
}
