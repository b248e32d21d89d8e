package sframe

import "sync"

const (
	// window is how many counters behind the newest a frame may be.
	window = 1024
	// maxSenders is how many KIDs an Opener remembers in an epoch: three
	// sources and the signals of MaxParticipants, and some that came again.
	maxSenders = 8192
	// maxOfLeaf is how many of them one leaf may have: its sources, and those of
	// some fifty joinings. A member that makes up more silences nobody else.
	maxOfLeaf = 256
)

// An Opener opens the frames that others sealed in the epochs it was given. It
// may be used by several goroutines.
type Opener struct {
	mu     sync.Mutex // guards what follows
	epochs map[uint8]*epoch
}

type epoch struct {
	base    Key
	senders map[KID]*sender
	leaves  map[uint64]int // senders by leaf
}

// sender is a KID of which at least one frame has opened.
type sender struct {
	key  frameKey
	top  uint64              // newest counter that opened
	seen [window / 64]uint64 // bit of each counter from top-window+1 to top, at counter modulo window
	// Reused for each frame.
	aad   []byte
	nonce [nonceSz]byte
}

// NewOpener returns an Opener that opens nothing yet.
func NewOpener() *Opener { return &Opener{epochs: make(map[uint8]*epoch)} }

// Install has frames of an epoch (modulo 256) opened with base. An epoch that
// is there already under the same base key stays as it is, with what it saw.
func (o *Opener) Install(number uint64, base Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.epochs[uint8(number)]; e != nil && *e.base.Reveal() == *base.Reveal() {
		return
	}
	o.epochs[uint8(number)] = &epoch{base: base, senders: make(map[KID]*sender), leaves: make(map[uint64]int)}
}

// Forget has frames of an epoch opened no more.
func (o *Opener) Forget(number uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.epochs, uint8(number))
}

// Knows reports whether frames of an epoch can be opened.
func (o *Opener) Knows(number uint8) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.epochs[number] != nil
}

// Open appends to dst what is in a frame whose first clear bytes were not
// sealed, those bytes included. A frame opens once: the same again, or one that
// is 1,024 counters behind the newest, is ErrOpen, as is everything else that
// does not open. dst must not overlap frame.
func (o *Opener) Open(dst, frame []byte, clear int) ([]byte, KID, error) {
	if clear < 0 || clear > len(frame) {
		return nil, 0, ErrOpen
	}
	h, size, err := ParseHeader(frame[clear:])
	if err != nil {
		return nil, 0, ErrOpen
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.epochs[h.KID.Epoch()]
	if e == nil {
		return nil, 0, ErrOpen
	}
	s := e.senders[h.KID]
	known := s != nil
	if !known {
		if len(e.senders) >= maxSenders || e.leaves[h.KID.Leaf()] >= maxOfLeaf {
			return nil, 0, ErrOpen
		}
		s = &sender{key: derive(e.base, h.KID)}
	} else if s.was(h.Counter) {
		return nil, 0, ErrOpen
	}
	s.aad = append(append(s.aad[:0], frame[clear:clear+size]...), frame[:clear]...)
	s.nonce = s.key.nonce(h.Counter)
	out, err := s.key.aead.Open(append(dst, frame[:clear]...), s.nonce[:], frame[clear+size:], s.aad)
	if err != nil {
		return nil, 0, ErrOpen
	}
	if !known { // only what opened is remembered, so that strangers fill no memory
		e.senders[h.KID] = s
		e.leaves[h.KID.Leaf()]++
		s.top = h.Counter
	}
	s.mark(h.Counter)
	return out, h.KID, nil
}

// was reports whether counter was seen or is too old to know.
func (s *sender) was(counter uint64) bool {
	switch {
	case counter > s.top:
		return false
	case s.top-counter >= window:
		return true
	default:
		return s.seen[counter%window/64]&(1<<(counter%64)) != 0
	}
}

func (s *sender) mark(counter uint64) {
	if counter > s.top {
		if counter-s.top >= window {
			s.seen = [window / 64]uint64{}
		} else {
			for c := s.top + 1; c < counter; c++ {
				s.seen[c%window/64] &^= 1 << (c % 64)
			}
		}
		s.top = counter
	}
	s.seen[counter%window/64] |= 1 << (counter % 64)
}
