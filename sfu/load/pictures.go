package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/veche-im/veche/sfu/bwe"
	"github.com/veche-im/veche/sfu/rtp"
	"github.com/veche-im/veche/sfu/srtp"
)

const (
	congestionID = 3 // of the header extension with transport-wide numbers
	vp8Type      = 96
	repairType   = 97
	descriptor   = 4  // bytes of a payload descriptor with a picture id (RFC 7741)
	clear        = 10 // bytes of a frame that stay in the clear
	filmPacket   = 1100
	filmFrames   = 25 // a second, each 25th of them a key frame
	wordEvery    = 70 * time.Millisecond
)

// A Viewer is a Server whose participants can say at whom they look: in each of
// their video slots, by its mid.
type Viewer interface {
	View(ctx context.Context, participant uint32, at map[string]uint32) error
}

// camera is what a Caller sends and hears of pictures.
type camera struct {
	ssrc    uint32
	index   uint64
	picture uint16
	x       srtp.Scratch

	mu       sync.Mutex // guards what follows
	arrivals bwe.Recorder
	said     time.Time // when the last word of arrivals left
	later    bool      // the next is on its way
	words    uint32
	began    time.Time
	reader   srtp.Scratch
}

// pictureLines are what m-lines of pictures have beyond those of sound.
func pictureLines(line func(string, ...any)) {
	line("a=rtpmap:%d VP8/90000\r\na=rtpmap:%d rtx/90000\r\na=fmtp:%d apt=%d", vp8Type, repairType, repairType, vp8Type)
	line("a=rtcp-fb:%d nack\r\na=rtcp-fb:%d nack pli\r\na=rtcp-fb:%d transport-cc", vp8Type, vp8Type, vp8Type)
	line("a=extmap:%d http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", congestionID)
}

// film sends frames of so many packets until ctx ends.
func (c *Caller) film(ctx context.Context, packets int, offset time.Duration) {
	if sleep(ctx, offset) != nil {
		return
	}
	tick := time.NewTicker(time.Second / filmFrames)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.shoot(n%filmFrames == 0, packets)
		}
	}
}

// shoot sends one frame.
func (c *Caller) shoot(key bool, packets int) {
	v := &c.camera
	v.picture++
	stamp := uint32(v.picture) * (90_000 / filmFrames)
	for i := range packets {
		var buf [maxSaid]byte
		v.index++
		payload := buf[rtp.HeaderSize:][:filmPacket]
		payload[0], payload[1] = 0x80, 0x80
		if i == 0 {
			payload[0] |= 0x10
		}
		binary.BigEndian.PutUint16(payload[2:], 0x8000|v.picture)
		if frame := payload[descriptor:]; i == 0 && key {
			copy(frame[3:], []byte{0x9d, 1, 0x2a, 0, 5, 0xd0, 2}) // 1280 by 720
		} else {
			frame[0] = 1
		}
		binary.BigEndian.PutUint64(payload[descriptor+clear:], uint64(time.Now().UnixNano()))
		rtp.Put(buf[:], i == packets-1, vp8Type, uint16(v.index), stamp, v.ssrc)
		c.Send(c.sealer.Seal(&v.x, buf[:rtp.HeaderSize], rtp.HeaderSize, payload, v.index))
		c.Sent.Add(1)
	}
}

// see notes a packet of pictures for congestion control; false for padding.
func (c *Caller) see(h *rtp.Header, now time.Time) bool {
	v := &c.camera
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.began.IsZero() {
		v.began = now.Add(-time.Second)
	}
	if e := h.Extension(congestionID); len(e) == 2 {
		v.arrivals.Record(now.Sub(v.began), binary.BigEndian.Uint16(e))
	}
	return h.Type == vp8Type
}

// word tells the forwarder what came, now or soon: also of the last packets before
// nothing more comes, or a probe would seem lost.
func (c *Caller) word(now time.Time) {
	v := &c.camera
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.said) < wordEvery {
		if !v.later {
			v.later = true
			time.AfterFunc(wordEvery, func() { c.word(time.Now()) })
		}
		return
	}
	v.said, v.later = now, false
	b := v.arrivals.Feedback(make([]byte, 0, 1400), c.ssrc, c.ssrc)
	if len(b) == 0 {
		return
	}
	v.words++
	if sealed, err := c.sealer.SealRTCP(&v.reader, b, v.words); err == nil {
		c.Send(sealed)
	}
}

// lookAll has everybody look at everybody else.
func lookAll(ctx context.Context, s Server, sc Scenario) error {
	v, ok := s.(Viewer)
	if !ok {
		return fmt.Errorf("%s: nobody can look at anybody here", sc.Name)
	}
	for i := range sc.Callers {
		at := map[string]uint32{}
		for j := range sc.Callers {
			if j != i {
				at[fmt.Sprint(4+sc.Slots+len(at))] = uint32(j + 1)
			}
		}
		if err := v.View(ctx, uint32(i+1), at); err != nil {
			return err
		}
	}
	return nil
}
