package xmpp

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// serve answers one connection: it waits for each part and says the next.
func serve(t *testing.T, turns ...[2]string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		r := bufio.NewReader(nc)
		for _, turn := range turns {
			var heard strings.Builder
			for !strings.Contains(heard.String(), turn[0]) {
				b, err := r.ReadByte()
				if err != nil {
					return
				}
				heard.WriteByte(b)
			}
			if _, err := nc.Write([]byte(turn[1])); err != nil {
				return
			}
		}
		_, _ = r.ReadByte() // until the other side goes
	}()
	return l.Addr().String()
}

const header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

func TestDialSignsInAndHears(t *testing.T) {
	addr := serve(t,
		[2]string{"streams'>", header + "<stream:features><mechanisms/></stream:features>"},
		[2]string{">AGFubgBwdw==</auth>", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"}, // \0ann\0pw
		[2]string{"streams'>", header + "<stream:features><bind/></stream:features>"},
		[2]string{"</iq>", "<iq type='result' id='bind'/>"},
		[2]string{"<presence/>", "<message id='v1'/>"},
	)
	c, err := Dial(t.Context(), &net.Dialer{}, Account{Address: addr, Domain: "localhost", User: "ann", Password: "pw"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := c.Next()
	if err != nil || string(got) != "<message id='v1'/>" {
		t.Fatalf("heard %q, %v", got, err)
	}
}

func TestDialSaysWhatTheServerRefused(t *testing.T) {
	addr := serve(t,
		[2]string{"streams'>", header + "<stream:features/>"},
		[2]string{"</auth>", "<failure><not-authorized/></failure>"},
	)
	_, err := Dial(t.Context(), &net.Dialer{}, Account{Address: addr, User: "ann"})
	if err == nil || !strings.Contains(err.Error(), "not-authorized") {
		t.Fatalf("error is %v", err)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	addr := serve(t, [2]string{"streams'>", header}) // and then nothing
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := Dial(ctx, &net.Dialer{}, Account{Address: addr}); err == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Fatalf("error is %v", err)
	}
}
