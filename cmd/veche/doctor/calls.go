package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

const (
	tries = 3
	again = 500 * time.Millisecond // between tries of UDP, which may lose
)

// calls tries each way by which devices bring the media of calls.
func (e *examination) calls(state admin.State) {
	m := state.Media
	if len(m.UDP) == 0 {
		e.say("calls by UDP", Bad, "this machine has no address that devices could be told", "Name one with --public.")
		return
	}
	e.each("calls by UDP", m.UDP, echoUDP,
		"Let UDP to this port through. Without UDP calls go by TCP, where a lost packet holds up all that follow it.")
	e.each("calls by TCP", m.TCP, echoTCP,
		"A proxy or a firewall before the https port takes it for something else. Networks without UDP are left with the relay.")
	if m.Relay == nil {
		e.say("relay", Bad, "the server gives out no relay", "Look into its log.")
		return
	}
	e.relay(state, m.Relay, m.UDP[0])
}

// each tries a way at all addresses that devices are told, of which one must work.
func (e *examination) each(name string, addresses []netip.AddrPort, try func(context.Context, netip.AddrPort) error, advice string) {
	works := 0
	var failed []string
	for _, a := range addresses {
		ctx, cancel := context.WithTimeout(e.ctx, patience)
		err := try(ctx, a)
		cancel()
		if err == nil {
			works++
			continue
		}
		failed = append(failed, fmt.Sprintf("%s (%s)", a, plain(err)))
	}
	found := fmt.Sprintf("%d of %d addresses answer", works, len(addresses))
	switch {
	case works == len(addresses) && works > 0:
		e.say(name, Good, found+": "+list(addresses), "")
	case works > 0:
		e.say(name, Poor, found+"; not "+strings.Join(failed, ", "), "Name the addresses that devices reach with --public, so that they are told no others.")
	default:
		e.say(name, Bad, found+"; not "+strings.Join(failed, ", "),
			advice+" If the address is a router's, it may let no one in from inside: try from outside.")
	}
}

func list(addresses []netip.AddrPort) string {
	words := make([]string, len(addresses))
	for i, a := range addresses {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// plain is an error in few words.
func plain(err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "no answer"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}

// question is a Binding request as long as its answer, as the server demands.
func question() *stun.Message {
	return stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewSoftware("veche doctor, looking for its way"))
}

// isAnswer reports whether b answers q.
func isAnswer(b []byte, q *stun.Message) bool {
	m := &stun.Message{Raw: b}
	return m.Decode() == nil && m.Type == stun.BindingSuccess && m.TransactionID == q.TransactionID
}

// echoUDP asks the media port.
func echoUDP(ctx context.Context, a netip.AddrPort) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", a.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	q := question()
	buf := make([]byte, 1500)
	for range tries {
		if _, err = conn.Write(q.Raw); err != nil {
			return err
		}
		_ = conn.SetReadDeadline(time.Now().Add(again))
		var n int
		if n, err = conn.Read(buf); err == nil && isAnswer(buf[:n], q) {
			return nil
		}
	}
	return err
}

// echoTCP asks the https port in the clear, framed (RFC 4571).
func echoTCP(ctx context.Context, a netip.AddrPort) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	q := question()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q.Raw))), q.Raw...)); err != nil {
		return err
	}
	head := make([]byte, 2)
	if _, err := io.ReadFull(conn, head); err != nil {
		return err
	}
	b := make([]byte, binary.BigEndian.Uint16(head))
	if _, err := io.ReadFull(conn, b); err != nil {
		return err
	}
	if !isAnswer(b, q) {
		return errors.New("something else answers")
	}
	return nil
}

// inside are addresses that a relay must reach for nobody.
var inside = []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1"}

// relay asks the media port through TURN inside TLS, and tries to get elsewhere.
func (e *examination) relay(state admin.State, server *wire.TurnServer, media netip.AddrPort) {
	const name = "relay inside TLS"
	host, err := hostOf(server)
	if err != nil {
		e.say(name, Bad, err.Error(), "Start the server with --host.")
		return
	}
	conn, err := dialTLS(e.ctx, host, state.CA)
	if err != nil {
		e.unreachable(name, host, err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(4 * patience)) // fails only for what is closed, which reading tells
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: conn.RemoteAddr().String(), Username: server.Username, Password: server.Password,
		Conn: turn.NewSTUNConn(conn), LoggerFactory: quiet,
	})
	if err == nil {
		err = client.Listen()
	}
	if err != nil {
		e.say(name, Bad, plain(err), "")
		return
	}
	defer client.Close()
	allocation, err := client.Allocate()
	if err != nil {
		e.say(name, Bad, host+" gives no allocation: "+plain(err), "A proxy that ends TLS before the server understands HTTP alone: let it pass TCP through, or live without the relay.")
		return
	}
	defer allocation.Close()
	if err := through(allocation, media); err != nil {
		e.say(name, Bad, fmt.Sprintf("the media port is not reached through %s: %s", host, plain(err)), "Look into the server's log.")
		return
	}
	for _, a := range inside {
		if a == media.Addr().String() {
			continue
		}
		if client.CreatePermission(&net.UDPAddr{IP: net.ParseIP(a), Port: 80}) == nil {
			e.say(name, Bad, "it relays to "+a, "Turn calls off with --media off and report this: nobody should get into your network by the relay.")
			return
		}
	}
	e.say(name, Good, host+" relays to the media port, and to nothing else", "")
}

// hostOf is where a TURN URL (RFC 7065) leads.
func hostOf(s *wire.TurnServer) (string, error) {
	if len(s.URLs) > 0 {
		if rest, ok := strings.CutPrefix(s.URLs[0], "turns:"); ok {
			host, _, _ := strings.Cut(rest, "?")
			if u, err := url.Parse("https://" + host); err == nil && u.Host != "" {
				return u.Host, nil
			}
		}
	}
	return "", fmt.Errorf("the relay's address %q is none", s.URLs)
}

// through asks the media port by an allocation.
func through(allocation net.PacketConn, media netip.AddrPort) error {
	q := question()
	buf := make([]byte, 1500)
	var err error
	for range tries {
		if _, err = allocation.WriteTo(q.Raw, net.UDPAddrFromAddrPort(media)); err != nil {
			return err
		}
		_ = allocation.SetReadDeadline(time.Now().Add(again))
		var n int
		if n, _, err = allocation.ReadFrom(buf); err == nil && isAnswer(buf[:n], q) {
			return nil
		}
	}
	return err
}
