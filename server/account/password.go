package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/secure/precis"

	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

const (
	hashing    = 2  // argon2id at a time: each takes 64 MiB and all cores
	maxWaiting = 32 // who waits for that beyond this is told busy
	saltSize   = 16
	hashSize   = 32
)

// Hash is a password as stored: argon2id in the PHC string form.
type Hash string

// String and the methods of logging show nothing of it.
func (Hash) String() string { return "password hash" }

// Cost is what one hash takes.
type Cost struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultCost is that of docs/spec/sign-in.md.
var DefaultCost = Cost{Memory: 64 << 10, Time: 3, Threads: 4}

// hasher computes a few hashes at a time, because each is a lot of memory.
// Networks come in turns.
type hasher struct {
	cost  Cost
	queue *limit.Queue
	decoy Hash // of a password that nobody knows: compared with where there is no account

	sum func(c Cost, password string, salt []byte) []byte // Cost.sum, but for tests
}

func newHasher(cost Cost) (*hasher, error) {
	h := &hasher{cost: cost, queue: limit.NewQueue(hashing, maxWaiting), sum: Cost.sum}
	var salt [saltSize]byte
	var sum [hashSize]byte
	rand.Read(salt[:])
	rand.Read(sum[:])
	h.decoy = encodeHash(cost, salt[:], sum[:])
	_, _, _, err := h.decoy.parse()
	return h, err
}

// errBadPassword is the refusal of a new password that cannot be.
var errBadPassword = wire.Refuse(wire.BadRequest, "a password has at least %d characters and at most %d bytes", wire.MinPassword, wire.MaxPassword)

// prepare normalises a password, RFC 8265.
func prepare(password string) (string, error) {
	if len(password) > wire.MaxPassword {
		return "", errBadPassword
	}
	p, err := precis.OpaqueString.String(password)
	if err != nil || utf8.RuneCountInString(p) < wire.MinPassword || len(p) > wire.MaxPassword {
		return "", errBadPassword
	}
	return p, nil
}

// hash makes a hash of a new password, for who has shown a link.
func (h *hasher) hash(ctx context.Context, password string) (Hash, error) {
	p, err := prepare(password)
	if err != nil {
		return "", err
	}
	var salt [saltSize]byte
	rand.Read(salt[:])
	var sum []byte
	if err := h.slot(ctx, netip.Addr{}, func() { sum = h.sum(h.cost, p, salt[:]) }); err != nil {
		return "", err
	}
	return encodeHash(h.cost, salt[:], sum), nil
}

// matches reports whether password is that of which want is the hash. An empty
// want matches nothing and takes as long. From is where it comes from.
func (h *hasher) matches(ctx context.Context, from netip.Addr, want Hash, password string) (bool, error) {
	known := want != ""
	if !known {
		want = h.decoy
	}
	p, err := prepare(password)
	if err != nil {
		p, known = "", false // it cannot be anybody's; the time is spent all the same
	}
	cost, salt, sum, err := want.parse()
	if err != nil {
		return false, err
	}
	var got []byte
	if err := h.slot(ctx, from, func() { got = h.sum(cost, p, salt) }); err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, sum) == 1 && known, nil
}

// slot runs f when it is its turn. If too many wait for that it is Busy.
func (h *hasher) slot(ctx context.Context, from netip.Addr, f func()) error {
	if err := h.queue.Enter(ctx, from); err != nil {
		return err
	}
	defer h.queue.Leave()
	f()
	return nil
}

func (c Cost) sum(password string, salt []byte) []byte {
	return argon2.IDKey([]byte(password), salt, c.Time, c.Memory, c.Threads, hashSize)
}

func encodeHash(c Cost, salt, sum []byte) Hash {
	enc := base64.RawStdEncoding.EncodeToString
	return Hash(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Time, c.Threads, enc(salt), enc(sum)))
}

func (h Hash) parse() (c Cost, salt, sum []byte, err error) {
	bad := errors.New("a stored password hash is not in the expected form")
	parts := strings.Split(string(h), "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Time, &c.Threads); err != nil || c.Time == 0 || c.Threads == 0 {
		return c, nil, nil, bad
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	sum, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(sum) != hashSize {
		return c, nil, nil, bad
	}
	return c, salt, sum, nil
}
