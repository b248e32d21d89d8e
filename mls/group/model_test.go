package group

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

var modelSeeds = flag.Int("model", 2000, "random lives of TestModel; under the race detector a tenth")

// TestModel lets members live with one server that orders everything. They lag
// behind, commit at the same time, lose Welcomes, and lose power at any write
// and at any moment between storing and sending; the server is restarted, and
// looks at commits that it does not take. In the end some groups are closed, and
// the members found another. What must hold: an epoch and what components export
// from it is the same for all who reach it, no message key is used twice,
// whatever the server took opens for everybody, and in the end all are in the
// same state.
func TestModel(t *testing.T) {
	seeds := *modelSeeds
	if raceDetector {
		seeds = max(1, seeds/10)
	}
	for part, s := range []mls.Suite{mls.X25519AES128, mls.X25519ChaCha} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			for seed := part; seed < seeds; seed += 2 {
				m := newModel(t, s, uint64(seed))
				for range 14 {
					m.step()
				}
				m.settle()
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// model is the server's log and those who follow it.
type model struct {
	t       *testing.T
	suite   mls.Suite
	seed    uint64
	rng     *rand.Rand
	log     []logged
	server  *mls.PublicGroup
	shelf   *memory // where the server keeps it
	people  []*person
	epochs  map[uint64][]byte   // authenticators
	exports map[uint64][]byte   // what component 7 has of an epoch
	psk     PSK                 // everybody knows it
	used    map[string]struct{} // message keys that were seen: epoch, sender, generation
	names   int
	careful bool // no more crashes
}

// logged is an entry of the server's log.
type logged struct {
	message []byte
	commit  bool
}

// person is a member with its disk.
type person struct {
	*client
	disk disk
	at   int // next entry to read; stored with the group
}

func (m *model) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("seed %d: %v", m.seed, err)
	}
}

func newModel(t *testing.T, s mls.Suite, seed uint64) *model {
	t.Helper()
	m := &model{
		t: t, suite: s, seed: seed, rng: rand.New(rand.NewPCG(seed, 2)),
		epochs: map[uint64][]byte{}, exports: map[uint64][]byte{}, used: map[string]struct{}{},
		shelf: newMemory(), psk: PSK{[]byte("known"), NewSecret([]byte("to everybody"))},
	}
	first := m.person()
	var err error
	first.group, err = Create(m.config(first, s))
	m.check(err)
	info := must(mls.ParseGroupInfo(must(first.group.GroupInfo(true))))
	m.server = must(mls.NewPublicGroup(info, nil))
	m.careful = true
	m.check(first.group.AddPSK(m.psk))
	m.store(first)
	m.people = []*person{first}
	for range 3 {
		m.commit(first, CommitOptions{NoPath: true}, m.person())
		m.read(first, 99)
	}
	m.careful = false
	return m
}

func (m *model) config(p *person, s mls.Suite) Config {
	return Config{
		Suite: s, GroupID: []byte("model"), Signer: p.signer, Credential: mls.Basic([]byte(p.name)), Capabilities: testCapabilities(),
	}
}

func (m *model) person() *person {
	m.names++
	return &person{client: newClient(m.t, m.suite, fmt.Sprint("person ", m.names)), disk: disk{map[string][]byte{}}}
}

// store saves p's group in one transaction. Power may fail in it, or right
// after it; then p starts again from its disk. stored says whether the
// transaction took place, alive whether p goes on as it was.
func (m *model) store(p *person) (stored, alive bool) {
	m.t.Helper()
	tx := &failing{p.disk.begin(), 1 << 30}
	if !m.careful && m.rng.IntN(6) == 0 {
		tx.left = m.rng.IntN(12)
	}
	err := p.group.Save(tx)
	if err == nil {
		p.disk.commit(tx.memory)
		if m.careful || m.rng.IntN(8) != 0 {
			return true, true
		}
	} else if !errors.Is(err, errPower) {
		m.check(err)
	}
	m.restart(p)
	return err == nil, false
}

// restart loads p's group, or nothing if nothing was ever stored.
func (m *model) restart(p *person) {
	m.t.Helper()
	p.group = nil
	if len(p.disk.committed) > 0 {
		var err error
		p.group, err = Load(p.disk.begin())
		m.check(err)
	}
}

// deliver hands a handshake message to the server, which takes it or not.
func (m *model) deliver(message []byte) error {
	m.t.Helper()
	public := must(mls.ParsePublic(message))
	if public.Content.Type == mls.ContentProposal {
		p, err := m.server.StageProposal(public)
		if err != nil {
			return err
		}
		m.check(m.server.AddProposal(p))
	} else {
		c, err := m.server.StageCommit(public)
		if err != nil {
			return err
		}
		m.check(m.server.Apply(c))
	}
	m.log = append(m.log, logged{message, public.Content.Type == mls.ContentCommit})
	if m.rng.IntN(4) == 0 {
		m.check(m.server.Save(m.shelf))
		m.server = must(mls.LoadPublicGroup(m.shelf))
	}
	m.look(m.server.StageCommit)
	return nil
}

// look lets the server look at commits that wait elsewhere. It takes none of them,
// and nothing may remain of them.
func (m *model) look(stage func(*mls.PublicMessage) (*mls.StagedPublicCommit, error)) {
	m.t.Helper()
	for _, p := range m.people {
		if p.group == nil || p.group.Pending() == nil || m.rng.IntN(2) == 0 {
			continue
		}
		if _, err := stage(must(mls.ParsePublic(p.group.Pending()))); err != nil {
			m.refused(err)
		}
	}
}

// refused checks that the server's reason is one that an honest member may hear:
// it is behind, or speaks of a proposal that never left.
func (m *model) refused(err error) {
	m.t.Helper()
	if !errors.Is(err, mls.ErrEpoch) && !errors.Is(err, mls.ErrUnknownProposal) {
		m.check(fmt.Errorf("the server refuses: %w", err))
	}
}

// commit lets p make a commit, with joiner added if there is one, and send it.
func (m *model) commit(p *person, opts CommitOptions, joiner *person) {
	m.t.Helper()
	var kp keyPackage
	if joiner != nil {
		kp.public, kp.private = joiner.keyPackage(m.t, m.suite)
		opts.Add = []mls.KeyPackage{kp.public}
	}
	made, err := p.group.Commit(opts)
	m.check(err)
	if _, alive := m.store(p); !alive {
		return // if it was stored, it is sent later, without its Welcome
	}
	if err := m.deliver(made.Message); err != nil {
		m.refused(err)
		return
	}
	m.check(m.server.CheckGroupInfo(must(mls.ParseGroupInfo(made.GroupInfo))))
	if joiner == nil || m.rng.IntN(4) == 0 {
		return // lost: rescue finds whoever waits
	}
	g, err := Join(must(mls.ParseWelcome(made.Welcome)), kp.public, kp.private, JoinOptions{Tree: must(m.server.Tree())})
	m.check(err)
	joiner.group, joiner.at = g, len(m.log)
	m.check(g.AddPSK(m.psk))
	if stored, _ := m.store(joiner); !stored {
		return
	}
	m.people = append(m.people, joiner)
	m.same(joiner)
}

// pending sends p's commit again, or gives it up.
func (m *model) pending(p *person) {
	m.t.Helper()
	message := p.group.Pending()
	taken := slices.ContainsFunc(m.log, func(l logged) bool { return bytes.Equal(l.message, message) })
	if taken {
		m.read(p, 99)
		return
	}
	if m.rng.IntN(2) == 0 {
		if err := m.deliver(message); err == nil {
			return
		} else {
			m.refused(err)
		}
	}
	if p.group.Status() == Joining {
		m.forget(p)
		return
	}
	p.group.ClearPending()
	m.store(p)
}

// forget ends p's group; rescue brings it back if its leaf is still there.
func (m *model) forget(p *person) {
	p.group, p.disk = nil, disk{map[string][]byte{}}
	m.people = slices.DeleteFunc(m.people, func(o *person) bool { return o == p })
}

// read lets p follow up to n entries of the log.
func (m *model) read(p *person, n int) {
	m.t.Helper()
	for ; n > 0 && p.group != nil && p.at < len(m.log); n-- {
		entry := m.log[p.at]
		if p.group.Status() == Joining && (!entry.commit || !bytes.Equal(entry.message, p.group.Pending())) {
			m.forget(p) // somebody else was first
			return
		}
		if !m.apply(p, entry) {
			m.forget(p)
			return
		}
		if stored, _ := m.store(p); stored {
			p.at++
			m.same(p)
		}
	}
}

// apply follows one entry; it returns false if it puts p out.
func (m *model) apply(p *person, entry logged) bool {
	m.t.Helper()
	message := must(mls.ParseMessage(entry.message))
	switch {
	case entry.commit:
		if m.rng.IntN(4) == 0 { // once for nothing
			_, err := p.group.StageCommit(message.Public)
			m.check(err)
		}
		c, err := p.group.StageCommit(message.Public)
		m.check(err)
		m.check(p.group.Apply(c))
		return !c.RemovesUs
	case message.Public != nil:
		_, err := p.group.ReceiveProposal(message.Public)
		m.check(err)
	default:
		got, err := p.group.Open(message.Private)
		if errors.Is(err, ErrOpen) && m.own(p, entry.message) {
			return true
		}
		m.check(err)
		if !bytes.Equal(got.AuthenticatedData, got.Plaintext) {
			m.t.Fatalf("seed %d: heard %q", m.seed, got.Plaintext)
		}
	}
	return true
}

// own reports whether p sent the message, whose authenticated data begins with
// its name.
func (m *model) own(p *person, message []byte) bool {
	private := must(mls.ParsePrivate(message))
	return bytes.HasPrefix(private.AuthenticatedData, []byte(p.name+":"))
}

// same checks that p's epoch is everybody's.
func (m *model) same(p *person) {
	m.t.Helper()
	if p.group == nil || p.group.Status() == Joining || p.group.Status() == Removed {
		return
	}
	now := p.group.EpochAuthenticator()
	if before, ok := m.epochs[p.group.Epoch()]; ok && !bytes.Equal(before, now) {
		m.t.Fatalf("seed %d: %s has another epoch %d", m.seed, p.name, p.group.Epoch())
	}
	m.epochs[p.group.Epoch()] = now
}

// say seals a message; the server takes it if it is of its epoch.
func (m *model) say(p *person) {
	m.t.Helper()
	text := fmt.Appendf(nil, "%s:%d", p.name, m.rng.Uint64())
	b, err := p.group.Seal(text, text)
	if errors.Is(err, ErrProposals) {
		return
	}
	m.check(err)
	if _, alive := m.store(p); !alive {
		return
	}
	private := must(mls.ParsePrivate(b))
	generation := m.generation(p, private)
	key := fmt.Sprint(private.Epoch, " ", p.group.OwnLeaf(), " ", generation)
	if _, again := m.used[key]; again {
		m.t.Fatalf("seed %d: %s uses a key twice", m.seed, p.name)
	}
	m.used[key] = struct{}{}
	if private.Epoch == m.server.Epoch() {
		m.log = append(m.log, logged{message: b})
	}
}

// generation reads the number of the key in the sender data, as any member can.
func (m *model) generation(p *person, private *mls.PrivateMessage) uint32 {
	m.t.Helper()
	box, nonce, err := framingOf(p.group).senderBox(private)
	m.check(err)
	plain, err := box.Open(nil, nonce, private.SenderData, senderAAD(private))
	m.check(err)
	d := mls.NewDecoder(plain)
	d.Uint32()
	return d.Uint32()
}

// rescue lets somebody enter by external commit: one who is in the tree and has
// no group, or a stranger.
func (m *model) rescue() {
	m.t.Helper()
	helper := slices.IndexFunc(m.people, func(p *person) bool {
		return p.group != nil && p.group.Status() != Joining && p.group.Epoch() == m.server.Epoch()
	})
	if helper < 0 {
		return
	}
	info := must(mls.ParseGroupInfo(must(m.people[helper].group.GroupInfo(false))))
	p := m.person()
	opts := ExternalOptions{}
	for _, member := range m.server.Members() {
		name := string(member.Leaf.Credential.Identity)
		if !slices.ContainsFunc(m.people, func(p *person) bool { return p.name == name }) {
			p.name = name // the same person with a new key
			opts.RemoveOwn = &member.Index
			break
		}
	}
	g, made, err := JoinExternal(info, must(m.server.Tree()), m.config(p, 0), opts)
	m.check(err)
	p.group, p.at = g, len(m.log)
	m.check(g.AddPSK(m.psk))
	if stored, alive := m.store(p); !stored {
		return
	} else if alive {
		m.check(m.deliver(made.Message))
	}
	m.people = append(m.people, p)
}

// step lets a random person do a random thing.
func (m *model) step() {
	m.t.Helper()
	p := m.people[m.rng.IntN(len(m.people))]
	if m.rng.IntN(5) == 0 {
		m.rescue()
		return
	}
	if m.rng.IntN(3) > 0 {
		m.read(p, 1+m.rng.IntN(6))
	}
	switch {
	case p.group == nil:
	case p.group.Pending() != nil:
		m.pending(p)
	case m.rng.IntN(4) == 0:
		for range 1 + m.rng.IntN(4) {
			m.say(p)
		}
	case m.rng.IntN(4) == 0:
		m.propose(p)
	case m.rng.IntN(6) == 0:
		m.export(p)
	case m.rng.IntN(3) == 0 && len(p.group.Public().Members()) < 7:
		m.commit(p, CommitOptions{NoPath: m.rng.IntN(2) == 0}, m.person())
	case m.rng.IntN(3) == 0 && len(p.group.Public().Members()) > 3:
		victim := p.group.Public().Members()[m.rng.IntN(len(p.group.Public().Members()))].Index
		if victim != p.group.OwnLeaf() {
			m.commit(p, CommitOptions{Remove: []mls.LeafIndex{victim}}, nil)
		}
	default:
		opts := CommitOptions{IncludePending: m.rng.IntN(3) > 0}
		if m.rng.IntN(3) == 0 {
			opts.PSKs = [][]byte{m.psk.ID}
		}
		m.commit(p, opts, nil)
	}
}

func (m *model) propose(p *person) {
	m.t.Helper()
	var b []byte
	var err error
	switch m.rng.IntN(5) {
	case 0:
		b, err = p.group.Propose(mls.ProposeSelfRemove(), ProposeOptions{})
	case 1:
		b, err = p.group.Propose(mls.ProposePSK(mls.PreSharedKeyID{Type: mls.PSKExternal, ID: m.psk.ID}), ProposeOptions{})
	default:
		b, err = p.group.ProposeUpdate(ProposeOptions{})
	}
	m.check(err)
	if _, alive := m.store(p); !alive {
		return
	}
	if err := m.deliver(b); err != nil {
		m.refused(err)
	}
}

// settle lets everybody catch up, rescues whoever is lost, and compares all.
func (m *model) settle() {
	m.t.Helper()
	m.careful = true
	m.catchUp()
	for len(m.people) < len(m.server.Members()) {
		m.rescue()
		m.catchUp()
	}
	for _, p := range m.people {
		p.group.ClearPending()
	}
	m.commit(m.people[0], CommitOptions{}, nil)
	m.catchUp()
	for _, p := range m.people {
		m.say(p)
	}
	m.catchUp()
	want := m.server.Context()
	for _, p := range m.people {
		got := p.group.Public().Context()
		if !got.Equal(&want) || p.at != len(m.log) {
			m.t.Fatalf("seed %d: %s is elsewhere in the end", m.seed, p.name)
		}
		(&town{t: m.t, suite: m.suite}).invariant(p.group)
	}
	if m.rng.IntN(4) == 0 {
		m.move()
	}
}

func (m *model) catchUp() {
	m.t.Helper()
	for _, p := range slices.Clone(m.people) {
		m.read(p, 1<<20)
		if p.group != nil && p.group.Status() == Joining {
			m.forget(p)
		}
	}
}
