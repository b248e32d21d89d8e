package group

import (
	"bytes"
	"errors"

	"github.com/veche-im/veche/mls"
)

// export lets p take what a component has of the epoch. It is the same for all,
// and gone once that is stored.
func (m *model) export(p *person) {
	m.t.Helper()
	epoch := p.group.Epoch()
	secret, err := p.group.SafeExport(7)
	if errors.Is(err, ErrExported) {
		return
	}
	m.check(err)
	if before, ok := m.exports[epoch]; ok && !bytes.Equal(before, secret.bytes()) {
		m.t.Fatalf("seed %d: %s exports something else from epoch %d", m.seed, p.name, epoch)
	}
	m.exports[epoch] = secret.Export()
	if stored, _ := m.store(p); !stored {
		return
	}
	if _, err := p.group.SafeExport(7); !errors.Is(err, ErrExported) {
		m.t.Fatalf("seed %d: %s exports twice: %v", m.seed, p.name, err)
	}
}

// move closes the group and lets its members found the one that follows, with
// power cuts on the way.
func (m *model) move() {
	m.t.Helper()
	m.careful = false
	next := mls.X25519ChaCha
	if m.suite == next {
		next = mls.X25519AES128
	}
	for !m.server.Closed() {
		p := m.people[m.rng.IntN(len(m.people))]
		m.read(p, 1<<20)
		switch {
		case m.server.Closed():
		case p.group.Pending() != nil:
			m.pending(p)
		default:
			m.commit(p, CommitOptions{ReInit: &mls.ReInit{GroupID: []byte("next"), Version: mls.MLS10, Suite: next}}, nil)
		}
	}
	for _, p := range m.people {
		m.read(p, 1<<20)
		if !p.group.Public().Closed() {
			m.t.Fatalf("seed %d: %s goes on in a closed group", m.seed, p.name)
		}
	}
	m.suite = next
	all := make([]*mover, len(m.people))
	for i, p := range m.people {
		all[i] = &mover{person: p, disk: disk{map[string][]byte{}}}
		all[i].kp, all[i].private = p.keyPackage(m.t, next)
	}
	welcome := m.found(all)
	for _, v := range all {
		for v.group == nil || len(v.disk.committed) == 0 {
			m.check(m.enter(v, welcome))
		}
		if !bytes.Equal(v.group.EpochAuthenticator(), all[0].group.EpochAuthenticator()) {
			m.t.Fatalf("seed %d: %s is elsewhere in the next group", m.seed, v.name)
		}
		(&town{t: m.t, suite: next}).invariant(v.group)
	}
	from := all[m.rng.IntN(len(all))]
	text := must(mls.ParsePrivate(must(from.group.Seal([]byte("here"), nil))))
	for _, v := range all {
		if v == from {
			continue
		}
		if got, err := v.group.Open(text); err != nil || string(got.Plaintext) != "here" {
			m.t.Fatalf("seed %d: %s hears %q: %v", m.seed, v.name, got.Plaintext, err)
		}
	}
}

// mover is a member on its way into the next group, which has a disk of its own.
type mover struct {
	*person
	disk    disk
	group   *Group // the next one
	kp      mls.KeyPackage
	private KeyPackageSecrets
}

// found lets members found the next group until one is done with it, its commit
// is taken, and its Welcome is sent; who crashes before that throws it away.
func (m *model) found(all []*mover) (welcome []byte) {
	m.t.Helper()
	for {
		v := all[m.rng.IntN(len(all))]
		var others []mls.KeyPackage
		for _, o := range all {
			if o != v {
				others = append(others, o.kp)
			}
		}
		g, p, err := Reinit(v.person.group, Config{Signer: v.signer, Credential: mls.Basic([]byte(v.name)), Capabilities: testCapabilities()},
			CommitOptions{Add: others, TreeInWelcome: true})
		m.check(err)
		v.group = g
		server := must(mls.NewPublicGroup(must(mls.ParseGroupInfo(must(g.GroupInfo(true)))), nil))
		if !m.saveNext(v) {
			v.group, v.disk = nil, disk{map[string][]byte{}} // the Welcome is lost, and with it the use of the group
			continue
		}
		staged, err := server.StageCommit(must(mls.ParsePublic(p.Message)))
		m.check(err)
		m.check(server.Apply(staged))
		for v.group.Epoch() == 0 { // until it is merged and stored, whatever happens to the power
			m.check(v.group.MergePending())
			m.saveNext(v)
		}
		m.server = server
		return p.Welcome
	}
}

// enter lets v in by the Welcome, unless it is in already.
func (m *model) enter(v *mover, welcome []byte) error {
	if m.rng.IntN(3) == 0 {
		m.restart(v.person) // the old group comes from storage too
	}
	g, err := Join(must(mls.ParseWelcome(welcome)), v.kp, v.private, JoinOptions{From: v.person.group})
	if err != nil {
		return err
	}
	v.group = g
	m.saveNext(v)
	return nil
}

// saveNext stores v's next group. If power fails, v starts again from its disk,
// on which there may be nothing. It returns whether v goes on as it was.
func (m *model) saveNext(v *mover) bool {
	m.t.Helper()
	tx := &failing{v.disk.begin(), 1 << 30}
	if m.rng.IntN(6) == 0 {
		tx.left = m.rng.IntN(12)
	}
	err := v.group.Save(tx)
	if err == nil {
		v.disk.commit(tx.memory)
		if m.rng.IntN(8) != 0 {
			return true
		}
	} else if !errors.Is(err, errPower) {
		m.check(err)
	}
	v.group = nil
	if len(v.disk.committed) > 0 {
		v.group, err = Load(v.disk.begin())
		m.check(err)
	}
	return false
}
