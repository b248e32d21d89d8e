package device

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

const (
	sessionTTL  = 90 * 24 * time.Hour
	seenEvery   = time.Hour // how exactly it is noted when a session was used
	tokenBytes  = 32
	tokenLength = 43 // in base64url
)

// Token is what a device shows to be let in. It does not print; Secret gives it.
type Token struct{ text string }

// Secret returns the text that goes into the cookie or the answer.
func (t Token) Secret() string { return t.text }

// String shows nothing, so that no log line can hold a session.
func (Token) String() string { return "token" }

// ParseToken takes what a client shows; ok is false for what cannot be a token.
func ParseToken(s string) (t Token, ok bool) {
	if len(s) != tokenLength {
		return Token{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != s { // the decoder reads over line ends
		return Token{}, false
	}
	return Token{s}, true
}

func (t Token) hash() wire.Hash { return sha256.Sum256([]byte(t.text)) }

// Opened is a device that just came, with its session.
type Opened struct {
	Device  wire.DeviceID
	State   wire.DeviceState
	Token   Token
	Dropped []wire.DeviceID // that waited longest and made room: their connections must end
}

// Open makes a pending device of the account, with its session.
func Open(tx *db.Tx, account wire.AccountID, name string, now time.Time) (Opened, error) {
	id := wire.NewDeviceID()
	dropped, err := create(tx, account, id, name, now)
	if err != nil {
		return Opened{}, err
	}
	t, err := openSession(tx, id, now)
	return Opened{id, wire.DevicePending, t, dropped}, err
}

// openSession makes the only session of a device.
func openSession(tx *db.Tx, id wire.DeviceID, now time.Time) (Token, error) {
	var b [tokenBytes]byte
	rand.Read(b[:])
	t := Token{base64.RawURLEncoding.EncodeToString(b[:])}
	const add = `INSERT INTO session (hash, device_id, created_ms, seen_ms, proved_ms) VALUES ($1, $2, $3, $3, $3)`
	if _, err := tx.Exec(add, t.hash(), id, now.UnixMilli()); err != nil {
		return Token{}, fmt.Errorf("open session: %w", err)
	}
	return t, nil
}

// Session is who a token belongs to.
type Session struct {
	Account wire.AccountID
	Device  wire.DeviceID
	State   wire.DeviceState
	Name    string // of the account
	Admin   bool
	Stale   bool // Touch is due
	Locked  bool // it is good for showing the password, and nothing else
}

// Term says how long sessions last.
type Term struct {
	Age time.Time     // the moment by which it is judged what has been over: now may have leapt
	Max time.Duration // since the password was shown last, after which a session is locked; 0 for ever
}

// SessionOf returns the session of a token; ok is false when there is none, or it
// is of a shut account.
func SessionOf(tx *db.Tx, t Token, now time.Time, term Term) (s Session, ok bool, err error) {
	const get = `SELECT a.id, d.id, d.state, a.name, a.admin, s.seen_ms, s.locked, CASE WHEN s.proved_ms > s.created_ms THEN s.proved_ms ELSE s.created_ms END
		FROM session s JOIN device d ON d.id = s.device_id JOIN account a ON a.id = d.account_id
		WHERE s.hash = $1 AND s.seen_ms > $2 AND a.shut_ms = 0`
	var seen, proved int64
	age := term.Age
	err = tx.QueryRow(get, t.hash(), age.Add(-sessionTTL).UnixMilli()).Scan(&s.Account, &s.Device, (*string)(&s.State), &s.Name, &s.Admin, &seen, &s.Locked, &proved)
	if errors.Is(err, db.ErrNone) {
		return Session{}, false, nil
	}
	if err != nil {
		return Session{}, false, fmt.Errorf("look up a session: %w", err)
	}
	s.Locked = s.Locked || term.Max > 0 && proved <= age.Add(-term.Max).UnixMilli()
	s.Stale = now.Sub(time.UnixMilli(seen)) >= seenEvery
	return s, true, nil
}

// Standing returns the state of a device that has a session; ok is false when it
// has none (any more), or one that is locked or of a shut account.
func Standing(tx *db.Tx, id wire.DeviceID) (state wire.DeviceState, ok bool, err error) {
	const get = `SELECT d.state FROM device d JOIN session s ON s.device_id = d.id JOIN account a ON a.id = d.account_id
		WHERE d.id = $1 AND s.locked = 0 AND a.shut_ms = 0`
	err = tx.QueryRow(get, id).Scan((*string)(&state))
	if errors.Is(err, db.ErrNone) {
		return "", false, nil
	}
	return state, err == nil, err
}

// Touch notes that a device's session was used.
func Touch(tx *db.Tx, id wire.DeviceID, now time.Time) error {
	for _, set := range []string{
		`UPDATE session SET seen_ms = $1 WHERE device_id = $2`,
		`UPDATE device SET seen_ms = $1 WHERE id = $2`,
	} {
		if _, err := tx.Exec(set, now.UnixMilli(), id); err != nil {
			return fmt.Errorf("touch session of %s: %w", id, err)
		}
	}
	return nil
}

// Close ends a device's session and deletes its key packages, so that nobody
// adds it to a room in vain. What the statement says of it stays; one that is
// in none is forgotten.
func Close(tx *db.Tx, id wire.DeviceID) error {
	if err := endSession(tx, id); err != nil {
		return err
	}
	return forget(tx, id) // only if it is pending
}

func endSession(tx *db.Tx, id wire.DeviceID) error {
	for _, del := range []string{
		`DELETE FROM session WHERE device_id = $1`,
		`DELETE FROM key_package WHERE device_id = $1`,
	} {
		if _, err := tx.Exec(del, id); err != nil {
			return fmt.Errorf("end session of %s: %w", id, err)
		}
	}
	return nil
}
