package server

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/httpapi"
)

// opened serves a handler by a door with room for a few.
func opened(t *testing.T, h http.Handler, room int) (d *door, dial func(say string) (net.Conn, *bufio.Reader)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d = newDoor(h, slog.New(slog.DiscardHandler))
	d.strangers = newStrangers(room, room)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = d.Serve(l) }()
	t.Cleanup(func() { _ = d.Close(); <-ended })
	return d, func(say string) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(time.Minute)) // ends a test that would wait for ever
		_, _ = io.WriteString(c, say)
		return c, bufio.NewReader(c)
	}
}

func (d *door) asked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.known)
}

const getHealth = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

// Strangers who announce bodies and do not send them must not keep others out.
func TestBodiesThatDoNotComeKeepNobodyOut(t *testing.T) {
	t.Parallel()
	s, err := New(t.Context(), Config{Data: t.TempDir() + "/data", HTTPS: "127.0.0.1:0", HTTP: off, Metrics: off, Cost: account.Cost{Memory: 64, Time: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	const room = 4
	d, dial := opened(t, s.api.Handler(httpapi.Door{Local: true}), room)
	for range room {
		dial("GET /api/v1/site HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
	}
	for end := time.Now().Add(time.Minute); d.asked() < room; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("they are not there")
		}
	}
	_, r := dial(getHealth)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("who asks for something: %v", err)
	}
}

// A connection that the server works for does not make room; one that waits for
// its peer again does.
func TestRequestsAtWorkKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer httpapi.AtWork(r.Context())()
		if r.URL.Path == "/slow" {
			begun <- struct{}{}
			<-goOn
		}
		fmt.Fprint(w, "done")
	})
	_, dial := opened(t, h, 1)
	_, slow := dial("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-begun
	if _, r := dial(getHealth); !closed(r) {
		t.Error("there was room where all are at work")
	}
	close(goOn)
	resp, err := http.ReadResponse(slow, nil)
	if err != nil {
		t.Fatalf("who was at work: %v", err)
	}
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "done" {
		t.Fatalf("who was at work got %q: %v", b, err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // until it is known to be idle
		if _, r := dial(getHealth); !closed(r) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("one that is idle again does not make room")
		}
	}
	if !closed(slow) {
		t.Error("it was not closed for that")
	}
}

func closed(r *bufio.Reader) bool {
	_, err := r.Peek(1)
	return err != nil
}
