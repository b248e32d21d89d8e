package udp

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	nameSize = unix.SizeofSockaddrInet6 // the larger of both
	// ctlSize has room for the control messages of one send: packet info and the
	// size of segments.
	ctlSize = 80
	// writeBatch is how many messages one sendmmsg takes.
	writeBatch = 64
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// sockSys is what a Socket has on Linux.
type sockSys struct {
	raw     syscall.RawConn
	six     bool        // an IPv6 socket, which may carry mapped IPv4
	segment atomic.Bool // the kernel segments; cleared at the first refusal
}

// readSys are the kernel's views of a Batch's slots.
type readSys struct {
	msgs  [BatchSize]mmsghdr
	iovs  [BatchSize]unix.Iovec
	names [BatchSize][nameSize]byte
	ctls  [BatchSize][ctlSize]byte
	try   func(fd uintptr) bool // recvmmsg once; made once, because a closure is an allocation
	n     int
	errno syscall.Errno
}

// writeSys are the kernel's views of an Out's messages.
type writeSys struct {
	msgs  [writeBatch]mmsghdr
	iovs  [writeBatch]unix.Iovec
	names [writeBatch][nameSize]byte
	ctls  [writeBatch][ctlSize]byte
	try   func(fd uintptr) bool // sendmmsg, with patience; made once

	index   [writeBatch]int // of the message in Out
	packets [writeBatch]int
	from    int // of msgs, the next to send
	to      int
	n       int
	errno   syscall.Errno
}

func newReadSys(b *Batch) *readSys {
	r := &readSys{}
	for i := range r.msgs {
		r.iovs[i].Base = &b.slot(i)[0]
		r.iovs[i].SetLen(MaxPacket)
		h := &r.msgs[i].hdr
		h.Name, h.Iov, h.Control = &r.names[i][0], &r.iovs[i], &r.ctls[i][0]
		h.SetIovlen(1)
	}
	r.try = func(fd uintptr) bool {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.msgs[0])), BatchSize, unix.MSG_DONTWAIT, 0, 0)
		r.n, r.errno = int(n), errno
		return errno != syscall.EAGAIN
	}
	return r
}

func newWriteSys() *writeSys {
	w := &writeSys{}
	for i := range w.msgs {
		h := &w.msgs[i].hdr
		h.Name, h.Iov = &w.names[i][0], &w.iovs[i]
		h.SetIovlen(1)
	}
	w.try = func(fd uintptr) bool {
		for waited := false; ; waited = true {
			n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.msgs[w.from])), uintptr(w.to-w.from), unix.MSG_DONTWAIT, 0, 0)
			w.n, w.errno = int(n), errno
			if errno != syscall.EAGAIN || waited {
				return true
			}
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(patience/time.Millisecond))
		}
	}
	return w
}

func open(cfg Config, shared bool) (*Socket, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) { err = prepare(int(fd), cfg.Buffer, shared) })
		return errors.Join(cerr, err)
	}}
	address := cfg.Addr.String()
	if !cfg.Addr.Addr().IsValid() {
		address = net.JoinHostPort("", strconv.Itoa(int(cfg.Addr.Port())))
	}
	pc, err := lc.ListenPacket(context.Background(), "udp", address)
	if err != nil {
		return nil, err
	}
	s := &Socket{conn: pc.(*net.UDPConn)}
	if err := s.setUp(); err != nil {
		_ = pc.Close()
		return nil, err
	}
	return s, nil
}

// prepare sets what must be set before the socket is bound.
func prepare(fd, buffer int, shared bool) error {
	if shared {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	for _, o := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[0], buffer) != nil { // allowed to root alone
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[1], buffer) // as much as the system allows
		}
	}
	return nil
}

func (s *Socket) setUp() (err error) {
	a := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	s.local = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	if s.sys.raw, err = s.conn.SyscallConn(); err != nil {
		return err
	}
	return s.sys.raw.Control(func(fd uintptr) {
		domain, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		s.sys.six = err == nil && domain == unix.AF_INET6
		// Without packet info the system chooses where packets leave from.
		if s.sys.six {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		} else {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		}
		_, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT)
		s.sys.segment.Store(err == nil)
	})
}

// Read waits for packets and takes what has come, at most BatchSize, into b. Its
// only lasting error is net.ErrClosed.
func (s *Socket) Read(b *Batch) error {
	r := b.sys
	for {
		for i := range r.msgs {
			h := &r.msgs[i].hdr
			h.Namelen = nameSize
			h.SetControllen(ctlSize)
		}
		b.Packets = b.Packets[:0]
		if err := s.sys.raw.Read(r.try); err != nil {
			return closed(err)
		}
		if r.errno == syscall.EINTR || r.errno == syscall.ECONNREFUSED {
			continue // an ICMP error of an earlier packet, which tells nothing here
		}
		if r.errno != 0 {
			return r.errno
		}
		s.count.received.Add(uint64(r.n))
		if s.collect(b); len(b.Packets) > 0 {
			return nil
		}
	}
}

// collect turns what the kernel wrote into b.Packets.
func (s *Socket) collect(b *Batch) {
	r := b.sys
	for i := range r.n {
		m := &r.msgs[i]
		if m.hdr.Flags&unix.MSG_TRUNC != 0 {
			s.count.long.Add(1)
			continue
		}
		from, ok := readName(&r.names[i])
		if !ok {
			continue
		}
		b.Packets = append(b.Packets, Packet{
			Data:  b.slot(i)[:m.n],
			From:  from,
			Local: readLocal(r.ctls[i][:m.hdr.Controllen]),
		})
	}
}

func readName(n *[nameSize]byte) (netip.AddrPort, bool) {
	port := binary.BigEndian.Uint16(n[2:])
	switch binary.NativeEndian.Uint16(n[:]) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(n[4:8])), port), true
	case unix.AF_INET6:
		a := netip.AddrFrom16([16]byte(n[8:24])).Unmap()
		if scope := binary.NativeEndian.Uint32(n[24:]); scope != 0 && a.IsLinkLocalUnicast() {
			a = a.WithZone(zone(scope))
		}
		return netip.AddrPortFrom(a, port), true
	}
	return netip.AddrPort{}, false
}

// readLocal finds the packet info among control messages.
func readLocal(c []byte) netip.Addr {
	const head = unix.SizeofCmsghdr
	for len(c) >= head {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&c[0]))
		n := int(h.Len)
		if n < head || n > len(c) {
			break
		}
		data := c[unix.CmsgLen(0):n]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			return netip.AddrFrom4([4]byte(data[8:12])) // ipi_addr, what the header says; ipi_spec_dst is the interface's
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			return netip.AddrFrom16([16]byte(data[:16])).Unmap()
		}
		next := unix.CmsgSpace(n - unix.CmsgLen(0))
		if next > len(c) {
			break
		}
		c = c[next:]
	}
	return netip.Addr{}
}

// Send sends what is in o and empties it. Its only error is net.ErrClosed; a
// packet that could not be sent is dropped and counted.
func (s *Socket) Send(o *Out) error {
	defer o.Reset()
	w := o.sys
	next, inside := 0, 0 // of o.messages, and the packet in it where they go one by one
	for next < len(o.messages) {
		w.from, w.to = 0, 0
		segment := s.sys.segment.Load()
		for w.to < writeBatch && next < len(o.messages) {
			m := &o.messages[next]
			if !s.sys.six && !m.to.Addr().Unmap().Is4() { // the address of another family
				s.count.dropped.Add(uint64(m.packets - inside))
				inside, next = 0, next+1
				continue
			}
			if m.packets == 1 || segment && !m.apart && inside == 0 {
				s.put(o, next, m.start, m.end, m.packets)
				next++
				continue
			}
			start := m.start + inside*m.size
			s.put(o, next, start, min(start+m.size, m.end), 1)
			if inside++; inside == m.packets {
				inside, next = 0, next+1
			}
		}
		refused, err := s.flush(w)
		if err != nil {
			return err
		}
		if refused >= 0 { // this one and what followed it
			next, inside = refused, 0
			o.messages[next].apart = true
		}
	}
	return nil
}

// put writes one message, or one packet of it, into the next place of o.sys.
func (s *Socket) put(o *Out, index, start, end, packets int) {
	w, m := o.sys, &o.messages[index]
	i := w.to
	w.to++
	w.index[i], w.packets[i] = index, packets
	h := &w.msgs[i].hdr
	w.iovs[i].Base = &o.arena[start]
	w.iovs[i].SetLen(end - start)
	h.Namelen = writeName(&w.names[i], m.to, s.sys.six)
	c := w.ctls[i][:0]
	if s.own(m.from) {
		c = appendLocal(c, m.from, s.sys.six)
	}
	if packets > 1 {
		c = appendSegment(c, m.size)
	}
	h.Control = nil
	if len(c) > 0 {
		h.Control = &w.ctls[i][0]
	}
	h.SetControllen(len(c))
}

// flush sends what is in w. If the kernel does not cut a message into its packets
// it returns the message's index, and nothing from there on was sent; else -1.
func (s *Socket) flush(w *writeSys) (refused int, err error) {
	for w.from < w.to {
		if err := s.sys.raw.Write(w.try); err != nil {
			return -1, closed(err)
		}
		s.count.calls.Add(1)
		first := w.from
		switch {
		case w.errno == 0:
			w.from += w.n
			s.count.sent.Add(w.count(first, w.from))
		case w.errno == syscall.EINTR:
		case w.errno == syscall.EAGAIN: // patience is over
			w.from = w.to
			s.count.dropped.Add(w.count(first, w.to))
		case w.packets[first] > 1 && (w.errno == syscall.EIO || w.errno == syscall.ENOPROTOOPT):
			s.sys.segment.Store(false) // this card or kernel never can
			return w.index[first], nil
		case w.packets[first] > 1 && (w.errno == syscall.EINVAL || w.errno == syscall.EMSGSIZE):
			return w.index[first], nil // longer than this receiver's path carries in one piece
		default: // no route, a firewall: this receiver alone
			w.from++
			s.count.dropped.Add(w.count(first, w.from))
		}
	}
	return -1, nil
}

func (w *writeSys) count(from, to int) (n uint64) {
	for _, p := range w.packets[from:to] {
		n += uint64(p)
	}
	return n
}

// WriteTo sends one packet at once.
func (s *Socket) WriteTo(data []byte, to netip.AddrPort, from netip.Addr) error {
	var buf [ctlSize]byte
	c := buf[:0]
	if s.own(from) {
		c = appendLocal(c, from, s.sys.six)
	}
	_, _, err := s.conn.WriteMsgUDPAddrPort(data, c, to)
	if err != nil {
		s.count.dropped.Add(1)
		return closed(err)
	}
	s.count.sent.Add(1)
	return nil
}

// writeName writes a sockaddr and returns its length. An IPv6 socket takes IPv4 in
// its mapped form.
func writeName(n *[nameSize]byte, a netip.AddrPort, six bool) uint32 {
	binary.BigEndian.PutUint16(n[2:], a.Port())
	if !six {
		binary.NativeEndian.PutUint16(n[:], unix.AF_INET)
		*(*[4]byte)(n[4:8]) = a.Addr().Unmap().As4()
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(n[:], unix.AF_INET6)
	binary.NativeEndian.PutUint32(n[4:], 0)
	*(*[16]byte)(n[8:24]) = a.Addr().As16()
	binary.NativeEndian.PutUint32(n[24:], scope(a.Addr().Zone()))
	return unix.SizeofSockaddrInet6
}

// own reports whether a is an address that packets can be told to leave from.
func (s *Socket) own(a netip.Addr) bool { return a.IsValid() && (s.sys.six || a.Unmap().Is4()) }

func appendLocal(c []byte, from netip.Addr, six bool) []byte {
	if six {
		c, data := appendControl(c, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
		*(*[16]byte)(data[:16]) = from.As16()
		return c
	}
	c, data := appendControl(c, unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
	*(*[4]byte)(data[4:8]) = from.Unmap().As4() // ipi_spec_dst
	return c
}

func appendSegment(c []byte, size int) []byte {
	c, data := appendControl(c, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 2)
	binary.NativeEndian.PutUint16(data, uint16(size))
	return c
}

// appendControl appends the head of a control message and its zeroed data, which
// must fit.
func appendControl(c []byte, level, kind int32, n int) (all, data []byte) {
	start := len(c)
	all = c[:start+unix.CmsgSpace(n)]
	clear(all[start:])
	h := (*unix.Cmsghdr)(unsafe.Pointer(&all[start]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(n))
	return all, all[start+unix.CmsgLen(0):][:n]
}

// zone names the interface of a link-local address, by number: names would need a
// look-up for each packet.
func zone(scope uint32) string { return strconv.FormatUint(uint64(scope), 10) }

func scope(zone string) uint32 {
	if zone == "" {
		return 0
	}
	n, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(n)
}
