package wire

import "testing"

// BenchmarkMessage is what a message of 1 KB costs in this package on its way
// through a server: read as a frame and its parameters, numbered, answered, and
// told.
func BenchmarkMessage(b *testing.B) {
	m := SendMessage{Room: NewRoomID(), Client: NewClientID(), Epoch: 7, Body: make([]byte, 1000)}
	body, err := Encode(m)
	if err != nil {
		b.Fatal(err)
	}
	frame, err := Encode(Frame{ID: 9, Method: RoomSend.Name, Body: body})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var f Frame
			var p SendMessage
			if DecodeIn(frame, &f) != nil || DecodeIn(f.Body, &p) != nil {
				b.Fatal("not read")
			}
		}
	})
	e := Entry{Seq: 5, Kind: MessageEntry, Account: NewAccountID(), Device: NewDeviceID(), Client: m.Client, Epoch: 7, Body: m.Body}
	b.Run("number", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e.Head = Next(e.Head, m.Room, &e)
		}
	})
	b.Run("answer and tell", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r, _ := Encode(Receipt{Seq: e.Seq, Head: e.Head})
			f, _ := Encode(Frame{ID: 9, Body: r})
			g, _ := AppendEvent(nil, OnNudge, Nudge{Room: m.Room, Seq: e.Seq, Entry: &e})
			if len(f)+len(g) == 0 {
				b.Fatal("nothing")
			}
		}
	})
}
