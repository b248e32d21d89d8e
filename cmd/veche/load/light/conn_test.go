package light

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/wire"
)

// told is what a device heard.
type told struct {
	mu    sync.Mutex
	heard []uint64
	ended chan error
}

func (t *told) Delivered(_ int, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = append(t.heard, n)
}

func (t *told) list() []uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.heard)
}

func (*told) Acknowledged(uint64)                  {}
func (*told) Refused(uint64, time.Duration, error) {}
func (t *told) Ended(err error)                    { t.ended <- err }

// poor is a server with one room that leaves nudges out.
type poor struct {
	*testing.T
	site    *Site
	room    wire.RoomID
	mu      sync.Mutex
	entries []wire.Entry
	conn    *websocket.Conn
	busy    int // answers to room.log that say so before one that does not
	asked   int
	cursors []wire.SetCursor // that it was told
	from    wire.AccountID   // who says what is added, unless it is nobody
}

func (p *poor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}, InsecureSkipVerify: true})
	if err != nil {
		return
	}
	p.mu.Lock()
	p.conn = c
	p.mu.Unlock()
	p.tell(wire.OnHello.Name, wire.Hello{})
	for {
		_, b, err := c.Read(r.Context())
		if err != nil {
			return
		}
		var f wire.Frame
		if err := wire.Decode(b, &f); err != nil {
			p.Error(err)
			return
		}
		p.write(p.answer(f))
	}
}

func (p *poor) answer(f wire.Frame) wire.Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch f.Method {
	case wire.RoomList.Name:
		return wire.Frame{ID: f.ID, Body: encoded(p, wire.Rooms{Rooms: []wire.Room{{Room: p.room, Kind: wire.Group, Seq: int64(len(p.entries))}}})}
	case wire.RoomCursors.Name:
		var set wire.SetCursor
		if err := wire.Decode(f.Body, &set); err != nil {
			p.Error(err)
		}
		p.cursors = append(p.cursors, set)
	case wire.RoomLog.Name:
		p.asked++
		if p.busy > 0 {
			p.busy--
			return wire.Frame{ID: f.ID, Error: wire.Refuse(wire.Busy, "later")}
		}
		var q wire.ReadLog
		if err := wire.Decode(f.Body, &q); err != nil {
			p.Error(err)
		}
		some := p.entries[q.After:]
		return wire.Frame{ID: f.ID, Body: encoded(p, wire.LogPage{Seq: int64(len(p.entries)), Entries: some[:min(2, len(some))]})}
	}
	return wire.Frame{ID: f.ID, Body: encoded(p, wire.None{})}
}

func (p *poor) write(f wire.Frame) {
	_ = p.conn.Write(context.Background(), websocket.MessageBinary, encoded(p, f)) // the test sees what did not come
}

func (p *poor) tell(method string, v any) { p.write(wire.Frame{Method: method, Body: encoded(p, v)}) }

// add appends message n, and tells of it if loud.
func (p *poor) add(n uint64, loud bool) {
	p.mu.Lock()
	e := anEntry(int64(len(p.entries) + 1))
	e.Client = p.site.client(n)
	if !p.from.IsZero() {
		e.Account = p.from
	}
	p.entries = append(p.entries, e)
	p.mu.Unlock()
	if loud {
		p.tell(wire.OnNudge.Name, wire.Nudge{Room: p.room, Seq: e.Seq, Entry: &e})
	}
}

// A device that hears a gap reads the log, twice if it must, and a busy server
// later; one that comes back reads what it missed. It delivers everything once
// and in order.
func TestGaps(t *testing.T) {
	p := &poor{T: t, room: wire.NewRoomID(), busy: 1}
	web := httptest.NewServer(p)
	defer web.Close()
	site, err := NewSite(web.Listener.Addr().String(), nil, []Room{{ID: p.room, Epoch: 1}})
	if err != nil {
		t.Fatal(err)
	}
	p.site = site
	p.add(99, false) // was there before: not for us
	st, e := NewStanding([]int{0}), &told{ended: make(chan error, 2)}
	until := func(want ...uint64) {
		t.Helper()
		for range 500 {
			if slices.Equal(e.list(), want) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("heard %v, want %v", e.list(), want)
	}
	c, err := site.Connect(t.Context(), Device{}, st, e)
	if err != nil {
		t.Fatal(err)
	}
	p.add(1, true)
	until(1)
	if p.asked != 0 {
		t.Error("the log was read although nothing was missing")
	}
	p.add(2, false)
	p.add(3, false)
	p.add(4, false)
	p.add(5, true)
	until(1, 2, 3, 4, 5)
	p.add(6, false)
	p.tell(wire.OnCatchUp.Name, wire.CatchUp{})
	until(1, 2, 3, 4, 5, 6)
	c.Close()
	if err := <-e.ended; err == nil {
		t.Error("the connection ended without a reason")
	}
	p.add(7, false)
	c, err = site.Connect(t.Context(), Device{}, st, e)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.list(), []uint64{1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("back, and heard %v", e.list())
	}
	c.Close()
	<-e.ended
}

// A device tells that what others said came, and of its own nothing; nothing at
// all if it is not to.
func TestCursors(t *testing.T) {
	p := &poor{T: t, room: wire.NewRoomID()}
	web := httptest.NewServer(p)
	defer web.Close()
	site, err := NewSite(web.Listener.Addr().String(), nil, []Room{{ID: p.room, Epoch: 1}})
	if err != nil {
		t.Fatal(err)
	}
	p.site = site
	e, own := &told{ended: make(chan error, 1)}, wire.NewAccountID()
	c, err := site.Connect(t.Context(), Device{Account: own}, NewStanding([]int{0}), e)
	if err != nil {
		t.Fatal(err)
	}
	p.add(1, true)
	for len(e.list()) < 1 {
		time.Sleep(time.Millisecond)
	}
	site.Cursors.Store(true)
	p.from = own
	p.add(2, true)
	p.from = wire.NewAccountID()
	p.add(3, true)
	heard := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.cursors)
	}
	for heard() < 1 {
		time.Sleep(time.Millisecond)
	}
	p.from = own
	p.add(4, true)
	for len(e.list()) < 4 {
		time.Sleep(time.Millisecond)
	}
	c.Close()
	<-e.ended
	if len(p.cursors) != 1 || p.cursors[0] != (wire.SetCursor{Room: p.room, Delivered: 3}) {
		t.Errorf("the server heard %+v", p.cursors)
	}
}

// A server that has no room for a connection is obeyed.
func TestComingLater(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "{}")
	}))
	defer web.Close()
	site, err := NewSite(web.Listener.Addr().String(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = site.Connect(t.Context(), Device{}, NewStanding(nil), &told{})
	if later, ok := err.(*load.Later); !ok || later.Wait != 3*time.Second {
		t.Errorf("got %v", err)
	}
}
