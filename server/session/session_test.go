package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// pipe is a connection in memory: the test is the device.
type pipe struct {
	in     chan []byte
	out    chan []byte // unbuffered: the device takes what it wants
	pings  chan time.Time
	mu     sync.Mutex // guards what follows
	heard  time.Time
	closed chan struct{}
	why    Reason
	writes int
}

func newPipe() *pipe {
	return &pipe{in: make(chan []byte), out: make(chan []byte), pings: make(chan time.Time, 100), heard: time.Now(), closed: make(chan struct{})}
}

func (p *pipe) Read() ([]byte, error) {
	select {
	case b := <-p.in:
		p.hear()
		if b == nil {
			return nil, socket.ErrText
		}
		return b, nil
	case <-p.closed:
		return nil, socket.ErrClosed
	}
}

func (p *pipe) Write(frames [][]byte) error {
	p.mu.Lock()
	p.writes++
	p.mu.Unlock()
	for _, f := range frames {
		select {
		case p.out <- f:
		case <-p.closed:
			return socket.ErrClosed
		}
	}
	return nil
}

func (p *pipe) Try([][]byte) (int, bool, error) { return 0, false, nil } // it cannot be known

func (p *pipe) Ping() error {
	select {
	case p.pings <- time.Now():
		return nil
	case <-p.closed:
		return socket.ErrClosed
	}
}

// hear notes that the device has said something.
func (p *pipe) hear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = time.Now()
}

func (p *pipe) Heard() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard
}

func (p *pipe) Close(why socket.Status, _ string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
	default:
		p.why = Reason(why)
		close(p.closed)
	}
}

func (p *pipe) Release() { p.Close(0, "") }

// reason returns why the server closed, 0 if it has not.
func (p *pipe) reason() Reason {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

func (p *pipe) ask(t *testing.T, id uint64, method string, params any) {
	t.Helper()
	body, err := wire.Encode(params)
	if err != nil {
		t.Fatal(err)
	}
	b, err := wire.Encode(wire.Frame{ID: id, Method: method, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case p.in <- b:
	case <-p.closed:
		t.Fatal("closed")
	}
}

func (p *pipe) take(t *testing.T) (f wire.Frame) {
	t.Helper()
	if err := wire.Decode(socket.Payload(<-p.out), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

type number struct {
	N int `cbor:"n"`
}

var (
	slow  = wire.Method[number, number]{Name: "test.slow", Max: 100}
	read  = wire.Method[number, number]{Name: "test.read", Max: 100}
	large = wire.Method[[]byte, wire.None]{Name: "test.large", Max: wire.MaxRequest}
	broke = wire.Method[wire.None, wire.None]{Name: "test.broke", Max: 100}
)

// desk is sessions with methods that the test steers.
type desk struct {
	*Sessions
	hub     *hub.Hub
	gate    chan struct{} // each write takes one
	readers chan struct{} // each read takes one
	mu      sync.Mutex    // guards what follows
	order   []int
	reading int
	most    int
	failure error
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{hub: hub.New(), gate: make(chan struct{}, 1000), readers: make(chan struct{}, 1000)}
	table := NewTable()
	Writes(table, slow, authz.RoomList, limit.Ask, func(ctx context.Context, _ *Actor, p number) (number, error) {
		<-d.gate
		d.mu.Lock()
		defer d.mu.Unlock()
		d.order = append(d.order, p.N)
		return p, d.failure
	})
	Reads(table, read, authz.RoomList, limit.Ask, func(ctx context.Context, _ *Actor, p number) (number, error) {
		d.mu.Lock()
		d.reading++
		d.most = max(d.most, d.reading)
		d.mu.Unlock()
		<-d.readers
		d.mu.Lock()
		d.reading--
		d.mu.Unlock()
		return p, nil
	})
	Writes(table, large, authz.RoomList, limit.Ask, func(context.Context, *Actor, []byte) (none wire.None, err error) {
		<-d.gate
		return none, nil
	})
	Reads(table, broke, authz.RoomList, limit.Ask, func(context.Context, *Actor, wire.None) (wire.None, error) { panic("ouch") })
	s, err := New(Config{
		Table: table, Hub: d.hub, Limit: limit.New(time.Now), Log: slog.New(slog.DiscardHandler), Now: time.Now,
		RoomsOf: func(context.Context, wire.AccountID) ([]wire.RoomID, error) { return nil, nil },
		Hello: func(_ context.Context, a *Actor) (wire.Hello, error) {
			return wire.Hello{Account: a.Account, Device: a.Device, State: a.State}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Sessions = s
	return d
}

var ann = Actor{Actor: authz.Actor{Account: wire.NewAccountID(), Device: wire.NewDeviceID(), State: wire.DeviceActive}}

// connect serves a pipe and takes the hello.
func (d *desk) connect(t *testing.T) *pipe {
	t.Helper()
	p := newPipe()
	go d.Serve(context.Background(), p, ann)
	if f := p.take(t); f.Method != wire.OnHello.Name {
		t.Fatalf("the first frame is %q", f.Method)
	}
	return p
}

func TestWritesAreCarriedOutInOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		for i := range 20 {
			p.ask(t, uint64(i+1), slow.Name, number{i})
		}
		for range 20 {
			d.gate <- struct{}{}
		}
		for i := range 20 {
			if f := p.take(t); f.ID != uint64(i+1) || f.Error != nil {
				t.Fatalf("answer %d is to %d: %v", i, f.ID, f.Error)
			}
		}
		for i, n := range d.order {
			if n != i {
				t.Fatalf("carried out in the order %v", d.order)
			}
		}
		p.Close(0, "")
	})
}

func TestReadsOvertakeWritesButOnlyAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		p.ask(t, 1, slow.Name, number{1})
		for i := range 10 {
			p.ask(t, uint64(i+2), read.Name, number{i})
		}
		synctest.Wait()
		if d.most != maxReads {
			t.Errorf("%d reads at a time, want %d", d.most, maxReads)
		}
		for range 10 {
			d.readers <- struct{}{}
		}
		for range 10 {
			if f := p.take(t); f.ID == 1 {
				t.Error("the write was answered before it ran")
			}
		}
		d.gate <- struct{}{}
		if f := p.take(t); f.ID != 1 {
			t.Errorf("answer to %d", f.ID)
		}
		p.Close(0, "")
	})
}

func TestServerStopsReadingWhenTooManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		for i := range wire.MaxOutstanding {
			p.ask(t, uint64(i+1), slow.Name, number{i})
		}
		// One more is read and waits for a slot; the one after it is not read.
		p.ask(t, wire.MaxOutstanding+1, slow.Name, number{})
		body, _ := wire.Encode(wire.Frame{ID: wire.MaxOutstanding + 2, Method: slow.Name, Body: []byte{0xa1, 0x61, 'n', 0}})
		took := make(chan struct{})
		go func() { p.in <- body; close(took) }()
		synctest.Wait()
		select {
		case <-took:
			t.Fatal("a frame beyond the bound was read")
		default:
		}
		d.gate <- struct{}{}
		p.take(t)
		<-took
		// The server reads nothing, so it cannot hear an answer to a ping: it
		// must not take the peer for dead meanwhile.
		time.Sleep(4 * wire.Heartbeat)
		if p.reason() != 0 {
			t.Errorf("closed with %d while it was not reading", p.reason())
		}
		p.Close(0, "")
		close(d.gate)
	})
}

// A device that sends large requests faster than they are carried out must not
// fill the memory with them.
func TestServerStopsReadingWhenTooMuchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		const most = maxBulk/(wire.MaxRequest/2) + 1 // the last of them is read and waits
		sent := make(chan int, 100)
		go func() {
			for i := range most + 1 {
				p.ask(t, uint64(i+1), large.Name, make([]byte, wire.MaxRequest/2))
				sent <- i
			}
		}()
		synctest.Wait()
		if len(sent) != most {
			t.Fatalf("%d requests of %d bytes were read", len(sent), wire.MaxRequest/2)
		}
		for range most + 1 {
			d.gate <- struct{}{}
			if f := p.take(t); f.Error != nil {
				t.Fatal(f.Error)
			}
		}
		p.Close(0, "")
	})
}

func TestOverflowingEventsBecomeOneCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		tell := func(n int) {
			hub.Tell(d.hub, hub.Account(ann.Account), wire.OnNudge, wire.Nudge{Room: wire.NewRoomID(), Seq: int64(n)})
		}
		tell(0) // is being written, and stays there: nobody takes it
		synctest.Wait()
		for i := range wire.MaxQueue + 1 {
			tell(i + 1)
		}
		tell(1000)
		p.take(t)
		if f := p.take(t); f.Method != wire.OnCatchUp.Name {
			t.Errorf("after the overflow came %s", f.Method)
		}
		f := p.take(t)
		var n wire.Nudge
		if err := wire.Decode(f.Body, &n); err != nil || n.Seq != 1000 {
			t.Errorf("then came %s %v", f.Method, n)
		}
		p.Close(0, "")
	})
}

// Large events are bounded by their bytes.
func TestLargeEventsOverflowEarlier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		body := make([]byte, maxQueued/10)
		tell := func(n int) {
			hub.Tell(d.hub, hub.Account(ann.Account), wire.OnNudge, wire.Nudge{Room: wire.NewRoomID(), Seq: int64(n), Entry: &wire.Entry{Body: body}})
		}
		tell(0)
		synctest.Wait()
		for i := range 10 {
			tell(i + 1)
		}
		p.take(t)
		if f := p.take(t); f.Method != wire.OnCatchUp.Name || d.CatchUps() != 1 {
			t.Errorf("after the overflow came %s", f.Method)
		}
		p.Close(0, "")
	})
}

func TestAnswersAreNotDroppedByEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		hub.Tell(d.hub, hub.Account(ann.Account), wire.OnCatchUp, wire.CatchUp{})
		synctest.Wait() // it is being written
		d.gate <- struct{}{}
		p.ask(t, 1, slow.Name, number{})
		synctest.Wait()
		for range 3 * wire.MaxQueue {
			hub.Tell(d.hub, hub.Account(ann.Account), wire.OnCatchUp, wire.CatchUp{})
		}
		p.take(t)
		if f := p.take(t); f.ID != 1 {
			t.Errorf("the answer was overtaken by %s", f.Method)
		}
		p.Close(0, "")
	})
}

func TestPeerThatTakesNothingIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		c, device := net.Pipe()
		go d.Serve(context.Background(), socket.Over(c, wire.MaxRequest), ann)
		b := make([]byte, 1000)
		if _, err := device.Read(b); err != nil { // the hello
			t.Fatal(err)
		}
		began := time.Now()
		hub.Tell(d.hub, hub.Account(ann.Account), wire.OnCatchUp, wire.CatchUp{}) // is never taken
		synctest.Wait()
		for d.hub.Len() > 0 && time.Since(began) < time.Hour {
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took > 30*time.Second || took < 15*time.Second {
			t.Errorf("closed after %v", took)
		}
		device.Close()
	})
}

func TestQuietPeerIsAskedAndKeptWhileItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		began := time.Now()
		for i := range 3 {
			<-p.pings
			if at := time.Since(began); at != time.Duration(i+1)*wire.Heartbeat {
				t.Errorf("ping %d after %v", i, at)
			}
			p.hear()
		}
		// Then it falls silent.
		<-p.closed
		if at := time.Since(began); at != 5*wire.Heartbeat || p.reason() != Silent {
			t.Errorf("closed after %v with %d", at, p.reason())
		}
	})
}

// A request of four megabytes takes minutes on a slow line, and holds up the
// answers to pings: whoever is sending is there.
func TestPeerThatTakesLongToSendOneFrameIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		for range 20 {
			time.Sleep(wire.Heartbeat / 2)
			p.hear() // some bytes of the frame
		}
		if p.reason() != 0 {
			t.Errorf("closed with %d in the middle of its frame", p.reason())
		}
		p.Close(0, "")
	})
}

func TestRulesOfFraming(t *testing.T) {
	frame := func(f any) []byte {
		b, err := wire.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tt := range []struct {
		name  string
		bytes []byte // nil is a text message
	}{
		{"a text message", nil},
		{"no CBOR", []byte{0xff, 0x00}},
		{"nothing", []byte{}},
		{"an unknown field", frame(map[string]any{"i": 1, "m": "test.read", "x": 1})},
		{"no number", frame(wire.Frame{Method: "test.read"})},
		{"no method", frame(wire.Frame{ID: 1})},
		{"an answer", frame(wire.Frame{ID: 1, Method: "test.read", Error: &wire.Error{Code: wire.Busy}})},
		{"two values", append(frame(wire.Frame{ID: 1, Method: "test.read"}), 0)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newDesk(t).connect(t)
				p.in <- tt.bytes
				<-p.closed
				if p.reason() != Violation {
					t.Errorf("closed with %d", p.reason())
				}
			})
		})
	}
	t.Run("a number used again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			p := d.connect(t)
			d.readers <- struct{}{}
			p.ask(t, 5, read.Name, number{})
			p.take(t)
			p.ask(t, 5, read.Name, number{})
			<-p.closed
			if p.reason() != Violation {
				t.Errorf("closed with %d", p.reason())
			}
		})
	})
}

func TestWrongRequestsAreRefusedAndTheConnectionGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		for i, tt := range []struct {
			method string
			params any
			want   wire.Code
		}{
			{"test.none", number{}, wire.BadRequest},
			{read.Name, "text", wire.BadRequest},
			{read.Name, map[string]int{"n": 1, "more": 2}, wire.BadRequest},
			{read.Name, map[string]string{"n": string(make([]byte, 200))}, wire.TooLarge},
			{broke.Name, wire.None{}, wire.Internal},
		} {
			p.ask(t, uint64(i+1), tt.method, tt.params)
			if f := p.take(t); f.Error == nil || f.Error.Code != tt.want || f.ID != uint64(i+1) {
				t.Errorf("%s %v: %+v", tt.method, tt.params, f)
			}
		}
		d.readers <- struct{}{}
		p.ask(t, 100, read.Name, number{7})
		if f := p.take(t); f.Error != nil {
			t.Error(f.Error)
		}
		p.Close(0, "")
	})
}

func TestErrorsTellThePeerNoMoreThanTheirCode(t *testing.T) {
	secret := errors.New("open /var/secret: no")
	for _, tt := range []struct {
		err  error
		want wire.Code
	}{
		{wire.Refuse(wire.Stale, "old"), wire.Stale},
		{fmt.Errorf("send: %w", wire.Refuse(wire.NotFound, "no such thing")), wire.NotFound},
		{db.ErrBusy, wire.Busy},
		{fmt.Errorf("x: %w", db.ErrNoSpace), wire.NoSpace},
		{db.ErrClosed, wire.Cancelled},
		{context.Canceled, wire.Cancelled},
		{context.DeadlineExceeded, wire.Busy},
		{secret, wire.Internal},
	} {
		e := ErrorOf(tt.err)
		if e.Code != tt.want {
			t.Errorf("%v became %v", tt.err, e)
		}
		if tt.want == wire.Internal && e.Text != "" {
			t.Errorf("told: %s", e.Text)
		}
		if tt.want == wire.Busy && e.RetryAfter <= 0 {
			t.Errorf("%v says no time to wait", tt.err)
		}
	}
}

func TestEndedSessionAnswersWhatHasBegunAndHearsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		p.ask(t, 1, slow.Name, number{1})
		p.ask(t, 2, slow.Name, number{2}) // waits behind it
		synctest.Wait()
		d.hub.Become(ann.Account, ann.Device, wire.DeviceRevoked)
		if n := hub.Tell(d.hub, hub.Account(ann.Account), wire.OnCatchUp, wire.CatchUp{}); n != 0 {
			t.Errorf("%d heard an event after the end", n)
		}
		d.gate <- struct{}{}
		d.gate <- struct{}{}
		if f := p.take(t); f.ID != 1 || f.Error != nil {
			t.Errorf("what had begun got %+v", f)
		}
		if f := p.take(t); f.ID != 2 || f.Error == nil || f.Error.Code != wire.NotFound {
			t.Errorf("what waited got %+v", f)
		}
		<-p.closed
		if p.reason() != Ended || len(d.order) != 1 {
			t.Errorf("closed with %d, carried out %v", p.reason(), d.order)
		}
	})
}

func TestEndedSessionDoesNotWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		p.ask(t, 1, slow.Name, number{1}) // never finishes before the end
		synctest.Wait()
		began := time.Now()
		d.hub.Become(ann.Account, ann.Device, wire.DeviceRevoked)
		<-p.closed
		if took := time.Since(began); took > time.Second {
			t.Errorf("the socket stayed for %v", took)
		}
		d.gate <- struct{}{}
	})
}

func TestEndOfTheServerLetsRequestsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		p.ask(t, 1, slow.Name, number{1})
		synctest.Wait()
		ended := make(chan struct{})
		go func() { d.End(); close(ended) }()
		synctest.Wait()
		d.gate <- struct{}{}
		if f := p.take(t); f.ID != 1 || f.Error != nil {
			t.Errorf("got %+v", f)
		}
		<-ended
		if p.reason() != GoingAway {
			t.Errorf("closed with %d", p.reason())
		}
		late := newPipe()
		d.Serve(context.Background(), late, ann)
		if late.reason() != GoingAway {
			t.Error("a connection was served after the end")
		}
	})
}

// A device that was revoked after it was let in, and before the hub knew of its
// connection, must not stay.
// asked is a context that runs a function when somebody first asks whether it
// is done: a session does so before the hub knows of it.
type asked struct {
	context.Context
	once *sync.Once
	f    func()
}

func (a asked) Done() <-chan struct{} {
	a.once.Do(a.f)
	return a.Context.Done()
}

func TestConnectionThatComesWhileTheServerEndsIsEndedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := newPipe()
		ended := make(chan struct{})
		go d.Serve(asked{context.Background(), new(sync.Once), func() {
			go func() { d.End(); close(ended) }()
			synctest.Wait()
		}}, p, ann)
		select {
		case <-p.out: // a hello, perhaps
			<-ended
		case <-ended:
		}
		if p.reason() != GoingAway {
			t.Errorf("closed with %d", p.reason())
		}
	})
}

func TestRevocationBetweenSignInAndHelloIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.cfg.Hello = func(context.Context, *Actor) (wire.Hello, error) {
			return wire.Hello{}, wire.Refuse(wire.Unauthenticated, "the session is over")
		}
		p := newPipe()
		d.Serve(context.Background(), p, ann)
		if p.reason() != Ended {
			t.Errorf("closed with %d", p.reason())
		}
		if d.hub.Len() != 0 {
			t.Error("the hub keeps it")
		}
	})
}

func TestEventsWaitForTheHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		hello := d.cfg.Hello
		d.cfg.Hello = func(ctx context.Context, a *Actor) (wire.Hello, error) {
			hub.Tell(d.hub, hub.Account(a.Account), wire.OnCatchUp, wire.CatchUp{})
			synctest.Wait()
			return hello(ctx, a)
		}
		p := d.connect(t)
		if f := p.take(t); f.Method != wire.OnCatchUp.Name {
			t.Errorf("then came %s", f.Method)
		}
		p.Close(0, "")
	})
}

func TestRegistrationRefusesWhatDeclaresNothing(t *testing.T) {
	ok := func(context.Context, *Actor, wire.None) (wire.None, error) { return wire.None{}, nil }
	for name, register := range map[string]func(*Table){
		"no cap": func(t *Table) {
			Reads(t, wire.Method[wire.None, wire.None]{Name: "a.b"}, authz.RoomList, limit.Ask, ok)
		},
		"no name":               func(t *Table) { Reads(t, wire.Method[wire.None, wire.None]{Max: 1}, authz.RoomList, limit.Ask, ok) },
		"no action":             func(t *Table) { Reads(t, broke, "", limit.Ask, ok) },
		"an unknown action":     func(t *Table) { Reads(t, broke, "room.burn", limit.Ask, ok) },
		"no limit":              func(t *Table) { Reads(t, broke, authz.RoomList, nil, ok) },
		"no limit for who asks": func(t *Table) { Reads(t, broke, authz.RoomList, limit.Page, ok) },
		"an anonymous one":      func(t *Table) { Reads(t, broke, authz.SessionOpen, limit.Ask, ok) },
		"twice": func(t *Table) {
			Reads(t, broke, authz.RoomList, limit.Ask, ok)
			Reads(t, broke, authz.RoomList, limit.Ask, ok)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was registered")
				}
			}()
			register(NewTable())
		})
	}
}

func TestWhoAsksTooOftenIsToldToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		close(d.readers)
		refused := 0
		var wait int64
		for i := range 2 * limit.Ask.Account.Burst {
			p.ask(t, uint64(i+1), read.Name, number{i})
			if f := p.take(t); f.Error != nil {
				if f.Error.Code != wire.Busy || f.Error.RetryAfter <= 0 {
					t.Fatalf("refused with %v", f.Error)
				}
				refused++
				wait = f.Error.RetryAfter
			}
		}
		if refused != limit.Ask.Account.Burst {
			t.Errorf("%d of %d were refused", refused, 2*limit.Ask.Account.Burst)
		}
		time.Sleep(time.Duration(wait) * time.Millisecond)
		p.ask(t, 1_000_000, read.Name, number{})
		if f := p.take(t); f.Error != nil {
			t.Errorf("after the wait: %v", f.Error)
		}
		p.Close(0, "")
	})
}

// What waited long is refused unrun: who asked has better things to do, and what
// is late costs as much as what is in time.
func TestWriteThatWaitedTooLongIsNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		for i := range 3 {
			p.ask(t, uint64(i+1), slow.Name, number{i})
		}
		time.Sleep(maxWait + time.Second)
		d.gate <- struct{}{} // the first
		if f := p.take(t); f.ID != 1 || f.Error != nil {
			t.Errorf("the first: %+v", f)
		}
		for range 2 {
			if f := p.take(t); f.Error == nil || f.Error.Code != wire.Busy || f.Error.RetryAfter <= 0 {
				t.Errorf("late: %+v", f)
			}
		}
		if len(d.order) != 1 {
			t.Errorf("carried out %v", d.order)
		}
		d.gate <- struct{}{}
		p.ask(t, 4, slow.Name, number{4})
		if f := p.take(t); f.ID != 4 || f.Error != nil {
			t.Errorf("afterwards: %+v", f)
		}
		p.Close(0, "")
	})
}

// One account must not take the writer's whole queue.
func TestAccountHasOnlyItsShareOfTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		pipes := make([]*pipe, maxWrites+1)
		for i := range pipes {
			pipes[i] = d.connect(t)
			pipes[i].ask(t, 1, slow.Name, number{i})
			synctest.Wait()
		}
		if d.Writing() != maxWrites {
			t.Errorf("%d are with the writer, want %d", d.Writing(), maxWrites)
		}
		if f := pipes[maxWrites].take(t); f.Error == nil || f.Error.Code != wire.Busy || f.Error.RetryAfter <= 0 {
			t.Errorf("one too many: %+v", f)
		}
		bob := newPipe()
		go d.Serve(context.Background(), bob, Actor{Actor: authz.Actor{Account: wire.NewAccountID(), Device: wire.NewDeviceID(), State: wire.DeviceActive}})
		bob.take(t)
		bob.ask(t, 1, slow.Name, number{})
		synctest.Wait()
		if d.Writing() != maxWrites+1 {
			t.Error("another account found no place")
		}
		for range maxWrites + 1 {
			d.gate <- struct{}{}
		}
		synctest.Wait()
		for _, p := range append(pipes[:maxWrites:maxWrites], bob) {
			p.take(t)
		}
		synctest.Wait()
		if d.Writing() != 0 {
			t.Errorf("%d are still counted", d.Writing())
		}
		for _, p := range append(pipes, bob) {
			p.Close(0, "")
		}
	})
}

// What waits for a device leaves in one write.
func TestBurstLeavesInOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		for range 100 {
			hub.Tell(d.hub, hub.Account(ann.Account), wire.OnCatchUp, wire.CatchUp{})
		}
		for range 100 {
			p.take(t)
		}
		synctest.Wait()
		p.mu.Lock()
		writes := p.writes
		p.mu.Unlock()
		if writes > 3 { // the hello, what came first, and the rest
			t.Errorf("%d writes for a hundred events", writes)
		}
		p.Close(0, "")
	})
}

// What a device is told may leave with an answer that is about to come. It does not
// wait for one that is not.
func TestEventDoesNotWaitForAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		p.ask(t, 1, slow.Name, number{1})
		synctest.Wait() // it is being carried out, and waits at the gate
		hub.Tell(d.hub, hub.Account(ann.Account), wire.OnCatchUp, wire.CatchUp{})
		if f := p.take(t); f.Method != wire.OnCatchUp.Name {
			t.Errorf("heard %+v", f)
		}
		d.gate <- struct{}{}
		if f := p.take(t); f.ID != 1 {
			t.Errorf("heard %+v", f)
		}
		p.Close(0, "")
	})
}

// An event that goes to many is one slice of bytes, and takes no memory for each.
func TestHearingAllocatesLittle(t *testing.T) {
	s := &session{sending: true} // somebody is writing: what is heard waits
	frame := hub.Frame(wire.OnCatchUp, wire.CatchUp{})
	if n := testing.AllocsPerRun(100, func() {
		s.out = queue{}
		for range len(s.out.few) {
			s.Hear(frame)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
