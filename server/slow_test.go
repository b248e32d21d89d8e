package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// With a disk that takes two seconds for each commit, what waits stays bounded,
// whoever is refused is told when to come back, and as soon as the disk is well
// everything is as before.
func TestSlowDiskRefusesInTimeAndPilesNothingUp(t *testing.T) {
	t.Parallel()
	const devices, requests = 20, 200
	s, err := New(t.Context(), Config{Data: t.TempDir() + "/data", HTTPS: "127.0.0.1:0", HTTP: off, Metrics: off, Cost: account.Cost{Memory: 64, Time: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	tokens := populate(t, s, wire.NewRoomID(), devices)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	defer func() { stop(); <-ended }()

	var slow atomic.Bool
	slow.Store(true)
	var disk sync.WaitGroup
	disk.Go(func() {
		for slow.Load() {
			_ = s.db.Update(ctx, func(*db.Tx) error { time.Sleep(2 * time.Second); return nil })
		}
	})
	before := heapInUse()
	var done, busy, mute atomic.Int64
	var all sync.WaitGroup
	for _, token := range tokens {
		c, r, err := upgrade(s.listeners.https.Addr().String(), token, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all.Go(func() {
			for i := range requests {
				if _, err := c.Write(request(uint64(i+1), wire.DeviceDrop.Name, wire.DropDevice{Device: wire.NewDeviceID()})); err != nil {
					t.Error(err)
					return
				}
			}
		})
		all.Go(func() {
			for left := requests; left > 0; {
				f, err := answer(r)
				switch {
				case err != nil:
					t.Error(err)
					return
				case f.ID == 0:
					continue // an event
				case f.Error != nil && f.Error.Code == wire.Busy && f.Error.RetryAfter > 0:
					busy.Add(1)
				case f.Error != nil && f.Error.Code == wire.NotFound: // as it should be: it reached the disk
					done.Add(1)
				default:
					mute.Add(1)
				}
				left--
			}
		})
	}
	for end := time.Now().Add(time.Minute); busy.Load() == 0 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	if grown := heapInUse() - before; grown > 32<<20 {
		t.Errorf("%d MiB more are in use", grown>>20)
	}
	if busy.Load() == 0 {
		t.Error("nobody was told to come back")
	}
	slow.Store(false)
	disk.Wait()
	all.Wait()
	if n := done.Load() + busy.Load(); n != devices*requests || mute.Load() > 0 || done.Load() == 0 {
		t.Errorf("%d were carried out, %d told to come back, %d neither", done.Load(), busy.Load(), mute.Load())
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// request is one as it travels from a device, with the mask zero.
func request(id uint64, method string, params any) []byte {
	body, err := wire.Encode(params)
	if err != nil {
		panic(err)
	}
	f, err := wire.Encode(wire.Frame{ID: id, Method: method, Body: body})
	if err != nil {
		panic(err)
	}
	if len(f) > 125 {
		b := binary.BigEndian.AppendUint16([]byte{0x82, 0x80 | 126}, uint16(len(f)))
		return append(append(b, 0, 0, 0, 0), f...)
	}
	return append([]byte{0x82, 0x80 | byte(len(f)), 0, 0, 0, 0}, f...)
}

// answer reads the next frame that the server sends.
func answer(r *bufio.Reader) (f wire.Frame, err error) {
	var h [4]byte
	if _, err := io.ReadFull(r, h[:2]); err != nil {
		return f, err
	}
	n := int(h[1])
	if n == 126 {
		if _, err := io.ReadFull(r, h[2:]); err != nil {
			return f, err
		}
		n = int(binary.BigEndian.Uint16(h[2:]))
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return f, err
	}
	return f, wire.Decode(b, &f)
}
