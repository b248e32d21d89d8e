package media_test

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/veche-im/veche/cmd/veche/media"
	"github.com/veche-im/veche/server/call"
	"github.com/veche-im/veche/sfu/load"
	"github.com/veche-im/veche/wire"
)

// deaf is a call.Listener that does nothing.
type deaf struct{}

func (deaf) Slots([]wire.CallSlot)    {}
func (deaf) Quality(wire.CallQuality) {}
func (deaf) Levels([]uint32)          {}
func (deaf) Pause([]wire.CallLayer)   {}
func (deaf) Alive(bool)               {}
func (deaf) Gone()                    {}

// How many may take part the calls of the server say, who let a device come again
// while its former participant is still there: in a full call, too.
func TestWhoComesAgainFindsAPlaceInAFullCall(t *testing.T) {
	m, err := media.New(media.Config{
		UDP: "127.0.0.1:0", Public: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Size: 2, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	id := wire.NewCallID()
	join := func(ctx context.Context, number uint32, offer string) (string, error) {
		a, err := m.Join(ctx, call.Joining{Call: id, Number: number, Offer: offer, Listener: deaf{}})
		return a.SDP, err
	}
	for number := range uint32(3) {
		c, err := load.Dial(t.Context(), join, number+1, 1)
		if err != nil {
			t.Fatalf("participant %d: %v", number+1, err)
		}
		defer c.Close()
	}
}
