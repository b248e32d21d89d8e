package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/link/pipe"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/wire"
)

// server is the other end of a pipe, played by the test.
type server struct {
	t    *testing.T
	conn link.Conn
}

func (s *server) event(name string, v any) {
	s.t.Helper()
	b, err := wire.Encode(v)
	if err != nil {
		s.t.Fatal(err)
	}
	s.frame(wire.Frame{Method: name, Body: b})
}

func (s *server) frame(f wire.Frame) {
	s.t.Helper()
	b, err := wire.Encode(f)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.conn.Write(s.t.Context(), b); err != nil {
		s.t.Fatalf("server writes: %v", err)
	}
}

func (s *server) read() (wire.Frame, error) {
	b, err := s.conn.Read(s.t.Context())
	if err != nil {
		return wire.Frame{}, err
	}
	var f wire.Frame
	return f, wire.Decode(b, &f)
}

// rig runs a session whose dials end up in dialled.
type rig struct {
	*session.Session
	dialled chan *server
	states  chan session.State
	events  chan string
	done    chan error
	stop    context.CancelFunc
}

func start(t *testing.T, dial func(n int) error) *rig {
	t.Helper()
	r := &rig{
		dialled: make(chan *server, 100), states: make(chan session.State, 1000),
		events: make(chan string, 1000), done: make(chan error, 1),
	}
	n := 0
	l := &pipe.Link{OnDial: func(ctx context.Context, token string) (link.Conn, error) {
		n++
		if dial != nil {
			if err := dial(n); err != nil {
				return nil, err
			}
		}
		device, far := pipe.Pair()
		r.dialled <- &server{t, far}
		return device, nil
	}}
	var err error
	r.Session, err = session.New(session.Config{
		Link:    l,
		Handle:  func(event string, body []byte) { r.events <- event },
		Changed: func(s session.State, err error) { r.states <- s },
		Jitter:  func() float64 { return 1 },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() { r.done <- r.Run(ctx, "") }()
	return r
}

func (r *rig) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v, want context.Canceled", err)
	}
}

func TestAnswersFindTheirRequestsInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end(t)
		srv := <-r.dialled
		srv.event(wire.OnHello.Name, wire.Hello{Name: "ann"})
		<-r.Online()

		var wg sync.WaitGroup
		got := make([]int64, 3)
		for i := range got {
			wg.Go(func() {
				res, err := session.Call(t.Context(), r.Session, wire.RoomLog, wire.ReadLog{After: int64(i)})
				if err != nil {
					t.Errorf("call %d: %v", i, err)
				}
				got[i] = res.Seq
			})
		}
		var asked []wire.Frame
		for range got {
			f, err := srv.read()
			if err != nil {
				t.Fatal(err)
			}
			asked = append(asked, f)
		}
		for i := len(asked) - 1; i >= 0; i-- {
			var p wire.ReadLog
			if err := wire.Decode(asked[i].Body, &p); err != nil {
				t.Fatal(err)
			}
			b, _ := wire.Encode(wire.LogPage{Entries: []wire.Entry{}, Seq: p.After * 10})
			srv.frame(wire.Frame{ID: asked[i].ID, Body: b})
		}
		wg.Wait()
		for i, seq := range got {
			if seq != int64(i*10) {
				t.Errorf("call %d got the answer of %d", i, seq/10)
			}
		}
	})
}

func TestARefusalKeepsItsCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end(t)
		srv := <-r.dialled
		srv.event(wire.OnHello.Name, wire.Hello{})
		<-r.Online()
		go func() {
			f, _ := srv.read()
			srv.frame(wire.Frame{ID: f.ID, Error: wire.Refuse(wire.Stale, "epoch 3")})
		}()
		_, err := session.Call(t.Context(), r.Session, wire.RoomList, wire.None{})
		if wire.CodeOf(err) != wire.Stale {
			t.Errorf("got %v, want stale", err)
		}
	})
}

func TestRequestsUnderWayFailWhenTheLineEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end(t)
		srv := <-r.dialled
		srv.event(wire.OnHello.Name, wire.Hello{})
		<-r.Online()
		go func() { srv.read(); srv.conn.Close() }()
		_, err := session.Call(t.Context(), r.Session, wire.RoomList, wire.None{})
		if !errors.Is(err, session.ErrOffline) {
			t.Errorf("got %v, want ErrOffline", err)
		}
	})
}

func TestWaitsGrowAndStopAtHalfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		r := start(t, func(n int) error { at = append(at, time.Now()); return link.ErrUnreachable })
		time.Sleep(3 * time.Minute)
		r.end(t)
		want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second}
		for i, w := range want {
			if got := at[i+1].Sub(at[i]); got != w {
				t.Errorf("wait %d is %s, want %s", i, got, w)
			}
		}
	})
}

func TestASilentServerIsPingedThenLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end(t)
		srv := <-r.dialled
		srv.event(wire.OnHello.Name, wire.Hello{})
		began := time.Now()
		f, err := srv.read()
		if err != nil || f.Method != wire.SessionPing.Name {
			t.Fatalf("got %+v, %v; want a ping", f, err)
		}
		if d := time.Since(began); d < wire.Heartbeat {
			t.Errorf("pinged after %s", d)
		}
		if _, err := srv.read(); err == nil {
			t.Error("more than a ping came")
		}
		<-r.dialled
		if d := time.Since(began); d < 2*wire.Heartbeat {
			t.Errorf("dialled again after %s", d)
		}
	})
}

func TestAnEndedSessionStopsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(int) error { return wire.Refuse(wire.Unauthenticated, "revoked") })
		if err := <-r.done; !errors.Is(err, session.ErrEnded) {
			t.Errorf("Run returned %v, want ErrEnded", err)
		}
	})
}

func TestABusyServerIsGivenTheTimeItAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := start(t, func(n int) error {
			if n == 1 {
				return &wire.Error{Code: wire.Busy, RetryAfter: 20_000}
			}
			return nil
		})
		defer r.end(t)
		<-r.dialled
		if d := time.Since(began); d != 20*time.Second {
			t.Errorf("came back after %s", d)
		}
	})
}

func TestGarbageEndsTheConnectionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end(t)
		srv := <-r.dialled
		srv.event(wire.OnHello.Name, wire.Hello{})
		if err := srv.conn.Write(t.Context(), []byte("\xff\xff")); err != nil {
			t.Fatal(err)
		}
		again := <-r.dialled
		again.event(wire.OnHello.Name, wire.Hello{})
		<-r.Online()
	})
}
