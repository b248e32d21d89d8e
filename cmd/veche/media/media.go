// Package media puts the forwarder under the calls of the server: sfu, which
// knows numbers, under server/call, which knows people. It translates and
// decides nothing.
package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/server/call"
	"github.com/veche-im/veche/sfu"
	"github.com/veche-im/veche/wire"
)

// Config says where media goes. Log is required.
type Config struct {
	UDP    string       // address of the media port, "host:port"
	TCP    uint16       // port at which ICE-TCP reaches the forwarder, 0 for none
	Public []netip.Addr // told to devices before any other
	Size   int          // participants of a call at most; 0 means wire.MaxParticipants
	Tap    sfu.Tap      // nil but in tests
	Log    *slog.Logger
}

// twice is how many more the forwarder takes than a call has participants: one
// that joins again is there twice for a moment.
const twice = 64

// Media is the forwarder of a site.
type Media struct {
	sfu   *sfu.Server
	relay atomic.Pointer[string] // URL of TURN; nil: none
}

// New opens the media port.
func New(cfg Config) (*Media, error) {
	most := cfg.Size + twice
	if cfg.Size == 0 {
		most = wire.MaxParticipants + twice
	}
	s, err := sfu.New(sfu.Config{
		UDP: cfg.UDP, TCP: cfg.TCP, Public: cfg.Public, MaxParticipants: most, Tap: cfg.Tap, Log: cfg.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("open the media port %s: %w", cfg.UDP, err)
	}
	return &Media{sfu: s}, nil
}

// BesideHTTPS is the media port of a server that listens on address: the same
// host and port, by UDP.
func BesideHTTPS(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is no address of the form host:port", address)
	}
	return net.JoinHostPort(host, port), nil
}

// Server is the forwarder itself, for what hands it connections and counts.
func (m *Media) Server() *sfu.Server { return m.sfu }

// Beside says that the site's https port, at the address site, takes media by TCP
// and relays it. It is called once the address is known.
func (m *Media) Beside(site string) error {
	u, err := url.Parse(site)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("relay media at %q: no address of a site", site)
	}
	text := u.Port()
	if text == "" {
		text = "443"
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return fmt.Errorf("relay media at %q: %w", site, err)
	}
	m.sfu.TCPAt(uint16(port))
	relay := "turns:" + net.JoinHostPort(u.Hostname(), text) + "?transport=tcp" // RFC 7065
	m.relay.Store(&relay)
	return nil
}

// Where tells an administrator's tools where media comes, and lets them try.
func (m *Media) Where() admin.Media {
	var w admin.Media
	w.UDP, w.TCP = m.sfu.Where()
	if at := m.relay.Load(); at != nil {
		r := m.sfu.Relay("doctor")
		w.Relay = &wire.TurnServer{URLs: []string{*at}, Username: r.Username, Password: r.Password}
	}
	return w
}

// turn makes a participant's credentials for the relay.
func (m *Media) turn(id wire.CallID, number uint32) []wire.TurnServer {
	at := m.relay.Load()
	if at == nil {
		return nil
	}
	r := m.sfu.Relay(fmt.Sprintf("%x-%d", id[:], number))
	return []wire.TurnServer{{URLs: []string{*at}, Username: r.Username, Password: r.Password}}
}

// Close ends everything.
func (m *Media) Close() error { return m.sfu.Close() }

// Join is call.Media's, as are those below.
func (m *Media) Join(ctx context.Context, j call.Joining) (call.Answer, error) {
	a, err := m.sfu.Join(ctx, sfu.Join{
		Call: sfu.CallID(j.Call), Participant: j.Number, Offer: j.Offer, Local: j.Local, Echo: j.Echo, Listener: listener{j.Listener},
	})
	if err != nil {
		return call.Answer{}, refusal(err)
	}
	return call.Answer{SDP: a.SDP, Turn: m.turn(j.Call, j.Number)}, nil
}

func (m *Media) Offer(ctx context.Context, id wire.CallID, number uint32, offer string) (string, error) {
	answer, err := m.sfu.Offer(ctx, sfu.CallID(id), number, offer)
	return answer, refusal(err)
}

// refusal tells what is the device's fault from what is ours.
func refusal(err error) error {
	switch {
	case errors.Is(err, sfu.ErrBadOffer):
		return fmt.Errorf("%w: %w", call.ErrOffer, err)
	case errors.Is(err, sfu.ErrFull):
		return fmt.Errorf("%w: %w", call.ErrFull, err)
	case errors.Is(err, sfu.ErrNoCall):
		return fmt.Errorf("%w: %w", call.ErrGone, err)
	}
	return err
}

func (m *Media) View(id wire.CallID, number uint32, views []wire.CallView) {
	list := make([]sfu.View, len(views))
	for i, v := range views {
		list[i] = sfu.View{MID: v.Mid, Participant: v.Number, Source: sfu.Source(v.Source), Height: v.Height}
	}
	m.sfu.View(sfu.CallID(id), number, list)
}

func (m *Media) Leave(id wire.CallID, number uint32) { m.sfu.Leave(sfu.CallID(id), number) }

// listener is a call.Listener as the forwarder calls it.
type listener struct{ to call.Listener }

func (l listener) Slots(slots []sfu.Slot) {
	list := make([]wire.CallSlot, len(slots))
	for i, s := range slots {
		list[i] = wire.CallSlot{Mid: s.MID, Number: s.Participant, Source: wire.Source(s.Source), Layer: s.Layer, Paused: s.Paused}
	}
	l.to.Slots(list)
}

func (l listener) Quality(q sfu.Quality) {
	path := "udp"
	if q.Relay {
		path = "tcp"
	}
	l.to.Quality(wire.CallQuality{
		LossUp: int(q.Up * 1000), LossDown: int(q.Down * 1000), RTT: int(q.RTT.Milliseconds()), Down: q.Rate, Path: path,
	})
}

// silent is the level, in -dBov, from which nobody counts as heard (RFC 6464
// calls 127 silence).
const silent = 100

func (l listener) Levels(levels []sfu.Level) {
	loud := slices.DeleteFunc(slices.Clone(levels), func(v sfu.Level) bool { return v.Level >= silent })
	slices.SortStableFunc(loud, func(a, b sfu.Level) int { return int(a.Level) - int(b.Level) })
	numbers := make([]uint32, 0, len(loud))
	for _, v := range loud {
		if !slices.Contains(numbers, v.Participant) {
			numbers = append(numbers, v.Participant)
		}
	}
	l.to.Levels(numbers)
}

func (l listener) Pause(layers []sfu.Layer) {
	wanted := []wire.CallLayer{}
	for _, v := range layers {
		if !v.Paused {
			wanted = append(wanted, wire.CallLayer{Source: wire.Source(v.Source), RID: v.RID})
		}
	}
	l.to.Pause(wanted)
}

func (l listener) Alive(alive bool) { l.to.Alive(alive) }

func (l listener) Gone(sfu.Reason) { l.to.Gone() }
