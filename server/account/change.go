package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Shown is a password that somebody shows who is signed in.
type Shown struct {
	Account  wire.AccountID
	Device   wire.DeviceID // in whose session
	Password string
	From     netip.Addr
}

// Prove checks the password of an account that is known; And runs when it is
// right. A wrong one is a Refusal and counts in the session: nobody without it keeps
// who has it from showing their password.
func (s *Accounts) Prove(ctx context.Context, p Shown, and And) error {
	a, hash, err := s.look(ctx, p.Account)
	if err != nil {
		return err
	}
	if err := s.right(ctx, a, hash, p.Password, p.From, shownIn(p.Device)); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		if err := unchanged(tx, a.ID, hash); err != nil {
			return err
		}
		return and(tx, a)
	})
}

// Change gives an account another password. The new one is judged before the old
// one, which is p's and counts as with Prove. Conflict means that it was changed by
// somebody else at the same time.
func (s *Accounts) Change(ctx context.Context, p Shown, to string, and func(*db.Tx, Account, wire.PasswordChange) error) (wire.PasswordChange, error) {
	a, hash, err := s.look(ctx, p.Account)
	if err != nil {
		return wire.PasswordChange{}, err
	}
	if err := s.acceptable(ctx, to, a.Name, ""); err != nil {
		return wire.PasswordChange{}, err
	}
	if err := s.right(ctx, a, hash, p.Password, p.From, shownIn(p.Device)); err != nil {
		return wire.PasswordChange{}, err
	}
	fresh, err := s.hasher.hash(ctx, to)
	if err != nil {
		return wire.PasswordChange{}, err
	}
	c := wire.PasswordChange{How: wire.PasswordChanged, Time: wire.Now(s.now()), Device: p.Device}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if err := setPassword(tx, a.ID, hash, fresh, &c); err != nil {
			return err
		}
		return and(tx, a, c)
	})
	return c, err
}

// Reset gives the account of a link another password, and uses the link up. And
// opens the session in the same transaction, and says which device is in it.
func (s *Accounts) Reset(ctx context.Context, token, to string, and func(*db.Tx, Account) (wire.DeviceID, error)) (a Account, c wire.PasswordChange, err error) {
	t, err := ParseToken(token)
	if err != nil {
		return Account{}, c, err
	}
	// Look before hashing, so that only who has a link can make us hash.
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		a, err = resetOf(tx, t, s.now())
		return err
	})
	if err != nil {
		return Account{}, c, err
	}
	if err := s.acceptable(ctx, to, a.Name, ""); err != nil {
		return Account{}, c, err
	}
	fresh, err := s.hasher.hash(ctx, to)
	if err != nil {
		return Account{}, c, err
	}
	c = wire.PasswordChange{How: wire.PasswordReset, Time: wire.Now(s.now())}
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		if a, err = resetOf(tx, t, s.now()); err != nil {
			return err
		}
		if err := useLink(tx, t, ResetLink, s.now()); err != nil {
			return err
		}
		if c.Device, err = and(tx, a); err != nil {
			return err
		}
		return setPassword(tx, a.ID, "", fresh, &c)
	})
	return a, c, err
}

// resetOf returns the account of a reset link, or authz.ErrDenied.
func resetOf(tx *db.Tx, t Token, now time.Time) (Account, error) {
	var id wire.AccountID
	const get = `SELECT account_id FROM link WHERE hash = $1 AND kind = $2 AND used_ms = 0 AND expires_ms > $3`
	err := tx.QueryRow(get, t.hash(), string(ResetLink), now.UnixMilli()).Scan(&id)
	if errors.Is(err, db.ErrNone) {
		return Account{}, authz.ErrDenied
	}
	if err != nil {
		return Account{}, fmt.Errorf("look up a reset link: %w", err)
	}
	a, err := Get(tx, id)
	if err == nil && a.Shut {
		return Account{}, authz.ErrDenied
	}
	return a, err
}

// NewReset makes the link by which somebody gives themselves another password,
// and ends the one before. Of a shut account it is authz.ErrDenied.
func NewReset(tx *db.Tx, of, maker wire.AccountID, now time.Time) (t Token, expires wire.Millis, c wire.PasswordChange, err error) {
	switch a, err := Get(tx, of); {
	case err != nil:
		return Token{}, 0, c, err
	case a.Shut:
		return Token{}, 0, c, authz.ErrDenied
	}
	if err := endResets(tx, of); err != nil {
		return Token{}, 0, c, err
	}
	ends := now.Add(wire.ResetTTL)
	if t, err = addLink(tx, ResetLink, of, maker, ends); err != nil {
		return Token{}, 0, c, err
	}
	c = wire.PasswordChange{How: wire.PasswordLink, Time: wire.Now(now)}
	return t, wire.Now(ends), c, noteChange(tx, of, &c)
}

func endResets(tx *db.Tx, of wire.AccountID) error {
	if _, err := tx.Exec(`DELETE FROM link WHERE account_id = $1 AND used_ms = 0`, of); err != nil {
		return fmt.Errorf("end the reset links of %s: %w", of, err)
	}
	return nil
}

// PasswordChangeOf returns what happened to an account's password last.
func PasswordChangeOf(tx *db.Tx, id wire.AccountID) (c wire.PasswordChange, err error) {
	var device []byte
	const get = `SELECT password_ms, password_how, password_device FROM account WHERE id = $1`
	if err := tx.QueryRow(get, id).Scan((*int64)(&c.Time), (*string)(&c.How), &device); err != nil {
		return c, fmt.Errorf("read when the password of %s changed: %w", id, err)
	}
	copy(c.Device[:], device)
	return c, nil
}

// setPassword replaces a hash, was if that is given, and ends reset links.
func setPassword(tx *db.Tx, id wire.AccountID, was, to Hash, c *wire.PasswordChange) error {
	n, err := tx.Exec(`UPDATE account SET password = $1 WHERE id = $2 AND shut_ms = 0 AND ($3 = '' OR password = $3)`, string(to), id, string(was))
	if err != nil {
		return fmt.Errorf("set the password of %s: %w", id, err)
	}
	if n == 0 {
		return wire.Refuse(wire.Conflict, "the password was changed by somebody else just now")
	}
	if err := endResets(tx, id); err != nil {
		return err
	}
	return noteChange(tx, id, c)
}

// noteChange notes what happened to a password. Its time never goes back, because
// devices take what is newer for news.
func noteChange(tx *db.Tx, id wire.AccountID, c *wire.PasswordChange) error {
	const set = `UPDATE account SET password_ms = CASE WHEN password_ms >= $1 THEN password_ms + 1 ELSE $1 END, password_how = $2, password_device = $3 WHERE id = $4 RETURNING password_ms`
	if err := tx.QueryRow(set, int64(c.Time), string(c.How), c.Device[:], id).Scan((*int64)(&c.Time)); err != nil {
		return fmt.Errorf("note the change of the password of %s: %w", id, err)
	}
	return nil
}

// unchanged is authz.ErrDenied if the password was replaced, or the account shut,
// since hash was read.
func unchanged(tx *db.Tx, id wire.AccountID, hash Hash) error {
	var n int
	if err := tx.QueryRow(`SELECT count(*) FROM account WHERE id = $1 AND password = $2 AND shut_ms = 0`, id, string(hash)).Scan(&n); err != nil {
		return fmt.Errorf("read account %s: %w", id, err)
	}
	if n == 0 {
		return authz.ErrDenied
	}
	return nil
}

// look reads an account that is known, with its hash.
func (s *Accounts) look(ctx context.Context, id wire.AccountID) (a Account, hash Hash, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		var key string
		const get = `SELECT name_key FROM account WHERE id = $1`
		if err := tx.QueryRow(get, id).Scan(&key); err != nil {
			return fmt.Errorf("read account %s: %w", id, err)
		}
		a, hash, err = byKey(tx, key)
		return err
	})
	return a, hash, err
}

// acceptable says what is wrong with a new password of somebody called name. Org
// is the organisation's name, empty for that of the site.
func (s *Accounts) acceptable(ctx context.Context, password, name, org string) error {
	p, err := prepare(password)
	if err != nil {
		return err
	}
	if org == "" {
		err := s.db.View(ctx, func(tx *db.Tx) (err error) {
			org, err = Org(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return checkGuess(p, name, org)
}
