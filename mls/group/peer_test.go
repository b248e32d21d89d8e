package group

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
	OK         bool          `json:"ok"`
	Error      string        `json:"error"`
	Kind       string        `json:"kind"`
	KeyPackage hexBytes      `json:"keyPackage"`
	Commit     hexBytes      `json:"commit"`
	Welcome    hexBytes      `json:"welcome"`
	Msg        hexBytes      `json:"msg"`
	Data       hexBytes      `json:"data"`
	Secret     hexBytes      `json:"secret"`
	Auth       hexBytes      `json:"auth"`
	TreeHash   hexBytes      `json:"treeHash"`
	Epoch      uint64        `json:"epoch"`
	Leaf       mls.LeafIndex `json:"leaf"`
}

// newPeer starts ts-mls for one suite. Its packages are in test/interop, its
// script comes with the official vectors (or in VECHE_PEERS).
func newPeer(t *testing.T, suite mls.Suite) *peer {
	t.Helper()
	home, err := filepath.Abs("../../test/interop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, "node_modules", "ts-mls")); err != nil {
		t.Skip("NOT TESTED: interoperation with ts-mls; run npm ci --ignore-scripts in test/interop")
	}
	peers := os.Getenv("VECHE_PEERS")
	if peers == "" {
		peers = "../../../shared/peers"
	}
	if peers, err = filepath.Abs(peers); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(peers, "ts-mls-peer.mjs")
	if _, err := os.Stat(script); err != nil {
		t.Skipf("NOT TESTED: interoperation with ts-mls; there is no %s, set VECHE_PEERS", script)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("NOT TESTED: interoperation with ts-mls; there is no node")
	}
	cmd := exec.Command(node, "--import", filepath.Join(home, "resolve.mjs"), script, suite.String())
	cmd.Stderr = os.Stderr
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
		_ = in.Close() // it ends with its input
		_ = cmd.Wait()
	})
	p := &peer{t: t, in: in, out: bufio.NewScanner(out)}
	p.out.Buffer(nil, 32<<20)
	return p
}

// ask lets the peer do something that must work.
func (p *peer) ask(op string, args map[string]any) answer {
	p.t.Helper()
	a := p.try(op, args)
	if !a.OK {
		p.t.Fatalf("%s: %s", op, a.Error)
	}
	return a
}

// try lets the peer do something that it may refuse.
func (p *peer) try(op string, args map[string]any) answer {
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
	return a
}
