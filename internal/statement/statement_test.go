package statement

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/veche-im/veche/wire"
)

var ann = wire.AccountID{1}

// root returns the nth root key of these tests.
func root(n byte) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte{n})
	return ed25519.NewKeyFromSeed(seed[:])
}

func device(n byte) Device {
	return Device{ID: wire.DeviceID{n}, Key: Key{n, 1}, Unlock: wire.Hash{n, 2}, Added: wire.Millis(1000 + int64(n))}
}

func sign(t *testing.T, key ed25519.PrivateKey, b Body) wire.SignedStatement {
	t.Helper()
	body, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return wire.SignedStatement{Body: body, Signature: ed25519.Sign(key, ToSign(body))}
}

func first(key ed25519.PrivateKey) Body {
	return Body{Version: Version, Account: ann, Seq: 1, Root: Key(key.Public().(ed25519.PublicKey)), Time: 2000, Devices: []Device{device(1)}}
}

// after returns a body that follows v and changes nothing.
func after(v *Verified) Body {
	b := v.Body
	b.Seq++
	b.Prev = v.Hash
	b.Devices = slices.Clone(b.Devices)
	return b
}

func must(t *testing.T, prev *Verified, s wire.SignedStatement) *Verified {
	t.Helper()
	v, err := Next(prev, ann, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAChainGrows(t *testing.T) {
	k := root(1)
	one := sign(t, k, first(k))
	v := must(t, nil, one)
	b := after(v)
	b.Devices = append(b.Devices, device(2))
	two := sign(t, k, b)
	v = must(t, v, two)
	b = after(v)
	b.Devices[0].Revoked = 3000
	three := sign(t, k, b)
	v, err := Verify(ann, []wire.SignedStatement{one, two, three})
	if err != nil {
		t.Fatal(err)
	}
	if v.Seq != 3 || v.Allows(wire.DeviceID{1}, []byte(v.Devices[0].Key[:])) || !v.Allows(wire.DeviceID{2}, v.Devices[1].Key[:]) {
		t.Fatalf("seq %d, devices %+v", v.Seq, v.Devices)
	}
	if v.Allows(wire.DeviceID{2}, v.Devices[0].Key[:]) {
		t.Fatal("a device is allowed with another's key")
	}
	if got := v.Active(); len(got) != 1 {
		t.Fatalf("%d active devices", len(got))
	}
	again, err := Resume(ann, three)
	if err != nil || again.Hash != v.Hash {
		t.Fatalf("resume: %v", err)
	}
}

// TestWhatAHostileServerOrDeviceTries changes one thing in a valid second or
// third statement; the error says which rule stood in the way.
func TestWhatAHostileServerOrDeviceTries(t *testing.T) {
	k := root(1)
	start := must(t, nil, sign(t, k, first(k)))
	b := after(start)
	b.Devices = append(b.Devices, device(2), device(3))
	b.Devices[1].Added = 1500
	prev := must(t, start, sign(t, k, b))
	b = after(prev)
	b.Devices[2].Revoked = 2500
	b.Time = 2500
	prev = must(t, prev, sign(t, k, b)) // 1 and 2 active, 3 revoked

	for _, tt := range []struct {
		name   string
		change func(*Body)
		key    ed25519.PrivateKey
		want   error
	}{
		{"nothing", func(*Body) {}, k, nil},
		{"another root signs", func(*Body) {}, root(2), ErrSignature},
		{"another root takes over", func(b *Body) { b.Root = Key(root(2).Public().(ed25519.PublicKey)) }, root(2), ErrRoot},
		{"another account's chain", func(b *Body) { b.Account[0]++ }, k, ErrAccount},
		{"a seq is left out", func(b *Body) { b.Seq++ }, k, ErrSeq},
		{"a seq is repeated", func(b *Body) { b.Seq-- }, k, ErrSeq},
		{"a fork", func(b *Body) { b.Prev = start.Hash }, k, ErrSeq},
		{"time goes back", func(b *Body) { b.Time-- }, k, ErrTime},
		{"devices reordered", func(b *Body) { b.Devices[0], b.Devices[1] = b.Devices[1], b.Devices[0] }, k, ErrDevices},
		{"a device forgotten", func(b *Body) { b.Devices = b.Devices[:2] }, k, ErrDevices},
		{"a device in the middle forgotten", func(b *Body) { b.Devices = slices.Delete(b.Devices, 1, 2) }, k, ErrDevices},
		{"a device resurrected", func(b *Body) { b.Devices[2].Revoked = 0 }, k, ErrDevices},
		{"a revocation moved", func(b *Body) { b.Devices[2].Revoked++ }, k, ErrDevices},
		{"a key swapped", func(b *Body) { b.Devices[1].Key[0]++ }, k, ErrDevices},
		{"an unlock key swapped", func(b *Body) { b.Devices[1].Unlock[0]++ }, k, ErrDevices},
		{"an id swapped", func(b *Body) { b.Devices[1].ID[0] = 77 }, k, ErrDevices},
		{"added changed", func(b *Body) { b.Devices[1].Added++ }, k, ErrDevices},
		{"a new device with a listed id", func(b *Body) { d := device(4); d.ID = b.Devices[2].ID; b.Devices = append(b.Devices, d) }, k, ErrDevices},
		{"a new device with a revoked one's key", func(b *Body) { d := device(4); d.Key = b.Devices[2].Key; b.Devices = append(b.Devices, d) }, k, ErrDevices},
		{"a new device that is revoked", func(b *Body) { d := device(4); d.Revoked = 9; b.Devices = append(b.Devices, d) }, k, ErrDevices},
		{"a negative revocation", func(b *Body) { b.Devices[1].Revoked = -1 }, k, ErrDevices},
		{"a new device without a time", func(b *Body) { d := device(4); d.Added = 0; b.Devices = append(b.Devices, d) }, k, ErrDevices},
		{"another version", func(b *Body) { b.Version = 2 }, k, ErrBody},
		{"no devices", func(b *Body) { b.Devices = nil }, k, ErrBody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := after(prev)
			tt.change(&b)
			if _, err := Next(prev, ann, sign(t, tt.key, b)); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestTheFirstStatement(t *testing.T) {
	k := root(1)
	for _, tt := range []struct {
		name   string
		change func(*Body)
		want   error
	}{
		{"two devices", func(b *Body) { b.Devices = append(b.Devices, device(2)) }, ErrDevices},
		{"seq 2", func(b *Body) { b.Seq = 2 }, ErrSeq},
		{"seq 0", func(b *Body) { b.Seq = 0 }, ErrSeq},
		{"a previous one", func(b *Body) { b.Prev[0] = 1 }, ErrSeq},
		{"revoked at once", func(b *Body) { b.Devices[0].Revoked = 5 }, ErrDevices},
		{"no time", func(b *Body) { b.Time = 0 }, ErrTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := first(k)
			tt.change(&b)
			if _, err := Next(nil, ann, sign(t, k, b)); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := Verify(ann, nil); !errors.Is(err, ErrSeq) {
		t.Fatalf("empty chain: %v", err)
	}
}

func TestCapsOnDevices(t *testing.T) {
	k := root(1)
	v := must(t, nil, sign(t, k, first(k)))
	b := after(v)
	for n := byte(2); n <= wire.MaxDevices; n++ {
		b.Devices = append(b.Devices, device(n))
	}
	v = must(t, v, sign(t, k, b))
	b = after(v)
	b.Devices = append(b.Devices, device(wire.MaxDevices+1))
	if _, err := Next(v, ann, sign(t, k, b)); !errors.Is(err, ErrDevices) {
		t.Fatalf("one too many active: %v", err)
	}
	// A life of 256 devices, with the longest times, fits MaxBody; one more does not count.
	b = Body{Version: Version, Account: ann, Seq: 1 << 62, Root: Key(k.Public().(ed25519.PublicKey)), Time: 1 << 62}
	for n := range MaxListed {
		b.Devices = append(b.Devices, Device{ID: wire.DeviceID{byte(n), 1}, Key: Key{byte(n)}, Added: 1 << 62, Revoked: 1 << 62})
	}
	if _, err := Resume(ann, sign(t, k, b)); err != nil {
		t.Fatalf("the longest life: %v", err)
	}
	b.Devices = append(b.Devices, Device{ID: wire.DeviceID{9, 9}, Added: 1})
	if _, err := Resume(ann, sign(t, k, b)); !errors.Is(err, ErrBody) {
		t.Fatalf("one listed too many: %v", err)
	}
}

func TestOneSpelling(t *testing.T) {
	k := root(1)
	good := sign(t, k, first(k))
	for name, body := range map[string][]byte{
		"trailing byte": append(slices.Clone(good.Body), 0),
		"cut":           good.Body[:len(good.Body)-1],
		"empty":         nil,
		"null":          {0xf6},
		// {"seq": 1 as two bytes …} instead of the shortest form
		"long integer": slices.Concat(good.Body[:3], []byte{0x18, 0x01}, good.Body[4:]),
	} {
		s := wire.SignedStatement{Body: body, Signature: ed25519.Sign(k, ToSign(body))}
		if _, err := Next(nil, ann, s); !errors.Is(err, ErrBody) {
			t.Errorf("%s: %v", name, err)
		}
	}
	short := good
	short.Signature = good.Signature[:63]
	if _, err := Next(nil, ann, short); !errors.Is(err, ErrSignature) {
		t.Errorf("short signature: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	k := root(1)
	b := first(k)
	body, _ := b.Encode()
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := Parse(body)
		if err != nil {
			return
		}
		again, err := b.Encode()
		if err != nil || string(again) != string(body) {
			t.Fatalf("two spellings of one statement")
		}
	})
}
