package call

import (
	"log/slog"
	"testing"

	"github.com/veche-im/veche/wire"
)

// However much a server says of calls, what waits is bounded, and one question
// stands for the rest.
func TestWhatIsHeardOfCallsIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
		most int
	}{
		{"many small", 10, mostHeard},
		{"large", 1 << 20, mostHeardBytes >> 20},
	} {
		c := New(Config{Log: slog.New(slog.DiscardHandler)})
		body := make([]byte, tt.size)
		for range 5 * mostHeard {
			c.Heard(wire.OnCall.Name, body)
		}
		if n := len(c.jobs); n != tt.most+1 {
			t.Errorf("%s: %d events wait", tt.name, n)
		}
	}
}
