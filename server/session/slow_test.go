package session

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// Many who take nothing hold up nobody, on sockets of the system.
func TestSlowReadersHoldNobodyUp(t *testing.T) {
	d := newDesk(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var clients []net.Conn
	defer func() {
		for _, c := range clients {
			c.Close()
		}
		d.End()
	}()
	connect := func(a Actor) net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go d.Serve(context.Background(), socket.Over(s, wire.MaxRequest), a)
		return c
	}
	slow := ann
	slow.Account = wire.NewAccountID()
	many := 4*runtime.GOMAXPROCS(0) + 4
	for range many {
		connect(slow)
	}
	reader := connect(ann)
	for began := time.Now(); d.hub.Len() < many+1; time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("they do not connect")
		}
	}
	_ = reader.SetReadDeadline(time.Now().Add(time.Minute))
	text := string(bytes.Repeat([]byte{'x'}, 30_000))
	ev := wire.Event[string]{Name: "test"}
	rest := make([]byte, len(hub.Frame(ev, text)))
	for range 400 { // of which the kernel takes some hundred for each
		hub.Tell(d.hub, hub.Account(slow.Account), ev, text)
		hub.Tell(d.hub, hub.Account(ann.Account), ev, text)
		if _, err := io.ReadFull(reader, rest); err != nil {
			t.Fatalf("who takes everything waits for those who take nothing: %v", err)
		}
	}
	if d.CatchUps() == 0 {
		t.Error("the slow ones were not slow")
	}
}
