package room_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// Whatever bit of an upload is another one, the server refuses it as the
// device's fault, or could not see it without secrets: the membership tag of the
// commit and what is sealed in the Welcome.
func TestAFlippedBitIsRefused(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	random := rand.New(rand.NewPCG(1, 2))
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		return b
	}
	taken := 0
	for i := range 120 {
		c := ann.committing(id, group.CommitOptions{Add: keyPackages(s.person())})
		want := c
		switch i % 3 {
		case 0:
			c.Commit = flip(c.Commit)
		case 1:
			c.GroupInfo = flip(c.GroupInfo)
		case 2:
			c.Welcome = flip(c.Welcome)
		}
		_, err := s.rooms.Commit(s.ctx, ann.Actor, c)
		if err != nil {
			if code := wire.CodeOf(err); code != wire.BadRequest && code != wire.Conflict && code != wire.Pending {
				t.Fatalf("flip %d: %v", i, err)
			}
			continue
		}
		taken++
		if !bytes.Equal(c.GroupInfo, want.GroupInfo) {
			t.Fatalf("flip %d: the GroupInfo was taken", i)
		}
		same := func(b []byte) []byte {
			return public(t, b, func(m *mls.PublicMessage) { m.MembershipTag = make([]byte, 32) })
		}
		if !bytes.Equal(same(c.Commit), same(want.Commit)) {
			t.Fatalf("flip %d: the commit was taken", i)
		}
		shape := func(b []byte) []byte {
			return s.welcome(b, func(w *mls.Welcome) {
				clear(w.EncryptedGroupInfo)
				clear(w.Secrets[0].Secrets.KEMOutput)
				clear(w.Secrets[0].Secrets.Ciphertext)
			})
		}
		if !bytes.Equal(shape(c.Welcome), shape(want.Welcome)) {
			t.Fatalf("flip %d: the Welcome was taken", i)
		}
		// The room stays usable for who knows its own commit.
		p := ann.in[id]
		p.group.ClearPending()
		s.must(ann.joinExternally(id))
	}
	if taken == 0 {
		t.Error("no flip was taken: the test does not reach what the server cannot see")
	}
	if _, err := ann.send(id, "still here"); err != nil {
		t.Error(err)
	}
}
