package wsjs

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/wire"
)

// start returns a link to the server of which the environment variable tells,
// and a function that says "online" as a browser does.
func start(t *testing.T, variable string) (*Link, func()) {
	t.Helper()
	origin := os.Getenv(variable)
	if origin == "" {
		t.Skip("run by TestInJavaScript, which brings a server")
	}
	target := js.Global().Get("EventTarget").New() // node's global scope is none
	for _, name := range []string{"addEventListener", "removeEventListener"} {
		js.Global().Set(name, target.Get(name).Call("bind", target))
	}
	l, err := New(origin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, func() { target.Call("dispatchEvent", js.Global().Get("Event").New("online")) }
}

func dial(t *testing.T) link.Conn {
	t.Helper()
	l, _ := start(t, "VECHE_TEST_SERVER")
	c, err := l.Dial(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestMessagesGoBothWays(t *testing.T) {
	c := dial(t)
	for _, size := range []int{5, 70_000, wire.MaxRequest - 5} {
		m := []byte("echo " + strings.Repeat("x", size))
		if err := c.Write(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		got, err := c.Read(t.Context())
		if err != nil || string(got) != string(m) {
			t.Fatalf("got %d bytes, %v, want the %d that were sent", len(got), err, len(m))
		}
	}
}

func TestWhatCameBeforeTheEndIsReadInOrder(t *testing.T) {
	c := dial(t)
	if err := c.Write(t.Context(), []byte("burst ")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // let it pile up; without that the test claims less
	for i := range 1000 {
		m, err := c.Read(t.Context())
		if err != nil || len(m) != 2 || int(m[0])<<8|int(m[1]) != i {
			t.Fatalf("message %d is %v, %v", i, m, err)
		}
	}
	_, err := c.Read(t.Context())
	if !errors.Is(err, link.ErrUnreachable) || !strings.Contains(err.Error(), "1001") {
		t.Errorf("after the end Read says %v", err)
	}
	if err := c.Write(t.Context(), []byte("more")); !errors.Is(err, link.ErrUnreachable) {
		t.Errorf("after the end Write says %v", err)
	}
}

func TestMessagesThatMustNotBeEndTheConnection(t *testing.T) {
	for _, what := range []string{"text", "large"} {
		c := dial(t)
		if err := c.Write(t.Context(), []byte(what+" ")); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Read(t.Context()); !errors.Is(err, link.ErrUnreachable) {
			t.Errorf("%s: Read gave %d bytes, %v", what, len(m), err)
		}
	}
}

func TestAReaderThatGivesUpEndsTheConnection(t *testing.T) {
	c := dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := c.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Read says %v", err)
	}
	if err := c.Write(t.Context(), []byte("x")); err == nil {
		t.Error("the connection goes on")
	}
}

func TestCloseLetsReadReturn(t *testing.T) {
	c := dial(t)
	time.AfterFunc(10*time.Millisecond, func() { c.Close() })
	if _, err := c.Read(t.Context()); !errors.Is(err, link.ErrUnreachable) {
		t.Errorf("Read says %v", err)
	}
}

func TestDialSaysThatTheServerIsFull(t *testing.T) {
	l, _ := start(t, "VECHE_TEST_FULL")
	_, err := l.Dial(t.Context(), "")
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != wire.Busy || e.RetryAfter != 7000 {
		t.Errorf("Dial says %v", err)
	}
}

func TestDialSaysThatTheServerIsAway(t *testing.T) {
	l, _ := start(t, "VECHE_TEST_GONE")
	if _, err := l.Dial(t.Context(), ""); !errors.Is(err, link.ErrUnreachable) {
		t.Errorf("Dial says %v", err)
	}
	if _, err := l.Do(t.Context(), link.Request{Method: "GET", Path: "/x"}); !errors.Is(err, link.ErrUnreachable) {
		t.Errorf("Do says %v", err)
	}
}

// Only a failed socket is asked about, so the refusal is provoked by a path
// that is no socket's.
func TestDialSaysThatTheSessionEnded(t *testing.T) {
	l, _ := start(t, "VECHE_TEST_SERVER")
	err := l.whyNot(t.Context(), errors.New("closed"))
	if !errors.Is(err, &wire.Error{Code: wire.Unauthenticated}) {
		t.Errorf("got %v", err)
	}
}

func TestRequests(t *testing.T) {
	l, _ := start(t, "VECHE_TEST_SERVER")
	for _, tt := range []struct {
		name   string
		r      link.Request
		status int
		body   string
	}{
		{"a body is JSON unless it is said", link.Request{Method: "POST", Path: "/echo", Body: []byte(`{"a":1}`)}, 201, `application/json {"a":1}`},
		{"a post without a body too", link.Request{Method: "POST", Path: "/echo"}, 201, "application/json "},
		{"another type", link.Request{Method: "POST", Path: "/echo", Type: "x/y", Body: []byte("z")}, 201, "x/y z"},
		{"a range", link.Request{Method: "GET", Path: "/range", From: 10, To: 30}, 200, "bytes=10-29"},
		{"no range", link.Request{Method: "GET", Path: "/range"}, 200, ""},
		{"a long answer", link.Request{Method: "GET", Path: "/long", Max: 1 << 20}, 200, strings.Repeat("\x00", 1<<20)},
		{"a refusal is an answer", link.Request{Method: "GET", Path: "/none"}, 404, "404 page not found\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, err := l.Do(t.Context(), tt.r)
			if err != nil || res.Status != tt.status || string(res.Body) != tt.body {
				t.Errorf("got %d, %d bytes, %v", res.Status, len(res.Body), err)
			}
		})
	}
}

func TestTooLongAnAnswerIsNotRead(t *testing.T) {
	l, _ := start(t, "VECHE_TEST_SERVER")
	if _, err := l.Do(t.Context(), link.Request{Method: "GET", Path: "/long", Max: 1<<20 - 1}); !errors.Is(err, link.ErrUnreachable) {
		t.Errorf("Do says %v", err)
	}
}

func TestARequestCanBeGivenUp(t *testing.T) {
	l, _ := start(t, "VECHE_TEST_SERVER")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := l.Do(ctx, link.Request{Method: "GET", Path: "/silent"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Do says %v", err)
	}
}

func TestOnlineWakes(t *testing.T) {
	l, online := start(t, "VECHE_TEST_SERVER")
	online()
	online() // two before anybody listens are one
	<-l.Woken()
	select {
	case <-l.Woken():
		t.Error("woken twice")
	default:
	}
}

func TestATokenIsRefused(t *testing.T) {
	l, _ := start(t, "VECHE_TEST_SERVER")
	if _, err := l.Dial(t.Context(), "secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Dial says %v", err)
	}
	if _, err := l.Do(t.Context(), link.Request{Method: "GET", Path: "/x", Token: "secret"}); err == nil {
		t.Error("Do took a token")
	}
}
