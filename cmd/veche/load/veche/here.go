package veche

import (
	"context"
	"net"
	"net/url"

	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/account"
)

// Here runs a server in this process: for Config.Start, where it need not be told
// what the server costs.
func Here(ctx context.Context, data string) (*Running, error) {
	started := make(chan server.Info, 1)
	s, err := server.New(ctx, server.Config{
		Data: data, HTTPS: "127.0.0.1:0", HTTP: "127.0.0.1:0", Metrics: "off",
		Cost: account.Cost{Memory: 64, Time: 1, Threads: 1}, Started: func(i server.Info) { started <- i },
	})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	select {
	case i := <-started:
		return &Running{HTTPS: loopback(i.HTTPS), HTTP: loopback(i.HTTP), Stop: func() error { stop(); return <-ended }}, nil
	case err := <-ended:
		stop()
		return nil, err
	}
}

// loopback is the way to an address from this machine.
func loopback(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return net.JoinHostPort("127.0.0.1", u.Port())
}
