// Package disk is a disk whose power can be cut, that fails, and that is slow,
// with an ordinary ext4 on it, for rigs that let a server live there.
//
// The disk is this process: a file of FUSE behind a loop device, and behind it
// a medium in memory. So every write and every flush of the file system comes
// by here, and the disk has what a real one has: a cache of its own. What was
// written since the last flush is, when the power goes, there, not there, or
// torn, by chance and in any order, one sector of 512 bytes at a time. What the
// kernel had not written at all is gone of itself.
//
// It needs Linux, root, /dev/fuse, a loop device and mkfs.ext4. Where one is
// missing the test is skipped and says so.
package disk

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

const (
	sector = 512
	block  = 4096
)

// medium is what bytes end up on.
type medium struct {
	size int64 // in bytes; set once

	mu      sync.Mutex // guards what follows
	bytes   []byte
	cached  []write // since the last flush, oldest first
	flushes int

	off   bool
	power *sync.Cond // off became false
	// Between cut and restore bytes are what survived, and dead is what a kernel
	// that does not know it yet still sees and writes, by number of block.
	dead map[int64][]byte

	broken func(off int64, b []byte) bool // of writes, those of which one fails; nil: none
	failed time.Time                      // when it did
	slow   time.Duration                  // each flush takes that much longer
	lies   bool                           // flushes are answered and not done
}

// write is one that sits in the disk's cache.
type write struct {
	off      int64
	old, new []byte
}

func newMedium(size int) *medium {
	m := &medium{size: int64(size), bytes: make([]byte, size)}
	m.power = sync.NewCond(&m.mu)
	return m
}

func (m *medium) read(b []byte, off int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	copy(b, m.bytes[off:])
	m.eachDead(off, len(b), func(block []byte, at, from, n int) { copy(b[at:at+n], block[from:]) })
}

// eachDead calls f for the parts of [off, off+n) that stand in dead: n bytes
// from from on in the block are those at at.
func (m *medium) eachDead(off int64, n int, f func(block []byte, at, from, n int)) {
	if m.dead == nil {
		return
	}
	for at := 0; at < n; {
		i, from := (off+int64(at))/block, int((off+int64(at))%block)
		part := min(block-from, n-at)
		if b := m.dead[i]; b != nil {
			f(b, at, from, part)
		}
		at += part
	}
}

// keepDead has dead hold the blocks of [off, off+n) as they stand.
func (m *medium) keepDead(off int64, n int) {
	for i := off / block; i*block < off+int64(n); i++ {
		if m.dead[i] == nil {
			m.dead[i] = append([]byte(nil), m.bytes[i*block:(i+1)*block]...)
		}
	}
}

// write takes b unless the disk fails it. While the power is off it waits: then
// there is nobody left to hear the answer.
func (m *medium) write(b []byte, off int64) syscall.Errno {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.off {
		m.power.Wait()
	}
	if m.dead != nil {
		m.keepDead(off, len(b))
		m.eachDead(off, len(b), func(block []byte, at, from, n int) { copy(block[from:], b[at:at+n]) })
		return 0
	}
	if m.broken != nil && m.failed.IsZero() && m.broken(off, b) {
		m.failed = time.Now()
		return syscall.EIO
	}
	at := m.bytes[off : off+int64(len(b))]
	m.cached = append(m.cached, write{off, append([]byte(nil), at...), append([]byte(nil), b...)})
	copy(at, b)
	return 0
}

func (m *medium) flush() syscall.Errno {
	m.mu.Lock()
	defer m.mu.Unlock()
	for began := time.Now(); time.Since(began) < m.slow; { // which may end meanwhile
		rest := min(m.slow-time.Since(began), 10*time.Millisecond)
		m.mu.Unlock()
		time.Sleep(rest)
		m.mu.Lock()
	}
	for m.off {
		m.power.Wait()
	}
	m.flushes++
	if !m.lies {
		m.cached = nil
	}
	return 0
}

// cut takes the power: from here on nothing is answered until release. It is
// decided now what of the cache reached the medium.
func (m *medium) cut(r *rand.Rand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off, m.dead = true, map[int64][]byte{}
	for _, w := range m.cached {
		m.keepDead(w.off, len(w.new))
	}
	for i := len(m.cached) - 1; i >= 0; i-- {
		copy(m.bytes[m.cached[i].off:], m.cached[i].old)
	}
	if m.lies { // it keeps the order at least, or no file system would come back
		for _, w := range m.cached[:r.IntN(len(m.cached)+1)] {
			copy(m.bytes[w.off:], w.new)
		}
		m.cached = nil
		return
	}
	// Of a cache that is emptied in some order, often nearly all or nearly
	// nothing is gone.
	reach := []float64{0, 0.1, 0.5, 0.9, 1}[r.IntN(5)]
	torn := r.IntN(2) == 0
	for _, w := range m.cached {
		whole := r.Float64() < reach
		for i := 0; i < len(w.new); i += sector {
			if torn && r.Float64() < reach || !torn && whole {
				end := min(i+sector, len(w.new))
				copy(m.bytes[w.off+int64(i):], w.new[i:end])
			}
		}
	}
	m.cached = nil
}

// release answers what waits, to nobody's use: the machine is a dead one.
func (m *medium) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off = false
	m.power.Broadcast()
}

// restore shows what survived, with nobody using the disk.
func (m *medium) restore() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = nil
}
