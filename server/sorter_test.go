package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/veche-im/veche/server/cert"
	"github.com/veche-im/veche/server/limit"
)

// sorting runs a sorter with an HTTP server behind it; what carries media echoes,
// with its name in front.
func sorting(t *testing.T, handler http.Handler) (address string, s *sorter) {
	return sortingFew(t, handler, maxHandshakes)
}

// sortingFew is sorting where one handshake computes at a time and so many wait.
func sortingFew(t *testing.T, handler http.Handler, handshakes int) (address string, s *sorter) {
	t.Helper()
	authority, err := cert.Open(cert.Config{Dir: t.TempDir(), Names: []string{"localhost"}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echo := func(name string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, name)
			_, _ = io.Copy(c, c)
		}
	}
	s = newSorter(raw, authority.TLS(), echo("ice:"), echo("turn:"))
	s.keys = limit.NewQueue(1, handshakes)
	h := &http.Server{Handler: handler, TLSConfig: s.tls}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{}, 2)
	go func() { _ = s.run(ctx); ran <- struct{}{} }()
	go func() { _ = h.Serve(s); ran <- struct{}{} }()
	t.Cleanup(func() {
		_ = h.Close()
		s.end()
		cancel()
		<-ran
		<-ran
	})
	return raw.Addr().String(), s
}

func protocol(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, r.Proto)
	if r.TLS == nil {
		_, _ = io.WriteString(w, " in the clear")
	}
}

func TestTheHTTPSPortSortsByWhatComesFirst(t *testing.T) {
	address, _ := sorting(t, http.HandlerFunc(protocol))
	conf := func(protocols ...string) *tls.Config {
		return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}
	}
	const get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	stun := "\x00\x01\x00\x00\x21\x12\xa4\x42"
	for _, tt := range []struct {
		name string
		tls  *tls.Config // nil is in the clear
		say  string
		want string // somewhere in what comes back
	}{
		{"HTTP/1.1", conf("http/1.1"), get, "HTTP/1.1"},
		{"HTTP of who names no protocol", conf(), get, "HTTP/1.1"},
		{"a STUN message inside TLS", conf(), stun, "turn:" + stun},
		{"TURN that names itself", conf("stun.turn"), stun, "turn:" + stun},
		{"a framed STUN message", nil, "\x00\x08" + stun, "ice:\x00\x08" + stun},
		{"HTTP in the clear", nil, get, "400 Bad Request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if tt.tls != nil {
				c = tls.Client(c, tt.tls)
			}
			if _, err := io.WriteString(c, tt.say); err != nil {
				t.Fatal(err)
			}
			got := ""
			buf := make([]byte, 4096)
			for !strings.Contains(got, tt.want) {
				n, err := c.Read(buf)
				got += string(buf[:n])
				if err != nil {
					break
				}
			}
			if !strings.Contains(got, tt.want) || strings.Contains(got, "in the clear") {
				t.Errorf("got %q", got)
			}
		})
	}
	t.Run("HTTP/2", func(t *testing.T) {
		tr := &http.Transport{TLSClientConfig: conf(), ForceAttemptHTTP2: true}
		defer tr.CloseIdleConnections()
		res, err := (&http.Client{Transport: tr}).Get("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); string(b) != "HTTP/2.0" {
			t.Errorf("%s", b)
		}
	})
	t.Run("noise is closed", func(t *testing.T) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write([]byte{0x80, 1, 2, 3})
		if b, err := io.ReadAll(c); len(b) > 0 && err == nil {
			t.Errorf("answered %q", b)
		}
	})
}

func TestWithoutCallsMediaIsClosed(t *testing.T) {
	s := newSorter(&net.TCPListener{}, &tls.Config{}, nil, nil)
	client, c := net.Pipe()
	go s.sort(t.Context(), c)
	_, _ = client.Write([]byte{0})
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("answered")
	}
}

// Thousands who say nothing, or half of something, are held for ten seconds and no
// longer, and keep nobody out.
func TestStrangersThatSayNothingKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carried := make(chan string, 1)
		s := newSorter(&net.TCPListener{}, &tls.Config{}, func(c net.Conn) {
			line, _ := bufio.NewReader(c).ReadString('\n')
			carried <- line
		}, nil)
		const room = 1000
		const strangers = room + 500
		s.unsorted = newStrangers(room, room)
		ended := make(chan int, strangers)
		var clients []net.Conn
		for i := range strangers {
			client, c := net.Pipe()
			clients = append(clients, client)
			go s.sort(t.Context(), c)
			go func() {
				if i%2 == 0 {
					_, _ = client.Write([]byte{0x16, 3, 1}) // half a hello
				}
				_, _ = client.Read(make([]byte, 1))
				ended <- i
			}()
			synctest.Wait()
		}
		if n := len(ended); n != strangers-room {
			t.Errorf("%d of %d made room", n, strangers)
		}
		if n := s.held(); n > room {
			t.Errorf("%d are held", n)
		}
		client, c := net.Pipe()
		go s.sort(t.Context(), c)
		_, _ = client.Write([]byte("\x00\x08 hello\n"))
		if line := <-carried; line != "\x00\x08 hello\n" {
			t.Errorf("carried %q", line)
		}
		time.Sleep(sortTimeout)
		synctest.Wait()
		if n := s.held(); n != 0 || len(ended) != strangers {
			t.Errorf("%d are held after %v", n, sortTimeout)
		}
		for _, c := range clients {
			_ = c.Close()
		}
		_ = client.Close()
	})
}

func (s *sorter) held() int {
	n, _ := s.unsorted.counts()
	return n
}

func shake(t *testing.T, address string) error {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake()
}

// Handshakes compute a few at a time, and wait only so many.
func TestHandshakesWaitForTheProcessorAndAreBounded(t *testing.T) {
	address, s := sorting(t, http.NotFoundHandler())
	if err := shake(t, address); err != nil {
		t.Fatal(err)
	}
	s.free(t)
	leave := s.take()
	done := make(chan error)
	go func() { done <- shake(t, address) }()
	s.await(1)
	select {
	case err := <-done:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	leave()
	if err := <-done; err != nil {
		t.Errorf("after the wait: %v", err)
	}
	address, s = sortingFew(t, http.NotFoundHandler(), 1)
	leave = s.take()
	go func() { done <- shake(t, address) }()
	s.await(1)
	if err := shake(t, address); err == nil || s.refused.Load() != 1 {
		t.Errorf("one too many: %v", err)
	}
	leave()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// take takes the turn of all handshakes, until leave.
func (s *sorter) take() (leave func()) {
	_ = s.keys.Enter(context.Background(), netip.Addr{})
	return s.keys.Leave
}

// await waits until so many handshakes wait.
func (s *sorter) await(n int) {
	for waiting := 0; waiting < n; time.Sleep(time.Millisecond) {
		_, waiting, _ = s.keys.Counts()
	}
}

// free fails unless no handshake computes or waits.
func (s *sorter) free(t *testing.T) {
	t.Helper()
	if working, waiting, _ := s.keys.Counts(); working+waiting > 0 {
		t.Errorf("%d handshakes that are over still compute, and %d wait", working, waiting)
	}
}

// A flood of handshakes from one network leaves a place to wait for who comes from
// elsewhere; whose turn it is then is limit.Queue's.
func TestHandshakesOfOneNetworkLeaveAPlace(t *testing.T) {
	address, s := sortingFew(t, http.NotFoundHandler(), 20)
	leave := s.take()
	var order []string
	ended := make(chan string, 30)
	try := func(name, from string) {
		go func() {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			c, err := d.Dial("tcp", address)
			if err != nil {
				t.Error(err)
			} else {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(30 * time.Second))
				if tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake() != nil {
					name = "refused"
				}
			}
			ended <- name
		}()
	}
	for range 20 {
		try("flood", "127.0.0.2")
	}
	s.await(20)
	try("other", "127.0.9.1")
	if name := <-ended; name != "refused" {
		t.Errorf("%s was to be refused for who comes from elsewhere", name)
	}
	leave()
	for range 20 {
		order = append(order, <-ended)
	}
	if !slices.Contains(order, "other") {
		t.Errorf("who came from elsewhere was not served: %v", order)
	}
}

func TestTheEndClosesWhatCarriesMedia(t *testing.T) {
	address, s := sorting(t, http.NotFoundHandler())
	media, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer media.Close()
	silent, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, _ = media.Write([]byte{0})
	if _, err := io.ReadFull(media, make([]byte, len("ice:"))); err != nil {
		t.Fatal(err)
	}
	s.end()
	for name, c := range map[string]net.Conn{"media": media, "silent": silent} {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(c); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%s is still open", name)
		}
	}
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// In a storm everybody waits for the server. Who has waited for longest must not
// lose its place to who comes last, or nobody would ever be done.
func TestHandshakeThatWaitsForUsKeepsItsPlace(t *testing.T) {
	address, s := sorting(t, http.NotFoundHandler())
	s.unsorted.mu.Lock()
	s.unsorted.most = 3
	s.unsorted.mu.Unlock()
	leave := s.take()
	done := make(chan error, 3)
	for range 3 {
		go func() { done <- shake(t, address) }()
	}
	s.await(3)
	if err := shake(t, address); err == nil {
		t.Error("one too many was served")
	}
	leave()
	for range 3 {
		if err := <-done; err != nil {
			t.Errorf("one that waited: %v", err)
		}
	}
}

// pausing is a client's connection that stops after the first flight that came.
type pausing struct {
	net.Conn
	came, goOn chan struct{}
}

func (c *pausing) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.came != nil {
		close(c.came)
		c.came = nil
		<-c.goOn
	}
	return n, err
}

// Who makes the server ask for another hello waits for the processor with that
// one too, because only then is there something to compute.
func TestHelloThatIsAskedForAgainWaitsForTheProcessor(t *testing.T) {
	address, s := sorting(t, http.NotFoundHandler())
	s.tls.CurvePreferences = []tls.CurveID{tls.CurveP384} // for which Go's client brings no key at first
	raw, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(30 * time.Second))
	came, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	c := tls.Client(&pausing{raw, came, goOn}, &tls.Config{InsecureSkipVerify: true})
	go func() { done <- c.Handshake() }()
	<-came
	leave := s.take() // as soon as what was asked again has given its place back
	close(goOn)
	for waiting := 0; waiting == 0; _, waiting, _ = s.keys.Counts() {
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		default:
			time.Sleep(time.Millisecond)
		}
	}
	leave()
	if err := <-done; err != nil || !c.ConnectionState().HelloRetryRequest {
		t.Errorf("after the wait: %v", err)
	}
	s.free(t)
}
