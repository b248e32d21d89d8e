package wire

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
)

// What is read by hand is what the library reads, and nothing is taken that it
// refuses.
func FuzzRead(f *testing.F) {
	room, client := NewRoomID(), NewClientID()
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536, 70_000} {
		m := SendMessage{Room: room, Client: client, Epoch: uint64(n), Body: make([]byte, n)}
		if n%2 == 1 {
			m.Blobs = []BlobID{NewBlobID(), NewBlobID()}
		}
		b, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		frame, err := Encode(Frame{ID: uint64(n), Method: RoomSend.Name, Body: b})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
		f.Add(frame[:len(frame)-1])
		f.Add(append(frame, 0))
	}
	for _, v := range []any{
		SetCursor{Room: room, Delivered: 1 << 40, Read: 7}, SetCursor{Room: room, Delivered: 24}, SetCursor{Read: -1}, None{},
		Frame{Method: "nudge"}, Frame{ID: 1 << 40}, Frame{ID: 1, Error: Refuse(Stale, "x")}, SendMessage{},
	} {
		b, err := encMode.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{
		"\xa1ai\x18\x01", "\xa1ai\x19\x00\x20", "\xa1ai\x1a\x00\x00\xff\xff", "\xa1ai\x1b\x00\x00\x00\x00\xff\xff\xff\xff", // longer than needed
		"\xa2droomP0123456789abcdefidelivered\x1b\xff\xff\xff\xff\xff\xff\xff\xff", "\xa2droomP0123456789abcdefidelivered\x00",
		"\xa2am\x61xai\x01", "\xa2ai\x01ai\x01", "\xa1am\x62\xff\xff", "\xa1ab\xf6", "\xa1ab\xc1\x00", "\xa1ab\xf9\x00\x00", "\xa1ab\x61\xff",
	} {
		f.Add([]byte(s))
	}
	f.Add(append([]byte("\xa1ab"), append(bytes.Repeat([]byte{0x81}, maxNesting-1), 0)...))
	f.Add(append([]byte("\xa1ab"), append(bytes.Repeat([]byte{0x81}, maxNesting), 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		same[Frame](t, b)
		same[SendMessage](t, b)
		same[SetCursor](t, b)
		same[None](t, b)
	})
}

func same[T any](t *testing.T, b []byte) {
	var byHand, byLibrary T
	var shared T
	if decode(slices.Clone(b), &byHand, false) != decode(b, &shared, true) || !reflect.DeepEqual(byHand, shared) {
		t.Fatalf("%x is %+v, and %+v where it is shared", b, byHand, shared)
	}
	if byHand = *new(T); !decode(b, &byHand, false) {
		var zero T
		if !reflect.DeepEqual(byHand, zero) {
			t.Fatalf("%x is refused and left %+v", b, byHand)
		}
		return
	}
	if err := decMode.Unmarshal(b, &byLibrary); err != nil {
		t.Fatalf("%x is taken for %+v, and refused by the library: %v", b, byHand, err)
	}
	if !reflect.DeepEqual(byHand, byLibrary) {
		t.Fatalf("%x is %+v, by the library %+v", b, byHand, byLibrary)
	}
}

// What Encode writes is read by hand, else this would be of no use.
func TestWhatIsSentIsReadByHand(t *testing.T) {
	for n := range 300 {
		m := SendMessage{Room: NewRoomID(), Client: NewClientID(), Epoch: uint64(n) * 999, Body: make([]byte, n*n)}
		if n%3 == 0 {
			m.Blobs = make([]BlobID, n%20+1)
		}
		b, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		frame, err := Encode(Frame{ID: uint64(n * n), Method: RoomSend.Name, Body: b})
		if err != nil {
			t.Fatal(err)
		}
		var f Frame
		var got SendMessage
		if !decode(frame, &f, false) || !decode(f.Body, &got, false) || !reflect.DeepEqual(got, m) {
			t.Fatalf("%d: %x", n, frame)
		}
		clear(frame) // the reader's buffer, which is used again
		if !bytes.Equal(got.Body, m.Body) || f.Method != RoomSend.Name || !decode(f.Body, &got, false) {
			t.Fatal("it depends on the bytes that it was read from")
		}
	}
}

// What is read without copying is read all the same, and what its owner appends
// to it is not written into what comes behind.
func TestWhatIsSharedIsNotWrittenInto(t *testing.T) {
	m := SendMessage{Room: NewRoomID(), Client: NewClientID(), Epoch: 7, Body: Sealed("sealed")}
	b, err := Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := Encode(Frame{ID: 1, Method: RoomSend.Name, Body: b})
	if err != nil {
		t.Fatal(err)
	}
	was := slices.Clone(frame)
	var f Frame
	var got SendMessage
	if err := DecodeIn(frame, &f); err != nil {
		t.Fatal(err)
	}
	if err := DecodeIn(f.Body, &got); err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%+v, %v", got, err)
	}
	_, _ = append(f.Body, 1, 2, 3), append(got.Body, 1, 2, 3)
	if !bytes.Equal(frame, was) {
		t.Errorf("%x became %x", was, frame)
	}
}
