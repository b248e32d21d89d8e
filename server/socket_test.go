package server_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// rawSocket upgrades by hand, for what no well-behaved client would send.
func rawSocket(t *testing.T, site *testenv.Site, token string) (*tls.Conn, *bufio.Reader) {
	t.Helper()
	c, err := tls.Dial("tcp", address(t, site), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\nAuthorization: Bearer %s\r\n\r\n",
		wire.PathSocket, address(t, site), wire.Subprotocol, token)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v %v", resp, err)
	}
	return c, r
}

// head is that of a masked frame with the mask zero, RFC 6455 §5.2.
func head(opcode byte, size uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte{0x80 | opcode, 0x80 | 127}, size)
	return append(b, 0, 0, 0, 0)
}

// A device that announces bytes and never sends them must not keep its
// connection, nor the server, from ending.
func TestDeviceThatBreaksOffInAFrameHoldsNothing(t *testing.T) {
	const text, binaryFrame = 1, 2
	for _, tt := range []struct {
		name string
		send []byte
	}{
		{"after a violation", append(head(text, 0), head(binaryFrame, 1000)...)},
		{"in a message that is too large", append(head(binaryFrame, 1<<40), make([]byte, wire.MaxRequest+1)...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			site := testenv.Start(t)
			ann := site.SetUp("ann")
			c, r := rawSocket(t, site, ann.Token)
			if _, err := c.Write(tt.send); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // ends a test that would wait for ever
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Fatalf("the server did not let go: %v", err)
			}
		})
	}
}

// One device must not take the places of all others.
func TestDeviceHasOnlySoManyConnections(t *testing.T) {
	site := testenv.Start(t)
	ann, bob := site.SetUp("ann"), site.SignUp("bob")
	var last *testenv.Socket
	for i := range 20 {
		c, resp, err := site.Dial(ann.Token)
		if err != nil {
			t.Fatalf("connection %d: %v %v", i+1, resp, err)
		}
		last = c
	}
	if _, resp, err := site.Dial(ann.Token); err == nil || resp == nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Fatalf("one too many: %v %v", resp, err)
	}
	bob.Connect()
	last.Close()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, _, err := site.Dial(ann.Token); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the place of one that went is not given to the next")
		}
	}
}

func TestDownloadEndsWithItsSession(t *testing.T) {
	const size = 32 << 20 // more than the buffers of two sockets hold
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	var st wire.BlobState
	if s, e := site.Post(wire.PathBlobs, ann.Token, wire.NewBlob{Size: size}, &st); e != nil {
		t.Fatal(s, e)
	}
	path := wire.PathBlob + st.Blob.String()
	for piece := make([]byte, 4<<20); st.Have < size; {
		if s, e := site.Do("PUT", fmt.Sprintf("%s?offset=%d", path, st.Have), ann.Token, "", piece, &st); e != nil {
			t.Fatal(s, e)
		}
	}
	download := func(meanwhile func()) (int64, error) {
		req, err := http.NewRequest("GET", site.Info.HTTPS+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+ann.Token)
		resp, err := site.HTTP.Do(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		defer resp.Body.Close()
		meanwhile()
		return io.Copy(io.Discard, resp.Body)
	}
	if n, err := download(func() {}); n != size || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	n, err := download(func() {
		if s, e := site.Post(wire.PathSignout, ann.Token, struct{}{}, nil); e != nil {
			t.Fatal(s, e)
		}
	})
	if n == size || err == nil {
		t.Errorf("after the session had ended, %d bytes came, %v", n, err)
	}
}
