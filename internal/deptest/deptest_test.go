package deptest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// systems are those that Veche is built for, as far as imports differ.
var systems = []struct{ goos, goarch string }{{"linux", "amd64"}, {"js", "wasm"}}

func TestArrowsPointDown(t *testing.T) {
	root := moduleRoot(t)
	for _, s := range systems {
		t.Run(s.goos, func(t *testing.T) {
			pkgs, err := List(root, s.goos, s.goarch, "", "./...")
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range Check(Rules(), pkgs) {
				t.Error(b)
			}
		})
	}
}

// Each forbidden import is written into the tree, in an overlay that only the
// go command sees, and must be refused with the table's reason.
func TestAForbiddenImportIsRefusedWithItsReason(t *testing.T) {
	root := moduleRoot(t)
	for _, tt := range []struct{ from, imports, why string }{
		{"server/room", module + "/e2ee/seal", "the server holds no keys, so it cannot read a message"},
		{"server/session", module + "/mls/group", "the server holds no keys, so it cannot read a message"},
		{"sfu", module + "/e2ee/seal", "the server holds no keys, so it cannot read a message"},
		{"sfu", module + "/wire", "the forwarder of media knows neither users nor SQL nor frames"},
		{"server", module + "/client/api", "the server must not need a client; they meet in cmd and in tests"},
		{"client", module + "/server/db", "a client believes only what it verified; sharing code with the server would blur who checks what"},
		{"client", "net/http", "these go into the browser, where an HTTP stack that nobody calls would double the download"},
		{"e2ee/content", "os/exec", "these go into the browser, where an HTTP stack that nobody calls would double the download"},
		{"mls", "crypto/tls", "these go into the browser, where an HTTP stack that nobody calls would double the download"},
		{"mls", module + "/mls/group", "the public half of MLS holds no secrets"},
		{"mls/group", module + "/wire", "MLS is usable by anyone on its own"},
		{"wire", module + "/mls", "frames carry sealed bytes and know nothing of what is in them"},
		{"e2ee/identity", module + "/client/api", "arrows point down: what is below must be usable without what is above"},
		{"client/store", module + "/mls/group", "a group's secrets have one owner, the client core"},
		{"internal/policy", module + "/e2ee/seal", "what is internal is a leaf that everybody may use"},
		{"server", module + "/internal/testenv", "what only tests need is not shipped"},
	} {
		t.Run(tt.from+" imports "+short(tt.imports), func(t *testing.T) {
			t.Parallel()
			files := map[string]string{
				filepath.Join(root, tt.from, "zz_forbidden.go"): "package " + filepath.Base(tt.from) + "\n\nimport _ \"" + tt.imports + "\"\n",
			}
			if rel, ours := strings.CutPrefix(tt.imports, module+"/"); ours { // in case it has no files yet
				files[filepath.Join(root, rel, "zz_there.go")] = "package " + filepath.Base(rel) + "\n"
			}
			pkgs, err := List(root, "linux", "amd64", overlay(t, files), "./"+tt.from)
			if err != nil {
				t.Fatal(err)
			}
			found := Check(Rules(), pkgs)
			for _, b := range found {
				if b.From == module+"/"+tt.from && b.To == tt.imports && b.Why == tt.why {
					if !strings.Contains(b.String(), tt.why) {
						t.Errorf("the reason is not in %q", b)
					}
					return
				}
			}
			t.Errorf("not refused; all that was: %v", found)
		})
	}
}

// An import through a third package counts as much as a direct one, and the
// breach shows the way.
func TestADetourIsNoWayOut(t *testing.T) {
	root := moduleRoot(t)
	files := map[string]string{
		filepath.Join(root, "internal/zzdetour/a.go"):   "package zzdetour\n\nimport _ \"" + module + "/e2ee/seal\"\n",
		filepath.Join(root, "e2ee/seal/zz_there.go"):    "package seal\n",
		filepath.Join(root, "server/hub/zz_further.go"): "package hub\n\nimport _ \"" + module + "/internal/zzdetour\"\n",
	}
	pkgs, err := List(root, "linux", "amd64", overlay(t, files), "./server/hub")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range Check(Rules(), pkgs) {
		if short(b.From) == "server/hub" && short(b.To) == "e2ee/seal" {
			if len(b.Via) != 3 || short(b.Via[1]) != "internal/zzdetour" {
				t.Errorf("the way is %v", b.Via)
			}
			return
		}
	}
	t.Error("a detour went unseen")
}

func overlay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	n := 0
	for path, text := range files {
		n++
		real := filepath.Join(dir, strings.Repeat("x", n)+".go")
		if err := os.WriteFile(real, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[path] = real
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}
