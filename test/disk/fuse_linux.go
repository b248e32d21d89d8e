package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The part of FUSE that one regular file needs; include/uapi/linux/fuse.h. The
// file is the root of its file system, so that there are no names.
const (
	opForget      = 2
	opGetattr     = 3
	opOpen        = 14
	opRead        = 15
	opWrite       = 16
	opRelease     = 18
	opFsync       = 20
	opFlush       = 25
	opInit        = 26
	opInterrupt   = 36
	opDestroy     = 38
	opBatchForget = 42

	inHeader  = 40
	outHeader = 16

	major, minor = 7, 31
	flagBig      = 1 << 5  // writes of more than a page
	flagPages    = 1 << 22 // … of as many as we say
	openDirect   = 1       // past the page cache: the disk is the one that knows
	maxWrite     = 1 << 20
	servers      = 4 // requests that are answered at a time
	rootMode     = 0o100600
)

var order = binary.NativeEndian

// fuse serves a medium as a file.
type fuse struct {
	fd     int
	path   string
	medium *medium
	done   sync.WaitGroup
}

// serve mounts m over the regular file at path.
func serve(path string, m *medium) (*fuse, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/fuse: %w", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=%o,user_id=0,group_id=0", fd, rootMode)
	if err := unix.Mount("disk", path, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("mount a disk at %s: %w", path, err)
	}
	f := &fuse{fd: fd, path: path, medium: m}
	for range servers {
		f.done.Go(f.answer)
	}
	return f, nil
}

// close takes the disk away; nobody may use it any more.
func (f *fuse) close() error {
	err := unix.Unmount(f.path, unix.MNT_DETACH)
	f.done.Wait()
	return errors.Join(err, unix.Close(f.fd))
}

func (f *fuse) answer() {
	in := make([]byte, inHeader+maxWrite+4096)
	out := make([]byte, outHeader+maxWrite)
	for {
		n, err := unix.Read(f.fd, in)
		if err == unix.EINTR || err == unix.EAGAIN || err == unix.ENOENT {
			continue
		}
		if err != nil || n < inHeader {
			return // unmounted
		}
		op, body := order.Uint32(in[4:]), in[inHeader:n]
		switch op {
		case opForget, opBatchForget, opInterrupt, opDestroy:
			continue // no answer is waited for
		}
		size, errno := f.do(op, body, out[outHeader:])
		if errno != 0 {
			size = 0
		}
		order.PutUint32(out[0:], uint32(outHeader+size))
		order.PutUint32(out[4:], uint32(-int32(errno)))
		copy(out[8:16], in[8:16])
		for {
			if _, err := unix.Write(f.fd, out[:outHeader+size]); err != unix.EINTR {
				break // who asked may be gone
			}
		}
	}
}

// do carries out a request and returns how much of out is the answer.
func (f *fuse) do(op uint32, in, out []byte) (int, syscall.Errno) {
	switch op {
	case opInit:
		clear(out[:64])
		order.PutUint32(out[0:], major)
		order.PutUint32(out[4:], minor)
		order.PutUint32(out[8:], order.Uint32(in[8:])) // readahead as offered
		order.PutUint32(out[12:], flagBig|flagPages)
		order.PutUint16(out[16:], 64) // requests in the background
		order.PutUint16(out[18:], 48)
		order.PutUint32(out[20:], maxWrite)
		order.PutUint32(out[24:], 1)
		order.PutUint16(out[28:], maxWrite/4096)
		return 64, 0
	case opGetattr:
		clear(out[:104])
		order.PutUint64(out[0:], 3600) // seconds for which this holds
		a := out[16:]
		size := uint64(f.medium.size)
		order.PutUint64(a[0:], 1) // inode
		order.PutUint64(a[8:], size)
		order.PutUint64(a[16:], size/sector)
		order.PutUint32(a[60:], rootMode)
		order.PutUint32(a[64:], 1) // links
		order.PutUint32(a[80:], block)
		return 104, 0
	case opOpen:
		clear(out[:16])
		order.PutUint32(out[8:], openDirect)
		return 16, 0
	case opRead:
		off, n := int64(order.Uint64(in[8:])), int(order.Uint32(in[16:]))
		n = min(n, len(out), max(0, int(f.medium.size-off)))
		f.medium.read(out[:n], off)
		return n, 0
	case opWrite:
		off, n := int64(order.Uint64(in[8:])), int(order.Uint32(in[16:]))
		clear(out[:8])
		order.PutUint32(out, uint32(n))
		return 8, f.medium.write(in[40:40+n], off)
	case opFsync:
		return 0, f.medium.flush()
	case opFlush, opRelease:
		return 0, 0
	default:
		return 0, syscall.ENOSYS
	}
}
