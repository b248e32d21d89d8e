package video

import "errors"

// A Codec is how a source's frames are put into packets.
type Codec uint8

const (
	VP8 Codec = iota + 1
	VP9
)

func (c Codec) String() string {
	switch c {
	case VP8:
		return "VP8"
	case VP9:
		return "VP9"
	}
	return "unknown"
}

// ErrDescriptor says that a payload does not begin with a whole descriptor.
var ErrDescriptor = errors.New("video: payload descriptor cut short")

// A Descriptor is what the forwarder reads in the clear at the start of a
// packet's payload. ID and TL0 are -1 where the packet has none.
type Descriptor struct {
	Codec    Codec
	Size     int  // bytes of the payload that it takes
	Start    bool // the packet begins a frame
	Key      bool // the packet begins a frame that needs none before it
	ID       int  // picture id as it was sent, 7 or 15 bits
	Long     bool // it has 15 bits
	TL0      int  // TL0PICIDX: counts the frames of the lowest temporal layer
	Temporal int  // the frame's temporal layer
	Width    int  // of a key frame, 0 if it is not told
	Height   int

	picture, tl0, rest uint8 // where in the payload these begin; rest is what follows both
}

// Parse reads the descriptor of a packet of codec c. It never reads beyond what
// the descriptor tells, and 10 bytes of a VP8 frame.
func Parse(c Codec, payload []byte) (Descriptor, error) {
	switch c {
	case VP8:
		return parseVP8(payload)
	case VP9:
		return parseVP9(payload)
	}
	return Descriptor{}, errors.New("video: unknown codec")
}

// Head is the first bytes of a payload as a slot sends them: those that tell
// picture id and TL0PICIDX, with other numbers in them.
type Head struct {
	Bytes [8]byte
	Len   int // of Bytes in use
	Skip  int // bytes of the original payload that they replace
}

// readPicture reads the picture id at n, of one byte or two (RFC 7741 §4.2,
// RFC 9628 §4.2), and returns where it ends.
func (d *Descriptor) readPicture(b []byte, n int) (int, error) {
	if len(b) <= n {
		return n, ErrDescriptor
	}
	d.picture = uint8(n)
	d.ID = int(b[n] & 0x7f)
	if b[n]&0x80 == 0 {
		return n + 1, nil
	}
	if len(b) <= n+1 {
		return n, ErrDescriptor
	}
	d.Long = true
	d.ID = d.ID<<8 | int(b[n+1])
	return n + 2, nil
}

// readTL0 reads TL0PICIDX at n and returns where it ends.
func (d *Descriptor) readTL0(b []byte, n int) (int, error) {
	if len(b) <= n {
		return n, ErrDescriptor
	}
	d.tl0 = uint8(n)
	d.TL0 = int(b[n])
	return n + 1, nil
}

// rewrite makes the head of payload with picture id and TL0PICIDX replaced. A
// picture id of 7 bits grows to 15, so that it stays one series when a slot
// changes from a source with short ones to another with long ones.
func (d *Descriptor) rewrite(payload []byte, picture uint16, tl0 uint8) (h Head) {
	if d.ID < 0 && d.TL0 < 0 {
		return h
	}
	h.Skip = int(d.rest)
	if d.ID < 0 {
		h.Len = copy(h.Bytes[:], payload[:d.rest])
	} else {
		at := int(d.picture)
		copy(h.Bytes[:], payload[:at])
		h.Bytes[at] = 0x80 | byte(picture>>8)
		h.Bytes[at+1] = byte(picture)
		width := 1
		if d.Long {
			width = 2
		}
		h.Len = at + 2 + copy(h.Bytes[at+2:], payload[at+width:d.rest])
	}
	if d.TL0 >= 0 {
		h.Bytes[h.Len-int(d.rest-d.tl0)] = tl0
	}
	return h
}
