// Package vectors checks the files beside it: fixed examples of our own formats,
// for this code in a year's time and for whoever writes another client. Bytes
// are hexadecimal. They were made once with
//
//	go test ./docs/spec/vectors -update
//
// and are only made again when a format gets a new version.
package vectors

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

var update = flag.Bool("update", false, "make the files anew")

// Hex is bytes that JSON shows in hexadecimal.
type Hex []byte

func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func (h *Hex) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// load reads a file, or makes it with fresh where -update is given.
func load[T any](t *testing.T, name string, fresh func() T) T {
	t.Helper()
	if *update {
		v := fresh()
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return v
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// the fixed identifiers and moment of the examples
var (
	account = wire.AccountID(pattern(1, 16))
	first   = wire.DeviceID(pattern(2, 16))
	second  = wire.DeviceID(pattern(3, 16))
	room    = wire.RoomID(pattern(4, 16))
	client  = wire.ClientID(pattern(5, 16))
)

const moment = wire.Millis(1_790_000_000_000)

// pattern is n bytes: start, start+1, …
func pattern(start, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(start + i)
	}
	return b
}

type identityVector struct {
	About     string         `json:"about"`
	Account   wire.AccountID `json:"account"`
	Recovery  string         `json:"recovery_key"`
	Devices   []deviceVector `json:"devices"`
	Steps     []stepVector   `json:"steps"`
	RootClaim Hex            `json:"root"`
}

type deviceVector struct {
	ID     wire.DeviceID `json:"id"`
	Keys   Hex           `json:"keys"` // as the device stores them
	Key    Hex           `json:"key"`
	Unlock Hex           `json:"unlock"`
	Code   string        `json:"enrol_code"`
}

type stepVector struct {
	What      string `json:"what"`
	Body      Hex    `json:"body"`
	Signature Hex    `json:"signature"`
	Hash      Hex    `json:"sha256_of_body"`
	Vault     Hex    `json:"vault"`
}

func freshIdentity(t *testing.T) identityVector {
	v := identityVector{
		About:   "a chain of statements with its vaults: founded by the first device, a second let in, the second revoked",
		Account: account,
	}
	keys := make([]*identity.DeviceKeys, 2)
	for i, id := range []wire.DeviceID{first, second} {
		k, err := identity.NewDeviceKeys()
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = k
		stored, err := k.Export()
		if err != nil {
			t.Fatal(err)
		}
		v.Devices = append(v.Devices, deviceVector{id, stored, k.Leaf(), k.Unlock(), identity.EnrolCode(account, id, k.Leaf(), k.Unlock())})
	}
	add := func(what string, c identity.Change, err error) *statement.Verified {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		v.Steps = append(v.Steps, stepVector{what, c.Statement.Body, c.Statement.Signature, c.Chain.Hash[:], c.Vault})
		return c.Chain
	}
	open := func(chain *statement.Verified) *identity.Account {
		a, err := identity.Open(chain, v.Steps[len(v.Steps)-1].Vault, first, keys[0])
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	c, recovery, err := identity.Found(account, first, keys[0], moment)
	chain := add("found", c, err)
	v.Recovery, v.RootClaim = recovery.Text(), chain.Root[:]
	c, err = open(chain).Add(second, keys[1].Leaf(), keys[1].Unlock(), moment+1000)
	chain = add("let the second device in", c, err)
	c, err = open(chain).Revoke(second, moment+2000)
	add("revoke the second device", c, err)
	return v
}

func TestIdentity(t *testing.T) {
	v := load(t, "identity.json", func() identityVector { return freshIdentity(t) })
	recovery, err := identity.ParseRecoveryKey(v.Recovery)
	if err != nil {
		t.Fatal(err)
	}
	var keys []*identity.DeviceKeys
	for _, d := range v.Devices {
		k, err := identity.ParseDeviceKeys(d.Keys)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(k.Leaf(), d.Key) || !bytes.Equal(k.Unlock(), d.Unlock) {
			t.Errorf("device %s has other public keys", d.ID)
		}
		if code := identity.EnrolCode(v.Account, d.ID, d.Key, d.Unlock); code != d.Code {
			t.Errorf("device %s has the code %s, want %s", d.ID, code, d.Code)
		}
		keys = append(keys, k)
	}
	var chain *statement.Verified
	for i, s := range v.Steps {
		chain, err = statement.Next(chain, v.Account, wire.SignedStatement{Body: s.Body, Signature: s.Signature})
		if err != nil {
			t.Fatalf("%s: %v", s.What, err)
		}
		if !bytes.Equal(chain.Hash[:], s.Hash) || !bytes.Equal(chain.Root[:], v.RootClaim) {
			t.Errorf("%s: another hash or root", s.What)
		}
		if _, err := identity.Recover(chain, s.Vault, recovery); err != nil {
			t.Errorf("%s: recovery: %v", s.What, err)
		}
		if _, err := identity.Open(chain, s.Vault, v.Devices[0].ID, keys[0]); err != nil {
			t.Errorf("%s: first device: %v", s.What, err)
		}
		_, err := identity.Open(chain, s.Vault, v.Devices[1].ID, keys[1])
		if listed := i == 1; (err == nil) != listed {
			t.Errorf("%s: second device: %v", s.What, err)
		}
	}
	// An earlier vault does not belong to a later statement.
	if _, err := identity.Open(chain, v.Steps[1].Vault, v.Devices[0].ID, keys[0]); !errors.Is(err, identity.ErrVault) {
		t.Errorf("an older vault: %v", err)
	}
}

type signatureVector struct {
	About     string `json:"about"`
	Seed      Hex    `json:"root_seed"`
	Body      Hex    `json:"body"`
	Signature Hex    `json:"signature"`
}

// TestStatement has the root's seed too, so that signing can be checked.
func TestStatement(t *testing.T) {
	v := load(t, "statement.json", func() signatureVector {
		v := signatureVector{About: "a first statement, and its signature by the root with this seed", Seed: pattern(100, 32)}
		key := ed25519.NewKeyFromSeed(v.Seed)
		body, err := (&statement.Body{
			Version: 1, Account: account, Seq: 1, Root: statement.Key(key.Public().(ed25519.PublicKey)), Time: moment,
			Devices:  []statement.Device{{ID: first, Key: statement.Key(pattern(10, 32)), Unlock: wire.Hash(pattern(20, 32)), Added: moment}},
			Recovery: wire.Hash(pattern(30, 32)),
		}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		v.Body, v.Signature = body, ed25519.Sign(key, statement.ToSign(body))
		return v
	})
	if got := ed25519.Sign(ed25519.NewKeyFromSeed(v.Seed), append([]byte("veche statement v1\x00"), v.Body...)); !bytes.Equal(got, v.Signature) {
		t.Errorf("signature %x", got)
	}
	s, err := statement.Verify(account, []wire.SignedStatement{{Body: v.Body, Signature: v.Signature}})
	if err != nil || s.Devices[0].ID != first || s.Recovery != wire.Hash(pattern(30, 32)) {
		t.Errorf("%+v, %v", s, err)
	}
}

type fileVector struct {
	About string `json:"about"`
	Key   Hex    `json:"key"`
	Files []struct {
		Size   int64 `json:"size"` // plain byte i is i mod 251
		Sealed int64 `json:"sealed"`
		Hash   Hex   `json:"sha256_of_sealed"`
		Pieces []struct {
			Nonce Hex `json:"nonce"`
			Tag   Hex `json:"tag"`
		} `json:"pieces"`
	} `json:"files"`
}

// sealFile seals as docs/spec/sealing.md says, with nothing of package seal.
func sealFile(t *testing.T, key []byte, size int64) (pieces, nonces [][]byte) {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, size)
	for i := range plain {
		plain[i] = byte(i % 251)
	}
	for i := 0; ; i++ {
		n := min(len(plain), 1<<20)
		last := n == len(plain)
		nonce := make([]byte, 12)
		nonce[10] = byte(i) // few enough pieces here
		if last {
			nonce[11] = 1
		}
		pieces, nonces = append(pieces, aead.Seal(nil, nonce, plain[:n], nil)), append(nonces, nonce)
		if plain = plain[n:]; last {
			return pieces, nonces
		}
	}
}

func TestFile(t *testing.T) {
	v := load(t, "file.json", func() (v fileVector) {
		v.About = "files of different sizes, sealed under one key for this example alone: plain byte i is i mod 251"
		v.Key = pattern(40, 32)
		for _, size := range []int64{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 2 << 20} {
			pieces, nonces := sealFile(t, v.Key, size)
			v.Files = append(v.Files, struct {
				Size   int64 `json:"size"`
				Sealed int64 `json:"sealed"`
				Hash   Hex   `json:"sha256_of_sealed"`
				Pieces []struct {
					Nonce Hex `json:"nonce"`
					Tag   Hex `json:"tag"`
				} `json:"pieces"`
			}{Size: size, Sealed: int64(len(bytes.Join(pieces, nil)))})
			f := &v.Files[len(v.Files)-1]
			sum := sha256.Sum256(bytes.Join(pieces, nil))
			f.Hash = sum[:]
			for i, p := range pieces {
				f.Pieces = append(f.Pieces, struct {
					Nonce Hex `json:"nonce"`
					Tag   Hex `json:"tag"`
				}{nonces[i], p[len(p)-16:]})
			}
		}
		return v
	})
	key, err := seal.ParseKey(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range v.Files {
		pieces, nonces := sealFile(t, v.Key, f.Size)
		all := bytes.Join(pieces, nil)
		if sum := sha256.Sum256(all); !bytes.Equal(sum[:], f.Hash) || int64(len(all)) != f.Sealed || f.Sealed != seal.SealedSize(f.Size) {
			t.Errorf("%d bytes: sealed to %d with hash %x", f.Size, len(all), sum)
		}
		o, err := seal.NewOpener(t.Context(), key, f.Size)
		if err != nil {
			t.Fatal(err)
		}
		if o.Pieces() != int64(len(f.Pieces)) {
			t.Fatalf("%d bytes: %d pieces", f.Size, o.Pieces())
		}
		for i, p := range f.Pieces {
			if !bytes.Equal(p.Nonce, nonces[i]) || !bytes.HasSuffix(pieces[i], p.Tag) {
				t.Errorf("%d bytes, piece %d: another nonce or tag", f.Size, i)
			}
			offset, n := o.Sealed(int64(i))
			plain, err := o.Open(t.Context(), int64(i), all[offset:offset+n])
			if err != nil {
				t.Fatalf("%d bytes, piece %d: %v", f.Size, i, err)
			}
			for k, c := range plain {
				if c != byte((i<<20+k)%251) {
					t.Fatalf("%d bytes, piece %d: plain byte %d is %d", f.Size, i, k, c)
				}
			}
		}
	}
}

type dataVector struct {
	About   string `json:"about"`
	Client  Hex    `json:"client"`
	Message Hex    `json:"message"`
	Seq     int64  `json:"seq"`
	Head    Hex    `json:"head"`
	Commit  Hex    `json:"commit"`
}

func TestAuthenticatedData(t *testing.T) {
	v := load(t, "authenticated-data.json", func() dataVector {
		head := wire.Hash(pattern(60, 32))
		return dataVector{
			About:   "authenticated_data of a message with this client id, and of a commit that had seen this seq and head",
			Client:  client[:],
			Message: policy.MessageData{Client: client}.Encode(),
			Seq:     1000,
			Head:    head[:],
			Commit:  policy.CommitData{Client: client, Seq: 1000, Head: head}.Encode(),
		}
	})
	m := policy.MessageData{Client: wire.ClientID(v.Client)}
	if got, err := policy.DecodeMessageData(v.Message); err != nil || got != m || !bytes.Equal(m.Encode(), v.Message) {
		t.Errorf("message: %+v, %v", got, err)
	}
	c := policy.CommitData{Client: wire.ClientID(v.Client), Seq: v.Seq, Head: wire.Hash(v.Head)}
	if got, err := policy.DecodeCommitData(v.Commit); err != nil || got != c || !bytes.Equal(c.Encode(), v.Commit) {
		t.Errorf("commit: %+v, %v", got, err)
	}
}

type headVector struct {
	About   string        `json:"about"`
	Room    wire.RoomID   `json:"room"`
	Entries []entryVector `json:"entries"`
}

type entryVector struct {
	Entry Hex `json:"entry"` // as it travels
	Head  Hex `json:"head"`  // after it
}

func TestHead(t *testing.T) {
	v := load(t, "head.json", func() headVector {
		v := headVector{About: "a log of three entries, the last of them erased, with the head after each", Room: room}
		erased := wire.Hash(sha256.Sum256([]byte("third")))
		entries := []wire.Entry{
			{Seq: 1, Kind: wire.CommitEntry, Account: account, Device: first, Client: client, Epoch: 0, Time: moment, Body: wire.Sealed("first")},
			{Seq: 2, Kind: wire.MessageEntry, Account: account, Device: second, Client: client, Epoch: 1, Time: moment + 1, Body: wire.Sealed("second")},
			{Seq: 3, Kind: wire.ProposalEntry, Account: account, Device: second, Client: client, Epoch: 1 << 33, Time: moment + 2, Erased: &erased},
		}
		var head wire.Hash
		for _, e := range entries {
			head = wire.Next(head, room, &e)
			e.Head = head
			b, err := wire.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			v.Entries = append(v.Entries, entryVector{b, bytes.Clone(head[:])})
		}
		return v
	})
	var head wire.Hash
	for i, x := range v.Entries {
		var e wire.Entry
		if err := wire.Decode(x.Entry, &e); err != nil {
			t.Fatal(err)
		}
		head = wire.Next(head, v.Room, &e)
		if !bytes.Equal(head[:], x.Head) || e.Head != head {
			t.Errorf("entry %d: head %x", i+1, head)
		}
		if again, err := wire.Encode(e); err != nil || !bytes.Equal(again, x.Entry) {
			t.Errorf("entry %d: other bytes: %v", i+1, err)
		}
	}
}

type contentVector struct {
	About   string         `json:"about"`
	Account wire.AccountID `json:"account"`
	Room    wire.RoomID    `json:"room"`
	Made    []struct {
		What    string `json:"what"`
		Kind    string `json:"kind"`
		Text    string `json:"text"`
		Files   int    `json:"files"`
		Content Hex    `json:"content"`
		ID      Hex    `json:"id"`
	} `json:"messages"`
}

func TestContent(t *testing.T) {
	v := load(t, "content.json", func() (v contentVector) {
		v.About = "our own messages, and their ids for this sender in this room"
		v.Account, v.Room = account, room
		earlier := content.ID(pattern(70, 32))
		key, err := seal.ParseKey(pattern(40, 32))
		if err != nil {
			t.Fatal(err)
		}
		photo := content.File{
			Blob: wire.BlobID(pattern(6, 16)), Key: key, Size: 123456, Hash: wire.Hash(pattern(50, 32)), Name: "Площадь.jpg",
			Type: "image/jpeg", Width: 1920, Height: 1080, Thumb: pattern(80, 25), Preview: pattern(90, 60), PreviewType: "image/webp",
		}
		for _, x := range []struct {
			what string
			make func() (content.Made, error)
		}{
			{"text", func() (content.Made, error) { return content.NewText("Hello, **veche**", nil, nil) }},
			{"a reply with a photo", func() (content.Made, error) { return content.NewText("Look", []content.File{photo}, &earlier) }},
			{"an edit", func() (content.Made, error) { return content.NewEdit(earlier, "Better", nil, nil) }},
			{"a deletion", func() (content.Made, error) { return content.NewDelete(earlier, nil) }},
			{"a reaction", func() (content.Made, error) { return content.NewReaction(earlier, "👍", nil) }},
			{"a room's name", func() (content.Made, error) { return content.NewName("Новгород") }},
			{"a question for the name", content.NewAsk},
		} {
			made, err := x.make()
			if err != nil {
				t.Fatal(err)
			}
			id, view := made.Message.ID(account, room, made.Content), made.Message.View()
			v.Made = append(v.Made, struct {
				What    string `json:"what"`
				Kind    string `json:"kind"`
				Text    string `json:"text"`
				Files   int    `json:"files"`
				Content Hex    `json:"content"`
				ID      Hex    `json:"id"`
			}{x.what, string(view.Kind), view.Text, len(view.Files), made.Content, id[:]})
		}
		return v
	})
	for _, x := range v.Made {
		view, m, err := content.Read(x.Content)
		if err != nil {
			t.Fatalf("%s: %v", x.What, err)
		}
		if string(view.Kind) != x.Kind || view.Text != x.Text || len(view.Files) != x.Files {
			t.Errorf("%s: read as %+v", x.What, view)
		}
		if id := m.ID(v.Account, v.Room, x.Content); !bytes.Equal(id[:], x.ID) {
			t.Errorf("%s: id %x", x.What, id)
		}
	}
}
