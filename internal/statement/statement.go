// Package statement reads and checks the signed list of an account's devices.
// It holds no secret: the server uses it before it appends a statement, and
// e2ee/identity uses the same code before a client trusts one.
//
// A chain is checked one statement at a time: Next takes what the chain said so
// far and the next signed bytes, and either returns what it says now or the
// rule that was broken. docs/spec/identity.md.
package statement

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/veche-im/veche/wire"
)

// The rules that a statement can break. Every error of this package is one of
// them, with the details in its text.
var (
	ErrBody      = errors.New("statement is malformed")              // not deterministic CBOR of exactly these fields
	ErrSignature = errors.New("statement is not signed by its root") //
	ErrAccount   = errors.New("statement is of another account")     //
	ErrSeq       = errors.New("statement is out of order")           // seq does not follow, or prev does not match
	ErrRoot      = errors.New("statement changes the root key")      //
	ErrTime      = errors.New("statement goes back in time")         //
	ErrDevices   = errors.New("statement changes devices against the rules")
)

// Version is the only version of the body so far.
const Version = 1

// MaxListed is how many devices an account may list in its whole life, revoked
// ones included.
const MaxListed = 256

// MaxBody is the most bytes that a body may have: MaxListed devices of at most
// 144 bytes, and the rest.
const MaxBody = MaxListed*144 + 256

// Key is an Ed25519 public key.
type Key [ed25519.PublicKeySize]byte

// MarshalCBOR writes k as a byte string of 32.
func (k Key) MarshalCBOR() ([]byte, error) { return wire.Encode(k[:]) }

// UnmarshalCBOR reads a byte string of 32; anything else is ErrBody.
func (k *Key) UnmarshalCBOR(b []byte) error {
	var raw []byte
	if err := wire.Decode(b, &raw); err != nil || len(raw) != len(k) {
		return fmt.Errorf("%w: not a key", ErrBody)
	}
	copy(k[:], raw)
	return nil
}

// Body is what a statement says: all devices that an account ever had, in the
// order in which they were added.
type Body struct {
	Version int            `cbor:"v"`
	Account wire.AccountID `cbor:"account"`
	Seq     int64          `cbor:"seq"`  // from 1, without gaps
	Prev    wire.Hash      `cbor:"prev"` // SHA-256 of the previous body, zero for the first
	Root    Key            `cbor:"root"` // the same in the whole chain
	Time    wire.Millis    `cbor:"time"` // when it was signed, by the signer's clock
	Devices []Device       `cbor:"devices"`

	// Recovery is SHA-256 of the recovery lock's HPKE public key, zero if there
	// is no recovery key. It may change with any statement.
	Recovery wire.Hash `cbor:"recovery"`
}

// Device is one device of the list.
type Device struct {
	ID      wire.DeviceID `cbor:"id"`
	Key     Key           `cbor:"key"`    // of its MLS leaves
	Unlock  wire.Hash     `cbor:"unlock"` // SHA-256 of its HPKE unlock public key
	Added   wire.Millis   `cbor:"added"`
	Revoked wire.Millis   `cbor:"revoked,omitempty"` // 0 while it is active
}

// Active reports whether d has not been revoked.
func (d *Device) Active() bool { return d.Revoked == 0 }

// Encode returns b as the bytes that are signed.
func (b *Body) Encode() ([]byte, error) { return wire.Encode(b) }

// Device returns the entry of id, revoked or not.
func (b *Body) Device(id wire.DeviceID) (Device, bool) {
	for _, d := range b.Devices {
		if d.ID == id {
			return d, true
		}
	}
	return Device{}, false
}

// Allows reports whether b lists device id with this key and has not revoked
// it: whether a leaf with that key may stand in a group.
func (b *Body) Allows(id wire.DeviceID, key []byte) bool {
	d, ok := b.Device(id)
	return ok && d.Active() && bytes.Equal(d.Key[:], key)
}

// Active returns the devices that are not revoked.
func (b *Body) Active() []Device {
	var active []Device
	for _, d := range b.Devices {
		if d.Active() {
			active = append(active, d)
		}
	}
	return active
}

// Verified is the newest statement of a chain in which everything held.
type Verified struct {
	Body
	Hash   wire.Hash            // SHA-256 of the body's bytes: what the next one names as prev
	Signed wire.SignedStatement // as signed
}

// signLabel keeps statement signatures apart from all others of the root key.
const signLabel = "veche statement v1\x00"

// ToSign returns the bytes that the root signs for a body.
func ToSign(body []byte) []byte { return append([]byte(signLabel), body...) }

// Parse reads a body. It checks the form alone: deterministic CBOR with exactly
// the fields of Body, and at most MaxListed devices.
func Parse(body []byte) (*Body, error) {
	if len(body) > MaxBody {
		return nil, fmt.Errorf("%w: %d bytes", ErrBody, len(body))
	}
	var b Body
	if err := wire.Decode(body, &b); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBody, err)
	}
	if b.Version != Version {
		return nil, fmt.Errorf("%w: version %d", ErrBody, b.Version)
	}
	if n := len(b.Devices); n == 0 || n > MaxListed {
		return nil, fmt.Errorf("%w: %d devices", ErrBody, n)
	}
	// Encoding again is the check that there was one way only to write it:
	// key order, shortest lengths, nothing null, nothing left out.
	again, err := b.Encode()
	if err != nil || !bytes.Equal(again, body) {
		return nil, fmt.Errorf("%w: not deterministic", ErrBody)
	}
	return &b, nil
}

// Next checks that s follows prev in the chain of account, and returns what the
// chain says then. For the first statement prev is nil.
func Next(prev *Verified, account wire.AccountID, s wire.SignedStatement) (*Verified, error) {
	b, err := open(account, s)
	if err != nil {
		return nil, err
	}
	if err := follows(prev, b); err != nil {
		return nil, err
	}
	return verified(b, s), nil
}

// Verify checks a whole chain of account from its first statement and returns
// the newest.
func Verify(account wire.AccountID, chain []wire.SignedStatement) (*Verified, error) {
	if len(chain) == 0 {
		return nil, fmt.Errorf("%w: empty chain", ErrSeq)
	}
	return Extend(nil, account, chain)
}

// Extend checks the statements that follow prev, which may be nil, and returns
// the newest; with none it returns prev.
func Extend(prev *Verified, account wire.AccountID, more []wire.SignedStatement) (*Verified, error) {
	for _, s := range more {
		next, err := Next(prev, account, s)
		if err != nil {
			return nil, err
		}
		prev = next
	}
	return prev, nil
}

// Resume reads a statement that was verified before and has been kept since in
// a place that is trusted: its form and signature are checked, not what came
// before it.
func Resume(account wire.AccountID, s wire.SignedStatement) (*Verified, error) {
	b, err := open(account, s)
	if err != nil {
		return nil, err
	}
	return verified(b, s), nil
}

func open(account wire.AccountID, s wire.SignedStatement) (*Body, error) {
	b, err := Parse(s.Body)
	if err != nil {
		return nil, err
	}
	if b.Account != account {
		return nil, ErrAccount
	}
	if len(s.Signature) != ed25519.SignatureSize || !ed25519.Verify(b.Root[:], ToSign(s.Body), s.Signature) {
		return nil, ErrSignature
	}
	return b, nil
}

func verified(b *Body, s wire.SignedStatement) *Verified {
	return &Verified{Body: *b, Hash: sha256.Sum256(s.Body), Signed: s}
}

// follows checks b against what came before it.
func follows(prev *Verified, b *Body) error {
	var before []Device
	if prev == nil {
		if b.Seq != 1 || b.Prev != (wire.Hash{}) {
			return fmt.Errorf("%w: first statement has seq %d", ErrSeq, b.Seq)
		}
		if len(b.Devices) != 1 {
			return fmt.Errorf("%w: first statement lists %d devices", ErrDevices, len(b.Devices))
		}
		if b.Time <= 0 {
			return ErrTime
		}
	} else {
		if b.Seq != prev.Seq+1 {
			return fmt.Errorf("%w: seq %d after %d", ErrSeq, b.Seq, prev.Seq)
		}
		if b.Prev != prev.Hash {
			return fmt.Errorf("%w: prev does not match at seq %d", ErrSeq, b.Seq)
		}
		if b.Root != prev.Root {
			return ErrRoot
		}
		if b.Time < prev.Time {
			return ErrTime
		}
		before = prev.Devices
	}
	return keeps(before, b.Devices)
}

// keeps checks that now is before with nothing forgotten or changed but new
// revocations, and new, unrevoked devices at its end.
func keeps(before, now []Device) error {
	if len(now) < len(before) {
		return fmt.Errorf("%w: %d listed after %d", ErrDevices, len(now), len(before))
	}
	ids := make(map[wire.DeviceID]bool, len(now))
	keys := make(map[Key]bool, len(now))
	active := 0
	for i, d := range now {
		if ids[d.ID] || keys[d.Key] {
			return fmt.Errorf("%w: %s listed twice", ErrDevices, d.ID)
		}
		ids[d.ID], keys[d.Key] = true, true
		if d.Added <= 0 || d.Revoked < 0 {
			return fmt.Errorf("%w: %s has a time that cannot be", ErrDevices, d.ID)
		}
		if d.Active() {
			active++
		}
		if i >= len(before) {
			if !d.Active() {
				return fmt.Errorf("%w: %s is new and revoked", ErrDevices, d.ID)
			}
			continue
		}
		was := before[i]
		if was.ID != d.ID || was.Key != d.Key || was.Unlock != d.Unlock || was.Added != d.Added {
			return fmt.Errorf("%w: entry %d changed", ErrDevices, i)
		}
		if !was.Active() && was.Revoked != d.Revoked {
			return fmt.Errorf("%w: %s was revoked already", ErrDevices, d.ID)
		}
	}
	if active > wire.MaxDevices {
		return fmt.Errorf("%w: %d active devices", ErrDevices, active)
	}
	return nil
}
