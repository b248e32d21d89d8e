package group

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/test/vectors"
)

// passive is a case of the passive client vectors: somebody is welcomed into a
// group and follows it, without ever sending anything.
type passive struct {
	Suite         mls.Suite      `json:"cipher_suite"`
	PSKs          []passivePSK   `json:"external_psks"`
	KeyPackage    hexBytes       `json:"key_package"`
	Signature     hexBytes       `json:"signature_priv"`
	Encryption    hexBytes       `json:"encryption_priv"`
	Init          hexBytes       `json:"init_priv"`
	Welcome       hexBytes       `json:"welcome"`
	Tree          hexBytes       `json:"ratchet_tree"` // null if the Welcome carries it
	Authenticator hexBytes       `json:"initial_epoch_authenticator"`
	Epochs        []passiveEpoch `json:"epochs"`
}

type passivePSK struct {
	ID  hexBytes `json:"psk_id"`
	PSK hexBytes `json:"psk"`
}

type passiveEpoch struct {
	Proposals     []hexBytes `json:"proposals"`
	Commit        hexBytes   `json:"commit"`
	Authenticator hexBytes   `json:"epoch_authenticator"`
}

// TestVectorsPassiveClient follows every group that a file of the format tells
// of: passive-client-welcome, -handling-commit, -random, and whatever other
// implementations have put beside them.
func TestVectorsPassiveClient(t *testing.T) {
	vectors.Each(t, vectors.PassiveClient, supported, func(t *testing.T, c passive) {
		if err := c.follow(); err != nil {
			t.Error(err)
		}
	})
}

// follow joins and goes through all epochs, and says where it came out
// elsewhere than the vector.
func (c *passive) follow() error {
	kp, err := mls.ParseKeyPackage(c.KeyPackage)
	if err != nil {
		return err
	}
	secrets := KeyPackageSecrets{init: c.Init.private(c.Suite), leaf: c.Encryption.private(c.Suite)}
	if secrets.signer, err = parseSignerOf(c.Suite, c.Signature); err != nil {
		return err
	}
	if public, err := publicOf(c.Suite, secrets.init); err != nil || !bytes.Equal(public, kp.InitKey) {
		return fmt.Errorf("init_priv belongs to another key: %w", err)
	}
	w, err := mls.ParseWelcome(c.Welcome)
	if err != nil {
		return err
	}
	var psks []PSK
	for _, p := range c.PSKs {
		psks = append(psks, PSK{p.ID, p.PSK.secret()})
	}
	g, err := Join(w, *kp, secrets, JoinOptions{Tree: c.Tree, PSKs: psks}) // compares the other two private keys
	if err != nil {
		return err
	}
	for _, p := range psks {
		if err := g.AddPSK(p); err != nil {
			return err
		}
	}
	if !bytes.Equal(g.EpochAuthenticator(), c.Authenticator) {
		return fmt.Errorf("initial_epoch_authenticator %x, want %x", g.EpochAuthenticator(), c.Authenticator)
	}
	for n, e := range c.Epochs {
		for _, p := range e.Proposals {
			if err := hear(g, p); err != nil {
				return fmt.Errorf("epoch %d: proposal: %w", n, err)
			}
		}
		staged, err := stageEither(g, e.Commit)
		if err != nil {
			return fmt.Errorf("epoch %d: %w", n, err)
		}
		if err := g.Apply(staged); err != nil {
			return fmt.Errorf("epoch %d: %w", n, err)
		}
		if !bytes.Equal(g.EpochAuthenticator(), e.Authenticator) {
			return fmt.Errorf("epoch %d: authenticator %x, want %x", n, g.EpochAuthenticator(), e.Authenticator)
		}
	}
	return nil
}

// TestPassiveClientOfOurOwn lets a town live at random, writes what one of its
// members saw in the format of passive-client-random.json, and follows it from
// the file as one would follow another implementation's. All suites; handshakes
// in both wire formats; the tree inside of the Welcome and beside it; external
// PSKs.
func TestPassiveClientOfOurOwn(t *testing.T) {
	dir := t.TempDir()
	var cases []passive
	for _, s := range mls.Suites() {
		for seed := range uint64(4) {
			cases = append(cases, recordPassive(t, s, seed))
		}
	}
	b, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "passive-client-random.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	followed, epochs := 0, 0
	vectors.EachIn(t, dir, vectors.PassiveClient, supported, func(t *testing.T, c passive) {
		if err := c.follow(); err != nil {
			t.Error(err)
		}
		followed++
		epochs += len(c.Epochs)
	})
	if followed != len(cases) || epochs < 5*followed {
		t.Errorf("followed %d of %d groups, %d epochs", followed, len(cases), epochs)
	}
	// The reader does look: one bit anywhere in what it should compare is seen.
	broken := cases[0]
	broken.Epochs = slices.Clone(broken.Epochs)
	last := &broken.Epochs[len(broken.Epochs)-1]
	last.Authenticator = append(hexBytes{last.Authenticator[0] ^ 1}, last.Authenticator[1:]...)
	if broken.follow() == nil {
		t.Error("another epoch authenticator goes unnoticed")
	}
}

// recordPassive writes down what one joiner of a random town sees.
func recordPassive(t *testing.T, s mls.Suite, seed uint64) passive {
	t.Helper()
	w := newTown(t, s, 100+seed)
	w.add(4, CommitOptions{NoPath: seed%2 == 0})
	shared := PSK{[]byte("shared"), NewSecret([]byte("what all of them know"))}
	for _, m := range w.members {
		w.check(m.group.AddPSK(shared))
	}

	hero := w.client()
	kp, private := hero.keyPackage(t, s)
	inWelcome := seed%2 == 1
	author := w.pick()
	p, err := author.group.Commit(CommitOptions{
		Add: []mls.KeyPackage{kp}, TreeInWelcome: inWelcome, NoPath: seed == 2, PSKs: [][]byte{shared.ID},
	})
	w.check(err)
	c := passive{
		Suite: s, PSKs: []passivePSK{{shared.ID, shared.Secret.Export()}}, KeyPackage: must(mls.Marshal(mls.Message{KeyPackage: &kp})),
		Signature: hero.signer.Private().Export(), Encryption: private.leaf.Export(), Init: private.init.Export(),
		Welcome: p.Welcome, Authenticator: p.EpochAuthenticator(),
	}
	for _, m := range w.members {
		if m != author {
			w.check(m.group.Apply(must(stageEither(m.group, p.Message))))
		}
	}
	w.check(author.group.MergePending())
	if !inWelcome {
		c.Tree = must(author.group.Public().Tree())
	}
	hero.group = must(Join(must(mls.ParseWelcome(p.Welcome)), kp, private, JoinOptions{Tree: c.Tree, PSKs: []PSK{shared}}))
	w.check(hero.group.AddPSK(shared))
	w.members = append(w.members, hero)
	for range 6 {
		c.Epochs = append(c.Epochs, w.passiveEpoch(hero, shared))
	}
	return c
}

// passiveEpoch brings everybody to the next epoch by messages that no server
// orders or checks, so that they may be private.
func (w *town) passiveEpoch(hero *client, shared PSK) passiveEpoch {
	w.t.Helper()
	var e passiveEpoch
	private := func() bool { return w.rng.IntN(2) == 0 }
	others := slices.DeleteFunc(slices.Clone(w.members), func(c *client) bool { return c == hero })
	pick := func() *client { return others[w.rng.IntN(len(others))] }
	committer := pick()
	joiners := map[*client]keyPackage{}
	for range w.rng.IntN(3) {
		from := pick()
		var b []byte
		var err error
		switch opts := (ProposeOptions{Private: private()}); {
		case w.rng.IntN(3) == 0:
			b, err = from.group.ProposeUpdate(opts)
		case w.rng.IntN(2) == 0:
			list, more := w.invite(1)
			maps.Copy(joiners, more)
			b, err = from.group.Propose(mls.ProposeAdd(list[0]), opts)
		default:
			b, err = from.group.Propose(mls.ProposePSK(mls.PreSharedKeyID{Type: mls.PSKExternal, ID: shared.ID}), opts)
		}
		w.check(err)
		for _, m := range w.members {
			if m != from {
				w.check(hear(m.group, b))
			}
		}
		e.Proposals = append(e.Proposals, b)
	}
	opts := CommitOptions{IncludePending: true, Private: private(), TreeInWelcome: true}
	if victim := pick(); len(others) > 3 && victim != committer && w.rng.IntN(3) == 0 {
		opts.Remove = []mls.LeafIndex{victim.group.OwnLeaf()}
	}
	if w.rng.IntN(3) == 0 {
		x := w.members[0].group.Public().Context().Extensions.With(testExtension, []byte(fmt.Sprint(w.rng.Int())))
		opts.Extensions = &x
	}
	p, err := committer.group.Commit(opts)
	w.check(err)
	e.Commit, e.Authenticator = p.Message, p.EpochAuthenticator()
	stay := []*client{committer}
	for _, m := range w.members {
		if m == committer {
			continue
		}
		staged := must(stageEither(m.group, p.Message))
		w.check(m.group.Apply(staged))
		if !staged.RemovesUs {
			stay = append(stay, m)
		}
	}
	w.check(committer.group.MergePending())
	w.members = stay
	for c, k := range joiners {
		if p.Welcome == nil {
			break
		}
		g, err := Join(must(mls.ParseWelcome(p.Welcome)), k.public, k.private, JoinOptions{PSKs: []PSK{shared}})
		w.check(err)
		w.check(g.AddPSK(shared))
		c.group = g
		w.members = append(w.members, c)
	}
	for _, m := range w.members {
		if !bytes.Equal(m.group.EpochAuthenticator(), e.Authenticator) {
			w.t.Fatalf("%s is elsewhere", m.name)
		}
	}
	return e
}
