//go:build js

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"syscall/js"

	"github.com/veche-im/veche/client"
	"github.com/veche-im/veche/internal/promise"
)

// shelf holds the browser's Blobs under numbers, written in decimal wherever
// natively a path would stand: see web/src/core/worker/blobs.ts.
type shelf struct{ js js.Value }

// open is client.Config.OpenSource.
func (s shelf) open(_ context.Context, source string) (client.Source, error) {
	n, err := strconv.Atoi(source)
	if err != nil {
		return nil, fmt.Errorf("open file %q: not a number of the shelf", source)
	}
	size := s.js.Call("size", n).Int()
	if size < 0 {
		return nil, fmt.Errorf("open file %d: the shelf does not hold it any more", n)
	}
	return &blob{js: s.js, n: n, size: int64(size)}, nil
}

// blob is a File that somebody picked, or a Blob that the interface made. It
// may be opened more than once until it was read to its end.
type blob struct {
	js   js.Value
	n    int
	size int64
	read bool // to its end
}

func (b *blob) Size() int64 { return b.size }

// ReadAt must not be called where the event loop waits.
func (b *blob) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= b.size {
		b.read = true
		return 0, io.EOF
	}
	to := min(off+int64(len(p)), b.size)
	// The wait has no context because io.ReaderAt has none; a slice of a Blob
	// comes or fails, for instance when the file was changed on disk.
	got, err := promise.Await(context.Background(), b.js.Call("read", b.n, off, to))
	if err != nil {
		return 0, fmt.Errorf("read file %d at %d: %w", b.n, off, err)
	}
	n := js.CopyBytesToGo(p, got)
	b.read = b.read || off+int64(n) == b.size
	if int64(n) < to-off {
		return n, io.ErrUnexpectedEOF
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close lets the browser forget the file if it was read: what follows is made
// from the sealed pieces in the store. One that was only looked at stays.
func (b *blob) Close() error {
	if b.read {
		b.js.Call("release", b.n)
	}
	return nil
}

// create is client.Config.CreateSink.
func (s shelf) create(_ context.Context, sink string, _ client.SinkInfo) (client.Sink, error) {
	n, err := strconv.Atoi(sink)
	if err != nil {
		return nil, fmt.Errorf("write file %q: not a number of the shelf", sink)
	}
	return &newBlob{s.js, n}, nil
}

// newBlob is a Blob that is being put together. The worker takes it from the
// shelf when the call that made it is answered.
type newBlob struct {
	js js.Value
	n  int
}

func (b *newBlob) Write(p []byte) (int, error) {
	if !b.js.Call("append", b.n, promise.Array(p)).Bool() {
		return 0, fmt.Errorf("write file %d: the shelf does not hold it any more", b.n)
	}
	return len(p), nil
}

func (b *newBlob) Commit() (string, error) { return strconv.Itoa(b.n), nil }

func (b *newBlob) Abort() { b.js.Call("release", b.n) }
