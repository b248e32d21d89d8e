package server

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// The devices of these benchmarks are another process, so that the memory and
// the processor seconds reported are the server's own:
//
//	VECHE_LISTENERS=10000 go test -run '^$' -bench Listeners -benchtime 1x ./server
//
// What they report by wall clock depends on what else the machine does.
func BenchmarkListeners(b *testing.B) {
	n, _ := strconv.Atoi(os.Getenv("VECHE_LISTENERS"))
	if n == 0 {
		n = 200
	}
	c := newCrowd(b, n)
	before := memory()
	cpu := processor()
	took := c.ask("dial")
	b.ReportMetric((processor()-cpu).Seconds()*1e3/float64(n), "ms-cpu/connect")
	b.ReportMetric(took.Seconds(), "s/all-connected")
	time.Sleep(2 * time.Second)
	runtime.GC()
	runtime.GC()
	after := memory()
	b.ReportMetric(float64(after.rss-before.rss)/1024/float64(n), "KiB-rss/conn")
	b.ReportMetric(float64(after.heap-before.heap)/1024/float64(n), "KiB-heap/conn")
	b.ReportMetric(float64(after.stack-before.stack)/1024/float64(n), "KiB-stack/conn")
	if name := os.Getenv("VECHE_HEAP"); name != "" {
		dump(b, name)
	}

	for _, burst := range []int{1, 20} {
		c.expect(burst)
		cpu = processor()
		began := time.Now()
		for i := range burst {
			hub.Tell(c.server.hub, hub.Room(c.room), wire.OnNudge, wire.Nudge{Room: c.room, Seq: int64(i), Entry: &wire.Entry{Seq: int64(i), Kind: wire.MessageEntry, Body: make([]byte, 1000)}})
		}
		told := time.Since(began)
		c.wait()
		all := time.Since(began)
		b.ReportMetric(float64(told.Microseconds())/float64(burst)/1e3, fmt.Sprintf("ms/tell-%d", burst))
		b.ReportMetric(all.Seconds()*1e3, fmt.Sprintf("ms/last-%d", burst))
		b.ReportMetric((processor()-cpu).Seconds()*1e6/float64(n*burst), fmt.Sprintf("µs-cpu/delivery-%d", burst))
	}
	// Spread out: each wakes everybody anew.
	const spread = 20
	c.expect(spread)
	cpu = processor()
	for i := range spread {
		hub.Tell(c.server.hub, hub.Room(c.room), wire.OnNudge, wire.Nudge{Room: c.room, Seq: int64(i), Entry: &wire.Entry{Seq: int64(i), Kind: wire.MessageEntry, Body: make([]byte, 1000)}})
		time.Sleep(time.Duration(n) * 50 * time.Microsecond)
	}
	c.wait()
	b.ReportMetric((processor()-cpu).Seconds()*1e6/float64(n*spread), "µs-cpu/delivery-spread")
	if os.Getenv("VECHE_IDLE") != "" {
		cpu = processor()
		time.Sleep(time.Minute)
		b.ReportMetric((processor() - cpu).Seconds(), "s-cpu/idle-minute")
	}
	b.ReportMetric(0, "ns/op")
}

func dump(b *testing.B, name string) {
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := pprofHeap(f); err != nil {
		b.Fatal(err)
	}
}

type usage struct{ rss, heap, stack int64 }

func memory() (u usage) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.heap, u.stack = int64(m.HeapAlloc), int64(m.StackInuse)
	b, _ := os.ReadFile("/proc/self/statm")
	if f := strings.Fields(string(b)); len(f) > 1 {
		pages, _ := strconv.ParseInt(f[1], 10, 64)
		u.rss = pages * int64(os.Getpagesize())
	}
	return u
}

func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// crowd is a server and the process that holds its devices.
type crowd struct {
	tb     testing.TB
	server *Server
	room   wire.RoomID
	in     io.Writer
	out    *bufio.Scanner
}

func newCrowd(tb testing.TB, n int) *crowd {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "data")
	s, err := New(tb.Context(), Config{Data: dir, HTTPS: "127.0.0.1:0", HTTP: off, Metrics: off, Cost: account.Cost{Memory: 64, Time: 1, Threads: 1}})
	if err != nil {
		tb.Fatal(err)
	}
	c := &crowd{tb: tb, server: s, room: wire.NewRoomID()}
	tokens := populate(tb, s, c.room, n)
	file := filepath.Join(tb.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(strings.Join(tokens, "\n")), 0o600); err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(tb.Context()) }()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestCrowdProcess$")
	cmd.Env = append(os.Environ(), "VECHE_CROWD="+s.listeners.https.Addr().String(), "VECHE_TOKENS="+file)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	c.in, c.out = in, bufio.NewScanner(out)
	tb.Cleanup(func() { in.Close(); _ = cmd.Wait(); <-done })
	return c
}

// populate writes n people with a device each into the database, all of them
// members of one room.
func populate(tb testing.TB, s *Server, room wire.RoomID, n int) (tokens []string) {
	now := time.Now().UnixMilli()
	err := s.db.Update(tb.Context(), func(tx *db.Tx) error {
		for i := range n {
			a, d := wire.NewAccountID(), wire.NewDeviceID()
			secret := make([]byte, 32)
			binary.BigEndian.PutUint64(secret, uint64(i+1))
			token := base64.RawURLEncoding.EncodeToString(secret)
			hash := wire.Hash(sha256.Sum256([]byte(token)))
			tokens = append(tokens, token)
			for _, st := range []struct {
				sql  string
				args []any
			}{
				{`INSERT INTO account (id, name, name_key, admin, password, created_ms) VALUES ($1, $2, $2, 0, '', $3)`, []any{a, fmt.Sprintf("person %d", i), now}},
				{`INSERT INTO device (id, account_id, name, state, created_ms, seen_ms) VALUES ($1, $2, 'd', 'active', $3, $3)`, []any{d, a, now}},
				{`INSERT INTO session (hash, device_id, created_ms, seen_ms) VALUES ($1, $2, $3, $3)`, []any{hash, d, now}},
				{`INSERT INTO room_member (room_id, account_id, from_seq, until_seq) VALUES ($1, $2, 1, 0)`, []any{room, a}},
			} {
				if _, err := tx.Exec(st.sql, st.args...); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

func (c *crowd) ask(command string) time.Duration {
	c.tb.Helper()
	fmt.Fprintln(c.in, command)
	return c.answer()
}

func (c *crowd) answer() time.Duration {
	c.tb.Helper()
	for c.out.Scan() {
		if ms, ok := strings.CutPrefix(c.out.Text(), "done "); ok {
			n, _ := strconv.Atoi(ms)
			return time.Duration(n) * time.Millisecond
		}
	}
	c.tb.Fatal("the devices' process ended")
	return 0
}

func (c *crowd) expect(each int) { c.ask("expect " + strconv.Itoa(each)) }
func (c *crowd) wait()           { c.ask("wait") }

// TestCrowdProcess is the devices' process of the benchmarks.
func TestCrowdProcess(t *testing.T) {
	address := os.Getenv("VECHE_CROWD")
	if address == "" {
		t.Skip("this is no benchmark")
	}
	list, err := os.ReadFile(os.Getenv("VECHE_TOKENS"))
	if err != nil {
		t.Fatal(err)
	}
	tokens := strings.Split(string(list), "\n")
	var left atomic.Int64
	arrived := make(chan struct{}, 1)
	in := bufio.NewScanner(os.Stdin)
	conf := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(len(tokens))}
	for in.Scan() {
		began := time.Now()
		command, arg, _ := strings.Cut(in.Text(), " ")
		switch command {
		case "dial":
			var all sync.WaitGroup
			sem := make(chan struct{}, 64)
			for _, token := range tokens {
				sem <- struct{}{}
				all.Go(func() {
					defer func() { <-sem }()
					if err := dialDevice(address, token, conf, &left, arrived); err != nil {
						fmt.Fprintln(os.Stderr, err)
					}
				})
			}
			all.Wait()
		case "expect":
			n, _ := strconv.Atoi(arg)
			left.Store(int64(n * len(tokens)))
		case "wait":
			<-arrived
		}
		fmt.Println("done", time.Since(began).Milliseconds())
	}
}

// upgrade opens the socket of a device.
func upgrade(address, token string, conf *tls.Config) (c *tls.Conn, r *bufio.Reader, err error) {
	if c, err = tls.Dial("tcp", address, conf); err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\nAuthorization: Bearer %s\r\n\r\n",
		wire.PathSocket, address, wire.Subprotocol, token)
	r = bufio.NewReaderSize(c, 2048)
	resp, err := http.ReadResponse(r, nil)
	if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("upgrade: %s", resp.Status)
	}
	return c, r, err
}

// dialDevice connects one device, and counts what it hears after the hello.
func dialDevice(address, token string, conf *tls.Config, left *atomic.Int64, arrived chan<- struct{}) error {
	c, r, err := upgrade(address, token, conf)
	if err != nil {
		return err
	}
	next := func() (opcode byte, err error) {
		var h [2]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return 0, err
		}
		size := int64(h[1])
		switch size {
		case 126:
			var b [2]byte
			_, err = io.ReadFull(r, b[:])
			size = int64(binary.BigEndian.Uint16(b[:]))
		case 127:
			var b [8]byte
			_, err = io.ReadFull(r, b[:])
			size = int64(binary.BigEndian.Uint64(b[:]))
		}
		if err != nil {
			return 0, err
		}
		if h[0]&15 == 9 { // ping: its payload is below 126 bytes
			p := make([]byte, size)
			if _, err := io.ReadFull(r, p); err != nil {
				return 0, err
			}
			_, err = c.Write(append([]byte{0x8a, 0x80 | byte(size), 0, 0, 0, 0}, p...))
			return 9, err
		}
		_, err = io.CopyN(io.Discard, r, size)
		return h[0] & 15, err
	}
	if _, err := next(); err != nil { // hello
		return err
	}
	go func() {
		for {
			opcode, err := next()
			if err != nil {
				return
			}
			if opcode == 2 && left.Add(-1) == 0 {
				arrived <- struct{}{}
			}
		}
	}()
	return nil
}

func pprofHeap(w io.Writer) error { return pprof.WriteHeapProfile(w) }
