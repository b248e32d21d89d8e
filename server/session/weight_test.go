package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// Nobody fills the disk with messages alone: they have no quota.
func TestWhoWritesTooMuchIsToldToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		p := d.connect(t)
		defer p.Close(0, "")
		close(d.gate)
		body := make([]byte, wire.MaxRequest-1000)
		id, taken := uint64(0), 0
		ask := func() *wire.Error {
			id++
			p.ask(t, id, large.Name, body)
			return p.take(t).Error
		}
		var refused *wire.Error
		for refused == nil && taken <= maxWritten {
			if refused = ask(); refused == nil {
				taken += len(body)
			}
		}
		if refused == nil || refused.Code != wire.Busy || refused.RetryAfter <= 0 || taken < maxWritten/2 {
			t.Fatalf("%d bytes were taken, then %v", taken, refused)
		}
		if n := d.cfg.Limit.Refused(); n != 1 {
			t.Errorf("%d refusals are counted", n)
		}
		time.Sleep(time.Duration(refused.RetryAfter) * time.Millisecond)
		if e := ask(); e != nil {
			t.Errorf("after the wait: %v", e)
		}
		if ask() == nil {
			t.Error("and one more at once")
		}
		if err := weigh(d.cfg.Limit, wire.NewAccountID(), len(body)); err != nil {
			t.Errorf("somebody else hears %v", err)
		}
	})
}

func TestAHundredMessagesASecondAreNotTooMuch(t *testing.T) {
	now := time.Now()
	l, account := limit.New(func() time.Time { return now }), wire.NewAccountID()
	for range 3600 {
		for range 100 {
			if err := weigh(l, account, 1<<10); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(time.Second)
	}
}
