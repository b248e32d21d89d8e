package video

import (
	"bytes"
	"testing"
)

func TestParse(t *testing.T) {
	key := []byte{0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 0x02, 0xe0, 0x01, 7, 7} // 640 by 480
	for _, tt := range []struct {
		name  string
		codec Codec
		head  []byte
		frame []byte
		want  Descriptor
	}{
		{"VP8 without extension", VP8, []byte{0x10}, key, Descriptor{Size: 1, Start: true, Key: true, ID: -1, TL0: -1, Width: 640, Height: 480}},
		{"VP8 in the middle of a frame", VP8, []byte{0x00}, key, Descriptor{Size: 1, ID: -1, TL0: -1}},
		{"VP8 of a later partition", VP8, []byte{0x11}, key, Descriptor{Size: 1, ID: -1, TL0: -1}},
		{"VP8 with a short picture id", VP8, []byte{0x90, 0x80, 0x25}, []byte{1, 2, 3}, Descriptor{Size: 3, Start: true, ID: 0x25, TL0: -1}},
		{"VP8 with everything", VP8, []byte{0x90, 0xf0, 0x92, 0x34, 0x56, 0x9f}, key, Descriptor{Size: 6, Start: true, Key: true, ID: 0x1234, Long: true, TL0: 0x56, Temporal: 2, Width: 640, Height: 480}},
		{"VP8 with key index alone", VP8, []byte{0x90, 0x10, 0xc5}, []byte{1}, Descriptor{Size: 3, Start: true, ID: -1, TL0: -1}},
		{"VP9 key frame, flexible", VP9, []byte{0x98, 0x92, 0x34}, []byte{9}, Descriptor{Size: 3, Start: true, Key: true, ID: 0x1234, Long: true, TL0: -1}},
		{"VP9 with layers", VP9, []byte{0xe8, 0x05, 0x60, 0x77}, []byte{9}, Descriptor{Size: 4, Start: true, ID: 5, TL0: 0x77, Temporal: 3}},
		{"VP9 of a higher spatial layer", VP9, []byte{0xa8, 0x05, 0x62, 0x77}, []byte{9}, Descriptor{Size: 4, ID: 5, TL0: 0x77, Temporal: 3}},
		{"VP9 with references", VP9, []byte{0xd8, 0x05, 0x03, 0x04}, []byte{9}, Descriptor{Size: 4, Start: true, ID: 5, TL0: -1}},
		{"VP9 with a scalability structure", VP9, []byte{0x8a, 0x05, 0x18, 0x02, 0x80, 0x01, 0xe0, 2, 0x00, 0x24, 1}, []byte{9}, Descriptor{Size: 11, Start: true, Key: true, ID: 5, TL0: -1, Width: 640, Height: 480}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			payload := append(bytes.Clone(tt.head), tt.frame...)
			d, err := Parse(tt.codec, payload)
			if err != nil {
				t.Fatal(err)
			}
			got := d
			got.Codec, got.picture, got.tl0, got.rest = 0, 0, 0, 0
			if got != tt.want {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
			h := d.rewrite(payload, 0x4321, 0x99)
			out := append(bytes.Clone(h.Bytes[:h.Len]), payload[h.Skip:]...)
			again, err := Parse(tt.codec, out)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out[again.Size:], tt.frame) {
				t.Errorf("the frame changed: %x", out)
			}
			if d.ID >= 0 && (again.ID != 0x4321 || !again.Long) || d.TL0 >= 0 && again.TL0 != 0x99 {
				t.Errorf("rewritten to %+v", again)
			}
			again.ID, again.TL0, again.Long, again.Size = d.ID, d.TL0, d.Long, d.Size
			again.picture, again.tl0, again.rest = d.picture, d.tl0, d.rest
			if again != d {
				t.Errorf("rewriting changed %+v to %+v", d, again)
			}
			for n := range len(tt.head) {
				if _, err := Parse(tt.codec, payload[:n]); err == nil {
					t.Errorf("%d bytes of %x are taken for a descriptor", n, payload)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(uint8(1), []byte{0x90, 0xf0, 0x92, 0x34, 0x56, 0x9f, 0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 0x02, 0xe0, 0x01})
	f.Add(uint8(2), []byte{0x8a, 0x05, 0x18, 0x02, 0x80, 0x01, 0xe0, 2, 0x00, 0x24, 1, 9})
	f.Fuzz(func(t *testing.T, codec uint8, b []byte) {
		c := Codec(codec%2 + 1)
		d, err := Parse(c, b)
		if err != nil {
			return
		}
		if d.Size > len(b) {
			t.Fatalf("%d bytes of %d", d.Size, len(b))
		}
		h := d.rewrite(b, 0x1234, 5)
		out := append(append([]byte{}, h.Bytes[:h.Len]...), b[h.Skip:]...)
		again, err := Parse(c, out)
		if err != nil || again.Start != d.Start || again.Key != d.Key || !bytes.Equal(out[again.Size:], b[d.Size:]) {
			t.Fatalf("%x becomes %x: %+v, %+v, %v", b, out, d, again, err)
		}
	})
}
