// Package account is who this device is: it signs up, in and out, lets the
// device into the account's list of devices and other devices after it, and
// keeps key packages on the server.
//
// Which devices the account has is never the server's word: the account's root
// key, which lies sealed in the vault, signs each change, and this device
// accepts a chain of statements only after it has opened the vault to the root
// of that chain. Everything is stored before it is used, so that a crash
// between two steps is gone on from. docs/spec/sign-in.md, identity.md.
package account

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/people"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/wire"
)

// Suite is that of the account's leaves, and so of the rooms that it makes.
const Suite = mls.HybridX25519MLKEM768

// Config says what an Account works with. All are required.
type Config struct {
	Link    link.Link
	Store   *store.DB
	Session *session.Session
	People  *people.People
	Feed    *feed.Feed
	Log     *slog.Logger
	Now     func() time.Time
	Keys    int    // one-time key packages to keep on the server
	Version string // of the program, for api.Status
}

// Account is this device's side of an account. Methods may be called from any
// goroutine.
type Account struct {
	cfg     Config
	publish sync.Mutex // one change of the account's devices at a time
	refill  sync.Mutex // one count of key packages at a time

	mu      sync.Mutex // guards what follows
	self    *store.Self
	keys    *identity.DeviceKeys
	token   string
	ended   bool
	conn    session.State
	since   wire.Millis
	why     error // of the last connection's end
	greeted bool  // hello was heard on this connection
	maxBlob int64
	calls   bool // this site has them
	devices []wire.Device
	entry   *entry
	changed chan struct{} // closed and replaced when anything above changes
}

// Settings of this package.
const (
	settingEnded  = "ended"       // the session is over, what is stored stays
	settingForget = "forget"      // and nothing shall stay: what a crash kept of it is wiped
	settingFormer = "predecessor" // device that this one takes the place of, to be revoked
	settingUnseen = "unseen key"  // the account's recovery key was shown to nobody
)

// New returns an Account; Load must be called before anything else.
func New(cfg Config) *Account {
	return &Account{cfg: cfg, conn: session.Offline, since: wire.Now(cfg.Now()), changed: make(chan struct{})}
}

// Load reads who this device is from the store. A store that was to be wiped,
// and was not before a crash, is wiped first.
func (a *Account) Load(ctx context.Context) error {
	if err := a.forget(ctx); err != nil {
		return err
	}
	var self store.Self
	var keys, token []byte
	var ended bool
	err := a.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		if self, err = store.GetSelf(tx); err != nil {
			return err
		}
		if keys, err = store.GetSecret(tx, store.SecretKeys); err != nil {
			return err
		}
		if token, err = store.GetSecret(tx, store.SecretToken); err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		_, err = store.GetSetting(tx, settingEnded)
		ended = err == nil
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	if errors.Is(err, store.ErrNone) {
		a.change(func() { a.self, a.keys, a.token, a.ended = nil, nil, "", false })
		return nil
	}
	if err != nil {
		return err
	}
	k, err := identity.ParseDeviceKeys(keys)
	if err != nil {
		return errors.Join(store.ErrDamaged, err)
	}
	a.change(func() { a.self, a.keys, a.token, a.ended = &self, k, string(token), ended })
	return nil
}

// change runs f under the lock and tells everybody who waits, and front ends.
func (a *Account) change(f func()) {
	a.mu.Lock()
	f()
	close(a.changed)
	a.changed = make(chan struct{})
	a.mu.Unlock()
	a.cfg.Feed.Status()
}

// Changed returns a channel that is closed at the next change of state.
func (a *Account) Changed() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

// Wait waits until cond holds for the state as Status gives it, or returns an
// error, or ctx ends.
func (a *Account) Wait(ctx context.Context, cond func(api.Status) (bool, error)) error {
	for {
		changed := a.Changed()
		ok, err := cond(a.Status())
		if err != nil || ok {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Session returns the bearer token of the session, and whether there is one to
// keep connected.
func (a *Account) Session() (token string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.token, a.self != nil && !a.ended
}

// Self returns who this device is; ok is false before it is signed in.
func (a *Account) Self() (self store.Self, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.self == nil {
		return store.Self{}, false
	}
	return *a.self, true
}

// ID returns the account, zero before sign-in.
func (a *Account) ID() wire.AccountID {
	self, _ := a.Self()
	return self.Account
}

// Me returns this device as a member of rooms; ok is false until it was let in.
func (a *Account) Me() (me room.Me, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.self == nil || a.self.State != wire.DeviceActive || a.ended {
		return me, false
	}
	signer, err := a.keys.Signer(Suite)
	if err != nil {
		a.cfg.Log.Error("no signer", "err", err)
		return me, false
	}
	return room.Me{Account: a.self.Account, Device: a.self.Device, Signer: signer, Suite: Suite}, true
}

func phaseOf(self *store.Self, ended bool) api.Phase {
	switch {
	case self == nil:
		return api.PhaseFresh
	case ended:
		return api.PhaseEnded
	case self.State == wire.DeviceActive:
		return api.PhaseReady
	default:
		return api.PhaseEnrolling
	}
}

// Status returns the overall state.
func (a *Account) Status() api.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := api.Status{
		Phase: phaseOf(a.self, a.ended), Connection: api.Connection(a.conn), Since: a.since,
		Version: a.cfg.Version, MaxFile: plainMax(a.maxBlob), Calls: a.calls,
	}
	if a.self == nil {
		return s
	}
	self := *a.self
	s.Org, s.Admin, s.Device = self.Org, self.Admin, &self.Device
	s.Me = &api.Person{ID: self.Account, Name: self.Name, Me: true, Admin: self.Admin, Online: a.conn == session.Online}
	if s.Phase == api.PhaseEnrolling {
		s.Code = identity.EnrolCode(self.Account, self.Device, a.keys.Leaf(), a.keys.Unlock())
	}
	return s
}

// plainMax is how many plain bytes fit into a blob of at most max sealed ones.
func plainMax(most int64) int64 {
	if most <= 0 {
		most = wire.MaxBlob
	}
	const full = seal.PieceSize + seal.PieceOverhead
	rest := most%full - seal.PieceOverhead
	return most/full*seal.PieceSize + max(rest, 0)
}

// Connection takes the state of the session.
func (a *Account) Connection(s session.State, err error) {
	a.change(func() {
		if s != a.conn {
			a.since = wire.Now(a.cfg.Now())
		}
		a.conn = s
		if err != nil {
			a.why = err
		}
		if s != session.Online {
			a.greeted = false
		}
	})
}

// Hello takes the first event of a connection.
func (a *Account) Hello(ctx context.Context, h wire.Hello) error {
	a.mu.Lock()
	same := a.self != nil && a.self.Account == h.Account && a.self.Device == h.Device
	a.mu.Unlock()
	if !same {
		return errors.New("the server greets another device than this one")
	}
	if h.State == wire.DeviceRevoked {
		return a.End(ctx)
	}
	err := a.store(ctx, func(tx *store.Tx, self *store.Self) error {
		self.Org, self.Name, self.Admin = h.Org, h.Name, h.Admin
		return nil
	})
	a.change(func() { a.greeted, a.maxBlob, a.calls = true, h.Max.Blob, h.Calls })
	if err != nil {
		return err
	}
	return a.PasswordMoved(ctx, h.Password)
}

// store changes who this device is, on disk and then in memory.
func (a *Account) store(ctx context.Context, f func(tx *store.Tx, self *store.Self) error) error {
	var self store.Self
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		if self, err = store.GetSelf(tx); err != nil {
			return err
		}
		if err := f(tx, &self); err != nil {
			return err
		}
		return store.PutSelf(tx, self)
	})
	if err != nil {
		return err
	}
	a.change(func() { a.self = &self })
	return nil
}

// forget wipes the store if that was asked for.
func (a *Account) forget(ctx context.Context) error {
	asked, err := a.toForget(ctx)
	if err != nil || !asked {
		return err
	}
	return a.cfg.Store.Update(ctx, store.Wipe)
}

func toForget(tx *store.Tx) (bool, error) {
	_, err := store.GetSetting(tx, settingForget)
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	return err == nil, err
}

// End notes that the server does not let the session on. What is stored stays,
// also the session's token: where the server has only locked it, the person's
// password takes it up again.
func (a *Account) End(ctx context.Context) error {
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.PutSetting(tx, settingEnded, []byte{1}) })
	if err != nil {
		return err
	}
	a.over(a.former())
	return nil
}

// end notes that the person has signed out; with forget the store is to be wiped,
// by Load at the latest.
func (a *Account) end(ctx context.Context, forget bool) error {
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if forget {
			if err := store.PutSetting(tx, settingForget, []byte{1}); err != nil {
				return err
			}
		}
		if err := store.DeleteSecret(tx, store.SecretToken); err != nil {
			return err
		}
		return store.PutSetting(tx, settingEnded, []byte{1})
	})
	if err != nil {
		return err
	}
	a.over("")
	return nil
}

// over tells everybody that the session is over.
func (a *Account) over(token string) {
	a.change(func() { a.ended, a.token, a.greeted = true, token, false })
	a.finish(api.PhaseEnded, "", api.Fail(api.SignedOut, "the session has ended"))
}

// Why returns what ended the last connection, or kept it from coming about.
func (a *Account) Why() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.why
}
