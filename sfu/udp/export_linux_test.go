package udp

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Segments reports whether a still leaves cutting to the kernel.
func (s *Socket) Segments() bool { return s.sys.segment.Load() }

// Sends is how many messages o became.
func (o *Out) Sends() int { return len(o.messages) }

// Refusal is what a kernel says to a segmented send.
type Refusal syscall.Errno

const (
	RefuseEIO         = Refusal(syscall.EIO)
	RefuseENOPROTOOPT = Refusal(syscall.ENOPROTOOPT)
	RefuseEINVAL      = Refusal(syscall.EINVAL)
)

// Refuse has the first n segmented sends of o fail, as if the kernel refused. The
// kernel stops at the message that it refuses, and says why at the next call.
func (s *Socket) Refuse(o *Out, r Refusal, n int) {
	w := o.sys
	w.try = func(fd uintptr) bool {
		to := w.from
		for to < w.to && (n == 0 || w.packets[to] == 1) {
			to++
		}
		if to == w.from {
			n--
			w.n, w.errno = -1, syscall.Errno(r)
			return true
		}
		got, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.msgs[w.from])), uintptr(to-w.from), unix.MSG_DONTWAIT, 0, 0)
		w.n, w.errno = int(got), errno
		return errno != syscall.EAGAIN
	}
}
