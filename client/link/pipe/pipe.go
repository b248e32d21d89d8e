// Package pipe is a link inside one process, for tests: what is written at one
// end is read at the other, and the test decides what dialling does. It uses
// channels alone, so that it works under testing/synctest.
package pipe

import (
	"context"
	"fmt"
	"sync"

	"github.com/veche-im/veche/client/link"
)

// Link implements link.Link with functions. A nil function is a server that
// cannot be reached.
type Link struct {
	OnDial func(ctx context.Context, token string) (link.Conn, error)
	OnDo   func(ctx context.Context, r link.Request) (link.Response, error)
	URL    string
	Wake   chan struct{}
}

// Dial implements link.Link.
func (l *Link) Dial(ctx context.Context, token string) (link.Conn, error) {
	if l.OnDial == nil {
		return nil, link.ErrUnreachable
	}
	return l.OnDial(ctx, token)
}

// Do implements link.Link.
func (l *Link) Do(ctx context.Context, r link.Request) (link.Response, error) {
	if l.OnDo == nil {
		return link.Response{}, link.ErrUnreachable
	}
	return l.OnDo(ctx, r)
}

// Origin implements link.Link.
func (l *Link) Origin() string { return l.URL }

// Cookie implements link.Link.
func (l *Link) Cookie() bool { return false }

// Woken implements link.Link.
func (l *Link) Woken() <-chan struct{} { return l.Wake }

// Pair returns the two ends of a connection. Closing one closes both.
func Pair() (device, server link.Conn) {
	a, b := make(chan []byte, 16), make(chan []byte, 16)
	over := make(chan struct{})
	once := new(sync.Once)
	return &end{a, b, over, once}, &end{b, a, over, once}
}

type end struct {
	in   <-chan []byte
	out  chan<- []byte
	over chan struct{}
	once *sync.Once
}

func (e *end) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-e.in:
		return b, nil
	case <-e.over:
		return nil, fmt.Errorf("%w: closed", link.ErrUnreachable)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *end) Write(ctx context.Context, message []byte) error {
	select {
	case <-e.over:
		return fmt.Errorf("%w: closed", link.ErrUnreachable)
	default:
	}
	select {
	case e.out <- append([]byte(nil), message...):
		return nil
	case <-e.over:
		return fmt.Errorf("%w: closed", link.ErrUnreachable)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *end) Close() error {
	e.once.Do(func() { close(e.over) })
	return nil
}
