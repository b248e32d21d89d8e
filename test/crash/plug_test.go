package crash

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/test/rig"
)

// What two people are told when the plug is pulled: who waits hears that it
// worked once the server is back; who does not want to wait hears that the
// message is kept; who reads is shown what is there, and that it may be old.
func TestWhatPeopleAreToldWhenThePlugIsPulled(t *testing.T) {
	s := rig.New(t, "Plug", "ann")
	ann, bob := s.SignIn("ann"), s.Invite("bob")
	ann.Send("@bob", "one")
	bob.Read("@ann")

	s.Kill()
	waiting := make(chan rig.Result)
	go func() { waiting <- ann.Run(context.Background(), "send", "@bob", "two", "--json", "--wait", "1m") }()
	pause(t.Context(), 300*time.Millisecond) // it finds nobody; a moment earlier or later it holds too
	s.Start()
	if r := <-waiting; r.Code != 0 || strings.Contains(r.Out, "queued") {
		t.Errorf("who waited was told %v", r)
	}

	s.Kill()
	r := ann.Run(t.Context(), "send", "@bob", "three", "--json", "--wait", "100ms")
	m, err := rig.Messages(r.Out)
	if err != nil || len(m) != 1 || !m[0].Queued || r.Code == 0 || !strings.Contains(r.Err, "the message is stored here") {
		t.Errorf("who would not wait was told %v", r)
	}
	r = bob.Run(t.Context(), "read", "@ann")
	if r.Code != 0 || !strings.Contains(r.Out, "one") || !strings.Contains(r.Err, "cannot be reached: this is what is stored here") {
		t.Errorf("who read was told %v", r)
	}

	s.Start()
	ann.Must("rooms") // any command takes along what waits
	var texts []string
	for _, m := range bob.Read("@ann") {
		texts = append(texts, m.Text)
	}
	if !slices.Equal(texts, []string{"one", "two", "three"}) {
		t.Errorf("in the end bob has %q", texts)
	}
}
