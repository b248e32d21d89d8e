package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/veche-im/veche/client"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/link/ws"
	"github.com/veche-im/veche/wire"
)

// Link is a client's way to the site. A test can cut it, and can stand in the
// middle of it: what it changes there, a hostile server could have said.
type Link struct {
	site *Site

	mu      sync.Mutex // guards what follows
	cut     bool
	seen    string // where the client believes that it reaches the site, if not where it does
	conns   map[*tapped]bool
	answers func(method string, f *wire.Frame) // a response on its way to the client
	events  func(f *wire.Frame) []wire.Frame   // an event on its way; what is returned goes on
	request func(f *wire.Frame)
	http    func(r link.Request) error
	wake    chan struct{}
}

func newLink(s *Site) *Link {
	return &Link{site: s, conns: map[*tapped]bool{}, wake: make(chan struct{}, 1)}
}

// Cut ends the connection and keeps the client from the site until Mend.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for c := range l.conns {
		c.Conn.Close()
	}
}

// Mend lets the client reach the site again, at once.
func (l *Link) Mend() {
	l.mu.Lock()
	l.cut = false
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Drop ends the connection; the client may come back.
func (l *Link) Drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Conn.Close()
	}
}

// Answers lets f change answers: body and error. method is what was asked.
func (l *Link) Answers(f func(method string, answer *wire.Frame)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = f
}

// AlsoAnswers lets f change answers after whatever changes them already.
func (l *Link) AlsoAnswers(f func(method string, answer *wire.Frame)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.answers
	l.answers = func(method string, answer *wire.Frame) {
		if first != nil {
			first(method, answer)
		}
		f(method, answer)
	}
}

// AlsoRequests is AlsoAnswers for what the client asks.
func (l *Link) AlsoRequests(f func(request *wire.Frame)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.request
	l.request = func(request *wire.Frame) {
		if first != nil {
			first(request)
		}
		f(request)
	}
}

// Events lets f change events, drop them or add to them.
func (l *Link) Events(f func(event *wire.Frame) []wire.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = f
}

// Requests lets f see and change what the client asks.
func (l *Link) Requests(f func(request *wire.Frame)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.request = f
}

// HTTP lets f see plain requests; an error keeps one from the site.
func (l *Link) HTTP(f func(r link.Request) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.http = f
}

// Inject sends an event to the client as if it came from the site.
func (l *Link) Inject(f wire.Frame) {
	b, err := wire.Encode(f)
	if err != nil {
		l.site.TB.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.injected <- b
	}
}

func (l *Link) ws() (*ws.Link, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	address, _ := l.site.whereabouts()
	if l.cut || address == "" {
		return nil, fmt.Errorf("%w: cut", link.ErrUnreachable)
	}
	return ws.New(ws.Config{URL: address, CA: l.site.CA()})
}

// Dial implements link.Link.
func (l *Link) Dial(ctx context.Context, token string) (link.Conn, error) {
	to, err := l.ws()
	if err != nil {
		return nil, err
	}
	conn, err := to.Dial(ctx, token)
	if err != nil {
		return nil, err
	}
	t := &tapped{Conn: conn, link: l, asked: map[uint64]string{}, injected: make(chan []byte, 100), read: make(chan []byte), over: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		conn.Close()
		return nil, fmt.Errorf("%w: cut", link.ErrUnreachable)
	}
	l.conns[t] = true
	go t.pump()
	return t, nil
}

// Do implements link.Link.
func (l *Link) Do(ctx context.Context, r link.Request) (link.Response, error) {
	to, err := l.ws()
	if err != nil {
		return link.Response{}, err
	}
	l.mu.Lock()
	see := l.http
	l.mu.Unlock()
	if see != nil {
		if err := see(r); err != nil {
			return link.Response{}, err
		}
	}
	return to.Do(ctx, r)
}

// SeenAt has the client believe that this is where it reaches the site.
func (l *Link) SeenAt(origin string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = origin
}

// Origin implements link.Link.
func (l *Link) Origin() string {
	l.mu.Lock()
	seen := l.seen
	l.mu.Unlock()
	if seen != "" {
		return seen
	}
	_, origin := l.site.whereabouts()
	return origin
}

// Cookie implements link.Link.
func (l *Link) Cookie() bool { return false }

// Woken implements link.Link.
func (l *Link) Woken() <-chan struct{} { return l.wake }

// tapped is a connection with the test in the middle.
type tapped struct {
	link.Conn
	link     *Link
	injected chan []byte
	read     chan []byte
	over     chan struct{}
	once     sync.Once
	err      error // set before over is closed

	mu    sync.Mutex // guards what follows
	asked map[uint64]string
}

// pump reads what the site sends, so that what is injected need not wait for it.
func (t *tapped) pump() {
	for {
		b, err := t.Conn.Read(context.Background())
		if err != nil {
			t.once.Do(func() { t.err = err; close(t.over) })
			t.link.mu.Lock()
			delete(t.link.conns, t)
			t.link.mu.Unlock()
			return
		}
		for _, b := range t.change(b) {
			select {
			case t.read <- b:
			case <-t.over:
				return
			}
		}
	}
}

// change lets the test change what came.
func (t *tapped) change(b []byte) [][]byte {
	var f wire.Frame
	if wire.Decode(b, &f) != nil {
		return [][]byte{b}
	}
	t.link.mu.Lock()
	answers, events := t.link.answers, t.link.events
	t.link.mu.Unlock()
	out := []wire.Frame{f}
	switch {
	case f.ID != 0:
		t.mu.Lock()
		method := t.asked[f.ID]
		delete(t.asked, f.ID)
		t.mu.Unlock()
		if answers != nil {
			answers(method, &out[0])
		}
	case events != nil:
		out = events(&f)
	}
	var list [][]byte
	for _, f := range out {
		b, err := wire.Encode(f)
		if err != nil {
			panic(err)
		}
		list = append(list, b)
	}
	return list
}

func (t *tapped) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-t.read:
		return b, nil
	case b := <-t.injected:
		return b, nil
	case <-t.over:
		return nil, t.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *tapped) Write(ctx context.Context, b []byte) error {
	var f wire.Frame
	if wire.Decode(b, &f) == nil {
		t.link.mu.Lock()
		see := t.link.request
		t.link.mu.Unlock()
		if see != nil {
			see(&f)
			var err error
			if b, err = wire.Encode(f); err != nil {
				return err
			}
		}
		t.mu.Lock()
		t.asked[f.ID] = f.Method
		t.mu.Unlock()
	}
	return t.Conn.Write(ctx, b)
}

func (t *tapped) Close() error {
	t.once.Do(func() { t.err = errors.Join(link.ErrUnreachable, errors.New("closed")); close(t.over) })
	return t.Conn.Close()
}

// OpenFile opens a path as the bytes of a file to send.
func OpenFile(_ context.Context, path string) (client.Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return source{f, st.Size()}, nil
}

type source struct {
	*os.File
	size int64
}

func (s source) Size() int64 { return s.size }

// CreateFile makes a path the place of a file that is opened.
func CreateFile(_ context.Context, path string, _ client.SinkInfo) (client.Sink, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &sink{File: f}, nil
}

type sink struct{ *os.File }

func (s *sink) Commit() (string, error) { return s.Name(), s.Close() }
func (s *sink) Abort()                  { s.Close(); os.Remove(s.Name()) }
