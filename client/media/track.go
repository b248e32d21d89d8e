package media

import (
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// outgoing is a line on which packets of ours leave, sealed and as they are:
// pion's own tracks would choose the payload type for us.
type outgoing struct {
	id   string
	kind webrtc.RTPCodecType

	mu   sync.Mutex // guards what follows
	ssrc webrtc.SSRC
	to   webrtc.TrackLocalWriter // nil: not connected
	red  bool                    // the server takes RED
}

// Bind is told where packets go once a description was agreed on.
func (o *outgoing) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ssrc, o.to, o.red = c.SSRC(), c.WriteStream(), false
	for _, p := range c.CodecParameters() {
		o.red = o.red || p.PayloadType == ptRED
	}
	for _, p := range c.CodecParameters() {
		if p.PayloadType == ptOpus || p.PayloadType == ptVP8 {
			return p, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind is told that there is nowhere to go any more.
func (o *outgoing) Unbind(webrtc.TrackLocalContext) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = nil
	return nil
}

// ID names the line in descriptions; so do the methods after it.
func (o *outgoing) ID() string                { return o.id }
func (o *outgoing) RID() string               { return "" }
func (o *outgoing) StreamID() string          { return "own" }
func (o *outgoing) Kind() webrtc.RTPCodecType { return o.kind }

// takesRED reports whether packets may be of type RED.
func (o *outgoing) takesRED() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.red
}

// write sends one packet and reports whether it left.
func (o *outgoing) write(p *rtp.Packet) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to == nil {
		return false
	}
	p.SSRC = uint32(o.ssrc)
	_, err := o.to.WriteRTP(&p.Header, p.Payload)
	return err == nil
}
