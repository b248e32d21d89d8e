package disk

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// patience is how long a write that must come may take: far more than any needs,
// as a loaded machine is no fault.
const patience = 2 * time.Minute

// A Fault is a write that fails.
type Fault struct {
	d     *Disk
	what  string
	which func() func(off int64, b []byte) bool
	close func() error
}

// FailWriteTo has one write fail that carries what is in the file at path. The
// next write of the disk as a whole may be anybody's, the file system's own too,
// of which nobody is ever told.
func (d *Disk) FailWriteTo(path string) *Fault {
	d.tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		d.tb.Fatal(err)
	}
	return d.fail(&Fault{what: path, close: f.Close, which: func() func(int64, []byte) bool {
		where, err := extentsOf(f)
		if err != nil {
			d.tb.Error(err)
		}
		return func(off int64, b []byte) bool {
			for _, e := range where {
				if off < e.off+e.size && e.off < off+int64(len(b)) {
					return true
				}
			}
			return false
		}
	}})
}

// The journal's blocks begin with this, and with what they are.
// include/linux/jbd2.h, journal_header_t.
const (
	journalMagic      = 0xc03b3998
	journalDescriptor = 1
	journalCommit     = 2
)

// FailJournal has one write fail by which the file system commits what it
// changed. It can only be read then.
func (d *Disk) FailJournal() *Fault {
	d.tb.Helper()
	return d.fail(&Fault{what: "the journal", close: func() error { return nil }, which: func() func(int64, []byte) bool {
		return func(_ int64, b []byte) bool {
			for ; len(b) >= block; b = b[block:] {
				kind := binary.BigEndian.Uint32(b[4:])
				if binary.BigEndian.Uint32(b) == journalMagic && (kind == journalDescriptor || kind == journalCommit) {
					return true
				}
			}
			return false
		}
	}})
}

func (d *Disk) fail(f *Fault) *Fault {
	f.d = d
	d.medium.mu.Lock()
	defer d.medium.mu.Unlock()
	d.medium.failed = time.Time{}
	d.medium.broken = f.which()
	return f
}

// Wait returns when it was that the write failed. Somebody must be writing.
// Afterwards the disk works again.
func (f *Fault) Wait() time.Time {
	f.d.tb.Helper()
	defer f.close()
	m := f.d.medium
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		broken := f.which() // a file grows
		m.mu.Lock()
		failed := m.failed
		if m.broken = broken; !failed.IsZero() {
			m.broken = nil
		}
		m.mu.Unlock()
		if !failed.IsZero() {
			return failed
		}
	}
	f.d.tb.Fatalf("nobody writes to %s", f.what)
	return time.Time{}
}

// extent is a piece of the disk, in bytes.
type extent struct{ off, size int64 }

// extentsOf returns where the bytes of f are. What has no place yet is not
// among them. Documentation/filesystems/fiemap.rst.
func extentsOf(f *os.File) ([]extent, error) {
	const (
		fiemap  = 0xc020660b // FS_IOC_FIEMAP
		most    = 512
		unknown = 0x2 // FIEMAP_EXTENT_UNKNOWN: no place yet
	)
	var ask struct {
		start, length uint64
		flags         uint32
		mapped, count uint32
		_             uint32
		extents       [most]struct {
			logical, physical, length uint64
			_                         [2]uint64
			flags                     uint32
			_                         [3]uint32
		}
	}
	ask.length, ask.count = ^uint64(0), most
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fiemap, uintptr(unsafe.Pointer(&ask)))
	runtime.KeepAlive(f)
	if errno != 0 {
		return nil, fmt.Errorf("where %s is on the disk: %w", f.Name(), errno)
	}
	var list []extent
	for _, e := range ask.extents[:ask.mapped] {
		if e.flags&unknown == 0 {
			list = append(list, extent{int64(e.physical), int64(e.length)})
		}
	}
	return list, nil
}
