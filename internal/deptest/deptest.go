// Package deptest keeps the arrows of docs/ARCHITECTURE.md: who may import whom,
// directly or through others, and why. Its table is read by people as the map
// and by its tests as the law.
package deptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strings"
)

const module = "github.com/veche-im/veche"

// A Rule forbids packages that From matches to reach packages that To matches.
// A pattern is an import path relative to the module, or a path of the standard
// library after "std:"; "/..." at its end means it and all below it.
type Rule struct {
	From   []string
	Except []string // packages of From that may
	To     []string
	Direct bool // forbids the import alone, not what is reached through others
	Why    string
}

// Rules is the table.
func Rules() []Rule {
	return []Rule{
		{
			From: []string{"server/...", "sfu/..."},
			To:   []string{"e2ee/...", "mls/group/..."},
			Why:  "the server holds no keys, so it cannot read a message",
		},
		{
			From: []string{"server/...", "sfu/..."},
			To:   []string{"client/..."},
			Why:  "the server must not need a client; they meet in cmd and in tests",
		},
		{
			From: []string{"client/..."},
			To:   []string{"server/...", "sfu/..."},
			Why:  "a client believes only what it verified; sharing code with the server would blur who checks what",
		},
		{
			From: []string{"sfu/..."},
			To:   []string{"server/...", "wire/...", "std:database/sql"},
			Why:  "the forwarder of media knows neither users nor SQL nor frames",
		},
		{
			From: []string{"server/..."},
			To:   []string{"sfu/..."},
			Why:  "siblings meet in cmd, through an interface that the server owns",
		},
		{
			From:   []string{"wire/...", "mls/...", "e2ee/...", "client/...", "internal/policy/...", "internal/statement/..."},
			Except: []string{"client/link/ws/...", "client/store/native/...", "client/media/..."}, // what runs in no browser
			To:     []string{"std:net/http", "std:crypto/tls", "std:os/exec"},
			Why:    "these go into the browser, where an HTTP stack that nobody calls would double the download",
		},
		{
			From: []string{"wire/...", "mls/...", "e2ee/..."},
			To:   []string{"client/...", "server/...", "sfu/..."},
			Why:  "arrows point down: what is below must be usable without what is above",
		},
		{
			From: []string{"wire/..."},
			To:   []string{"mls/...", "e2ee/..."},
			Why:  "frames carry sealed bytes and know nothing of what is in them",
		},
		{
			From: []string{"mls/..."},
			To:   []string{"wire/...", "e2ee/...", "internal/..."},
			Why:  "MLS is usable by anyone on its own",
		},
		{
			From: []string{"mls"},
			To:   []string{"mls/group/..."},
			Why:  "the public half of MLS holds no secrets",
		},
		{
			From:   []string{"cmd/...", "client/api/...", "client/link/...", "client/store/...", "client/session/...", "client/people/...", "client/files/...", "client/feed/...", "client/timeline/..."},
			Except: []string{"cmd/veche/load/seed"}, // makes rooms to load a server with, in which nobody writes
			To:     []string{"mls/group/..."},
			Direct: true,
			Why:    "a group's secrets have one owner, the client core",
		},
		{
			From:   []string{"internal/..."},
			Except: []string{"internal/testenv/..."},
			To:     []string{"client/...", "server/...", "sfu/...", "e2ee/...", "cmd/..."},
			Why:    "what is internal is a leaf that everybody may use",
		},
		{
			From:   []string{"cmd/...", "server/...", "client/...", "sfu/...", "e2ee/...", "mls/...", "wire/...", "internal/..."},
			Except: []string{"internal/testenv/...", "internal/deptest/..."},
			To:     []string{"internal/testenv/...", "std:testing", "test/..."},
			Why:    "what only tests need is not shipped",
		},
		{
			From: []string{"cmd/veche-wasm/..."},
			To:   []string{"server/...", "sfu/...", "std:net/http", "std:crypto/tls", "std:os/exec"},
			Why:  "the browser gets the client core and nothing else",
		},
	}
}

// A Package is what go list says of one.
type Package struct {
	ImportPath string
	Imports    []string
	Deps       []string // all that it reaches
}

// A Breach is one arrow that points the wrong way.
type Breach struct {
	From, To string
	Via      []string // the chain of imports from From to To
	Why      string
}

func (b Breach) String() string {
	return fmt.Sprintf("%s must not reach %s: %s\n\t%s", short(b.From), short(b.To), b.Why, strings.Join(b.Via, "\n\t→ "))
}

// Check returns what in pkgs breaks rules, in the order of rules and names.
func Check(rules []Rule, pkgs []Package) []Breach {
	sort.Slice(pkgs, func(i, j int) bool { return pkgs[i].ImportPath < pkgs[j].ImportPath })
	imports := map[string][]string{}
	for _, p := range pkgs {
		imports[p.ImportPath] = p.Imports
	}
	var found []Breach
	for _, r := range rules {
		for _, p := range pkgs {
			if !matchAny(r.From, p.ImportPath) || matchAny(r.Except, p.ImportPath) {
				continue
			}
			reached := p.Deps
			if r.Direct {
				reached = p.Imports
			}
			for _, d := range reached {
				if matchAny(r.To, d) {
					found = append(found, Breach{p.ImportPath, d, chain(imports, p.ImportPath, d), r.Why})
				}
			}
		}
	}
	return found
}

// chain returns a shortest chain of imports from → … → to.
func chain(imports map[string][]string, from, to string) []string {
	before := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		p := queue[0]
		if p == to {
			var path []string
			for ; p != ""; p = before[p] {
				path = append([]string{p}, path...)
			}
			return path
		}
		for _, next := range imports[p] {
			if _, seen := before[next]; !seen {
				before[next] = p
				queue = append(queue, next)
			}
		}
	}
	return []string{from, to}
}

func matchAny(patterns []string, path string) bool {
	for _, p := range patterns {
		if match(p, path) {
			return true
		}
	}
	return false
}

func match(pattern, path string) bool {
	if std, ok := strings.CutPrefix(pattern, "std:"); ok {
		return path == std
	}
	rel, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		return false
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return rel == base || strings.HasPrefix(rel, base+"/")
	}
	return rel == pattern
}

func short(path string) string { return strings.TrimPrefix(path, module+"/") }

// List asks the go command, run in dir, for all packages that patterns name and
// all that they reach, for the given GOOS and GOARCH. overlay, if not empty, is
// a file as in go help build, -overlay. Packages that have no file for that
// system are left out.
func List(dir, goos, goarch, overlay string, patterns ...string) ([]Package, error) {
	args := []string{"list", "-e", "-deps", "-json=ImportPath,Imports,Deps,DepOnly,GoFiles"}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.Command("go", append(args, patterns...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.Bytes())
	}
	var pkgs []Package
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("read go list: %w", err)
		}
		pkgs = append(pkgs, p)
	}
}
