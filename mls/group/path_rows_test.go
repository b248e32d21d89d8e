package group

import (
	"fmt"
	"testing"

	"github.com/veche-im/veche/mls"
)

// In a room of a thousand a commit writes a path, at its committer, at another
// member and at the server, and a message writes one row.
func TestCommitWritesAPathAndNotTheTree(t *testing.T) {
	n, depth := 1000, 10
	if raceDetector {
		n, depth = 100, 7
	}
	const s = mls.X25519AES128
	founder := benchGroup(t, s)
	var kps []mls.KeyPackage
	var secrets KeyPackageSecrets
	for i := range n - 1 {
		kp, k := benchKeyPackage(t, s, fmt.Sprint("member ", i))
		kps, secrets = append(kps, kp), k
	}
	b, err := founder.GroupInfo(true)
	noError(t, err)
	info, err := mls.ParseGroupInfo(b)
	noError(t, err)
	server, err := mls.NewPublicGroup(info, nil)
	noError(t, err)
	p, err := founder.Commit(CommitOptions{Add: kps, NoPath: true})
	noError(t, err)
	noError(t, founder.MergePending())
	w, err := mls.ParseWelcome(p.Welcome)
	noError(t, err)
	tree, err := founder.public.Tree()
	noError(t, err)
	last, err := Join(w, kps[n-2], secrets, JoinOptions{Tree: tree})
	noError(t, err)
	m, err := mls.ParsePublic(p.Message)
	noError(t, err)
	st, err := server.StageCommit(m)
	noError(t, err)
	noError(t, server.Apply(st))

	atFounder, atLast, atServer := newMemory(), newMemory(), newMemory()
	save := func() {
		t.Helper()
		noError(t, founder.Save(atFounder))
		noError(t, last.Save(atLast))
		noError(t, server.Save(atServer))
	}
	wrote := func(what string, m *memory, most int) {
		t.Helper()
		if m.puts > most {
			t.Errorf("%s wrote %d rows, more than %d: %v", what, m.puts, most, m.written)
		}
		m.reset()
	}
	save()
	for _, m := range []*memory{atFounder, atLast, atServer} {
		m.reset()
	}
	for range 2 { // on a tree that is blank above its leaves, and on a warm path
		p, err := founder.Commit(CommitOptions{})
		noError(t, err)
		m, err := mls.ParsePublic(p.Message)
		noError(t, err)
		st, err := last.StageCommit(m)
		noError(t, err)
		noError(t, last.Apply(st))
		st2, err := server.StageCommit(m)
		noError(t, err)
		noError(t, server.Apply(st2))
		noError(t, founder.MergePending())
		save()
		// The leaf and what is above it, and the context; a member has private
		// keys at the same places, and its own epoch and the top of its secret tree.
		wrote("the server", atServer, depth+2)
		wrote("the committer", atFounder, 2*(depth+1)+5)
		wrote("another member", atLast, 2*(depth+1)+5)
	}
	sealed, err := founder.Seal([]byte("hello"), nil)
	noError(t, err)
	save()
	wrote("a first message", atFounder, depth+2) // takes the secret tree apart on the way down
	pm, err := mls.ParsePrivate(sealed)
	noError(t, err)
	_, err = last.Open(pm)
	noError(t, err)
	save()
	wrote("opening it", atLast, depth+2)
	_, err = founder.Seal([]byte("again"), nil)
	noError(t, err)
	save()
	wrote("a second message", atFounder, 1)
	wrote("nothing", atServer, 0)
}
