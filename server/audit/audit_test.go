package audit

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/wire"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newLog(t *testing.T) (*Log, *clock, func() []map[string]any) {
	t.Helper()
	var b bytes.Buffer
	c := &clock{time.Now()}
	l := New(slog.New(slog.NewJSONHandler(&b, nil)), c.now)
	return l, c, func() (all []map[string]any) {
		for line := range strings.Lines(b.String()) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		b.Reset()
		return all
	}
}

func TestARecordSaysWhenWhoAndWhat(t *testing.T) {
	l, _, read := newLog(t)
	ann, bob, device := wire.NewAccountID(), wire.NewAccountID(), wire.NewDeviceID()
	l.Record(Entry{Kind: AccountShut, Account: bob, By: ann, Device: device})
	l.Record(Entry{Kind: SignInRefused, Why: "unknown", From: netip.MustParseAddr("2001:db8:1:2:3:4:5:6")})
	l.Record(Entry{Kind: ResetMade, Account: bob, Command: true, From: netip.MustParseAddr("192.0.2.7")})
	want := []map[string]any{
		{"level": "INFO", "msg": "security", "event": "account_shut", "outcome": "done", "account": bob.String(), "by": ann.String(), "device": device.String()},
		{"level": "INFO", "msg": "security", "event": "sign_in_refused", "outcome": "refused", "why": "unknown", "network": "2001:db8:1:2::/64"},
		{"level": "INFO", "msg": "security", "event": "reset_link_made", "outcome": "done", "account": bob.String(), "by": "command line", "network": "192.0.2.7/32"},
	}
	got := read()
	for i := range got {
		if at, err := time.Parse(time.RFC3339Nano, got[i]["time"].(string)); err != nil || at.IsZero() {
			t.Errorf("it was at %v", got[i]["time"])
		}
		delete(got[i], "time")
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("written is\n%v\nnot\n%v", got, want)
	}
}

// Who is refused cannot fill the disk; what was left out is counted, and what
// others do is written all the same.
func TestRefusalsAreBounded(t *testing.T) {
	l, c, read := newLog(t)
	for range 10_000 {
		l.Record(Entry{Kind: SignInRefused, Account: wire.NewAccountID(), Why: "wrong"})
	}
	if n := len(read()); n != burst {
		t.Errorf("%d of ten thousand were written, not %d", n, burst)
	}
	l.Record(Entry{Kind: SignedIn, Account: wire.NewAccountID()})
	if got := read(); len(got) != 1 || got[0]["unsaid"] != float64(10_000-burst) {
		t.Errorf("what is done is written as %v", got)
	}
	c.at = c.at.Add(time.Second)
	for range 100 {
		l.Record(Entry{Kind: ProofRefused, Why: "wrong"})
	}
	if n := len(read()); n != most {
		t.Errorf("%d were written a second later, not %d", n, most)
	}
}

// What anybody can bring about without end is told once a minute of each.
func TestSomeIsToldOnceAMinute(t *testing.T) {
	l, c, read := newLog(t)
	ann, bob := wire.NewDeviceID(), wire.NewDeviceID()
	here, there := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:0:1::1")
	round := func() {
		for range 5 {
			l.Record(Entry{Kind: Limited, From: here, Device: ann, What: "send"})
			l.Record(Entry{Kind: Limited, From: here, Device: bob, What: "read"})
			l.Record(Entry{Kind: Limited, From: there, Device: bob, What: "read"})
			l.Record(Entry{Kind: Denied, From: here, Device: ann, What: "room.log"})
			l.Record(Entry{Kind: Denied, From: here, Device: ann, What: "room.send"})
			l.Record(Entry{Kind: Denied, From: here, Device: bob, What: "room.log"})
		}
	}
	for minute := range 3 {
		round()
		var limited, denied int
		for _, e := range read() {
			switch e["event"] {
			case "limited":
				limited++
			case "denied":
				denied++
			}
		}
		if limited != 2 || denied != 3 {
			t.Errorf("minute %d: %d networks met a limit, %d were denied; want 2 and 3", minute, limited, denied)
		}
		c.at = c.at.Add(every)
	}
	// From many places at once nothing grows without bound.
	for i := range 3 * maxKept {
		c.at = c.at.Add(time.Millisecond)
		l.Record(Entry{Kind: Denied, Device: wire.NewDeviceID(), What: "room.log"})
		if len(l.told) > maxKept {
			t.Fatalf("after %d it remembers %d", i, len(l.told))
		}
	}
}

func TestANilLogWritesNothing(*testing.T) {
	var l *Log
	l.Record(Entry{Kind: SignedIn})
}
