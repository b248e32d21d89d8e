package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// LinkKind says what a link is good for.
type LinkKind string

const (
	SetupLink  LinkKind = "setup"
	InviteLink LinkKind = "invite"
	ResetLink  LinkKind = "reset"
)

// Token is the secret part of a link. It does not print; Secret gives it.
type Token struct{ text string }

// Secret returns the token's text, to show to who asked for the link.
func (t Token) Secret() string { return t.text }

// String shows nothing, so that no log line can hold a link.
func (Token) String() string { return "token" }

const tokenSize = 20

var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newToken() Token {
	var b [tokenSize]byte
	rand.Read(b[:])
	return Token{tokenText.EncodeToString(b[:])}
}

// ParseToken takes what a person's browser sends. Anything that cannot be a
// token is authz.ErrDenied, like one that is unknown.
func ParseToken(s string) (Token, error) {
	if len(s) != tokenText.EncodedLen(tokenSize) {
		return Token{}, authz.ErrDenied
	}
	b, err := tokenText.DecodeString(s)
	if err != nil || tokenText.EncodeToString(b) != s { // the decoder reads over line ends
		return Token{}, authz.ErrDenied
	}
	return Token{s}, nil
}

func (t Token) hash() wire.Hash { return sha256.Sum256([]byte(t.text)) }

// NewSetupLink makes the link by which the first person comes in, and forgets
// older ones. As soon as there is somebody it is authz.ErrDenied.
func NewSetupLink(tx *db.Tx, now time.Time) (Token, error) {
	switch some, err := Anyone(tx); {
	case err != nil:
		return Token{}, fmt.Errorf("look for people: %w", err)
	case some:
		return Token{}, authz.ErrDenied
	}
	if _, err := tx.Exec(`DELETE FROM link WHERE kind = $1`, string(SetupLink)); err != nil {
		return Token{}, fmt.Errorf("forget old set-up links: %w", err)
	}
	return addLink(tx, SetupLink, wire.AccountID{}, wire.AccountID{}, now.Add(wire.SetupTTL))
}

// NewInvite makes a link for one new person. Maker is the administrator's
// account, zero when the command line made it.
func NewInvite(tx *db.Tx, maker wire.AccountID, now time.Time) (Token, wire.Millis, error) {
	expires := now.Add(wire.InviteTTL)
	t, err := addLink(tx, InviteLink, wire.AccountID{}, maker, expires)
	return t, wire.Now(expires), err
}

// addLink makes a link for the account of, by maker; either may be zero.
func addLink(tx *db.Tx, kind LinkKind, of, maker wire.AccountID, expires time.Time) (Token, error) {
	t := newToken()
	orNull := func(id wire.AccountID) any {
		if id.IsZero() {
			return nil
		}
		return id
	}
	const add = `INSERT INTO link (hash, kind, account_id, maker_id, expires_ms, used_ms) VALUES ($1, $2, $3, $4, $5, 0)`
	if _, err := tx.Exec(add, t.hash(), string(kind), orNull(of), orNull(maker), expires.UnixMilli()); err != nil {
		return Token{}, fmt.Errorf("add link: %w", err)
	}
	return t, nil
}

// LinkInfoOf returns what a link is good for, for who has it.
func LinkInfoOf(tx *db.Tx, t Token, now time.Time) (info wire.LinkInfo, err error) {
	kind, err := LinkOf(tx, t, now)
	if err != nil {
		return info, err
	}
	info.Kind = string(kind)
	if kind == ResetLink {
		a, err := resetOf(tx, t, now)
		if err != nil {
			return wire.LinkInfo{}, err
		}
		info.Name = a.Name
	}
	info.Org, err = Org(tx)
	return info, err
}

// LinkOf returns what a link is good for. One that is unknown, used or expired
// is authz.ErrDenied, whichever it is.
func LinkOf(tx *db.Tx, t Token, now time.Time) (LinkKind, error) {
	var kind string
	const get = `SELECT kind FROM link WHERE hash = $1 AND used_ms = 0 AND expires_ms > $2`
	err := tx.QueryRow(get, t.hash(), now.UnixMilli()).Scan(&kind)
	if errors.Is(err, db.ErrNone) {
		return "", authz.ErrDenied
	}
	if err != nil {
		return "", fmt.Errorf("look up link: %w", err)
	}
	return LinkKind(kind), nil
}

// useLink uses a link up, or returns authz.ErrDenied as LinkOf does.
func useLink(tx *db.Tx, t Token, kind LinkKind, now time.Time) error {
	const use = `UPDATE link SET used_ms = $1 WHERE hash = $2 AND kind = $3 AND used_ms = 0 AND expires_ms > $1`
	n, err := tx.Exec(use, now.UnixMilli(), t.hash(), string(kind))
	if err != nil {
		return fmt.Errorf("use link: %w", err)
	}
	if n == 0 {
		return authz.ErrDenied
	}
	return nil
}

// SweepLinks deletes links that expired long ago.
func SweepLinks(tx *db.Tx, now time.Time) error {
	_, err := tx.Exec(`DELETE FROM link WHERE expires_ms < $1`, now.Add(-30*24*time.Hour).UnixMilli())
	return err
}
