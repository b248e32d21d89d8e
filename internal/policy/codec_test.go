package policy_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

func TestPolicyReadsWhatItWrote(t *testing.T) {
	for _, p := range []policy.Policy{group('a'), group('a', 'b', 'z'), direct('a'), direct('a', 'b')} {
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := policy.Decode(b)
		if err != nil || !got.Equal(p) {
			t.Errorf("%v came back as %v, %v", p, got, err)
		}
	}
}

func TestPolicyHasAtMostAsManyOwnersAsLeaves(t *testing.T) {
	p := policy.Policy{Kind: wire.Group}
	for i := range wire.MaxLeaves + 1 {
		p.Owners = append(p.Owners, wire.AccountID{0: 1, 1: byte(i >> 8), 2: byte(i)})
	}
	if _, err := p.Encode(); !errors.Is(err, policy.ErrMalformed) {
		t.Errorf("one too many: %v", err)
	}
	p.Owners = p.Owners[1:]
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := policy.Decode(b); err != nil || !got.Equal(p) {
		t.Errorf("all that fit: %v", err)
	}
}

func TestPolicyHasOneEncoding(t *testing.T) {
	id := strings.Repeat("00", 15) + "61"
	// {"v": 1, "kind": "group", "owners": [h'…61']}
	good := "a3" + "6176" + "01" + "646b696e64" + "6567726f7570" + "666f776e657273" + "8150" + id
	if _, err := policy.Decode(unhex(t, good)); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for name, text := range map[string]string{
		"empty":              "",
		"null":               "f6",
		"trailing byte":      good + "00",
		"cut":                good[:len(good)-2],
		"version 2":          strings.Replace(good, "617601", "617602", 1),
		"long version":       strings.Replace(good, "617601", "61761801", 1),
		"another kind":       strings.Replace(good, "6567726f7570", "6567726f7571", 1),
		"no owners":          strings.Replace(good, "8150"+id, "80", 1),
		"null owners":        strings.Replace(good, "8150"+id, "f6", 1),
		"owner twice":        strings.Replace(good, "8150"+id, "8250"+id+"50"+id, 1),
		"owners descend":     strings.Replace(good, "8150"+id, "8250"+id+"50"+strings.Repeat("00", 16), 1),
		"zero owner":         strings.Replace(good, id, strings.Repeat("00", 16), 1),
		"short owner":        strings.Replace(good, "50"+id, "4f"+id[2:], 1),
		"unknown field":      "a4" + good[2:] + "6778787878787878" + "01",
		"field twice":        "a4" + good[2:] + "617601",
		"fields unsorted":    "a3" + "646b696e64" + "6567726f7570" + "617601" + "666f776e657273" + "8150" + id,
		"indefinite":         "bf" + good[2:] + "ff",
		"three people":       hex.EncodeToString(threeInDirect(t)),
		"not a map":          "83010203",
		"bytes as the kind":  strings.Replace(good, "6567726f7570", "4567726f7570", 1),
		"upper-case version": strings.Replace(good, "6176", "6156", 1),
	} {
		if p, err := policy.Decode(unhex(t, text)); !errors.Is(err, policy.ErrMalformed) {
			t.Errorf("%s: got %v, %v; want ErrMalformed", name, p, err)
		}
	}
}

// threeInDirect is a direct room of three, which Encode refuses to write.
func threeInDirect(t *testing.T) []byte {
	t.Helper()
	if _, err := direct('a', 'b', 'c').Encode(); !errors.Is(err, policy.ErrMalformed) {
		t.Errorf("a direct room of three was written: %v", err)
	}
	b, err := group('a', 'b', 'c').Encode()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(b, []byte("egroup"), []byte("fdirect"), 1)
}

func TestDataReadsWhatItWrote(t *testing.T) {
	m := policy.MessageData{Client: wire.NewClientID()}
	if got, err := policy.DecodeMessageData(m.Encode()); err != nil || got != m {
		t.Errorf("%v came back as %v, %v", m, got, err)
	}
	for _, c := range []policy.CommitData{
		{Client: wire.NewClientID()},
		{Client: wire.NewClientID(), Seq: 1 << 40, Head: wire.Hash{1}},
	} {
		if got, err := policy.DecodeCommitData(c.Encode()); err != nil || got != c {
			t.Errorf("%v came back as %v, %v", c, got, err)
		}
	}
}

func TestDataIgnoresOnlyKeysAbove15(t *testing.T) {
	client := "50" + strings.Repeat("00", 15) + "07"
	head := "5820" + strings.Repeat("09", 32)
	message := "a2" + "0101" + "04" + client
	commit := "a4" + "0101" + "0205" + "03" + head + "04" + client
	decodeMessage := func(b []byte) error { _, err := policy.DecodeMessageData(b); return err }
	decodeCommit := func(b []byte) error { _, err := policy.DecodeCommitData(b); return err }
	for _, tt := range []struct {
		name   string
		decode func([]byte) error
		text   string
		ok     bool
	}{
		{"message", decodeMessage, message, true},
		{"commit", decodeCommit, commit, true},
		{"key 16", decodeMessage, "a3" + message[2:] + "10" + "63616263", true},
		{"key 16 with a map", decodeCommit, "a5" + commit[2:] + "10" + "a10102", true},
		{"key 16 as long integer", decodeMessage, "a3" + message[2:] + "10" + "1801", false},
		{"key 16 with unsorted map", decodeMessage, "a3" + message[2:] + "10" + "a202010101", false},
		{"key 16 written long", decodeMessage, "a3" + message[2:] + "190010" + "01", false},
		{"key 15", decodeMessage, "a3" + message[2:] + "0f" + "01", false},
		{"key 5", decodeCommit, "a5" + commit[2:] + "05" + "01", false},
		{"key 0", decodeMessage, "a3" + "0001" + message[2:], false},
		{"negative key", decodeMessage, "a3" + message[2:] + "20" + "01", false},
		{"text key", decodeMessage, "a3" + message[2:] + "6161" + "01", false},
		{"commit's keys in a message", decodeMessage, commit, false},
		{"message's keys in a commit", decodeCommit, message, false},
		{"no version", decodeMessage, "a1" + "04" + client, false},
		{"version 2", decodeMessage, "a2" + "0102" + "04" + client, false},
		{"no client", decodeMessage, "a1" + "0101", false},
		{"zero client", decodeMessage, "a2" + "0101" + "0450" + strings.Repeat("00", 16), false},
		{"null client", decodeMessage, "a2" + "0101" + "04f6", false},
		{"client twice", decodeMessage, "a3" + "0101" + "04" + client + "04" + client, false},
		{"unsorted", decodeMessage, "a2" + "04" + client + "0101", false},
		{"indefinite", decodeMessage, "bf" + "0101" + "04" + client + "ff", false},
		{"null seq", decodeCommit, strings.Replace(commit, "0205", "02f6", 1), false},
		{"null seq and no head", decodeCommit, strings.Replace(strings.Replace(commit, "0205", "02f6", 1), strings.Repeat("09", 32), strings.Repeat("00", 32), 1), false},
		{"seq 0 and no head", decodeCommit, strings.Replace(strings.Replace(commit, "0205", "0200", 1), strings.Repeat("09", 32), strings.Repeat("00", 32), 1), true},
		{"float seq", decodeCommit, strings.Replace(commit, "0205", "02f94500", 1), false},
		{"negative seq", decodeCommit, strings.Replace(commit, "0205", "0220", 1), false},
		{"huge seq", decodeCommit, strings.Replace(commit, "0205", "021bffffffffffffffff", 1), false},
		{"zero seq with a head", decodeCommit, strings.Replace(commit, "0205", "0200", 1), false},
		{"short head", decodeCommit, strings.Replace(commit, head, "4109", 1), false},
		{"null", decodeMessage, "f6", false},
		{"empty", decodeMessage, "", false},
		{"empty map", decodeCommit, "a0", false},
		{"trailing", decodeMessage, message + "00", false},
		{"huge", decodeMessage, "a3" + message[2:] + "10" + "591388" + strings.Repeat("00", 5000), false},
	} {
		err := tt.decode(unhex(t, tt.text))
		if tt.ok && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !tt.ok && !errors.Is(err, policy.ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", tt.name, err)
		}
	}
}

func TestIdentity(t *testing.T) {
	a, d := wire.NewAccountID(), wire.NewDeviceID()
	b := policy.Identity(a, d)
	if ga, gd, err := policy.ParseIdentity(b); err != nil || ga != a || gd != d {
		t.Errorf("came back as %v, %v, %v", ga, gd, err)
	}
	if again := policy.Identity(a, wire.NewDeviceID()); bytes.Equal(again, b) {
		t.Error("two devices have one identity")
	}
	for name, b := range map[string][]byte{
		"empty": {}, "short": b[:31], "long": append(b, 0),
		"no account": policy.Identity(wire.AccountID{}, d), "no device": policy.Identity(a, wire.DeviceID{}),
	} {
		if _, _, err := policy.ParseIdentity(b); !errors.Is(err, policy.ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

func FuzzDecodePolicy(f *testing.F) {
	for _, p := range []policy.Policy{group('a'), direct('a', 'b')} {
		b, err := p.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := policy.Decode(b)
		if err != nil {
			return
		}
		if again, err := p.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x was read as %v, which is written %x, %v", b, p, again, err)
		}
	})
}

func FuzzDecodeData(f *testing.F) {
	f.Add(policy.MessageData{Client: wire.NewClientID()}.Encode())
	f.Add(policy.CommitData{Client: wire.NewClientID(), Seq: 7, Head: wire.Hash{1}}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, errM := policy.DecodeMessageData(b)
		c, errC := policy.DecodeCommitData(b)
		if errM == nil && errC == nil {
			t.Errorf("%x is both a message's and a commit's", b)
		}
		// What was understood survives being written; only ignored keys may be lost.
		if errM == nil {
			if again, err := policy.DecodeMessageData(m.Encode()); err != nil || again != m {
				t.Errorf("%x was read as %v, then as %v, %v", b, m, again, err)
			}
		}
		if errC == nil {
			if again, err := policy.DecodeCommitData(c.Encode()); err != nil || again != c {
				t.Errorf("%x was read as %v, then as %v, %v", b, c, again, err)
			}
		}
	})
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return b
}
