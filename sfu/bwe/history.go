package bwe

import "time"

const (
	minHistory, maxHistory = 128, 4096
	historyLife            = 2 * time.Second // older packets are not waited for
)

// sentPacket is a packet that left, waiting for word of it.
type sentPacket struct {
	seq   int64
	at    time.Duration
	size  int32
	probe uint8 // number of the probe that it belongs to, 0 for none
	state uint8
}

// States of a sentPacket.
const (
	free uint8 = iota
	waiting
	toldLost
	toldCame
)

// history numbers packets that leave.
type history struct {
	list []sentPacket // by seq
	next int64
}

func (h *history) add(now time.Duration, size int, probe uint8) uint16 {
	if h.list == nil {
		h.list, h.next = make([]sentPacket, minHistory), 1<<16
	}
	e := &h.list[h.next%int64(len(h.list))]
	if e.state == waiting && now-e.at < historyLife && len(h.list) < maxHistory {
		was := h.list
		h.list = make([]sentPacket, 2*len(was))
		for _, p := range was {
			h.list[p.seq%int64(len(h.list))] = p
		}
		e = &h.list[h.next%int64(len(h.list))]
	}
	*e = sentPacket{seq: h.next, at: now, size: int32(size), probe: probe, state: waiting}
	h.next++
	return uint16(h.next - 1)
}

// get finds the newest packet that was numbered seq.
func (h *history) get(seq uint16) *sentPacket {
	if h.list == nil {
		return nil
	}
	n := h.next - 1 - int64(uint16(h.next-1)-seq)
	if n < 0 {
		return nil
	}
	e := &h.list[n%int64(len(h.list))]
	if e.seq != n || e.state == free {
		return nil
	}
	return e
}
