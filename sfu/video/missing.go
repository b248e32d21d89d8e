package video

import (
	"slices"
	"time"
)

const (
	maxMissing  = 128                    // of a layer at a time; beyond it, a key frame is cheaper
	firstTry    = 10 * time.Millisecond  // packets that overtake one another are not lost
	leastPause  = 20 * time.Millisecond  // between two NACKs for one packet
	missingLife = 400 * time.Millisecond // a packet that comes later than this helps nobody
)

// missing is what of a layer did not come: who is asked, how often, when again
// (RFC 4585 §6.2.1 for the NACKs; how often is ours).
type missing struct {
	list []lost // by seq
}

type lost struct {
	seq   int64
	since time.Duration
	next  time.Duration
	tries int
}

// gap notes that packets from to before seq did not come. It returns false,
// and gives all up, when they are too many.
func (m *missing) gap(now time.Duration, from, seq int64) bool {
	if int64(len(m.list))+seq-from > maxMissing {
		m.forget()
		return false
	}
	if from < seq && m.list == nil {
		m.list = make([]lost, 0, maxMissing)
	}
	for ; from < seq; from++ {
		m.list = append(m.list, lost{seq: from, since: now, next: now + firstTry})
	}
	return true
}

func (m *missing) found(seq int64) {
	for i := range m.list {
		if m.list[i].seq == seq {
			m.list = slices.Delete(m.list, i, i+1)
			return
		}
	}
}

func (m *missing) forget() { m.list = m.list[:0] }

// due appends what is to be asked for now.
func (m *missing) due(now, rtt time.Duration, to []uint16) []uint16 {
	m.list = slices.DeleteFunc(m.list, func(l lost) bool {
		return now-l.since > missingLife+rtt
	})
	for i := range m.list {
		l := &m.list[i]
		if now < l.next {
			continue
		}
		to = append(to, uint16(l.seq))
		l.tries++
		l.next = now + max(leastPause, rtt+rtt/4)*time.Duration(l.tries+1)/2
	}
	return to
}
