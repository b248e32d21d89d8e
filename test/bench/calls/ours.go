package main

import (
	"context"
	"os"
	"os/exec"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"github.com/veche-im/veche/sfu/load/apart"
)

// The forwarder runs in this same program, started again with this argument.
const childArgument = "forward"

// forward is the child's whole life.
func forward() error { return apart.Serve(os.Stdin, os.Stdout, 32) }

// ours is our forwarder in a process of its own.
type ours struct {
	*apart.Process
	n atomic.Uint32
}

func startOurs(ctx context.Context) (*ours, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := apart.Start(exec.CommandContext(ctx, self, childArgument))
	if err != nil {
		return nil, err
	}
	return &ours{Process: p}, nil
}

func (*ours) name() string { return "veche" }
func (o *ours) pid() int   { return o.PID() }
func (o *ours) close()     { _ = o.Close() }

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
	answer, err := o.Join(ctx, o.n.Add(1), offer)
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

// ready has nothing left to do: everybody is heard as soon as they speak.
func (o *ours) ready(context.Context) error { return nil }
