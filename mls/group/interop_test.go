package group

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/veche-im/veche/mls"
)

// peer is another implementation of MLS, in a process that speaks JSON lines.
type peer struct {
	t   testing.TB
	in  io.Writer
	out *bufio.Scanner
	id  int
}

type answer struct {
	OK         bool     `json:"ok"`
	Error      string   `json:"error"`
	KeyPackage hexBytes `json:"keyPackage"`
	Commit     hexBytes `json:"commit"`
	Welcome    hexBytes `json:"welcome"`
	Msg        hexBytes `json:"msg"`
	Data       hexBytes `json:"data"`
	Secret     hexBytes `json:"secret"`
	Auth       hexBytes `json:"auth"`
	TreeHash   hexBytes `json:"treeHash"`
	Epoch      uint64   `json:"epoch"`
}

// newPeer starts ts-mls from the directory in VECHE_TS_MLS, which has
// node_modules and ts-mls-peer.mjs; the peer's argument is the suite.
func newPeer(t *testing.T, suite mls.Suite) *peer {
	t.Helper()
	dir := os.Getenv("VECHE_TS_MLS")
	if dir == "" {
		t.Skip("NOT TESTED: interoperation with ts-mls; set VECHE_TS_MLS to a directory with ts-mls and its peer")
	}
	name := suite.String()
	cmd := exec.Command("node", "ts-mls-peer.mjs", name)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	p := &peer{t: t, in: in, out: bufio.NewScanner(out)}
	p.out.Buffer(nil, 32<<20)
	return p
}

func (p *peer) ask(op string, args map[string]any) answer {
	p.t.Helper()
	p.id++
	q := map[string]any{"id": p.id, "op": op}
	for k, v := range args {
		switch v := v.(type) {
		case []byte:
			q[k] = hex.EncodeToString(v)
		case [][]byte:
			list := []string{}
			for _, b := range v {
				list = append(list, hex.EncodeToString(b))
			}
			q[k] = list
		default:
			q[k] = v
		}
	}
	b, err := json.Marshal(q)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", b); err != nil {
		p.t.Fatal(err)
	}
	if !p.out.Scan() {
		p.t.Fatalf("the peer is gone: %v", p.out.Err())
	}
	var a answer
	if err := json.Unmarshal(p.out.Bytes(), &a); err != nil {
		p.t.Fatal(err)
	}
	if !a.OK {
		p.t.Fatalf("%s: %s", op, a.Error)
	}
	return a
}

// TestInterop lives through a group's life together with ts-mls, with either
// side as its founder.
func TestInterop(t *testing.T) {
	for _, s := range mls.Suites() {
		t.Run(s.String(), func(t *testing.T) {
			if s == mls.P256AES128 {
				t.Skip("NOT TESTED: ts-mls writes compressed P-256 keys, RFC 9420 §5.1.1 wants uncompressed ones")
			}
			t.Run("we found it", func(t *testing.T) { interop(t, s, true) })
			t.Run("they found it", func(t *testing.T) { interop(t, s, false) })
		})
	}
}

func interop(t *testing.T, s mls.Suite, found bool) {
	bob := newPeer(t, s)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ann := newClient(t, s, "ann")
	newKP := func(c *client) (mls.KeyPackage, KeyPackageSecrets) {
		kp, private, err := NewKeyPackage(KeyPackageConfig{Suite: s, Signer: c.signer, Credential: mls.Basic([]byte(c.name))})
		check(err)
		return kp, private
	}
	encode := func(kp mls.KeyPackage) []byte {
		b, err := mls.Marshal(mls.Message{KeyPackage: &kp})
		check(err)
		return b
	}
	same := func(g *Group, a answer) {
		t.Helper()
		equal(t, "epoch authenticator", a.Auth, g.EpochAuthenticator())
		c := g.Context()
		equal(t, "tree hash", a.TreeHash, c.TreeHash)
	}
	var g *Group
	if found {
		var err error
		g, err = Create(Config{Suite: s, GroupID: []byte("interop"), Signer: ann.signer, Credential: mls.Basic([]byte("ann"))})
		check(err)
		kp, err := mls.ParseKeyPackage(bob.ask("keyPackage", map[string]any{"name": "bob"}).KeyPackage)
		check(err)
		p, err := g.Commit(CommitOptions{Add: []mls.KeyPackage{*kp}, TreeInWelcome: true})
		check(err)
		check(g.MergePending())
		same(g, bob.ask("join", map[string]any{"welcome": p.Welcome}))
	} else {
		kp, private := newKP(ann)
		bob.ask("create", map[string]any{"name": "bob", "groupId": []byte("interop")})
		a := bob.ask("commit", map[string]any{"add": [][]byte{encode(kp)}, "publicMessage": true})
		w, err := mls.ParseWelcome(a.Welcome)
		check(err)
		g, err = Join(w, kp, private, nil)
		check(err)
		same(g, a)
	}
	apply := func(a answer) {
		t.Helper()
		m, err := mls.ParsePublic(a.Commit)
		check(err)
		staged, err := g.StageCommit(m)
		check(err)
		check(g.Apply(staged))
		same(g, a)
	}
	commit := func(opts CommitOptions) *Pending {
		t.Helper()
		p, err := g.Commit(opts)
		check(err)
		check(g.MergePending())
		same(g, bob.ask("process", map[string]any{"msg": p.Message}))
		return p
	}
	talk := func() {
		t.Helper()
		b, err := g.Seal([]byte("from ann"), []byte("ad"))
		check(err)
		equal(t, "what bob hears", bob.ask("process", map[string]any{"msg": b}).Data, []byte("from ann"))
		m, err := mls.ParsePrivate(bob.ask("send", map[string]any{"data": []byte("from bob"), "aad": []byte("da")}).Msg)
		check(err)
		got, err := g.Open(m)
		check(err)
		equal(t, "what ann hears", got.Plaintext, []byte("from bob"))
		equal(t, "authenticated data", got.AuthenticatedData, []byte("da"))
		exported, err := g.Export("label", []byte("context"), 40)
		check(err)
		equal(t, "exported", bob.ask("export", map[string]any{"label": "label", "ctx": []byte("context"), "len": 40}).Secret, exported)
	}
	talk()
	apply(bob.ask("commit", map[string]any{"publicMessage": true}))
	commit(CommitOptions{})
	talk()
	// more members, from both sides, some without a path
	var more []*client
	for i := range 5 {
		c := newClient(t, s, fmt.Sprint("member ", i))
		kp, private := newKP(c)
		var welcome []byte
		if i%2 == 0 {
			p := commit(CommitOptions{Add: []mls.KeyPackage{kp}, NoPath: i == 2, TreeInWelcome: true})
			welcome = p.Welcome
		} else {
			a := bob.ask("commit", map[string]any{"add": [][]byte{encode(kp)}, "publicMessage": true})
			apply(a)
			welcome = a.Welcome
		}
		w, err := mls.ParseWelcome(welcome)
		check(err)
		c.group, err = Join(w, kp, private, nil)
		check(err)
		equal(t, "the joiner's authenticator", c.group.EpochAuthenticator(), g.EpochAuthenticator())
		more = append(more, c)
		talk()
	}
	commit(CommitOptions{Remove: []mls.LeafIndex{more[1].group.OwnLeaf()}})
	// Two at once, since ts-mls leaves the path out of a commit that removes one.
	apply(bob.ask("commit", map[string]any{"remove": []int{int(more[3].group.OwnLeaf()), int(more[4].group.OwnLeaf())}, "publicMessage": true}))
	talk()
	commit(CommitOptions{})
	apply(bob.ask("commit", map[string]any{"publicMessage": true}))
	talk()
}
