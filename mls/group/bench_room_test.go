package group

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

// benchRoom is a room of n members that ann and bob have been welcomed into. It
// is made once and written down, so that everything that is measured, ts-mls
// too, works on the same bytes.
type benchRoom struct {
	Ann, Bob  benchMember
	Welcome   []byte   // MLSMessage for both
	Tree      []byte   // ratchet_tree of their first epoch
	GroupInfo []byte   // MLSMessage of that epoch, with external_pub
	Others    [][]byte // MLSMessages: key packages of n-1 people who are in no room
}

// benchMember is a key package with its private keys.
type benchMember struct {
	KeyPackage            []byte // MLSMessage
	Init, Leaf, Signature []byte
}

// benchSuites have short names in the output of the benchmarks.
var benchSuites = []struct {
	name  string
	suite mls.Suite
}{
	{"1", mls.X25519AES128},
	{"3", mls.X25519ChaCha},
	{"hybrid", mls.HybridX25519MLKEM768},
}

var benchSizes = []int{2, 100, 1000}

// openBenchRoom returns a room from the folder VECHE_BENCH_ROOMS, or makes it.
// A cold room was filled in one go; in a warm one each member but ann and bob
// has sent a path since it came.
func openBenchRoom(tb testing.TB, s mls.Suite, n int, warm bool) *benchRoom {
	tb.Helper()
	r := new(benchRoom)
	dir := os.Getenv("VECHE_BENCH_ROOMS")
	if dir == "" {
		r = makeBenchRoom(tb, s, n, warm)
		return r
	}
	b, err := os.ReadFile(filepath.Join(dir, benchRoomFile(s, n, warm)))
	noError(tb, err)
	noError(tb, json.Unmarshal(b, r))
	return r
}

func benchRoomFile(s mls.Suite, n int, warm bool) string {
	if warm {
		return fmt.Sprintf("%v-%d-warm.json", s, n)
	}
	return fmt.Sprintf("%v-%d-cold.json", s, n)
}

// TestBenchRooms writes the rooms of all benchmarks into VECHE_BENCH_ROOMS.
func TestBenchRooms(t *testing.T) {
	dir := os.Getenv("VECHE_BENCH_ROOMS")
	if dir == "" {
		t.Skip("set VECHE_BENCH_ROOMS to the folder where rooms for benchmarks should be")
	}
	for _, bs := range benchSuites {
		for _, n := range benchSizes {
			for _, warm := range []bool{false, true} {
				b, err := json.Marshal(makeBenchRoom(t, bs.suite, n, warm))
				noError(t, err)
				noError(t, os.WriteFile(filepath.Join(dir, benchRoomFile(bs.suite, n, warm)), b, 0o600))
			}
		}
	}
}

func noError(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func benchKeyPackage(tb testing.TB, s mls.Suite, name string) (mls.KeyPackage, KeyPackageSecrets) {
	tb.Helper()
	signer, err := NewSigner(s)
	noError(tb, err)
	kp, secrets, err := NewKeyPackage(KeyPackageConfig{Suite: s, Signer: signer, Credential: mls.Basic([]byte(name))})
	noError(tb, err)
	return kp, secrets
}

func benchGroup(tb testing.TB, s mls.Suite) *Group {
	tb.Helper()
	signer, err := NewSigner(s)
	noError(tb, err)
	g, err := Create(Config{Suite: s, GroupID: []byte("a room to measure"), Signer: signer, Credential: mls.Basic([]byte("founder"))})
	noError(tb, err)
	return g
}

// makeBenchRoom makes a room of n members, or for n = 2 the two of them alone:
// ann founds it, and there is no Welcome yet.
func makeBenchRoom(tb testing.TB, s mls.Suite, n int, warm bool) *benchRoom {
	tb.Helper()
	annPackage, annSecrets := benchKeyPackage(tb, s, "ann")
	bobPackage, bobSecrets := benchKeyPackage(tb, s, "bob")
	r := &benchRoom{Ann: newBenchMember(tb, annPackage, annSecrets), Bob: newBenchMember(tb, bobPackage, bobSecrets)}
	var others []mls.KeyPackage
	for i := range n - 1 {
		kp, _ := benchKeyPackage(tb, s, fmt.Sprint("member ", i))
		others = append(others, kp)
		r.Others = append(r.Others, benchMarshal(tb, kp))
	}
	if n == 2 {
		return r
	}
	g := benchGroup(tb, s)
	opts := CommitOptions{Add: []mls.KeyPackage{annPackage, bobPackage}}
	if warm {
		for i := range n - 3 {
			g = enterUnchecked(tb, g, fmt.Sprint("member ", i))
		}
	} else {
		opts.Add, opts.NoPath = slices.Concat(others[:n-3], opts.Add), true
	}
	p, err := g.Commit(opts)
	noError(tb, err)
	noError(tb, g.MergePending())
	w, err := mls.ParseWelcome(p.Welcome)
	noError(tb, err)
	both := mls.Welcome{Suite: s, EncryptedGroupInfo: w.EncryptedGroupInfo, Secrets: w.Secrets[len(w.Secrets)-2:]}
	r.Welcome, err = mls.Marshal(mls.Message{Welcome: &both})
	noError(tb, err)
	r.GroupInfo = p.GroupInfo
	r.Tree, err = g.public.Tree()
	noError(tb, err)
	return r
}

// enterUnchecked lets somebody join by external commit and returns the group as
// that one sees it. It leaves out what a joiner verifies of the tree, which
// would take minutes for a large room.
func enterUnchecked(tb testing.TB, g *Group, name string) *Group {
	tb.Helper()
	s := g.suite()
	signer, err := NewSigner(s)
	noError(tb, err)
	pub, err := g.epoch.externalPub(s)
	noError(tb, err)
	kemOutput, init, err := sendExternalInit(s, pub)
	noError(tb, err)
	external := mls.ProposeExternalInit(kemOutput)
	m := &making{
		g:      &Group{public: g.public, status: Joining, signer: signer, keys: map[mls.NodeIndex]*Secret{}},
		sender: mls.Sender{Type: mls.SenderNewMemberCommit},
		list:   []mls.ProposalOrRef{{Proposal: &external}},
		init:   init,
		leaf:   mls.LeafNode{Credential: mls.Basic([]byte(name)), Capabilities: DefaultCapabilities()},
	}
	p, err := m.make()
	noError(tb, err)
	m.g.leaf = p.Committer
	noError(tb, m.g.MergePending())
	return m.g
}

func benchMarshal(tb testing.TB, kp mls.KeyPackage) []byte {
	tb.Helper()
	b, err := mls.Marshal(mls.Message{KeyPackage: &kp})
	noError(tb, err)
	return b
}

func newBenchMember(tb testing.TB, kp mls.KeyPackage, k KeyPackageSecrets) benchMember {
	tb.Helper()
	return benchMember{benchMarshal(tb, kp), k.init.Export(), k.leaf.Export(), k.signer.priv.Export()}
}

func (m benchMember) parse(tb testing.TB, s mls.Suite) (mls.KeyPackage, KeyPackageSecrets) {
	tb.Helper()
	kp, err := mls.ParseKeyPackage(m.KeyPackage)
	noError(tb, err)
	signer, err := ParseSigner(s, m.Signature)
	noError(tb, err)
	return *kp, KeyPackageSecrets{init: NewSecret(m.Init), leaf: NewSecret(m.Leaf), signer: signer}
}
