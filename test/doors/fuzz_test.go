package doors

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// faults collects what the server calls its own fault: whatever a stranger sends,
// there is to be none.
type faults struct {
	mu  sync.Mutex // guards what follows
	all []string
}

func (l *faults) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (l *faults) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %s", a); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, b.String())
	return nil
}

func (l *faults) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *faults) WithGroup(string) slog.Handler      { return l }

func (l *faults) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		t.Errorf("the server took it for its own fault: %s", s)
	}
	l.all = nil
}

// fuzzed is a site for a fuzz target.
func fuzzed(f *testing.F) (*testenv.Site, *faults) {
	l := &faults{}
	return testenv.Start(testenv.Fuzzing(f), testenv.WithLog(slog.New(l)), testenv.WithWeb(app)), l
}

const fuzzPatience = time.Minute // ends what would hang; nothing is measured by it

// exchange writes to a connection, ends its own side, and reads what comes back.
func exchange(t *testing.T, network, address string, b []byte) []byte {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(fuzzPatience)); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(b) // who was sent away before all was said has an answer too
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	}
	got, err := io.ReadAll(c)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatalf("the server does not let go after %q", b)
	}
	return got
}

// answers reads the HTTP answers in what came back, to requests.
func answers(t *testing.T, requests, got []byte) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(got))
	for {
		if _, err := r.Peek(1); err != nil {
			return
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return // the answer to HEAD has no body where ReadResponse expects one
		}
		if resp.StatusCode >= 500 && resp.StatusCode != 501 && resp.StatusCode != 503 && resp.StatusCode != 505 {
			t.Errorf("%q was answered with %d", requests, resp.StatusCode)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return
		}
	}
}

// Every route as a whole, through the door on loopback: the bytes are what comes
// over the connection. TOKEN stands for a session and HOST for the site.
func FuzzHTTP(f *testing.F) {
	site, faults := fuzzed(f)
	ann := site.SetUp("Ann")
	u, err := url.Parse(site.Info.HTTP)
	if err != nil {
		f.Fatal(err)
	}
	address := "127.0.0.1:" + u.Port()
	for _, s := range []string{
		"GET /api/v1/site HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"POST /api/v1/link HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"token\":\"x\"}",
		"POST /api/v1/signin HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{\"name\":\"Ann\",\"password\":\"xxxxxxxxxxxx\"}",
		"POST /api/v1/signup HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n0\r\n\r\n",
		"GET /api/v1/session HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n",
		"GET /api/v1/session HTTP/1.1\r\nHost: HOST\r\nCookie: veche-local=TOKEN; veche-local-known=x\r\n\r\n",
		"GET /api/v1/socket HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: veche.v1\r\nAuthorization: Bearer TOKEN\r\n\r\n\x82\x80\x00\x00\x00\x00",
		"POST /api/v1/blobs HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"size\":5}",
		"PUT /api/v1/blobs/aaaaaaaaaaaaaaaaaaaaaaaaaa?offset=0 HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 5\r\n\r\nhello",
		"GET /api/v1/blobs/aaaaaaaaaaaaaaaaaaaaaaaaaa/state HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n",
		"GET /assets/main-Ab3dEf9h.js HTTP/1.1\r\nHost: HOST\r\nRange: bytes=0-1,2-3\r\nAccept-Encoding: br;q=0, gzip\r\nIf-None-Match: \"x\"\r\n\r\n",
		"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: HOST\r\n\r\nGET / HTTP/1.0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"CONNECT evil.example:443 HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 16<<10 {
			return
		}
		b = bytes.ReplaceAll(b, []byte("TOKEN"), []byte(ann.Token))
		b = bytes.ReplaceAll(b, []byte("HOST"), []byte("localhost"))
		answers(t, b, exchange(t, "tcp", address, b))
		faults.check(t)
	})
}

// The administrator's socket: who can write to it owns the server, and still a
// slip of theirs must break nothing.
func FuzzAdminSocket(f *testing.F) {
	site, faults := fuzzed(f)
	site.SetUp("Ann")
	socket := filepath.Join(site.Dir, "admin.sock")
	f.Add([]byte("POST /state HTTP/1.1\r\nHost: veche\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("POST /invite HTTP/1.1\r\nHost: veche\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("GET /state HTTP/1.0\r\n\r\n"))
	f.Add([]byte("POST /invite HTTP/1.1\r\nHost: veche\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 16<<10 {
			return
		}
		answers(t, b, exchange(t, "unix", socket, b))
		faults.check(t)
	})
}

// What a stranger says first on the port for everybody: TLS, media of calls,
// anything. The server must let go of it when the stranger does.
func FuzzFirstBytes(f *testing.F) {
	site, faults := fuzzed(f)
	address := "127.0.0.1" + site.Info.HTTPS[strings.LastIndex(site.Info.HTTPS, ":"):]
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"))
	f.Add([]byte("\x00\x14\x00\x01\x00\x00\x21\x12\xa4\x42"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{})
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 16<<10 {
			return
		}
		exchange(t, "tcp", address, b)
		faults.check(t)
	})
}

// Frames of an active device as a whole: each request of the input is answered or
// ends the connection, and none is the server's own fault. A request is a byte for
// its method, two for the length of its parameters, and these; beyond the last
// method the bytes are sent as they are.
func FuzzSocket(f *testing.F) {
	site, faults := fuzzed(f)
	tb := testenv.Fuzzing(f)
	ann, bob := newMember(tb, site.SetUpPerson("Ann")), newMember(tb, site.AddPerson("Bob"))
	room := wire.RoomID{1, 2, 3}
	g, c := ann.foundAs(room, ann.owns(), bob)
	made := testenv.Call(ann.Socket, wire.RoomCreate, c)
	if err := g.MergePending(); err != nil {
		f.Fatal(err)
	}
	ann.in[room] = &place{g, made.Seq, made.Head}
	var names []string
	for _, r := range socketRows() {
		if len(names) == 0 || names[len(names)-1] != r.do {
			names = append(names, r.do)
		}
	}
	seed := func(method string, p any) {
		body, err := wire.Encode(p)
		if err != nil {
			f.Fatal(err)
		}
		for i, n := range names {
			if n == method {
				f.Add(append(binary.BigEndian.AppendUint16([]byte{byte(i)}, uint16(len(body))), body...))
				return
			}
		}
		f.Fatalf("no method %s", method)
	}
	call := wire.CallID{4, 5, 6}
	blob := uploadOver(f, site, ann)
	seed(wire.RoomSend.Name, ann.sealing(room, blob))
	seed(wire.RoomCommit.Name, ann.committing(room, group.CommitOptions{}))
	seed(wire.RoomCreate.Name, c)
	seed(wire.RoomPropose.Name, ann.leaving(room))
	seed(wire.RoomLog.Name, wire.ReadLog{Room: room, After: 0, Limit: 5})
	seed(wire.RoomErase.Name, wire.Erase{Room: room, Seq: 1})
	seed(wire.RoomCursors.Name, wire.SetCursor{Room: room, Delivered: 1, Read: 1})
	seed(wire.RoomGroup.Name, wire.GetRoom{Room: room})
	seed(wire.DirectoryPeople.Name, wire.ListPeople{After: wire.AccountID{1}})
	seed(wire.DirectoryStatements.Name, wire.GetStatements{Of: []wire.StatementsFrom{{Account: ann.Session.Account, From: 1}}})
	seed(wire.DeviceEnrol.Name, ann.Keys.Enrol())
	seed(wire.DeviceDrop.Name, wire.DropDevice{Device: bob.Session.Device})
	seed(wire.DeviceRepublish.Name, wire.Republish{Statements: []wire.SignedStatement{{Body: []byte{0xa0}, Signature: make([]byte, 64)}}, Vault: []byte{1}, Version: 1})
	seed(wire.DevicePublish.Name, wire.Publish{Statement: wire.SignedStatement{Body: []byte{0xa0}, Signature: make([]byte, 64)}, Vault: []byte{1}, Version: 1})
	seed(wire.KeyUpload.Name, wire.UploadKeys{Packages: [][]byte{{1, 2}}, LastResort: []byte{3}})
	seed(wire.KeyClaim.Name, wire.ClaimKeys{Accounts: []wire.AccountID{ann.Session.Account}, Devices: []wire.DeviceID{{1}}})
	seed(wire.CallStart.Name, wire.StartCall{Room: room, Call: call, Video: true})
	seed(wire.CallJoin.Name, wire.JoinCall{Call: call, Join: 1, Offer: "offer"})
	seed(wire.CallViewing.Name, wire.ViewCall{Call: call, Views: []wire.CallView{{Mid: "1", Number: 2, Source: wire.Camera, Height: 3}}})
	seed(wire.CallSay.Name, wire.CallSealed{Call: call, To: 1, Body: []byte("x")})
	seed(wire.CallRing.Name, wire.RingCall{Call: call, Accounts: []wire.AccountID{bob.Session.Account}})
	seed(wire.CallKnocks.Name, wire.KnockCall{Call: call, Token: make([]byte, 16)})
	seed(wire.CallTry.Name, wire.CallTest{Offer: "offer"})
	seed(wire.SessionPing.Name, wire.None{})
	f.Add([]byte{255, 0, 3, 0xa1, 0x61, 0x69})

	var conn *testenv.Socket
	f.Fuzz(func(t *testing.T, b []byte) {
		for n := 0; len(b) >= 3 && n < 8; n++ {
			which, size := int(b[0]), int(binary.BigEndian.Uint16(b[1:]))
			b = b[3:]
			body := b[:min(size, len(b))]
			b = b[len(body):]
			if conn == nil || conn.Err() != nil {
				conn = reconnect(t, ann, conn)
			}
			if which >= len(names) {
				_ = conn.Write(2, body) // binary; who is sent away sees it with the next
				continue
			}
			var v any
			if wire.Decode(body, &v) != nil {
				body, _ = wire.Encode(body) // some parameters, if not those
			}
			select {
			case a := <-conn.Ask(names[which], body):
				if a.Error != nil && a.Error.Code == wire.Internal {
					t.Errorf("%s of %x is internal", names[which], body)
				}
			case <-time.After(fuzzPatience):
				t.Fatalf("%s of %x is not answered", names[which], body)
			}
		}
		faults.check(t)
	})
}

// reconnect waits for a place, since a connection that was ended keeps its own for
// a moment.
func reconnect(t *testing.T, m *member, old *testenv.Socket) *testenv.Socket {
	t.Helper()
	if old != nil {
		old.Close()
	}
	for end := time.Now().Add(fuzzPatience); ; time.Sleep(10 * time.Millisecond) {
		c, resp, err := m.Session.Site.Dial(m.Token)
		if err == nil {
			return c
		}
		if resp == nil || resp.StatusCode != http.StatusServiceUnavailable || time.Now().After(end) {
			t.Fatalf("connect: %v %v", resp, err)
		}
	}
}

// uploadOver is uploadAs for a fuzz target.
func uploadOver(f *testing.F, site *testenv.Site, m *member) wire.BlobID {
	var st wire.BlobState
	if s, e := site.Post(wire.PathBlobs, m.Token, wire.NewBlob{Size: 1}, &st); e != nil {
		f.Fatal(s, e)
	}
	if s, e := site.Do("PUT", wire.PathBlob+st.Blob.String()+"?offset=0", m.Token, "", []byte("x"), nil); e != nil {
		f.Fatal(s, e)
	}
	return st.Blob
}
