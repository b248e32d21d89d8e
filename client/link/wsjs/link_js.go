package wsjs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall/js"
	"time"

	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/internal/promise"
	"github.com/veche-im/veche/wire"
)

// waits for a server that takes connections and then says nothing. A browser
// does not tell when a body has left, so a request with one gets a second more
// for each 16 KiB.
const (
	dialTimeout   = 15 * time.Second
	headerTimeout = 60 * time.Second
	slowest       = 16 << 10
)

// Link implements link.Link.
type Link struct {
	origin string
	woken  chan struct{}
	online js.Func
}

// New returns the link to the server at origin, e.g. "https://veche.example".
// It hears the events "online" of the global scope until Close.
func New(origin string) (*Link, error) {
	if !strings.HasPrefix(origin, "https://") && !strings.HasPrefix(origin, "http://") {
		return nil, fmt.Errorf("not the address of a server: %q", origin)
	}
	l := &Link{origin: strings.TrimSuffix(origin, "/"), woken: make(chan struct{}, 1)}
	l.online = js.FuncOf(func(js.Value, []js.Value) any {
		select {
		case l.woken <- struct{}{}:
		default: // one is waiting to be heard already
		}
		return nil
	})
	js.Global().Call("addEventListener", "online", l.online)
	return l, nil
}

// Close stops hearing events. Connections are not touched.
func (l *Link) Close() {
	js.Global().Call("removeEventListener", "online", l.online)
	l.online.Release()
}

// Origin implements link.Link.
func (l *Link) Origin() string { return l.origin }

// Cookie implements link.Link: the browser keeps the session and shows it to
// nobody.
func (l *Link) Cookie() bool { return true }

// Woken implements link.Link.
func (l *Link) Woken() <-chan struct{} { return l.woken }

// Dial implements link.Link. token must be empty.
func (l *Link) Dial(ctx context.Context, token string) (link.Conn, error) {
	if token != "" {
		return nil, errors.New("a browser's session is a cookie, not a token")
	}
	address := "ws" + strings.TrimPrefix(l.origin, "http") + wire.PathSocket
	c, err := newConn(address)
	if err != nil {
		return nil, err
	}
	wait := time.NewTimer(dialTimeout)
	defer wait.Stop()
	select {
	case <-c.opened:
		return c, nil
	case <-c.over:
		return nil, l.whyNot(ctx, c.err)
	case <-wait.C:
		c.end(fmt.Errorf("%w: no answer within %v", link.ErrUnreachable, dialTimeout))
		return nil, c.err
	case <-ctx.Done():
		c.end(ctx.Err())
		return nil, ctx.Err()
	}
}

// whyNot finds out why a socket did not open.
func (l *Link) whyNot(ctx context.Context, closed error) error {
	res, err := l.Do(ctx, link.Request{Method: "GET", Path: wire.PathSession})
	if err != nil {
		return err
	}
	switch res.Status {
	case 401:
		return wire.Refuse(wire.Unauthenticated, "the session has ended")
	case 429, 503:
		e := wire.Refuse(wire.Busy, "the server is busy")
		e.RetryAfter = res.RetryAfter.Milliseconds()
		return e
	}
	return fmt.Errorf("the server answers but its socket does not open: %w", closed)
}

// Do implements link.Link.
func (l *Link) Do(ctx context.Context, r link.Request) (link.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	abort := js.Global().Get("AbortController").New()
	defer context.AfterFunc(ctx, func() { abort.Call("abort") })()
	late := time.AfterFunc(headerTimeout+time.Duration(len(r.Body)/slowest)*time.Second, cancel)
	defer late.Stop()

	options, err := request(r, abort.Get("signal"))
	if err != nil {
		return link.Response{}, err
	}
	answer, err := promise.Await(ctx, js.Global().Call("fetch", l.origin+r.Path, options))
	if err != nil {
		return link.Response{}, failed(ctx, late, r, err)
	}
	late.Stop()
	res := link.Response{Status: answer.Get("status").Int(), RetryAfter: retryAfter(answer)}
	if res.Status == 0 { // a redirect: nobody is sent elsewhere
		return link.Response{}, fmt.Errorf("%w: %s %s leads elsewhere", link.ErrUnreachable, r.Method, r.Path)
	}
	most := r.Max
	if most == 0 {
		most = wire.MaxJSON
	}
	res.Body, err = readAll(ctx, answer, most)
	if err != nil {
		return link.Response{}, failed(ctx, late, r, err)
	}
	return res, nil
}

// failed turns the end of a request without an answer into what link.Link
// promises. late has fired if the server was silent for too long.
func failed(ctx context.Context, late *time.Timer, r link.Request, err error) error {
	if ctx.Err() != nil && late.Stop() {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %s %s: %w", link.ErrUnreachable, r.Method, r.Path, err)
}

func request(r link.Request, signal js.Value) (js.Value, error) {
	if r.Token != "" {
		return js.Value{}, errors.New("a browser's session is a cookie, not a token")
	}
	headers := js.Global().Get("Object").New()
	o := js.Global().Get("Object").New()
	for name, value := range map[string]string{
		"method": r.Method, "credentials": "same-origin", "redirect": "manual",
		"cache": "no-store", "referrerPolicy": "no-referrer",
	} {
		o.Set(name, value)
	}
	if r.Body != nil || r.Method == "POST" {
		if r.Type == "" {
			r.Type = "application/json"
		}
		headers.Set("Content-Type", r.Type)
		o.Set("body", promise.Array(r.Body))
	}
	if r.To > 0 {
		headers.Set("Range", "bytes="+strconv.FormatInt(r.From, 10)+"-"+strconv.FormatInt(r.To-1, 10))
	}
	o.Set("headers", headers)
	o.Set("signal", signal)
	return o, nil
}

var errLong = errors.New("the answer is too long")

// readAll reads an answer's body, at most so many bytes of it.
func readAll(ctx context.Context, answer js.Value, most int) ([]byte, error) {
	body := answer.Get("body")
	if body.IsNull() || body.IsUndefined() {
		return nil, nil
	}
	reader := body.Call("getReader")
	var all []byte
	for {
		part, err := promise.Await(ctx, reader.Call("read"))
		if err != nil {
			return nil, err
		}
		if part.Get("done").Bool() {
			return all, nil
		}
		bytes := part.Get("value")
		have, n := len(all), bytes.Get("length").Int()
		if have+n > most {
			return nil, errLong // Do aborts the request as it returns
		}
		all = append(all, make([]byte, n)...)
		js.CopyBytesToGo(all[have:], bytes)
	}
}

func retryAfter(answer js.Value) time.Duration {
	v := answer.Get("headers").Call("get", "Retry-After")
	if v.Type() != js.TypeString {
		return 0
	}
	s, err := strconv.Atoi(v.String())
	if err != nil || s < 0 || s > 3600 {
		return 0
	}
	return time.Duration(s) * time.Second
}
