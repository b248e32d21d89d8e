package mls_test

import (
	"fmt"
	"testing"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
)

// filled is a room of n that was filled in one go, with the last one's way in.
type filled struct {
	founder *group.Group
	welcome *mls.Welcome
	tree    []byte
	info    *mls.GroupInfo
	last    mls.KeyPackage
	secrets group.KeyPackageSecrets
}

func fill(t *testing.T, s mls.Suite, n int) *filled {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	signer, err := group.NewSigner(s)
	check(err)
	f := new(filled)
	f.founder, err = group.Create(group.Config{Suite: s, GroupID: []byte("room"), Signer: signer, Credential: mls.Basic([]byte("founder"))})
	check(err)
	var all []mls.KeyPackage
	for i := range n - 1 {
		signer, err := group.NewSigner(s)
		check(err)
		f.last, f.secrets, err = group.NewKeyPackage(group.KeyPackageConfig{Suite: s, Signer: signer, Credential: mls.Basic(fmt.Append(nil, "member ", i))})
		check(err)
		all = append(all, f.last)
	}
	p, err := f.founder.Commit(group.CommitOptions{Add: all, NoPath: true})
	check(err)
	check(f.founder.MergePending())
	f.welcome, err = mls.ParseWelcome(p.Welcome)
	check(err)
	f.info, err = mls.ParseGroupInfo(p.GroupInfo)
	check(err)
	f.tree, err = f.founder.Public().Tree()
	check(err)
	return f
}

// hashed counts the hashes that f takes.
func hashed(t *testing.T, s mls.Suite, f func() error) int {
	t.Helper()
	n, restore := mls.CountHashes(s)
	defer restore()
	if err := f(); err != nil {
		t.Fatal(err)
	}
	return *n
}

// A joiner hashes each node of the tree once, and a commit only what lies above
// the committer: neither grows with the square of the room.
func TestHashesGrowNoFasterThanTheRoom(t *testing.T) {
	const (
		s        = mls.X25519AES128
		schedule = 60 // key schedule, secret tree, transcript: the same in each room
		each     = 8  // for each level of the tree: path secrets and keys, tree and parent hashes
	)
	for n, depth := range map[int]int{16: 4, 64: 6, 256: 8} {
		f := fill(t, s, n)
		var joined *group.Group
		join := hashed(t, s, func() (err error) {
			joined, err = group.Join(f.welcome, f.last, f.secrets, group.JoinOptions{Tree: f.tree})
			return err
		})
		if most := 2*n + schedule; join > most {
			t.Errorf("joining %d hashes %d times, more than %d", n, join, most)
		}
		signer, err := group.NewSigner(s)
		if err != nil {
			t.Fatal(err)
		}
		enter := hashed(t, s, func() error {
			_, _, err := group.JoinExternal(f.info, f.tree, group.Config{Signer: signer, Credential: mls.Basic([]byte("late"))}, group.ExternalOptions{})
			return err
		})
		if most := 4*n + schedule + each*(depth+1); enter > most { // it may double the tree
			t.Errorf("joining %d by external commit hashes %d times, more than %d", n, enter, most)
		}
		var p *group.Pending
		commit := hashed(t, s, func() (err error) {
			p, err = joined.Commit(group.CommitOptions{})
			return err
		})
		if most := schedule + each*depth; commit > most {
			t.Errorf("a commit to %d hashes %d times, more than %d", n, commit, most)
		}
		m, err := mls.ParsePublic(p.Message)
		if err != nil {
			t.Fatal(err)
		}
		follow := hashed(t, s, func() error {
			_, err := f.founder.StageCommit(m)
			return err
		})
		if most := schedule + each*depth; follow > most {
			t.Errorf("following a commit in %d hashes %d times, more than %d", n, follow, most)
		}
		t.Logf("%d members: join %d, external %d, commit %d, follow %d", n, join, enter, commit, follow)
	}
}
