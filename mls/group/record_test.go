package group

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/veche-im/veche/mls"
)

// chronicle is a court whose victim keeps records, and what was said in it.
type chronicle struct {
	*court
	said    map[uint64][]spoken // by epoch
	records map[uint64]Record
	rosters map[uint64]Roster // what the members are in truth
}

type spoken struct {
	from    mls.LeafIndex
	text    string
	message []byte
}

// newChronicle lives through some epochs in which members come, go, come back in
// another's place, and change their keys.
func newChronicle(t *testing.T, how Recording) *chronicle {
	t.Helper()
	c := &chronicle{newCourt(t), map[uint64][]spoken{}, map[uint64]Record{}, map[uint64]Roster{}}
	c.victim.group.Records().Keep(how)
	c.talk()
	for _, step := range []func(){
		func() { c.commit(c.mallory, CommitOptions{}, nil) },
		func() {
			c.commit(c.mallory, CommitOptions{Remove: []mls.LeafIndex{c.members[2].group.OwnLeaf()}}, nil)
		},
		func() { c.add(2, CommitOptions{}) },
		func() { c.commit(c.victim, CommitOptions{}, nil) },
		func() { c.add(3, CommitOptions{NoPath: true}) },
	} {
		step()
		c.talk()
	}
	return c
}

// talk lets everybody say something, and takes what records there are.
func (c *chronicle) talk() {
	c.t.Helper()
	c.victim.reload(c.t)
	c.take()
	epoch := c.server.Epoch()
	c.rosters[epoch] = RosterOf(c.server)
	for _, m := range c.members {
		for n := range 3 {
			text := fmt.Sprintf("%s says %d in %d", m.name, n, epoch)
			b := must(m.group.Seal([]byte(text), []byte("ad")))
			c.said[epoch] = append(c.said[epoch], spoken{m.group.OwnLeaf(), text, b})
			if m != c.victim {
				_, err := c.victim.group.Open(must(mls.ParsePrivate(b)))
				c.check(err)
			}
		}
	}
	c.victim.reload(c.t)
}

func (c *chronicle) take() {
	c.t.Helper()
	for _, r := range c.victim.group.Records().Take() {
		r = must(ParseRecord(r.Export()))
		c.records[must(r.Context()).Epoch] = r
	}
	c.victim.reload(c.t)
	for key := range c.victim.store.rows {
		if strings.HasPrefix(key, "record") {
			c.t.Errorf("row %s is left of a record that was taken", key)
		}
	}
	if len(c.victim.group.Records().Take()) != 0 {
		c.t.Error("a record that was taken is there again after a crash")
	}
}

// reads checks that a reader opens all that was said in its epoch, in any order
// and more than once.
func (c *chronicle) reads(r *Reader, epoch uint64) {
	c.t.Helper()
	all := slices.Clone(c.said[epoch])
	slices.Reverse(all)
	for _, s := range slices.Concat(all, c.said[epoch]) {
		o, err := r.Open(must(mls.ParsePrivate(s.message)))
		if err != nil || string(o.Plaintext) != s.text || o.Sender != s.from || string(o.AuthenticatedData) != "ad" {
			c.t.Fatalf("epoch %d, %q: %v, got %q from %d", epoch, s.text, err, o.Plaintext, o.Sender)
		}
	}
	for other, list := range c.said {
		if other != epoch {
			if _, err := r.Open(must(mls.ParsePrivate(list[0].message))); err != ErrOpen { //nolint:errorlint
				c.t.Errorf("the record of epoch %d on a message of %d: %v", epoch, other, err)
			}
		}
	}
}

func (c *chronicle) sameRoster(a, b Roster) bool {
	if len(a) != len(b) {
		return false
	}
	for i, x := range a {
		if y, ok := b[i]; !ok || !x.same(y) {
			return false
		}
	}
	return true
}

// TestRecordsOfEnds: from the roster of today, records lead back epoch by epoch.
func TestRecordsOfEnds(t *testing.T) {
	c := newChronicle(t, RecordEnds)
	now := c.server.Epoch()
	first := now - 4 // the epoch in which Keep was called is not recorded
	roster := RosterOf(c.server)
	if _, ok := c.records[now]; ok {
		t.Error("there is a record of an epoch that is not over")
	}
	for epoch := now - 1; epoch >= first; epoch-- {
		record, ok := c.records[epoch]
		if !ok {
			t.Fatalf("epoch %d was not recorded", epoch)
		}
		r := must(NewReader(record, roster))
		if !c.sameRoster(r.Roster(), c.rosters[epoch]) {
			t.Errorf("epoch %d has another roster", epoch)
		}
		c.reads(r, epoch)
		alone := must(record.Whole(roster))
		c.reads(must(NewReader(must(ParseRecord(alone.Export())), nil)), epoch)
		roster = r.Roster()
	}
	if len(c.records) != 4 {
		t.Errorf("%d records", len(c.records))
	}
}

// TestRecordsOfBeginnings: from the roster of an epoch, records lead forward;
// the first that one makes as a joiner is whole.
func TestRecordsOfBeginnings(t *testing.T) {
	c := newChronicle(t, RecordBeginnings)
	now := c.server.Epoch()
	roster := c.rosters[now-5]
	for epoch := now - 4; epoch <= now; epoch++ {
		record, ok := c.records[epoch]
		if !ok {
			t.Fatalf("epoch %d was not recorded", epoch)
		}
		r := must(NewReader(record, roster))
		c.reads(r, epoch)
		roster = r.Roster()
	}
	n := c.client()
	kp, private := n.keyPackage(t, c.suite)
	p := must(c.mallory.group.Commit(CommitOptions{Add: []mls.KeyPackage{kp}, TreeInWelcome: true}))
	g := must(Join(must(mls.ParseWelcome(p.Welcome)), kp, private, JoinOptions{Records: RecordBeginnings}))
	c.check(c.mallory.group.MergePending())
	m := must(mls.ParsePrivate(must(c.mallory.group.Seal([]byte("welcome"), nil))))
	records := g.Records().Take()
	if len(records) != 1 {
		t.Fatalf("%d records of a joiner", len(records))
	}
	if o := must(must(NewReader(records[0], nil)).Open(m)); string(o.Plaintext) != "welcome" {
		t.Errorf("read %q", o.Plaintext)
	}
	back, made, err := JoinExternal(must(mls.ParseGroupInfo(must(g.GroupInfo(true)))), nil, Config{
		Signer: c.client().signer, Credential: mls.Basic([]byte("back")), Capabilities: testCapabilities(), Records: RecordBeginnings,
	}, ExternalOptions{})
	c.check(err)
	c.check(g.Apply(must(g.StageCommit(must(mls.ParsePublic(made.Message))))))
	c.check(back.MergePending())
	if records = back.Records().Take(); len(records) != 1 {
		t.Fatalf("%d records of one who came from outside", len(records))
	}
	m = must(mls.ParsePrivate(must(g.Seal([]byte("hello again"), nil))))
	if o := must(must(NewReader(records[0], nil)).Open(m)); string(o.Plaintext) != "hello again" {
		t.Errorf("read %q", o.Plaintext)
	}
	for _, how := range []Recording{RecordEnds, RecordBeginnings} {
		g := must(Create(Config{Suite: c.suite, GroupID: []byte("x"), Signer: n.signer, Credential: mls.Basic([]byte("x")), Records: how}))
		if n := len(g.Records().Take()); n != int(how)-1 {
			t.Errorf("recording %d: %d records at the beginning", how, n)
		}
	}
}

// TestRecordsOfOneRemoved: the last epoch of one who is removed stays readable.
func TestRecordsOfOneRemoved(t *testing.T) {
	c := newChronicle(t, RecordEnds)
	last := c.server.Epoch()
	g := c.victim.group
	p := must(c.mallory.group.Commit(CommitOptions{Remove: []mls.LeafIndex{g.OwnLeaf()}}))
	c.check(g.Apply(must(g.StageCommit(must(mls.ParsePublic(p.Message))))))
	c.victim.reload(t)
	records := c.victim.group.Records().Take()
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	c.reads(must(NewReader(records[0], RosterOf(c.victim.group.Public()))), last)
}

// TestRecordsWhenNotAsked: by default nothing of an epoch outlives it, nor its
// root the first message.
func TestRecordsWhenNotAsked(t *testing.T) {
	c := newChronicle(t, RecordNothing)
	if len(c.records) != 0 {
		t.Errorf("%d records that nobody asked for", len(c.records))
	}
	c = newChronicle(t, RecordEnds)
	g := c.victim.group
	root := g.epoch.encryption.Export()
	stored := func() bool {
		for _, row := range c.victim.store.rows {
			if bytes.Contains(row, root) {
				return true
			}
		}
		return false
	}
	if len(root) == 0 || !stored() {
		t.Fatal("the test looks in the wrong place")
	}
	g.Records().Keep(RecordNothing)
	c.victim.reload(t)
	if stored() {
		t.Error("the root of the secret tree stays although records were switched off")
	}
	c.commit(c.mallory, CommitOptions{}, nil)
	if n := len(c.victim.group.Records().Take()); n != 0 {
		t.Errorf("%d records after they were switched off", n)
	}
}

// TestRecordLeadsNowhere: what is in a record is the epoch's encryption and
// sender data secrets, and nothing else of the key schedule, nor of what
// follows.
func TestRecordLeadsNowhere(t *testing.T) {
	c := newChronicle(t, RecordEnds)
	g := c.victim.group
	var other [][]byte
	for _, s := range g.epoch.all()[1:] {
		other = append(other, s.Export())
	}
	for _, s := range g.keys {
		other = append(other, s.Export())
	}
	for _, s := range g.epoch.exports.frontier {
		other = append(other, s.Export())
	}
	other = append(other, g.signer.priv.Export())
	c.commit(c.mallory, CommitOptions{}, nil)
	b := c.victim.group.Records().Take()[0].Export()
	for _, s := range other {
		if bytes.Contains(b, s) {
			t.Errorf("a record holds %x", s)
		}
	}
}

// TestRecordRefuses: messages that are forged, by one who has the record itself,
// damaged records, and rosters of other epochs.
func TestRecordRefuses(t *testing.T) {
	c := newChronicle(t, RecordEnds)
	epoch := c.server.Epoch() - 1
	record, roster := c.records[epoch], RosterOf(c.server)
	reader := must(NewReader(record, roster))
	content := must(record.content())
	m := must(mls.ParsePrivate(c.said[epoch][0].message))
	// The forger signs with its own key in the name of another.
	forge := func(signer Signer, from mls.LeafIndex, generation uint32, change func(*mls.AuthenticatedContent)) *mls.PrivateMessage {
		a := &mls.AuthenticatedContent{WireFormat: mls.WirePrivateMessage, Content: mls.FramedContent{
			GroupID: content.context.GroupID, Epoch: epoch, Sender: mls.MemberSender(from),
			Type: mls.ContentApplication, ApplicationData: []byte("I never said this"),
		}}
		if change != nil {
			change(a)
		}
		c.check(signer.signContent(a, &content.context))
		f := &framing{context: &content.context, senderData: content.senderData,
			secrets: newSecretTree(c.suite, NewSecret(content.encryption.bytes()), mls.NodeIndex(content.width-1))}
		f.secrets.plant(ratchetID{leaf: from}, f.secrets.ratchet(ratchetID{leaf: from}))
		r := f.secrets.ratchets[ratchetID{leaf: from}]
		f.secrets.ratchets[ratchetID{leaf: from, handshake: true}] = r
		for r.generation < generation {
			r.secret = nextSecret(c.suite, r.secret, r.generation)
			r.generation++
		}
		return must(f.encrypt(a, nil))
	}
	me := c.mallory.group.OwnLeaf()
	if _, err := reader.Open(forge(c.mallory.signer, me, maxArchived-1, nil)); err != nil {
		t.Errorf("the forger's own message: %v", err)
	}
	for _, generation := range []uint32{200, 130, 128, 64, 63, 65, 0, 300} {
		if o, err := must(NewReader(record, roster)).Open(forge(c.mallory.signer, me, generation, nil)); err != nil || o.Generation != generation {
			t.Errorf("generation %d alone: %v", generation, err)
		}
		if o, err := reader.Open(forge(c.mallory.signer, me, generation, nil)); err != nil || o.Generation != generation {
			t.Errorf("generation %d: %v", generation, err)
		}
	}
	blank := mls.LeafIndex(content.width - 1)
	for roster, taken := reader.Roster(), true; taken; {
		if _, taken = roster[blank]; taken {
			blank--
		}
	}
	flipped := *m
	flipped.Ciphertext = bytes.Clone(m.Ciphertext)
	flipped.Ciphertext[0] ^= 1
	elsewhere := *m
	elsewhere.GroupID = []byte("city")
	retyped := *m
	retyped.Type = mls.ContentProposal
	for name, m := range map[string]*mls.PrivateMessage{
		"in another's name":         forge(c.mallory.signer, c.victim.group.OwnLeaf(), 0, nil),
		"of a blank leaf":           forge(c.mallory.signer, blank, 0, nil),
		"beyond the last step":      forge(c.mallory.signer, me, maxArchived, nil),
		"that claims another epoch": forge(c.mallory.signer, me, 0, func(a *mls.AuthenticatedContent) { a.Content.Epoch++ }),
		"that claims another group": forge(c.mallory.signer, me, 0, func(a *mls.AuthenticatedContent) { a.Content.GroupID = []byte("city") }),
		"that is a proposal": forge(c.mallory.signer, me, 0, func(a *mls.AuthenticatedContent) {
			p := mls.ProposeRemove(0)
			a.Content.Type, a.Content.ApplicationData, a.Content.Proposal = mls.ContentProposal, nil, &p
		}),
		"with a bit flipped":        &flipped,
		"of another group":          &elsewhere,
		"with another content type": &retyped,
	} {
		if _, err := reader.Open(m); err != ErrOpen { //nolint:errorlint
			t.Errorf("a message %s: %v", name, err)
		}
	}
	if _, err := reader.Open(m); err != nil {
		t.Errorf("after all that: %v", err)
	}
	for n := range len(c.said[epoch][0].message) { // every truncation is an error, never a panic
		cut := *m
		cut.Ciphertext = m.Ciphertext[:min(n, len(m.Ciphertext)-1)]
		if _, err := reader.Open(&cut); err != ErrOpen { //nolint:errorlint
			t.Fatalf("%d bytes: %v", n, err)
		}
	}

	refused := func(what string, r Record, beside Roster) {
		t.Helper()
		if _, err := NewReader(r, beside); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("without the roster beside it", record, nil)
	refused("without a roster that is the same beside it", c.records[epoch-3], nil)
	refused("with the roster of another epoch", record, c.rosters[epoch-2])
	refused("an empty record", Record{}, roster)
	b := record.Export()
	for n := range b {
		if _, err := ParseRecord(b[:n]); !errors.Is(err, ErrRecord) {
			t.Fatalf("the first %d bytes of a record: %v", n, err)
		}
	}
	change := func(what string, f func(c *recordContent)) {
		t.Helper()
		broken := must(record.content())
		f(broken)
		if _, err := ParseRecord(broken.seal().Export()); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", what, err)
		}
	}
	change("a short secret", func(c *recordContent) { c.encryption = randomSecret(31) })
	change("a long secret", func(c *recordContent) { c.senderData = randomSecret(33) })
	change("no leaves", func(c *recordContent) { c.width = 0 })
	change("three leaves", func(c *recordContent) { c.width = 3 })
	change("too many leaves", func(c *recordContent) { c.width = 2 * mls.MaxLeaves })
	change("an unknown suite", func(c *recordContent) { c.context.Suite = 99 })
	change("an unknown kind of roster", func(c *recordContent) { c.roster = 3 })
	if _, err := ParseRecord(append([]byte{9}, b[1:]...)); !errors.Is(err, ErrRecord) {
		t.Errorf("a record of another version: %v", err)
	}
}

// TestRecordDoesNotPrint: neither a record nor a group that holds one shows it.
func TestRecordDoesNotPrint(t *testing.T) {
	c := newChronicle(t, RecordEnds)
	c.commit(c.mallory, CommitOptions{}, nil)
	r := c.victim.group.Records().Take()[0]
	for _, s := range []string{fmt.Sprint(r), fmt.Sprintf("%+v %#v %x %s", r, r, r, r), fmt.Sprintf("%+v", []Record{r})} {
		if bytes.Contains([]byte(s), []byte("town")) || len(s) > 60 {
			t.Errorf("prints %q", s)
		}
	}
	if b, err := json.Marshal(map[string]any{"r": r}); err == nil {
		t.Errorf("marshals as %s", b)
	}
	reader := must(NewReader(r, RosterOf(c.server)))
	reader.Wipe()
	if _, err := reader.Open(must(mls.ParsePrivate(c.said[c.server.Epoch()-1][0].message))); err != ErrOpen { //nolint:errorlint
		t.Errorf("a reader that was wiped: %v", err)
	}
}
