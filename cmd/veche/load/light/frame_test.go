package light

import (
	"bytes"
	"net"
	"testing"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/wire"
)

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	b, err := wire.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func anEntry(seq int64) wire.Entry {
	return wire.Entry{
		Seq: seq, Kind: wire.MessageEntry, Account: wire.NewAccountID(), Device: wire.NewDeviceID(), Client: wire.NewClientID(),
		Epoch: 3, Time: 1 << 40, Body: bytes.Repeat([]byte{7}, 1000),
	}
}

// What is picked out of a frame without decoding it is what is in it.
func TestAFrameInPlace(t *testing.T) {
	e, room := anEntry(70_000), wire.NewRoomID()
	f := encoded(t, wire.Frame{Method: wire.OnNudge.Name, Body: encoded(t, wire.Nudge{Room: room, Seq: e.Seq, Entry: &e})})
	h, err := parse(f)
	if err != nil || string(h.method) != wire.OnNudge.Name || h.id != 0 || h.err != nil {
		t.Fatalf("an event reads as %+v: %v", h, err)
	}
	n, err := parseNudge(h.body)
	if err != nil || n.room != room || n.seq != e.Seq || n.entry.seq != e.Seq || !bytes.Equal(n.entry.client, e.Client[:]) {
		t.Errorf("a nudge reads as %+v: %v", n, err)
	}

	refusal := wire.Refuse(wire.Busy, "later")
	h, err = parse(encoded(t, wire.Frame{ID: 300, Error: refusal}))
	var got wire.Error
	if err != nil || h.id != 300 || wire.Decode(h.err, &got) != nil || got.Code != wire.Busy {
		t.Errorf("a refusal reads as %+v: %v", h, err)
	}

	var seqs []int64
	page := encoded(t, wire.LogPage{Seq: 9, Entries: []wire.Entry{anEntry(8), anEntry(9)}})
	seq, err := parsePage(page, func(e entry) { seqs = append(seqs, e.seq) })
	if err != nil || seq != 9 || len(seqs) != 2 || seqs[0] != 8 || seqs[1] != 9 {
		t.Errorf("a page up to %d reads as %v: %v", seq, seqs, err)
	}
	if _, err := parsePage(page[:len(page)-1], func(entry) {}); err == nil {
		t.Error("half a page was read")
	}
}

// What is sent is a frame that a server takes: masked, in the shape of
// wire.Frame, with a message of the right group, epoch and client id.
func TestAMessageThatIsSent(t *testing.T) {
	room := Room{ID: wire.NewRoomID(), Epoch: 4}
	s, err := NewSite("127.0.0.1:1", nil, []Room{room})
	if err != nil {
		t.Fatal(err)
	}
	sink := new(sink)
	c := &Conn{site: s, net: sink, pending: map[uint64]pending{}}
	for n := uint64(1); n <= 30; n++ { // past where the request's number takes a byte more
		if err := c.Send(0, n); err != nil {
			t.Fatal(err)
		}
		b := sink.written
		size := int(b[2])<<8 | int(b[3])
		if b[0] != 0x82 || b[1] != 0x80|126 || len(b) != 8+size {
			t.Fatalf("a frame of %d bytes begins with % x", len(b), b[:4])
		}
		for i := range b[8:] {
			b[8+i] ^= b[4+i%4]
		}
		var f wire.Frame
		var p wire.SendMessage
		if err := wire.Decode(b[8:], &f); err != nil || f.ID != n || f.Method != wire.RoomSend.Name {
			t.Fatalf("request %d is %+v: %v", n, f, err)
		}
		if err := wire.Decode(f.Body, &p); err != nil || p.Room != room.ID || p.Epoch != room.Epoch || s.number(p.Client[:]) != n {
			t.Fatalf("message %d is %+v: %v", n, p, err)
		}
		m, err := mls.ParsePrivate(p.Body)
		if err != nil || m.Epoch != room.Epoch || !bytes.Contains(m.AuthenticatedData, p.Client[:]) {
			t.Fatalf("the sealed message %d is %+v: %v", n, m, err)
		}
	}
	if stranger := wire.NewClientID(); s.number(stranger[:]) != 0 {
		t.Error("a stranger's message was taken for one of ours")
	}
}

// sink keeps what was written last.
type sink struct {
	net.Conn
	written []byte
}

func (s *sink) Write(b []byte) (int, error) {
	s.written = bytes.Clone(b)
	return len(b), nil
}

// Whatever a server sends, reading it ends, within what was sent.
func FuzzParse(f *testing.F) {
	e := anEntry(5)
	f.Add(encoded(f, wire.Frame{Method: "nudge", Body: encoded(f, wire.Nudge{Seq: 5, Entry: &e})}))
	f.Add(encoded(f, wire.LogPage{Seq: 9, Entries: []wire.Entry{e}}))
	f.Add([]byte{0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if op, payload, size, need, err := nextFrame(b); err == nil && size > 0 {
			if size > len(b) || len(payload) > size || op > 15 || need != 0 {
				t.Fatalf("a frame of %d bytes out of %d", size, len(b))
			}
		}
		if h, err := parse(b); err == nil {
			parseNudge(h.body)
		}
		parseNudge(b)
		parsePage(b, func(entry) {})
	})
}
