package account

import (
	"crypto/sha256"
	"net/netip"
	"time"

	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// How many sign-ins may fail in window. Then one more is let through whenever so
// much time has passed that it fits again; nothing is closed for long.
// docs/spec/sign-in.md says why these numbers.
const (
	window        = 15 * time.Minute
	failsOfPair   = 5  // of a name from one network
	failsAround   = 10 // of a name from the networks around one, too
	failsOfOrigin = 20 // of one network, whatever the names; of those around it a few times that
	failsOfName   = 50 // of a name from everywhere: many networks together guess no faster
	failsOfDevice = 5  // of a browser in which that person was signed in before
	failsOfShown  = 5  // in one session, by who shows the password again or changes it

	// Each account that signs in from a network lets one failure more happen there
	// and around it: where many people sit, many mistype. One of them is forgotten
	// each hour; beyond so many accounts it grows no more.
	mostNative   = 500
	nativeFor    = time.Hour
	nativeAnewIn = 24 * time.Hour // an account counts once in this
)

// attempts counts failed sign-ins of late. Whoever knows a name can fail under
// it, and must not lock its owner out by that: so failures are counted for each
// network, and a browser in which the person was signed in before is counted by
// itself alone; so is a session, in which only who has it can fail. What it remembers is bounded, as package limit says: what is over
// a limit is forgotten last.
type attempts struct {
	of *limit.Limiter
}

func newAttempts(now func() time.Time) *attempts { return &attempts{limit.New(now)} }

// tally is n failures in window.
func tally(key string, n int) limit.Tally {
	return limit.Tally{Key: key, Rate: limit.Rate{Every: window / time.Duration(n), Burst: n}}
}

// natives is of the accounts that have signed in from a network lately.
func natives(at string) limit.Tally {
	return limit.Tally{Key: "natives " + at, Rate: limit.Rate{Every: nativeFor, Burst: mostNative}}
}

// shownIn are those in which a password counts that is shown in a session, which is
// a device's.
func shownIn(d wire.DeviceID) []limit.Tally {
	return []limit.Tally{tally("session "+string(d[:]), failsOfShown)}
}

// signIn are those in which a sign-in under a name counts. Device is the browser
// that was signed in under it before, empty for any other.
func (a *attempts) signIn(name string, from netip.Addr, device string) []limit.Tally {
	if device != "" {
		return []limit.Tally{tally("device "+device, failsOfDevice)}
	}
	sum := sha256.Sum256([]byte(name)) // has one length, whatever the name
	name = string(sum[:])
	all := []limit.Tally{tally("name "+name, failsOfName)}
	around := limit.Networks(from)
	for i, net := range around {
		at := net.String()
		all = append(all, tally("from "+at, failsOfOrigin*net.Times))
		all[len(all)-1].Rate.Burst += a.of.Counted(natives(at))
		switch i {
		case 0:
			all = append(all, tally("pair "+at+" "+name, failsOfPair))
		case len(around) - 1:
			all = append(all, tally("pair "+at+" "+name, failsAround))
		}
	}
	return all
}

// begin counts an attempt as failed before it is made, so that many at once
// cannot slip through, and returns how to take that back. It is wire.Attempts
// when there were too many.
func (a *attempts) begin(in []limit.Tally) (undo func(), err error) {
	undo, wait := a.of.Count(in...)
	if wait > 0 {
		return nil, &wire.Error{Code: wire.Attempts, Text: "too many attempts", RetryAfter: wait.Milliseconds() + 1}
	}
	return undo, nil
}

// settled notes that an account has signed in from somewhere.
func (a *attempts) settled(account wire.AccountID, from netip.Addr) {
	for _, net := range limit.Networks(from) {
		at := net.String()
		here := limit.Tally{Key: "native " + at + " " + string(account[:]), Rate: limit.Rate{Every: nativeAnewIn, Burst: 1}}
		_, _ = a.of.Count(here, natives(at)) // if it counts already, or there are enough: so be it
	}
}
