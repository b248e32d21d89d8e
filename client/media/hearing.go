package media

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media/samplebuilder"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/e2ee/sframe"
)

// Recorder makes the file for a sender: Ogg Opus for sound, IVF for video. A
// nil writer records nothing.
type Recorder func(s Sender) (io.WriteCloser, error)

// hearing opens what comes in and keeps what became of it.
type hearing struct {
	keys   *keyring
	record Recorder
	heard  func(Sender)
	start  time.Time
	now    func() time.Time
	failed func(error) // a recording that cannot go on

	mu       sync.Mutex // guards what follows
	senders  map[sframe.KID]*heardSender
	unopened int
	first    int64
}

type heardSender struct {
	Sender
	play *playout
	out  io.WriteCloser // the file
	tape tape
}

// tape writes frames in the format of a file.
type tape interface {
	io.Writer
	io.Closer
}

func newHearing(keys *keyring, cfg Config, failed func(error)) *hearing {
	h := &hearing{keys: keys, record: cfg.Record, heard: cfg.Heard, start: time.Now(), now: time.Now, failed: failed, senders: map[sframe.KID]*heardSender{}}
	if h.heard == nil {
		h.heard = func(Sender) {}
	}
	return h
}

// hear reads a slot's track until it ends.
func (h *hearing) hear(t *track) {
	if t.Kind() == webrtc.RTPCodecTypeVideo {
		h.watch(t)
		return
	}
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		if len(p.Payload) == 0 {
			continue
		}
		h.sound(p.PayloadType == ptRED, p.SequenceNumber, p.Timestamp, p.Payload)
	}
}

// sound takes the payload of one packet.
func (h *hearing) sound(red bool, seq uint16, timestamp uint32, sealed []byte) {
	h.open(sealed, 0, false, func(s *heardSender, plain []byte) {
		frames := []redFrame{{Opus: plain}}
		if red {
			var ok bool
			if frames, ok = parseRED(plain); !ok {
				return
			}
		}
		s.play.put(seq, timestamp, frames, h.now())
	})
}

// fits are the sources of sound, and of pictures.
var fits = map[bool][]sframe.Source{false: {sframe.Microphone, sframe.ScreenSound}, true: {sframe.Camera, sframe.Screen}}

// open opens a frame, counts it, and gives what is in it to take with h.mu held.
// Sound that was sealed as a picture, or a picture as sound, is nobody's.
func (h *hearing) open(sealed []byte, clear int, picture bool, take func(s *heardSender, plain []byte)) {
	plain, kid, leaf, err := h.keys.opened(nil, sealed, clear)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || !slices.Contains(fits[picture], kid.Source()) {
		h.unopened++
		return
	}
	s, err := h.sender(kid, leaf)
	if err != nil {
		h.failed(err)
		return
	}
	s.Frames++
	s.Bytes += len(plain)
	h.heard(s.Sender)
	take(s, plain)
}

// watch puts the packets of a slot of video together to frames.
func (h *hearing) watch(t *track) {
	b := samplebuilder.New(200, &codecs.VP8Packet{}, 90000)
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		if len(p.Payload) == 0 {
			continue
		}
		b.Push(p)
		for s := b.Pop(); s != nil; s = b.Pop() {
			h.picture(s.Data)
		}
	}
}

// clearVP8 returns how many bytes of a VP8 frame stay clear (RFC 6386 §9.1: the
// lowest bit of the first byte is 0 in a key frame, whose header has 10 bytes).
func clearVP8(frame []byte) (clear int, key bool) {
	if len(frame) == 0 {
		return 0, false
	}
	if frame[0]&1 == 0 {
		return min(10, len(frame)), true
	}
	return min(3, len(frame)), false
}

func (h *hearing) picture(sealed []byte) {
	clear, key := clearVP8(sealed)
	h.open(sealed, clear, true, func(s *heardSender, plain []byte) {
		if key {
			s.Keys++
		}
		if s.tape == nil {
			return
		}
		if _, err := s.tape.Write(plain); err != nil {
			h.failed(err)
		}
	})
}

// sender finds who sealed under kid, or adds them. The epoch does not tell
// senders apart.
func (h *hearing) sender(kid sframe.KID, leaf api.CallLeaf) (*heardSender, error) {
	at := h.now().Sub(h.start).Milliseconds()
	if h.first == 0 {
		h.first = at
	}
	id := kid &^ 0xff
	if s := h.senders[id]; s != nil {
		s.Last = at
		return s, nil
	}
	s := &heardSender{Sender: Sender{
		Account: leaf.Account, Device: leaf.Device, Leaf: leaf.Leaf, Source: sourceName(kid.Source()), First: at, Last: at,
	}}
	if h.record != nil {
		out, err := h.record(s.Sender)
		if err != nil {
			return nil, err
		}
		if out != nil {
			s.out = out
			if s.tape, err = newTape(s.Source, out); err != nil {
				return nil, err
			}
		}
	}
	if s.Source == api.Microphone || s.Source == api.ScreenSound {
		s.play = newPlayout(func(opus []byte, samples uint32) {
			if s.tape != nil {
				if err := writeSound(s.tape, opus, samples); err != nil {
					h.failed(err)
				}
			}
		})
	}
	h.senders[id] = s
	return s, nil
}

func sourceName(s sframe.Source) api.Source {
	switch s {
	case sframe.Camera:
		return api.Camera
	case sframe.Screen:
		return api.Screen
	case sframe.ScreenSound:
		return api.ScreenSound
	default:
		return api.Microphone
	}
}

// silence is an Opus frame of 20 ms in which nothing is heard.
var silence = []byte{0xf8, 0xff, 0xfe}

// writeSound writes a frame, or as many of silence as take as long. A pause of
// more than a minute is written as one of a minute.
func writeSound(w io.Writer, opus []byte, samples uint32) error {
	if opus != nil {
		_, err := w.Write(opus)
		return err
	}
	for range min(samples, 60*48000) / 960 {
		if _, err := w.Write(silence); err != nil {
			return err
		}
	}
	return nil
}

func newTape(source api.Source, out io.Writer) (tape, error) {
	if source == api.Camera || source == api.Screen {
		return newIVF(out)
	}
	return newOggWriter(out)
}

// finish lets everything leave that waits, and closes the recordings.
func (h *hearing) finish(r *Report, name func(api.CallLeaf) string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	r.Unopened, r.FirstFrame = h.unopened, h.first
	for _, s := range h.senders {
		if s.play != nil {
			s.play.pull(h.now().Add(time.Minute))
			stats := s.play.stats
			s.Sound = &stats
		}
		if s.tape != nil {
			errs = append(errs, s.tape.Close(), s.out.Close())
		}
		s.Name = name(api.CallLeaf{Account: s.Account, Device: s.Device})
		r.Heard = append(r.Heard, s.Sender)
	}
	return errors.Join(errs...)
}

// ivf writes VP8 frames in the IVF container, whose times here are milliseconds.
type ivf struct {
	w     io.Writer
	start time.Time
}

func newIVF(w io.Writer) (*ivf, error) {
	b := append([]byte("DKIF"), 0, 0, 32, 0)
	b = append(b, "VP80"...)
	b = append(b, 0, 0, 0, 0) // width and height stand in the frames
	b = binary.LittleEndian.AppendUint32(b, 1000)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = append(b, make([]byte, 8)...) // number of frames: unknown
	_, err := w.Write(b)
	return &ivf{w: w, start: time.Now()}, err
}

func (v *ivf) Write(frame []byte) (int, error) {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(frame)))
	b = binary.LittleEndian.AppendUint64(b, uint64(time.Since(v.start).Milliseconds()))
	_, err := v.w.Write(append(b, frame...))
	return len(frame), err
}

func (v *ivf) Close() error { return nil }
