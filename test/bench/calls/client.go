package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	packetTime = 20 * time.Millisecond
	packetSize = 80 // bytes of payload: Opus at 24 kbit/s, sealed
)

// tally is what all clients of one run received.
type tally struct {
	sent, heard atomic.Int64

	mu    sync.Mutex // guards what follows
	delay []time.Duration
}

// note takes a packet that was received, and every sixteenth one's delay.
func (t *tally) note(payload []byte, now time.Time) {
	n := t.heard.Add(1)
	if n%16 != 0 || len(payload) < 8 {
		return
	}
	d := now.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(payload))))
	t.mu.Lock()
	t.delay = append(t.delay, d)
	t.mu.Unlock()
}

// quantile returns the delay that a part q of the packets stayed below.
func (t *tally) quantile(q float64) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.delay) == 0 {
		return 0
	}
	slices.Sort(t.delay)
	return t.delay[min(int(q*float64(len(t.delay))), len(t.delay)-1)]
}

func (t *tally) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent.Store(0)
	t.heard.Store(0)
	t.delay = t.delay[:0]
}

// newConnection returns a connection that does nothing by itself: no reports,
// no NACK, so that what is measured is forwarding.
func newConnection(t *tally, gcm bool) (*webrtc.PeerConnection, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: opus()}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}}, webrtc.RTPCodecTypeVideo); err != nil {
		return nil, err
	}
	for uri, kinds := range map[string][]webrtc.RTPCodecType{
		"urn:ietf:params:rtp-hdrext:ssrc-audio-level": {webrtc.RTPCodecTypeAudio},
		"urn:ietf:params:rtp-hdrext:sdes:mid":         {webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo},
	} {
		for _, kind := range kinds {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind); err != nil {
				return nil, err
			}
		}
	}
	var s webrtc.SettingEngine
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetIncludeLoopbackCandidate(true)
	if gcm {
		s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(&interceptor.Registry{})).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		buf := make([]byte, 1500)
		var p rtp.Packet
		for {
			n, _, err := track.Read(buf)
			if err != nil {
				return
			}
			if p.Unmarshal(buf[:n]) == nil {
				t.note(p.Payload, time.Now())
			}
		}
	})
	return pc, nil
}

func opus() webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"}
}

// local sets pc's description and waits for its candidates.
func local(ctx context.Context, pc *webrtc.PeerConnection, d webrtc.SessionDescription) (string, error) {
	done := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(d); err != nil {
		return "", err
	}
	select {
	case <-done:
		return pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// connected waits until media can flow. pc.ConnectionState may call it "connecting"
// for ever where ICE and DTLS are ready at once.
func connected(ctx context.Context, pc *webrtc.PeerConnection) error {
	for pc.ICEConnectionState() != webrtc.ICEConnectionStateConnected || pc.SCTP().Transport().State() != webrtc.DTLSTransportStateConnected {
		if s := pc.ConnectionState(); s == webrtc.PeerConnectionStateFailed || s == webrtc.PeerConnectionStateClosed {
			return fmt.Errorf("connection %s", s)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), fmt.Errorf("connection is %s", pc.ConnectionState()))
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// talk sends packets until ctx ends.
func talk(ctx context.Context, track *webrtc.TrackLocalStaticRTP, sender *webrtc.RTPSender, t *tally) {
	var level uint8
	for _, x := range sender.GetParameters().HeaderExtensions {
		if x.URI == "urn:ietf:params:rtp-hdrext:ssrc-audio-level" {
			level = uint8(x.ID)
		}
	}
	tick := time.NewTicker(packetTime)
	defer tick.Stop()
	p := &rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 111}, Payload: make([]byte, packetSize)}
	if level != 0 {
		_ = p.SetExtension(level, []byte{0x80 | 30}) // one byte always fits
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		binary.BigEndian.PutUint64(p.Payload, uint64(time.Now().UnixNano()))
		if err := track.WriteRTP(p); err == nil {
			t.sent.Add(1)
		}
		p.SequenceNumber++
		p.Timestamp += 960
	}
}
