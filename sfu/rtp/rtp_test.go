package rtp

import (
	"bytes"
	"testing"

	pion "github.com/pion/rtp"
)

func TestHeadersReadAsAnotherImplementationWritesThem(t *testing.T) {
	for _, tt := range []struct {
		name    string
		profile uint16
		ids     []uint8
	}{
		{"no extension", 0, nil},
		{"one-byte", 0xbede, []uint8{1, 5, 14}},
		{"two-byte", 0x1000, []uint8{1, 5, 200}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := pion.Packet{
				Header:  pion.Header{Version: 2, Marker: true, PayloadType: 111, SequenceNumber: 65000, Timestamp: 0xfffffff0, SSRC: 0xdeadbeef, CSRC: []uint32{7, 8}},
				Payload: []byte("payload"),
			}
			if tt.profile != 0 {
				in.Extension, in.ExtensionProfile = true, tt.profile
			}
			for _, id := range tt.ids {
				if err := in.SetExtension(id, []byte{id, 0x80 | 42}); err != nil {
					t.Fatal(err)
				}
			}
			b, err := in.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			h, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if !h.Marker || h.Type != 111 || h.Seq != 65000 || h.Time != 0xfffffff0 || h.SSRC != 0xdeadbeef || string(b[h.Size:]) != "payload" {
				t.Errorf("%+v", h)
			}
			for _, id := range tt.ids {
				if e := h.Extension(id); !bytes.Equal(e, []byte{id, 0x80 | 42}) {
					t.Errorf("extension %d is %x", id, e)
				}
			}
			if e := h.Extension(2); e != nil {
				t.Errorf("an extension that is not there: %x", e)
			}
			if e := h.Extension(0); e != nil {
				t.Errorf("extension 0: %x", e)
			}
		})
	}
}

func TestLevel(t *testing.T) {
	p := []byte{0x90, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 0x10, 0x80 | 33, 0, 0}
	h, err := Parse(p)
	if err != nil {
		t.Fatal(err)
	}
	if l, ok := h.Level(1); !ok || l != 33 {
		t.Errorf("level %d, %v: the voice bit is not part of it", l, ok)
	}
	if _, ok := h.Level(2); ok {
		t.Error("a level from an extension that is not there")
	}
}

func TestMalformedHeadersAreRefused(t *testing.T) {
	good := []byte{0x90, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 0x10, 33, 0, 0}
	for n := range good {
		if _, err := Parse(good[:n]); err == nil {
			t.Errorf("%d bytes of %d were taken", n, len(good))
		}
	}
	for name, p := range map[string][]byte{
		"version 1":               append([]byte{0x40}, good[1:]...),
		"more CSRCs than bytes":   append([]byte{0x8f}, good[1:]...),
		"an endless extension":    append(append([]byte{}, good[:14]...), 0xff, 0xff, 0, 0),
		"an extension of 260 B":   append(append(append([]byte{}, good[:14]...), 0, 65), make([]byte, 300)...),
		"nothing":                 nil,
		"an extension, cut short": good[:18],
	} {
		if _, err := Parse(p); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestPadding(t *testing.T) {
	h := Header{Padding: true}
	if p, err := h.Unpad([]byte{1, 2, 3, 0, 2}); err != nil || !bytes.Equal(p, []byte{1, 2, 3}) {
		t.Errorf("%v, %v", p, err)
	}
	for _, p := range [][]byte{{}, {0}, {1, 2, 4}} {
		if _, err := h.Unpad(p); err == nil {
			t.Errorf("padding of %v was taken", p)
		}
	}
}

func TestPutReadsBack(t *testing.T) {
	b := make([]byte, HeaderSize)
	Put(b, true, 63, 65535, 5, 77)
	h, err := Parse(b)
	if err != nil || !h.Marker || h.Type != 63 || h.Seq != 65535 || h.Time != 5 || h.SSRC != 77 || h.Size != HeaderSize {
		t.Errorf("%+v, %v", h, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{0x90, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 0x10, 33, 0, 0}, uint8(1))
	f.Add([]byte{0xb2, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0x10, 0, 0, 1, 1, 1, 33, 0, 3}, uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, id uint8) {
		h, err := Parse(b)
		if err != nil {
			return
		}
		if h.Size < HeaderSize || h.Size > len(b) {
			t.Fatalf("a header of %d in %d bytes", h.Size, len(b))
		}
		h.Level(id)
		if p, err := h.Unpad(b[h.Size:]); err == nil && len(p) > len(b)-h.Size {
			t.Fatal("padding made the payload longer")
		}
		var other pion.Header
		if n, err := other.Unmarshal(b); err == nil && (n != h.Size || other.SSRC != h.SSRC || other.SequenceNumber != h.Seq) {
			t.Fatalf("another implementation reads %+v, we %+v", other, h)
		}
	})
}

func TestPutSequenceAndPadding(t *testing.T) {
	b := make([]byte, HeaderSize+SequenceSize+10)
	for i := range b {
		b[i] = 0xff
	}
	Put(b, true, 96, 7, 8, 9)
	PutSequence(b, 5, 0x1234)
	PutPadding(b, 4)
	h, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if e := h.Extension(5); len(e) != 2 || e[0] != 0x12 || e[1] != 0x34 || h.Size != HeaderSize+SequenceSize || !h.Marker || h.Type != 96 || h.Seq != 7 || h.SSRC != 9 {
		t.Errorf("%+v, extension %x", h, e)
	}
	if payload, err := h.Unpad(b[h.Size:]); err != nil || len(payload) != 6 {
		t.Errorf("%d bytes of payload, %v", len(payload), err)
	}
}
