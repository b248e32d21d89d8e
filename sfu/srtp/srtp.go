// Package srtp seals and opens SRTP and SRTCP packets with AEAD_AES_128_GCM
// (RFC 3711, RFC 7714), in place and without allocating.
//
// What seals keeps no state: the packet's index is given by the caller, which
// must never give the same SSRC and index with two packets. So any number of
// goroutines may seal for one receiver at once. What opens keeps, for each
// SSRC, the highest index and a window of those that were seen; an SSRC's state
// changes only by packets that are authentic.
//
// Master keys are never renewed and there is no MKI: a session is keyed once, by
// DTLS (RFC 5764), and ends before its 2^48 packets.
package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	KeySize  = 16 // bytes of a master key
	SaltSize = 12 // bytes of a master salt
	TagSize  = 16 // bytes that sealing adds to an RTP payload

	indexSize = 4                   // SRTCP: E flag and index, after the tag
	Overhead  = TagSize + indexSize // bytes that sealing adds to an RTCP packet

	headerSize     = 12 // of RTP, without CSRCs and extension
	rtcpHeaderSize = 8  // what stays clear of a compound RTCP packet
	encrypted      = 1 << 31
)

// What callers may test for. A packet that fails changes nothing.
var (
	ErrShort    = errors.New("srtp: packet too short")
	ErrReplayed = errors.New("srtp: packet replayed or too old")
	ErrForged   = errors.New("srtp: packet is not authentic")
)

// Key is the master key and salt of one direction.
type Key struct {
	Key  [KeySize]byte
	Salt [SaltSize]byte
}

// String keeps a key out of logs and messages.
func (Key) String() string { return "srtp key" }

// GoString keeps a key out of logs and messages.
func (Key) GoString() string { return "srtp key" }

// Labels of the key derivation, RFC 3711 section 4.3.1.
const (
	labelRTP      = 0x00
	labelRTPSalt  = 0x02
	labelRTCP     = 0x03
	labelRTCPSalt = 0x05
)

// half is a session key and salt, of RTP or of RTCP.
type half struct {
	aead cipher.AEAD
	salt [SaltSize]byte
}

// derive makes session keys (RFC 3711 section 4.3.3, RFC 7714 section 11): the
// 96 bits of salt stand for 112 by zeros on the right, the derivation rate is 0.
func (k Key) derive(key, salt byte) (half, error) {
	block, err := aes.NewCipher(k.Key[:])
	if err != nil {
		return half{}, err
	}
	prf := func(label byte, out []byte) {
		var x, y [aes.BlockSize]byte
		copy(x[:], k.Salt[:])
		x[7] ^= label
		block.Encrypt(y[:], x[:]) // the counter in the last 16 bits is 0; no output is longer than a block
		copy(out, y[:])
	}
	var h half
	var session [KeySize]byte
	prf(key, session[:])
	prf(salt, h.salt[:])
	block, err = aes.NewCipher(session[:])
	if err != nil {
		return half{}, err
	}
	h.aead, err = cipher.NewGCM(block)
	return h, err
}

// Scratch is what one goroutine needs to seal or open with any key. Its zero
// value is ready.
type Scratch struct {
	nonce [SaltSize]byte
	aad   [rtcpHeaderSize + indexSize]byte
}

// rtp sets the nonce of an RTP packet: 0 | SSRC | ROC | SEQ, RFC 7714 section 8.1.
func (s *Scratch) rtp(salt *[SaltSize]byte, ssrc uint32, index uint64) {
	n := &s.nonce
	*n = *salt
	binary.BigEndian.PutUint32(n[2:], binary.BigEndian.Uint32(n[2:])^ssrc)
	binary.BigEndian.PutUint32(n[6:], binary.BigEndian.Uint32(n[6:])^uint32(index>>16))
	binary.BigEndian.PutUint16(n[10:], binary.BigEndian.Uint16(n[10:])^uint16(index))
}

// rtcp sets the nonce of an RTCP packet: 0 | SSRC | 0 | index, RFC 7714 section 9.1.
func (s *Scratch) rtcp(salt *[SaltSize]byte, ssrc, index uint32) {
	n := &s.nonce
	*n = *salt
	binary.BigEndian.PutUint32(n[2:], binary.BigEndian.Uint32(n[2:])^ssrc)
	binary.BigEndian.PutUint32(n[8:], binary.BigEndian.Uint32(n[8:])^index)
}

// Sealer seals what goes to one receiver. It does not change.
type Sealer struct {
	rtp, rtcp half
}

// NewSealer derives the session keys of k.
func NewSealer(k Key) (*Sealer, error) {
	var s Sealer
	var err error
	if s.rtp, err = k.derive(labelRTP, labelRTPSalt); err != nil {
		return nil, fmt.Errorf("srtp: derive: %w", err)
	}
	if s.rtcp, err = k.derive(labelRTCP, labelRTCPSalt); err != nil {
		return nil, fmt.Errorf("srtcp: derive: %w", err)
	}
	return &s, nil
}

// Seal appends payload, sealed, to dst, whose last header bytes are the packet's
// RTP header. payload may be the bytes right behind dst, or elsewhere, but must
// not overlap otherwise. index is the rollover counter and the header's sequence
// number: ROC << 16 | SEQ.
func (s *Sealer) Seal(x *Scratch, dst []byte, header int, payload []byte, index uint64) []byte {
	h := dst[len(dst)-header:]
	x.rtp(&s.rtp.salt, binary.BigEndian.Uint32(h[8:]), index)
	return s.rtp.aead.Seal(dst, x.nonce[:], payload, h)
}

// SealRTCP seals the compound RTCP packet in place and returns it, Overhead
// bytes longer. index counts the RTCP packets of this Sealer, 31 bits.
func (s *Sealer) SealRTCP(x *Scratch, packet []byte, index uint32) ([]byte, error) {
	if len(packet) < rtcpHeaderSize {
		return nil, ErrShort
	}
	index &^= encrypted
	x.rtcp(&s.rtcp.salt, binary.BigEndian.Uint32(packet[4:]), index)
	copy(x.aad[:], packet[:rtcpHeaderSize])
	binary.BigEndian.PutUint32(x.aad[rtcpHeaderSize:], index|encrypted)
	out := s.rtcp.aead.Seal(packet[:rtcpHeaderSize], x.nonce[:], packet[rtcpHeaderSize:], x.aad[:])
	return binary.BigEndian.AppendUint32(out, index|encrypted), nil
}

// Opener opens what comes from one sender. RTP is for any number of goroutines,
// as long as each Stream has one at a time; RTCP for one at a time.
type Opener struct {
	rtp, rtcp half
	control   map[uint32]*window // by SSRC: each counts its packets on its own (RFC 3711 section 3.2.3)
}

// maxControl is how many SSRCs may send RTCP: more than a device has sources and slots.
const maxControl = 128

// NewOpener derives the session keys of k.
func NewOpener(k Key) (*Opener, error) {
	s, err := NewSealer(k)
	if err != nil {
		return nil, err
	}
	return &Opener{rtp: s.rtp, rtcp: s.rtcp}, nil
}

// Stream is what an Opener keeps for one SSRC. Its zero value is that of an SSRC
// of which nothing came yet.
type Stream struct {
	seen window
}

// Index is the index that a packet with sequence number seq has, were it to come
// now (RFC 3711 appendix A), and whether it may be new.
func (t *Stream) Index(seq uint16) (index uint64, fresh bool) {
	index, ok := t.seen.guess(seq)
	return index, ok && t.seen.fresh(index)
}

// Open opens the RTP packet in place. header is the length of its RTP header
// with CSRCs and extension. It returns the payload and the packet's index.
func (o *Opener) Open(x *Scratch, t *Stream, packet []byte, header int) (payload []byte, index uint64, err error) {
	if header < headerSize || len(packet) < header+TagSize {
		return nil, 0, ErrShort
	}
	index, fresh := t.Index(binary.BigEndian.Uint16(packet[2:]))
	if !fresh {
		return nil, 0, ErrReplayed
	}
	x.rtp(&o.rtp.salt, binary.BigEndian.Uint32(packet[8:]), index)
	payload, err = o.rtp.aead.Open(packet[header:header], x.nonce[:], packet[header:], packet[:header])
	if err != nil {
		return nil, 0, ErrForged
	}
	t.seen.add(index)
	return payload, index, nil
}

// OpenRTCP opens the SRTCP packet in place. A packet that is only authenticated
// (E flag 0) is refused: nobody here sends one.
func (o *Opener) OpenRTCP(x *Scratch, packet []byte) ([]byte, error) {
	if len(packet) < rtcpHeaderSize+Overhead {
		return nil, ErrShort
	}
	body := len(packet) - indexSize
	trailer := binary.BigEndian.Uint32(packet[body:])
	index := trailer &^ encrypted
	if trailer&encrypted == 0 {
		return nil, ErrForged
	}
	ssrc := binary.BigEndian.Uint32(packet[4:])
	seen := o.control[ssrc]
	if seen == nil && len(o.control) >= maxControl || seen != nil && !seen.fresh(uint64(index)) {
		return nil, ErrReplayed
	}
	x.rtcp(&o.rtcp.salt, ssrc, index)
	copy(x.aad[:], packet[:rtcpHeaderSize])
	binary.BigEndian.PutUint32(x.aad[rtcpHeaderSize:], trailer)
	if _, err := o.rtcp.aead.Open(packet[rtcpHeaderSize:rtcpHeaderSize], x.nonce[:], packet[rtcpHeaderSize:body], x.aad[:]); err != nil {
		return nil, ErrForged
	}
	if o.control == nil {
		o.control = map[uint32]*window{}
	}
	if seen == nil {
		seen = &window{}
		o.control[ssrc] = seen
	}
	seen.add(uint64(index))
	return packet[:body-TagSize], nil
}
