package call

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/e2ee/sframe"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

// grove makes epochs of one room for several devices.
type grove struct {
	t      *testing.T
	room   wire.RoomID
	call   wire.CallID
	leaves []policy.Leaf
	owners []wire.AccountID
}

func newGrove(t *testing.T, n int) *grove {
	g := &grove{t: t, room: wire.NewRoomID(), call: wire.NewCallID()}
	for i := range n {
		g.leaves = append(g.leaves, policy.Leaf{Account: wire.NewAccountID(), Device: wire.NewDeviceID(), Index: uint32(i)})
	}
	g.owners = []wire.AccountID{g.leaves[0].Account}
	return g
}

// epoch is what the device in a leaf gets. Secrets differ by epoch.
func (g *grove) epoch(n uint64, own uint32, removed bool) *room.Epoch {
	return &room.Epoch{
		Room: g.room, Number: n, Own: own, Leaves: slices.Clone(g.leaves), Removed: removed,
		Policy: policy.Policy{Kind: wire.Group, Owners: g.owners},
		Export: func(label string, context []byte, size int) ([]byte, error) {
			secret := binary.BigEndian.AppendUint64([]byte("secret of epoch "), n)
			return hkdf.Key(sha256.New, secret, context, label, size)
		},
	}
}

func (g *grove) ring(own uint32, join uint16) (*keyring, *int) {
	changes := 0
	return newKeyring(g.call, join, func(bool) { changes++ }), &changes
}

func (g *grove) install(k *keyring, e *room.Epoch) {
	g.t.Helper()
	if err := k.install(e); err != nil {
		g.t.Fatal(err)
	}
}

func (g *grove) sealed(k *keyring) []byte {
	g.t.Helper()
	s := signal{Kind: stateSignal, From: 1}
	plain, err := s.encode()
	if err != nil {
		g.t.Fatal(err)
	}
	b, err := k.sealed(plain)
	if err != nil {
		g.t.Fatal(err)
	}
	return b
}

// sealing returns the epoch that a front end seals with, and those it opens.
func sealing(k *keyring) (seal int, opens []int) {
	seal = -1
	for _, e := range k.keys().Epochs {
		opens = append(opens, e.Epoch)
		if e.Seal {
			seal = e.Epoch
		}
	}
	return seal, opens
}

func TestEpochsAreSealedWithAfterASecondAndOpenedForTen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrove(t, 3)
		k, _ := g.ring(0, 5)
		g.install(k, g.epoch(300, 0, false))
		want := func(when string, seal int, opens ...int) {
			t.Helper()
			synctest.Wait()
			if s, o := sealing(k); s != seal || !slices.Equal(o, opens) {
				t.Errorf("%s: seals with %d, opens %v", when, s, o)
			}
		}
		want("at first", 300%256, 300%256)
		g.install(k, g.epoch(301, 0, false))
		want("after a commit", 300%256, 300%256, 301%256)
		time.Sleep(999 * time.Millisecond)
		want("a moment before", 300%256, 300%256, 301%256)
		time.Sleep(time.Millisecond)
		want("after a second", 301%256, 300%256, 301%256)
		time.Sleep(9 * time.Second)
		want("after ten", 301%256, 301%256)
		// A commit that takes a device out counts at once, whatever else waits.
		g.install(k, g.epoch(302, 0, false))
		time.Sleep(500 * time.Millisecond)
		g.leaves = g.leaves[:2]
		g.install(k, g.epoch(303, 0, true))
		want("after a removal", 303%256, 301%256, 302%256, 303%256)
		time.Sleep(2 * time.Second)
		want("and it does not go back", 303%256, 301%256, 302%256, 303%256)
		g.install(k, g.epoch(302, 0, false))
		want("an older one is nothing new", 303%256, 301%256, 302%256, 303%256)
		k.close()
		want("after the end", -1)
		if _, err := k.sealed(nil); !errors.Is(err, errNoKey) {
			t.Errorf("sealed after the end: %v", err)
		}
	})
}

func TestNothingOfALeafThatIsGoneOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrove(t, 3)
		ours, _ := g.ring(0, 0)
		theirs, _ := g.ring(2, 9)
		defer ours.close()
		defer theirs.close()
		g.install(ours, g.epoch(7, 0, false))
		g.install(theirs, g.epoch(7, 2, false))
		first, second := g.sealed(theirs), g.sealed(theirs)
		got, err := ours.open(first)
		if err != nil || got.from != g.leaves[2] || got.owner {
			t.Fatalf("opened %+v, %v", got, err)
		}
		if _, err := ours.open(first); !errors.Is(err, sframe.ErrOpen) {
			t.Errorf("a replay: %v", err)
		}
		// The leaf becomes another device's: what the old one sealed is not the new one's.
		g.leaves[2] = policy.Leaf{Account: wire.NewAccountID(), Device: wire.NewDeviceID(), Index: 2}
		g.install(ours, g.epoch(8, 0, true))
		if _, err := ours.open(second); !errors.Is(err, sframe.ErrOpen) {
			t.Errorf("of a leaf that is gone: %v", err)
		}
		for _, l := range ours.keys().Leaves {
			want := []int{7, 8}
			if l.Leaf == 2 {
				want = []int{8}
			}
			if !slices.Equal(l.Epochs, want) {
				t.Errorf("leaf %d may be opened in %v", l.Leaf, l.Epochs)
			}
		}
	})
}

func TestWhatIsOfAnotherCallEpochOrSourceDoesNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrove(t, 2)
		ours, _ := g.ring(0, 0)
		theirs, _ := g.ring(1, 0)
		defer ours.close()
		defer theirs.close()
		g.install(ours, g.epoch(1, 0, false))
		g.install(theirs, g.epoch(1, 1, false))

		other := newKeyring(wire.NewCallID(), 0, func(bool) {})
		defer other.close()
		g.install(other, g.epoch(1, 1, false))
		if _, err := ours.open(g.sealed(other)); !errors.Is(err, sframe.ErrOpen) {
			t.Errorf("another call's: %v", err)
		}
		g.install(theirs, g.epoch(2, 1, true))
		early := g.sealed(theirs)
		if _, err := ours.open(early); !errors.Is(err, errEpoch) {
			t.Errorf("of an epoch to come: %v", err)
		}
		g.install(ours, g.epoch(2, 0, true))
		if _, err := ours.open(early); err != nil {
			t.Errorf("once it has come: %v", err)
		}
		base, err := sframe.ParseKey(make([]byte, sframe.KeySize))
		if err != nil {
			t.Fatal(err)
		}
		sound := sframe.NewSealer(base, sframe.NewKID(2, sframe.Microphone, 0, 1))
		frame, err := sound.Seal(nil, make([]byte, signalSize), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ours.open(frame); !errors.Is(err, sframe.ErrOpen) {
			t.Errorf("sound: %v", err)
		}
	})
}

// No two participations of a device, and no two epochs of one, seal under one
// key id and counter.
func TestNoCounterComesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrove(t, 2)
		type used struct {
			kid     sframe.KID
			counter uint64
			epoch   uint64
		}
		seen := map[used]bool{}
		for join := range uint16(3) {
			k, _ := g.ring(0, join)
			for n := range uint64(3) {
				g.install(k, g.epoch(10+n, 0, n == 1))
				for range 3 {
					h, _, err := sframe.ParseHeader(g.sealed(k))
					if err != nil {
						t.Fatal(err)
					}
					u := used{h.KID, h.Counter, uint64(h.KID.Epoch())}
					if seen[u] {
						t.Fatalf("%+v came twice", u)
					}
					seen[u] = true
				}
				time.Sleep(2 * time.Second)
			}
			k.close()
		}
	})
}

func TestTheCodeIsOfTheEpochAndTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrove(t, 2)
		a, _ := g.ring(0, 0)
		b, _ := g.ring(1, 3)
		defer a.close()
		defer b.close()
		g.install(a, g.epoch(1, 0, false))
		g.install(b, g.epoch(1, 1, false))
		before := a.code()
		if len(before) != 19 || before != b.code() {
			t.Errorf("codes %q and %q", before, b.code())
		}
		g.install(a, g.epoch(2, 0, false))
		if a.code() == before {
			t.Error("the next epoch has the same code")
		}
	})
}

func TestSignalsHaveOneFormAndSize(t *testing.T) {
	for _, s := range []signal{
		{Kind: stateSignal, From: 1<<32 - 1, Muted: true, Camera: true, Screen: true, Hand: 1 << 50},
		{Kind: reactionSignal, From: 1<<32 - 1, Emoji: "👩🏽‍❤️‍💋‍👨🏿"},
		{Kind: muteSignal, From: 1<<32 - 1, To: 1<<32 - 1},
	} {
		b, err := s.encode()
		if err != nil || len(b) != signalSize {
			t.Fatalf("%+v: %d bytes, %v", s, len(b), err)
		}
		if got, err := decodeSignal(b); err != nil || got != s {
			t.Errorf("%+v became %+v, %v", s, got, err)
		}
		b[signalSize-1] = 1
		if _, err := decodeSignal(b); err == nil {
			t.Error("what stands behind the end was taken")
		}
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "short": make([]byte, 10), "too long a length": append([]byte{64}, make([]byte, 63)...), "no map": append([]byte{1, 0x01}, make([]byte, 62)...),
	} {
		if _, err := decodeSignal(b); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for _, e := range []string{"", "\u202etxet", "a\x00", string(make([]byte, 40)), "\xff"} {
		if isEmoji(e) {
			t.Errorf("%q may be shown", e)
		}
	}
}

func FuzzSignal(f *testing.F) {
	s := signal{Kind: reactionSignal, From: 3, Emoji: "👍"}
	b, err := s.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeSignal(b)
		if err != nil {
			return
		}
		if again, err := s.encode(); err != nil || len(again) != signalSize {
			t.Errorf("%+v is not written again: %v", s, err)
		}
	})
}

// A member who floods fills nobody's screen.
func TestReactionsOfOneParticipantAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Now: time.Now})
		p := &part{shown: map[uint32]*allowed{}}
		shown := 0
		for range 100 {
			if c.mayShow(p, 1) {
				shown++
			}
		}
		if shown != mostReactions || !c.mayShow(p, 2) {
			t.Errorf("%d of 100 were shown", shown)
		}
		time.Sleep(time.Second)
		if !c.mayShow(p, 1) {
			t.Error("and none ever again")
		}
	})
}
