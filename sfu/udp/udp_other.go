//go:build !linux

package udp

import (
	"errors"
	"net"
	"net/netip"
)

// Elsewhere a batch is one packet, and the system chooses where packets leave from.

type (
	sockSys  struct{}
	readSys  struct{}
	writeSys struct{}
)

func newReadSys(*Batch) *readSys { return nil }
func newWriteSys() *writeSys     { return nil }

func open(cfg Config, shared bool) (*Socket, error) {
	if shared {
		return nil, errors.New("several sockets on one port need Linux")
	}
	a := net.UDPAddrFromAddrPort(cfg.Addr)
	if !cfg.Addr.Addr().IsValid() {
		a.IP = nil
	}
	conn, err := net.ListenUDP("udp", a)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(cfg.Buffer) // as much as the system allows
	_ = conn.SetWriteBuffer(cfg.Buffer)
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return &Socket{conn: conn, local: netip.AddrPortFrom(local.Addr().Unmap(), local.Port())}, nil
}

// Read waits for packets and takes what has come, at most BatchSize, into b. Its
// only lasting error is net.ErrClosed.
func (s *Socket) Read(b *Batch) error {
	b.Packets = b.Packets[:0]
	slot := b.slot(0)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(slot)
		if err != nil {
			return closed(err)
		}
		s.count.received.Add(1)
		if n == len(slot) { // perhaps cut
			s.count.long.Add(1)
			continue
		}
		b.Packets = append(b.Packets, Packet{Data: slot[:n], From: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())})
		return nil
	}
}

// Send sends what is in o and empties it. Its only error is net.ErrClosed; a
// packet that could not be sent is dropped and counted.
func (s *Socket) Send(o *Out) error {
	defer o.Reset()
	return o.Each(func(to netip.AddrPort, from netip.Addr, packet []byte) error {
		if err := s.WriteTo(packet, to, from); errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
}

// WriteTo sends one packet at once.
func (s *Socket) WriteTo(data []byte, to netip.AddrPort, _ netip.Addr) error {
	s.count.calls.Add(1)
	if _, err := s.conn.WriteToUDPAddrPort(data, to); err != nil {
		s.count.dropped.Add(1)
		return closed(err)
	}
	s.count.sent.Add(1)
	return nil
}
