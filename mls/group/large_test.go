package group

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/veche-im/veche/mls"
)

// TestLargeGroup prints what a large group costs. It runs for VECHE_MLS_LARGE
// members, and checks on the way that a commit in a warm group writes a path
// and not the tree.
func TestLargeGroup(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("VECHE_MLS_LARGE"))
	if n < 4 {
		t.Skip("set VECHE_MLS_LARGE to a number of members")
	}
	for _, s := range []mls.Suite{mls.HybridX25519MLKEM768, mls.X25519ChaCha} {
		t.Run(s.String(), func(t *testing.T) { large(t, s, n) })
	}
}

func large(t *testing.T, s mls.Suite, n int) {
	took := func(what string, f func()) {
		t.Helper()
		start := time.Now()
		f()
		t.Logf("%-34s %8.1f ms", what, float64(time.Since(start).Microseconds())/1000)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	founder := newClient(t, s, "founder")
	g, err := Create(Config{Suite: s, GroupID: []byte("large"), Signer: founder.signer, Credential: mls.Basic([]byte("founder")), Capabilities: testCapabilities()})
	check(err)
	var kps []mls.KeyPackage
	var last KeyPackageSecrets
	took(fmt.Sprint("make ", n-1, " key packages"), func() {
		for i := range n - 1 {
			kp, secrets := newClient(t, s, fmt.Sprint("member ", i)).keyPackage(t, s)
			kps, last = append(kps, kp), secrets
		}
	})
	gi, err := g.GroupInfo(true)
	check(err)
	info, err := mls.ParseGroupInfo(gi)
	check(err)
	server, err := mls.NewPublicGroup(info, nil)
	check(err)

	var p *Pending
	took("commit the adds, without a path", func() { p, err = g.Commit(CommitOptions{Add: kps, NoPath: true}); check(err) })
	t.Logf("%-34s %8d bytes; welcome %d", "  size", len(p.Message), len(p.Welcome))
	follow := func(p *Pending) {
		m, err := mls.ParsePublic(p.Message)
		check(err)
		var st *mls.StagedPublicCommit
		took("  the server stages it", func() { st, err = server.StageCommit(m); check(err) })
		check(server.Apply(st))
	}
	follow(p)
	check(g.MergePending())
	store, disk := newMemory(), newMemory()
	took("save the group", func() { check(g.Save(store)) })
	t.Logf("%-34s %8d rows, %d bytes", "  written", store.puts, store.bytes)
	check(server.Save(disk))
	took("load the group", func() { _, err := Load(store); check(err) })
	tree, err := server.Tree()
	check(err)
	t.Logf("%-34s %8d bytes", "tree", len(tree))
	w, err := mls.ParseWelcome(p.Welcome)
	check(err)
	var joiner *Group
	took("join", func() { joiner, err = Join(w, kps[len(kps)-1], last, JoinOptions{Tree: tree}); check(err) })

	commit := func(what string, from *Group, others ...*Group) {
		took(what, func() { p, err = from.Commit(CommitOptions{}); check(err) })
		t.Logf("%-34s %8d bytes", "  size", len(p.Message))
		follow(p)
		m, err := mls.ParsePublic(p.Message)
		check(err)
		for _, o := range others {
			var st *Staged
			took("  a member stages it", func() { st, err = o.StageCommit(m); check(err) })
			check(o.Apply(st))
		}
		check(from.MergePending())
	}
	commit("first path commit (cold tree)", g, joiner)
	check(g.Save(store))
	check(server.Save(disk))
	commit("second path commit", g, joiner)
	store.reset()
	disk.reset()
	took("save", func() { check(g.Save(store)); check(server.Save(disk)) })
	t.Logf("%-34s %8d rows, %d bytes; server %d rows, %d bytes", "  written", store.puts, store.bytes, disk.puts, disk.bytes)
	if limit := 80; store.puts > limit || disk.puts > limit {
		t.Errorf("a path commit wrote %d and %d rows: %v", store.puts, disk.puts, store.written)
	}
	sealed, err := g.Seal([]byte("hello"), nil)
	check(err)
	pm, err := mls.ParsePrivate(sealed)
	check(err)
	took("open the first message", func() { _, err := joiner.Open(pm); check(err) })
}
