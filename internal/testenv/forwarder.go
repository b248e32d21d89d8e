package testenv

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/call"
	"github.com/veche-im/veche/wire"
)

// Forwarder stands where media would be forwarded, and forwards none: what is
// tested with it is who takes part, not what is heard. Offers that begin with
// "bad" are refused.
type Forwarder struct {
	mu   sync.Mutex // guards what follows
	in   map[place]call.Joining
	seen []string
}

type place struct {
	call   wire.CallID
	number uint32
}

// NewForwarder returns one in which nobody is.
func NewForwarder() *Forwarder { return &Forwarder{in: map[place]call.Joining{}} }

// WithMedia gives a site a forwarder of the test's own; nil: no calls.
func WithMedia(m call.Media) Option { return func(c *server.Config) { c.Media = m } }

// Join is call.Media's, as are those below.
func (f *Forwarder) Join(_ context.Context, j call.Joining) (call.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.HasPrefix(j.Offer, "bad") {
		return call.Answer{}, fmt.Errorf("%w: %s", call.ErrOffer, j.Offer)
	}
	f.in[place{j.Call, j.Number}] = j
	return call.Answer{SDP: "answer to " + j.Offer}, nil
}

func (f *Forwarder) Offer(_ context.Context, id wire.CallID, number uint32, offer string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.in[place{id, number}]; !ok {
		return "", call.ErrGone
	}
	return "answer to " + offer, nil
}

func (f *Forwarder) View(id wire.CallID, number uint32, views []wire.CallView) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range views {
		f.seen = append(f.seen, fmt.Sprintf("%d shows %d in %s", number, v.Number, v.Mid))
	}
}

func (f *Forwarder) Leave(id wire.CallID, number uint32) {
	f.mu.Lock()
	j, ok := f.in[place{id, number}]
	delete(f.in, place{id, number})
	f.mu.Unlock()
	if ok {
		j.Listener.Gone()
	}
}

// Views lists what participants said that they show.
func (f *Forwarder) Views() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.seen...)
}

// Len returns how many are connected.
func (f *Forwarder) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.in)
}

// Of returns the listener of a participant, nil if it is not connected.
func (f *Forwarder) Of(id wire.CallID, number uint32) call.Listener {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j, ok := f.in[place{id, number}]; ok {
		return j.Listener
	}
	return nil
}
