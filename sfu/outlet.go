package sfu

import (
	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/stream"
	"github.com/veche-im/veche/sfu/udp"
)

// An outlet collects packets for any path and sends them at once. It belongs to one
// goroutine.
type outlet struct {
	sock    socket
	out     *udp.Out
	streams *stream.Streams
	single  []byte // room for a packet that leaves by a stream

	sentPackets, sentBytes uint64
}

func newOutlet(sock socket, streams *stream.Streams) outlet {
	return outlet{sock: sock, out: udp.NewOut(outPackets), streams: streams, single: make([]byte, stream.MaxPacket)}
}

// room is where a packet of n bytes to path is to be written; after that comes sent.
// It is nil for what cannot be sent.
func (o *outlet) room(path ice.Path, n int) []byte {
	if path.Stream != 0 {
		if n > len(o.single) {
			return nil
		}
		return o.single[:n]
	}
	b := o.out.Add(path.Remote, path.Local, n)
	if b == nil {
		o.flush()
		b = o.out.Add(path.Remote, path.Local, n)
	}
	return b
}

// sent takes what was written into room.
func (o *outlet) sent(path ice.Path, b []byte) {
	if path.Stream != 0 {
		o.streams.Send(path.Stream, b)
	}
	o.sentPackets++
	o.sentBytes += uint64(len(b))
}

// put sends a copy of b.
func (o *outlet) put(path ice.Path, b []byte) {
	if to := o.room(path, len(b)); to != nil {
		copy(to, b)
		o.sent(path, to)
	}
}

func (o *outlet) flush() {
	if o.out.Len() > 0 {
		_ = o.sock.Send(o.out) // its only error is that the socket is closed, which its reader hears too
	}
}
