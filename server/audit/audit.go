// Package audit writes what happened at the doors of a site into its log: who
// came in and who was refused, what was done to passwords and accounts, and by
// whom. Each is one record with the same fields, for people and for the programs
// that watch logs. docs/admin/running.md#security-events lists them.
//
// A record names accounts and devices by their ids and networks by their prefix.
// It never holds what somebody typed, no token and no link. Refusals are bounded,
// so that whoever is refused cannot fill the disk: what was left out is counted
// in the next record that is written.
package audit

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// Kind is what happened. Scripts rely on the names: none changes its meaning.
type Kind string

const (
	SignedUp       Kind = "signed_up" // by a link; with it the first device came
	SignedIn       Kind = "signed_in"
	SignInRefused  Kind = "sign_in_refused" // why: unknown, wrong, shut, too_many
	SignedOut      Kind = "signed_out"
	SessionEnded   Kind = "session_ended"  // why: unused, never_enrolled, replaced, turned_away
	SessionLocked  Kind = "session_locked" // why: administrator, too_old
	DeviceEnrolled Kind = "device_enrolled"
	DeviceRevoked  Kind = "device_revoked"

	PasswordChanged Kind = "password_changed"
	PasswordRefused Kind = "password_change_refused" // why: wrong, too_many, guessable
	PasswordReset   Kind = "password_reset"          // by a link
	Proved          Kind = "password_proved"
	ProofRefused    Kind = "password_proof_refused" // why: wrong, too_many

	InviteMade     Kind = "invite_made"
	ResetMade      Kind = "reset_link_made"
	AccountShut    Kind = "account_shut"
	AccountOpened  Kind = "account_opened"
	AdminMade      Kind = "administrator_made"
	AdminTaken     Kind = "administrator_taken"
	ProofMissing   Kind = "proof_missing"   // an administrator's act without the password; what says which
	Denied         Kind = "denied"          // not allowed, or no such thing: what says which route or method
	Limited        Kind = "limited"         // asked too often; what says which limit
	LinkRefused    Kind = "link_refused"    // unknown, used, expired or void
	SessionRefused Kind = "session_refused" // one that is over, locked, or never was
	FromElsewhere  Kind = "foreign_origin"  // another web site had a browser ask
)

// refusals are the kinds that somebody can have written as often as they like.
var refusals = map[Kind]bool{
	SignInRefused: true, PasswordRefused: true, ProofRefused: true, ProofMissing: true, Denied: true, Limited: true,
	LinkRefused: true, FromElsewhere: true, SessionRefused: true,
}

// seldom are those of which one a minute is enough for who causes them.
var seldom = map[Kind]bool{Denied: true, Limited: true, LinkRefused: true, FromElsewhere: true, SessionRefused: true}

const (
	every   = time.Minute
	most    = 20   // refusals a second, on average
	burst   = 400  // at once
	maxKept = 8192 // of whom it is remembered that they were told of within the minute
)

// Entry is one event. Only Kind is required.
type Entry struct {
	Kind    Kind
	Account wire.AccountID // whom it is about
	Device  wire.DeviceID
	By      wire.AccountID // the administrator who did it
	Command bool           // it was done on the server's own command line
	From    netip.Addr     // who asked; written as its network
	What    string         // which door, action or limit: a name of ours, never somebody's words
	Why     string
}

// Log writes entries. A nil Log writes none.
type Log struct {
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex // guards what follows
	rate   *rate.Limiter
	unsaid int
	told   map[whom]time.Time // when what is told seldom was told last
	swept  time.Time          // when what is over was taken out of told
}

// whom is who is told of once a minute, and for what.
type whom struct {
	kind    Kind
	network netip.Prefix
	account wire.AccountID
	device  wire.DeviceID
	what    string
}

// New returns a Log that writes to log. By now the minutes are counted.
func New(log *slog.Logger, now func() time.Time) *Log {
	return &Log{log: log, now: now, rate: rate.NewLimiter(most, burst), told: make(map[whom]time.Time)}
}

// Record writes e, unless it is one refusal of too many.
func (l *Log) Record(e Entry) {
	if l == nil {
		return
	}
	unsaid, ok := l.admit(e)
	if !ok {
		return
	}
	outcome := "done"
	if refusals[e.Kind] {
		outcome = "refused"
	}
	a := append(make([]slog.Attr, 0, 12), slog.String("event", string(e.Kind)), slog.String("outcome", outcome))
	if !e.Account.IsZero() {
		a = append(a, slog.String("account", e.Account.String()))
	}
	if !e.Device.IsZero() {
		a = append(a, slog.String("device", e.Device.String()))
	}
	switch {
	case e.Command:
		a = append(a, slog.String("by", "command line"))
	case !e.By.IsZero():
		a = append(a, slog.String("by", e.By.String()))
	}
	if e.From.IsValid() {
		a = append(a, slog.String("network", limit.Network(e.From).String()))
	}
	for name, s := range map[string]string{"what": e.What, "why": e.Why} {
		if s != "" {
			a = append(a, slog.String(name, s))
		}
	}
	if unsaid > 0 {
		a = append(a, slog.Int("unsaid", unsaid))
	}
	l.log.LogAttrs(context.Background(), slog.LevelInfo, "security", a...)
}

// admit reports whether e is to be written, and how many were not before it.
func (l *Log) admit(e Entry) (unsaid int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if refusals[e.Kind] {
		now := l.now()
		if seldom[e.Kind] && !l.first(e, now) {
			l.unsaid++
			return 0, false
		}
		if !l.rate.AllowN(now, 1) {
			l.unsaid++
			return 0, false
		}
	}
	unsaid, l.unsaid = l.unsaid, 0
	return unsaid, true
}

// first reports whether e is the first of its kind within the minute from whom it
// comes. The lock is held.
func (l *Log) first(e Entry, now time.Time) bool {
	w := whom{kind: e.Kind, account: e.Account, device: e.Device, what: e.What}
	if e.From.IsValid() {
		w.network = limit.Network(e.From)
	}
	if e.Kind == Limited { // of a network once, whoever in it and whatever they asked
		w.device, w.what = wire.DeviceID{}, ""
	}
	if at, ok := l.told[w]; ok && now.Sub(at) < every && !now.Before(at) {
		return false
	}
	if len(l.told) >= maxKept && (now.Sub(l.swept) >= every/6 || now.Before(l.swept)) {
		l.swept = now
		for k, at := range l.told {
			if now.Sub(at) >= every || now.Before(at) {
				delete(l.told, k)
			}
		}
	}
	if len(l.told) < maxKept {
		l.told[w] = now
	}
	return true // where there is no room to remember, the rate bounds it
}
