package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// Config says what Accounts work with. DB and Now are required.
type Config struct {
	DB   *db.DB
	Now  func() time.Time
	Cost Cost // zero means DefaultCost
}

// Accounts lets people in.
type Accounts struct {
	db       *db.DB
	now      func() time.Time
	hasher   *hasher
	attempts *attempts
}

// New checks cfg.
func New(cfg Config) (*Accounts, error) {
	if cfg.DB == nil || cfg.Now == nil {
		return nil, errors.New("account: DB and Now are required")
	}
	if cfg.Cost == (Cost{}) {
		cfg.Cost = DefaultCost
	}
	h, err := newHasher(cfg.Cost)
	if err != nil {
		return nil, err
	}
	return &Accounts{db: cfg.DB, now: cfg.Now, hasher: h, attempts: newAttempts(cfg.Now)}, nil
}

// And is what else happens in the transaction that lets somebody in: the device
// and the session are made there.
type And func(tx *db.Tx, a Account) error

// SetUp names the organisation and makes its first administrator. The link is
// used up only if all of it succeeds.
func (s *Accounts) SetUp(ctx context.Context, token, org, name, password string, and And) (Account, error) {
	orgName, err := ParseName(org)
	if err != nil {
		return Account{}, fmt.Errorf("organisation: %w", err)
	}
	return s.signUp(ctx, token, SetupLink, orgName.Shown, name, password, true, func(tx *db.Tx, a Account) error {
		if err := setUp(tx, orgName, s.now()); err != nil {
			return err
		}
		return and(tx, a)
	})
}

// SignUp makes an account from an invite.
func (s *Accounts) SignUp(ctx context.Context, token, name, password string, and And) (Account, error) {
	return s.signUp(ctx, token, InviteLink, "", name, password, false, and)
}

// signUp makes an account from a link. Org is the organisation's name where that is
// not the site's yet.
func (s *Accounts) signUp(ctx context.Context, token string, kind LinkKind, org, name, password string, admin bool, and And) (a Account, err error) {
	t, err := ParseToken(token)
	if err != nil {
		return Account{}, err
	}
	n, err := ParseName(name)
	if err != nil {
		return Account{}, err
	}
	// Look before hashing, so that only who has a link can make us hash.
	err = s.db.View(ctx, func(tx *db.Tx) error {
		switch is, err := LinkOf(tx, t, s.now()); {
		case err != nil:
			return err
		case is != kind:
			return authz.ErrDenied
		}
		if _, _, err := byKey(tx, n.Key); err == nil {
			return errTaken
		} else if !errors.Is(err, db.ErrNone) {
			return err
		}
		return nil
	})
	if err != nil {
		return Account{}, err
	}
	if err := s.acceptable(ctx, password, n.Shown, org); err != nil {
		return Account{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		if err := useLink(tx, t, kind, s.now()); err != nil {
			return err
		}
		if a, err = Create(tx, n, hash, admin, s.now()); err != nil {
			return err
		}
		return and(tx, a)
	})
	return a, err
}

// Try is an attempt to sign in.
type Try struct {
	Name, Password string
	From           netip.Addr
	Known          string // what Remember gave the browser once, empty for none
}

// Refusal is an attempt with a password that failed. Those who made it learn from
// it that it did, or that they have to wait; the log says more.
type Refusal struct {
	Account wire.AccountID // zero for a name that nobody has
	Why     string         // unknown, wrong, shut or too_many
	err     error
}

func (r *Refusal) Error() string { return r.err.Error() }

// Unwrap returns what is told.
func (r *Refusal) Unwrap() error { return r.err }

// SignIn returns the account of a name and password. A wrong name and a wrong
// password are authz.ErrDenied and cost the same, and so is a shut account's; too
// many of them are wire.Attempts. All these are a Refusal.
func (s *Accounts) SignIn(ctx context.Context, t Try, and And) (Account, error) {
	n, err := ParseName(t.Name)
	if err != nil {
		n = Name{} // nobody's: goes the same way as an unknown one
	}
	var a Account
	var hash Hash
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if a, hash, err = byKey(tx, n.Key); errors.Is(err, db.ErrNone) {
			return nil
		}
		return err
	})
	if err != nil {
		return Account{}, fmt.Errorf("look up a name: %w", err)
	}
	in := s.attempts.signIn(n.Key, t.From, s.hasher.deviceOf(hash, t.Known))
	if err := s.right(ctx, a, hash, t.Password, t.From, in); err != nil {
		return Account{}, err
	}
	return a, s.db.Update(ctx, func(tx *db.Tx) error {
		if err := unchanged(tx, a.ID, hash); err != nil {
			return err
		}
		return and(tx, a)
	})
}

// right checks a password against the hash of an account, both zero for a name
// that nobody has, and counts the attempt in some tallies. Whatever is refused costs
// the same.
func (s *Accounts) right(ctx context.Context, a Account, hash Hash, password string, from netip.Addr, in []limit.Tally) error {
	undo, err := s.attempts.begin(in)
	if err != nil {
		return &Refusal{a.ID, "too_many", err}
	}
	right, err := s.hasher.matches(ctx, from, hash, password)
	switch {
	case err != nil:
		undo() // our fault, not theirs
		return err
	case hash == "":
		return &Refusal{a.ID, "unknown", authz.ErrDenied}
	case !right:
		return &Refusal{a.ID, "wrong", authz.ErrDenied}
	case a.Shut:
		return &Refusal{a.ID, "shut", authz.ErrDenied}
	}
	undo()
	s.attempts.settled(a.ID, from)
	return nil
}

// Remember returns what a browser in which somebody has just signed in keeps, to
// be counted by itself when it signs in again.
func (s *Accounts) Remember(ctx context.Context, id wire.AccountID) (known string, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		var hash Hash
		if err := tx.QueryRow(`SELECT password FROM account WHERE id = $1`, id).Scan((*string)(&hash)); err != nil {
			return fmt.Errorf("read account %s: %w", id, err)
		}
		known = vouch(hash)
		return nil
	})
	return known, err
}

// CheckNew says what is wrong with the names and the password of a new site, if
// anything is.
func CheckNew(org, name, password string) error {
	if _, err := ParseName(org); err != nil {
		return fmt.Errorf("organisation: %w", err)
	}
	if _, err := ParseName(name); err != nil {
		return err
	}
	p, err := prepare(password)
	if err != nil {
		return err
	}
	return checkGuess(p, name, org)
}

// SetUpUnattended is SetUp without a link and without a device, for who
// installs by script. A site that somebody set up already is authz.ErrDenied.
func (s *Accounts) SetUpUnattended(ctx context.Context, org, name, password string) (Account, error) {
	orgName, err := ParseName(org)
	if err != nil {
		return Account{}, fmt.Errorf("organisation: %w", err)
	}
	n, err := ParseName(name)
	if err != nil {
		return Account{}, err
	}
	if err := s.acceptable(ctx, password, n.Shown, orgName.Shown); err != nil {
		return Account{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	var a Account
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		if err := setUp(tx, orgName, s.now()); err != nil {
			return err
		}
		a, err = Create(tx, n, hash, true, s.now())
		return err
	})
	return a, err
}
