package call

import (
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// what a device does, of which each has a rate of its own.
type what = *limit.Class

var (
	toStart what = limit.CallStart
	toJoin  what = limit.CallJoin
	toOffer what = limit.CallOffer
	toView  what = limit.CallView
	toState what = limit.CallState
	toSay   what = limit.CallSay
	toRing  what = limit.CallRing
	toLead  what = limit.CallLead
	toKnock what = limit.CallKnock
	toTest  what = limit.CallTest
)

// allow refuses, with Busy, what a device does too often.
func (cs *Calls) allow(d wire.DeviceID, do what) error {
	return cs.cfg.Limit.Allow(do, limit.Who{Device: d})
}
