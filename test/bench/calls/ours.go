package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"

	"github.com/pion/webrtc/v4"

	"github.com/veche-im/veche/sfu"
)

// The forwarder runs in this same program, started again with this argument,
// and is told who joins over its standard input.
const childArgument = "forward"

type joinRequest struct {
	Number uint32 `json:"number"`
	Offer  string `json:"offer"`
}
type joinAnswer struct {
	SDP   string `json:"sdp"`
	Error string `json:"error,omitempty"`
}

// forward is the child's whole life.
func forward() error {
	s, err := sfu.New(sfu.Config{UDP: "127.0.0.1:0", Speakers: 32, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for {
		var r joinRequest
		if err := in.Decode(&r); err != nil {
			return errors.Join(s.Close(), ignoreEOF(err))
		}
		var a joinAnswer
		answer, err := s.Join(context.Background(), sfu.Join{Call: sfu.CallID{1}, Participant: r.Number, Offer: r.Offer, Listener: deaf{}})
		if err != nil {
			a.Error = err.Error()
		}
		a.SDP = answer.SDP
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// deaf hears nothing of what happens to a participant.
type deaf struct{}

func (deaf) Slots([]sfu.Slot)    {}
func (deaf) Quality(sfu.Quality) {}
func (deaf) Levels([]sfu.Level)  {}
func (deaf) Pause([]sfu.Layer)   {}
func (deaf) Alive(bool)          {}
func (deaf) Gone(sfu.Reason)     {}

// ours is our forwarder in a process of its own.
type ours struct {
	cmd *exec.Cmd

	mu  sync.Mutex // guards what follows: one question at a time
	in  *json.Encoder
	out *json.Decoder
	end io.Closer
	n   uint32
}

func startOurs(ctx context.Context) (*ours, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, childArgument)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &ours{cmd: cmd, in: json.NewEncoder(in), out: json.NewDecoder(bufio.NewReader(out)), end: in}, nil
}

func (*ours) name() string { return "veche" }
func (o *ours) pid() int   { return o.cmd.Process.Pid }
func (o *ours) close()     { _ = o.end.Close(); _ = o.cmd.Wait() }

// add joins a participant with a microphone, as docs/spec/calls.md#joining says.
func (o *ours) add(ctx context.Context, talks bool, others int, t *tally) (leaver, error) {
	pc, err := newConnection(t, true)
	if err != nil {
		return nil, err
	}
	track, err := webrtc.NewTrackLocalStaticRTP(opus(), "audio", "own")
	if err != nil {
		return nil, err
	}
	tr, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, err
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			return nil, err
		}
	}
	for range min(others+1, 32) {
		if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return nil, err
		}
	}
	d, err := pc.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	offer, err := local(ctx, pc, d)
	if err != nil {
		return nil, err
	}
	answer, err := o.join(offer)
	if err != nil {
		return nil, err
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return nil, err
	}
	if err := connected(ctx, pc); err != nil {
		return nil, err
	}
	if talks {
		go talk(ctx, track, tr.Sender(), t)
	}
	return func() { _ = pc.Close() }, nil
}

func (o *ours) join(offer string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n++
	if err := o.in.Encode(joinRequest{o.n, offer}); err != nil {
		return "", err
	}
	var a joinAnswer
	if err := o.out.Decode(&a); err != nil {
		return "", fmt.Errorf("the forwarder does not answer: %w", err)
	}
	if a.Error != "" {
		return "", errors.New(a.Error)
	}
	return a.SDP, nil
}

// ready has nothing left to do: everybody is heard as soon as they speak.
func (o *ours) ready(context.Context) error { return nil }
