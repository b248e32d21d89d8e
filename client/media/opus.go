package media

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrOgg is returned for a file that is not Ogg with one Opus stream.
var ErrOgg = errors.New("not an Ogg Opus file")

// opusSamples returns how long a packet is in samples at 48 kHz (RFC 6716 §3.1,
// §3.2), 0 for what is no Opus packet.
func opusSamples(p []byte) uint32 {
	if len(p) == 0 {
		return 0
	}
	config := p[0] >> 3
	var frame uint32
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = []uint32{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		frame = []uint32{480, 960}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = []uint32{120, 240, 480, 960}[config&3]
	}
	count := uint32(1)
	switch p[0] & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(p) < 2 {
			return 0
		}
		count = uint32(p[1] & 0x3f)
	}
	if n := frame * count; n <= 5760 { // 120 ms at most
		return n
	}
	return 0
}

func duration(samples uint32) time.Duration { return time.Duration(samples) * time.Second / 48000 }

// A Source yields Opus packets of one mono or stereo stream, and io.EOF after
// the last. What it returns is valid until the next call.
type Source interface {
	Next() ([]byte, error)
}

// ogg reads the packets of an Ogg Opus file (RFC 3533, RFC 7845).
type ogg struct {
	r       *bufio.Reader
	lacing  []byte // what is left of the page's segment table
	partial []byte // of a packet that goes on
}

// OpenOgg reads the headers of an Ogg Opus file.
func OpenOgg(r io.Reader) (Source, error) {
	o := &ogg{r: bufio.NewReader(r)}
	for _, magic := range []string{"OpusHead", "OpusTags"} {
		p, err := o.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if !bytes.HasPrefix(p, []byte(magic)) {
			return nil, fmt.Errorf("%w: no %s", ErrOgg, magic)
		}
	}
	return o, nil
}

// maxOggPacket is far above any Opus packet; comments may be long.
const maxOggPacket = 1 << 20

// Next returns the next packet.
func (o *ogg) Next() ([]byte, error) {
	o.partial = o.partial[:0]
	for {
		for len(o.lacing) > 0 {
			n := int(o.lacing[0])
			o.lacing = o.lacing[1:]
			at := len(o.partial)
			if at+n > maxOggPacket {
				return nil, fmt.Errorf("%w: a packet of more than %d bytes", ErrOgg, maxOggPacket)
			}
			o.partial = append(o.partial, make([]byte, n)...)
			if _, err := io.ReadFull(o.r, o.partial[at:]); err != nil {
				return nil, fmt.Errorf("%w: cut short: %v", ErrOgg, err)
			}
			if n < 255 {
				return o.partial, nil
			}
		}
		if err := o.page(); err != nil {
			return nil, err
		}
	}
}

// page reads a page's header (RFC 3533 §6).
func (o *ogg) page() error {
	var h [27]byte
	if _, err := io.ReadFull(o.r, h[:1]); err != nil {
		return io.EOF
	}
	if _, err := io.ReadFull(o.r, h[1:]); err != nil || string(h[:4]) != "OggS" || h[4] != 0 {
		return fmt.Errorf("%w: no page where one should be", ErrOgg)
	}
	o.lacing = make([]byte, h[26])
	if _, err := io.ReadFull(o.r, o.lacing); err != nil {
		return fmt.Errorf("%w: cut short: %v", ErrOgg, err)
	}
	return nil
}

// oggWriter writes an Ogg Opus file (RFC 7845), a packet to a page, so that
// what was written before a crash can be heard.
type oggWriter struct {
	w       io.Writer
	page    uint32
	granule uint64
}

const oggSerial = 1

// CreateOgg begins an Ogg Opus file: each Write is one packet, Close ends the
// stream and leaves w open.
func CreateOgg(w io.Writer) (io.WriteCloser, error) { return newOggWriter(w) }

func newOggWriter(w io.Writer) (*oggWriter, error) {
	o := &oggWriter{w: w}
	head := append([]byte("OpusHead"), 1, 2, 0, 0) // version, channels, pre-skip
	head = binary.LittleEndian.AppendUint32(head, 48000)
	head = append(head, 0, 0, 0) // gain, mapping family
	tags := append([]byte("OpusTags"), 5, 0, 0, 0)
	tags = append(tags, "veche"...)
	tags = append(tags, 0, 0, 0, 0)
	if err := o.put(head, 2); err != nil {
		return nil, err
	}
	return o, o.put(tags, 0)
}

// Write appends one Opus packet.
func (o *oggWriter) Write(p []byte) (int, error) {
	o.granule += uint64(opusSamples(p))
	return len(p), o.put(p, 0)
}

// Close ends the stream.
func (o *oggWriter) Close() error { return o.put(nil, 4) }

func (o *oggWriter) put(p []byte, flags byte) error {
	if len(p) >= 255*255 {
		return fmt.Errorf("%w: a packet of %d bytes", ErrOgg, len(p))
	}
	b := append([]byte("OggS"), 0, flags)
	b = binary.LittleEndian.AppendUint64(b, o.granule)
	b = binary.LittleEndian.AppendUint32(b, oggSerial)
	b = binary.LittleEndian.AppendUint32(b, o.page)
	b = append(b, 0, 0, 0, 0) // checksum, below
	o.page++
	if p == nil {
		b = append(b, 0)
	} else {
		b = append(b, byte(len(p)/255+1))
		b = append(b, bytes.Repeat([]byte{255}, len(p)/255)...)
		b = append(b, byte(len(p)%255))
		b = append(b, p...)
	}
	binary.LittleEndian.PutUint32(b[22:], oggChecksum(b))
	_, err := o.w.Write(b)
	return err
}

// oggChecksum is the CRC-32 of RFC 3533 §6: polynomial 0x04c11db7, unreflected,
// from 0.
func oggChecksum(b []byte) (crc uint32) {
	for _, c := range b {
		crc ^= uint32(c) << 24
		for range 8 {
			carry := crc >> 31
			crc <<= 1
			crc ^= 0x04c11db7 & -carry
		}
	}
	return crc
}
