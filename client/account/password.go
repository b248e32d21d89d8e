package account

import (
	"context"
	"errors"
	"strconv"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// settingPassword is when the account's password moved on last, as far as this
// device knows.
const settingPassword = "password"

// ChangePassword gives the account another password.
func (a *Account) ChangePassword(ctx context.Context, p api.ChangePassword) error {
	token, ok := a.Session()
	if !ok {
		return api.Fail(api.SignedOut, "nobody is signed in")
	}
	var done wire.PasswordChange
	err := a.http(ctx, "POST", wire.PathPassword, token, wire.ChangePassword{Old: p.Old, New: p.New}, &done)
	switch wire.CodeOf(err) {
	case "":
	case wire.NotFound:
		return &api.Failure{Code: api.NotFound, Field: "old", Text: "that is not the password"}
	case wire.Conflict: // it was when it was shown
		return &api.Failure{Code: api.NotFound, Field: "old", Text: "that is not the password any more: it was changed elsewhere just now"}
	default:
		return ofNew(err, "new")
	}
	if err != nil {
		return err
	}
	return a.PasswordMoved(ctx, done)
}

// ofNew says to which field a refusal of a new password belongs.
func ofNew(err error, field string) error {
	codes := map[wire.Code]api.FailureCode{wire.Guessable: api.Guessable, wire.BadRequest: api.BadInput}
	var e *wire.Error
	if !errors.As(err, &e) || codes[e.Code] == "" {
		return err
	}
	return &api.Failure{Code: codes[e.Code], Field: field, Text: e.Text}
}

// Prove shows the password again, for what asks for it.
func (a *Account) Prove(ctx context.Context, password string) error {
	token, ok := a.Session()
	if !ok {
		return api.Fail(api.SignedOut, "nobody is signed in")
	}
	err := a.http(ctx, "POST", wire.PathProve, token, wire.Prove{Password: password}, nil)
	if wire.CodeOf(err) == wire.NotFound {
		return &api.Failure{Code: api.NotFound, Field: "password", Text: "that is not the password"}
	}
	return err
}

// Reset gives the account of a link another password and signs this device in. A
// device that is in the account already keeps its place.
func (a *Account) Reset(ctx context.Context, p api.ResetPassword) (api.Entered, error) {
	self, had := a.Self()
	if had {
		forget, err := a.toForget(ctx)
		if err != nil {
			return api.Entered{}, err
		}
		had = !forget
	}
	req := wire.Reset{Token: p.Token, Password: p.Password, Device: p.Device, Cookie: a.cfg.Link.Cookie()}
	token := ""
	if had {
		// Nobody is to find what is stored here replaced by somebody else's account:
		// neither who is signed in, nor whose session has ended and may go on.
		link, err := a.CheckLink(ctx, api.Link{Token: p.Token})
		if err != nil {
			return api.Entered{}, err
		}
		if link.Name != self.Name {
			return api.Entered{}, occupied(self.Name)
		}
		req.Keep, token = self.Device, a.former()
	}
	return a.enterWith(ctx, wire.PathReset, token, req, p.Device)
}

// toForget reports whether what is stored here is to be wiped.
func (a *Account) toForget(ctx context.Context) (forget bool, err error) {
	err = a.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		forget, err = toForget(tx)
		return err
	})
	return forget, err
}

// former returns the token of the session, also of one that has ended.
func (a *Account) former() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.token
}

// revive goes on with the session that ended here, where the server lets it
// after seeing the password: an administrator ended it or had shut the account,
// or it was as old as one may be. ok is false where another one has to be opened.
func (a *Account) revive(ctx context.Context, p api.SignIn) (e api.Entered, ok bool, err error) {
	self, had := a.Self()
	if _, live := a.Session(); !had || live || !sameName(p.Name, self.Name) {
		return e, false, nil
	}
	if forget, err := a.toForget(ctx); err != nil || forget {
		return e, false, err
	}
	token := a.former()
	if token == "" && !a.cfg.Link.Cookie() {
		return e, false, nil
	}
	// A browser shows its cookie, which may be somebody else's by now.
	var in wire.SignedIn
	err = a.http(ctx, "POST", wire.PathProve, token, wire.Prove{Password: p.Password, Device: self.Device}, &in)
	if wire.CodeOf(err) == wire.Unauthenticated || errors.Is(err, link.ErrNoDoor) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	e, err = a.goOn(ctx)
	return e, true, err
}

// goOn takes the session that ended here up again.
func (a *Account) goOn(ctx context.Context) (api.Entered, error) {
	if err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.DeleteSetting(tx, settingEnded) }); err != nil {
		return api.Entered{}, err
	}
	if err := a.Load(ctx); err != nil {
		return api.Entered{}, err
	}
	return api.Entered{Phase: a.Status().Phase}, nil
}

// PasswordMoved takes what last happened to the account's password, as the
// server says it unasked. What this device did not do itself is news to the
// person.
func (a *Account) PasswordMoved(ctx context.Context, p wire.PasswordChange) error {
	self, ok := a.Self()
	if !ok {
		return nil
	}
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		known, err := store.GetSetting(tx, settingPassword)
		first := errors.Is(err, store.ErrNone)
		if err != nil && !first {
			return err
		}
		last, _ := strconv.ParseInt(string(known), 10, 64) // of our own making
		if !first && int64(p.Time) <= last {
			return nil
		}
		if err := store.PutSetting(tx, settingPassword, []byte(strconv.FormatInt(int64(p.Time), 10))); err != nil {
			return err
		}
		code, tell := passwordNotices[p.How]
		if first || !tell || p.Device == self.Device {
			return nil
		}
		// One of each kind, the last: what the server says is not to fill the store.
		if err := store.DeleteNotice(tx, string(code)); err != nil {
			return err
		}
		return a.cfg.Feed.Raise(tx, store.Notice{
			ID: string(code), Code: string(code), Account: self.Account, Time: p.Time, Text: string(p.How),
		})
	})
}

var passwordNotices = map[wire.PasswordHow]api.NoticeCode{
	wire.PasswordChanged: api.NoticePassword,
	wire.PasswordReset:   api.NoticeNewPass,
	wire.PasswordLink:    api.NoticeResetLink,
}
