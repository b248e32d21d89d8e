package wire

import (
	"bytes"
	"crypto/sha256"
	"math"
	"testing"
)

// What is written by hand is byte for byte what the library writes.
func FuzzAppend(f *testing.F) {
	f.Add(int64(1), uint64(1), []byte("sealed"), []byte("0123456789abcdef"), uint8(1), "nudge", true)
	f.Add(int64(0), uint64(0), []byte{}, []byte{}, uint8(0), "", false)
	for _, n := range []uint64{23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64, math.MaxUint64} {
		f.Add(int64(n), n, make([]byte, min(n, 70_000)), []byte("x"), uint8(n), string(make([]byte, min(n, 300))), n%2 == 0)
	}
	f.Fuzz(func(t *testing.T, n int64, u uint64, body, random []byte, kind uint8, name string, set bool) {
		h := sha256.Sum256(random)
		e := Entry{Seq: n, Kind: EntryKind(kind), Account: AccountID(h[:16]), Device: DeviceID(h[16:]), Client: ClientID(h[8:24]), Epoch: u, Time: Millis(n ^ 99), Body: body, Head: h}
		m := SendMessage{Room: RoomID(h[4:20]), Client: e.Client, Epoch: u, Body: body}
		cursors := []Cursor{{Account: e.Account, Delivered: n}, {Delivered: 5, Read: n ^ 7}, {}}[:len(name)%3+1]
		raw := []byte(nil)
		if set {
			erased := Hash(sha256.Sum256(h[:]))
			e.Erased = &erased
			m.Blobs = make([]BlobID, len(random)%40)
			raw, _ = encMode.Marshal(body)
		}
		if len(body) == 0 && set {
			m.Body, e.Body = nil, nil
		}
		for _, v := range []any{
			e, m,
			Nudge{Room: m.Room, Seq: n}, Nudge{Room: m.Room, Seq: n, Entry: &e},
			Nudge{Room: m.Room, Seq: n, Entry: &e, Cursors: cursors}, Nudge{Room: m.Room, Cursors: cursors},
			SetCursor{Room: m.Room, Delivered: n}, SetCursor{Room: m.Room, Read: n}, SetCursor{Room: m.Room, Read: n, Delivered: n ^ 1}, SetCursor{},
			Cursors{Room: m.Room, Cursors: cursors}, Cursors{}, Cursors{Cursors: []Cursor{}}, None{},
			Receipt{Seq: n, Time: e.Time, Head: h},
			LogPage{Seq: n}, LogPage{Seq: n, Entries: []Entry{}}, LogPage{Entries: []Entry{e, {}, e}},
			Frame{}, Frame{ID: u, Body: raw}, Frame{Method: name, Body: raw}, Frame{ID: u, Method: name},
		} {
			want, err := encMode.Marshal(v)
			if err != nil {
				continue // a name that is no UTF-8
			}
			got, ok := appendTo(nil, v)
			if !ok || !bytes.Equal(got, want) {
				t.Fatalf("%T: %x, not %x", v, got, want)
			}
			if behind, ok := appendTo([]byte("before"), v); !ok || !bytes.Equal(behind, append([]byte("before"), want...)) {
				t.Fatalf("%T after something else: %x", v, behind)
			}
			if cap(got) > len(got)+len(body)/4+1000 {
				t.Errorf("%T of %d bytes takes %d", v, len(got), cap(got))
			}
		}
		nudge := Nudge{Room: m.Room, Seq: n, Entry: &e}
		inner, err := encMode.Marshal(nudge)
		if err != nil {
			t.Fatal(err)
		}
		outer, err := encMode.Marshal(Frame{Method: OnNudge.Name, Body: inner})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := AppendEvent(nil, OnNudge, nudge); err != nil || !bytes.Equal(got, outer) {
			t.Fatalf("an event is %x, %v, not %x", got, err, outer)
		}
		prev := Hash(sha256.Sum256(body))
		want, err := encMode.Marshal([]any{headLabel, prev, m.Room, e.Seq, uint8(e.Kind), e.Account, e.Device, e.Client, e.Epoch, int64(e.Time), e.BodyHash()})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.appendNext(nil, prev, m.Room); !bytes.Equal(got, want) {
			t.Fatalf("the head is of %x, not %x", got, want)
		}
		if Next(prev, m.Room, &e) != sha256.Sum256(want) {
			t.Error("another head")
		}
	})
}

// Identifiers and hashes that are written at greater length than needed are
// understood all the same, and others not at all.
func TestIdentifiersInOtherWords(t *testing.T) {
	id, h := NewRoomID(), Hash(sha256.Sum256([]byte("x")))
	long := func(head []byte, b []byte) []byte { return append(head, b...) }
	var gotID RoomID
	var gotHash Hash
	if err := Decode(long([]byte{0x59, 0, 16}, id[:]), &gotID); err != nil || gotID != id {
		t.Errorf("%v is %v, %v", id, gotID, err)
	}
	if err := Decode(long([]byte{0x59, 0, 32}, h[:]), &gotHash); err != nil || gotHash != h {
		t.Errorf("%v is %v, %v", h, gotHash, err)
	}
	for _, bad := range [][]byte{long([]byte{0x70}, id[:]), long([]byte{0x50}, id[:15]), long([]byte{0x58, 32}, h[:])} {
		if err := Decode(bad, &gotID); err == nil {
			t.Errorf("%x is taken for an identifier", bad)
		}
	}
	for _, bad := range [][]byte{long([]byte{0x78, 32}, h[:]), long([]byte{0x58, 31}, h[:31]), long([]byte{0x50}, id[:])} {
		if err := Decode(bad, &gotHash); err == nil {
			t.Errorf("%x is taken for a hash", bad)
		}
	}
}
