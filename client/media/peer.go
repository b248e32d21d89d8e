package media

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/veche-im/veche/client/api"
)

// Payload types of our offers.
const (
	ptOpus = 111
	ptRED  = 63
	ptVP8  = 96
	ptRTX  = 97
)

const (
	uriLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	uriMid   = "urn:ietf:params:rtp-hdrext:sdes:mid"
	uriRID   = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
	uriRRID  = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
	uriTWCC  = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)

// Path is a way to the server.
type Path string

const (
	AnyPath Path = ""    // UDP, and TCP where that fails
	UDP     Path = "udp" //
	TCP     Path = "tcp" // ICE-TCP on the https port
)

// track is what a slot receives.
type track = webrtc.TrackRemote

// peer is one connection to the forwarder, with the m-lines of
// docs/spec/calls.md#joining.
type peer struct {
	pc    *webrtc.PeerConnection
	mic   *outgoing
	send  *webrtc.RTPSender
	level uint8 // header extension's id, 0 if the server takes none

	up     chan struct{} // closed when media flows
	upOnce sync.Once
	broken chan struct{} // closed when the connection failed
	brOnce sync.Once
}

func newPeer(cfg Config, hear func(mid string, t *track)) (*peer, error) {
	m, err := engine()
	if err != nil {
		return nil, err
	}
	interceptors := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(m, interceptors); err != nil {
		return nil, fmt.Errorf("set up WebRTC: %w", err)
	}
	var settings webrtc.SettingEngine
	settings.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM)
	settings.SetIncludeLoopbackCandidate(true)
	if cfg.Net != nil {
		settings.SetNet(cfg.Net)
	}
	switch cfg.Path {
	case UDP:
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	case TCP:
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6})
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(interceptors), webrtc.WithSettingEngine(settings)).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, fmt.Errorf("set up WebRTC: %w", err)
	}
	p := &peer{pc: pc, up: make(chan struct{}), broken: make(chan struct{})}
	if err := p.lines(cfg.Audio, cfg.Video); err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		for _, tr := range pc.GetTransceivers() {
			if tr.Receiver() == r {
				hear(tr.Mid(), t)
				return
			}
		}
	})
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			p.upOnce.Do(func() { close(p.up) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			p.brOnce.Do(func() { close(p.broken) })
		}
	})
	return p, nil
}

// engine says which codecs and header extensions we know.
func engine() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	video := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	for _, c := range []struct {
		kind webrtc.RTPCodecType
		webrtc.RTPCodecParameters
	}{
		{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecParameters{PayloadType: ptRED, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: "audio/red", ClockRate: 48000, Channels: 2, SDPFmtpLine: "111/111"}}},
		{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecParameters{PayloadType: ptOpus, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"}}},
		{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecParameters{PayloadType: ptVP8, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: video}}},
		{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecParameters{PayloadType: ptRTX, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=96"}}},
	} {
		if err := m.RegisterCodec(c.RTPCodecParameters, c.kind); err != nil {
			return nil, fmt.Errorf("set up %s: %w", c.MimeType, err)
		}
	}
	for _, x := range []struct {
		kind webrtc.RTPCodecType
		uri  string
	}{
		{webrtc.RTPCodecTypeAudio, uriLevel}, {webrtc.RTPCodecTypeAudio, uriMid}, {webrtc.RTPCodecTypeAudio, uriTWCC},
		{webrtc.RTPCodecTypeVideo, uriMid}, {webrtc.RTPCodecTypeVideo, uriTWCC}, {webrtc.RTPCodecTypeVideo, uriRID}, {webrtc.RTPCodecTypeVideo, uriRRID},
	} {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: x.uri}, x.kind); err != nil {
			return nil, fmt.Errorf("set up %s: %w", x.uri, err)
		}
	}
	return m, nil
}

// lines adds the m-lines in their order.
func (p *peer) lines(audio, video int) error {
	sendonly := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}
	recvonly := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	for _, o := range []*outgoing{
		{id: "microphone", kind: webrtc.RTPCodecTypeAudio}, {id: "camera", kind: webrtc.RTPCodecTypeVideo},
		{id: "screen", kind: webrtc.RTPCodecTypeVideo}, {id: "sound", kind: webrtc.RTPCodecTypeAudio},
	} {
		t, err := p.pc.AddTransceiverFromTrack(o, sendonly)
		if err != nil {
			return fmt.Errorf("set up the %s: %w", o.id, err)
		}
		if p.mic == nil {
			p.mic, p.send = o, t.Sender()
		}
	}
	for i := range audio + video {
		kind := webrtc.RTPCodecTypeAudio
		if i >= audio {
			kind = webrtc.RTPCodecTypeVideo
		}
		if _, err := p.pc.AddTransceiverFromKind(kind, recvonly); err != nil {
			return fmt.Errorf("set up a slot for %s: %w", kind, err)
		}
	}
	return nil
}

// offer returns an SDP with all of our candidates.
func (p *peer) offer(ctx context.Context, restart bool) (string, error) {
	o, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return "", fmt.Errorf("make an offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(o); err != nil {
		return "", fmt.Errorf("make an offer: %w", err)
	}
	select {
	case <-gathered:
		return p.pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// answer takes the server's answer, and finds out what may be sent.
func (p *peer) answer(sdp string) error {
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		return fmt.Errorf("%w: the server's answer is no SDP of ours: %v", api.Fail(api.Distrusted, "answer"), err)
	}
	params := p.send.GetParameters()
	for _, x := range params.HeaderExtensions {
		if x.URI == uriLevel {
			p.level = uint8(x.ID)
		}
	}
	return nil
}

// pictures are the mids of the slots for video, known once an offer was made.
func (p *peer) pictures(audio int) []string {
	var mids []string
	for _, t := range p.pc.GetTransceivers()[4+audio:] {
		mids = append(mids, t.Mid())
	}
	return mids
}

func (p *peer) close() { _ = p.pc.Close() }
