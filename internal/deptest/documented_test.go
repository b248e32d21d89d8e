package deptest

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// A dependency is a promise to somebody's future work, so each is written down
// before it is taken: its job, why not a hundred own lines, who keeps it, and
// how to leave it.
func TestEveryDependencyIsWrittenDown(t *testing.T) {
	root := moduleRoot(t)
	page, err := os.ReadFile(filepath.Join(root, "docs/dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range dependencies(t, root) {
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("%s (%s) has no line in docs/dependencies.md", name, from)
		}
	}
}

// dependencies returns the Go modules that are linked into the two programs,
// the tools of go.mod, and the npm packages that package.json asks for.
func dependencies(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, program := range []struct{ path, goos, goarch string }{
		{"./cmd/veche", "linux", "amd64"}, {"./cmd/veche", "windows", "amd64"}, {"./cmd/veche", "darwin", "arm64"},
		{"./cmd/veche-wasm", "js", "wasm"},
	} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", program.path)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOOS="+program.goos, "GOARCH="+program.goarch, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				t.Fatalf("go list %s: %v: %s", program.path, err, exit.Stderr)
			}
			t.Fatal(err)
		}
		for _, m := range strings.Fields(string(out)) {
			found[m] = "linked into " + program.path + " for " + program.goos
		}
	}
	manifests, err := filepath.Glob(filepath.Join(root, "*/package.json"))
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob(filepath.Join(root, "test/*/package.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(manifests, deeper...) {
		b, err := os.ReadFile(m)
		if err != nil {
			t.Fatal(err)
		}
		var p struct{ Dependencies, DevDependencies map[string]string }
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatalf("%s: %v", m, err)
		}
		rel, _ := filepath.Rel(root, m)
		for _, table := range []map[string]string{p.Dependencies, p.DevDependencies} {
			for name, version := range table {
				found[name] = "asked for by " + rel
				if strings.ContainsAny(version, "^~*<>x ") {
					t.Errorf("%s of %s is %q: pin one version", name, rel, version)
				}
			}
		}
	}
	return found
}

// Lock files that name a registry's host break elsewhere, and tell where the
// author sits.
func TestLockFilesNameNoHost(t *testing.T) {
	root := moduleRoot(t)
	var locks []string
	for _, pattern := range []string{"*/package-lock.json", "test/*/package-lock.json"} {
		l, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		locks = append(locks, l...)
	}
	sort.Strings(locks)
	for _, l := range locks {
		b, err := os.ReadFile(l)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), `"resolved": "http`) {
			t.Errorf("%s names the host of a registry", l)
		}
	}
}
