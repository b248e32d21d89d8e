// Package supply attacks what people download: the program as a file.
package supply

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/test/rig"
)

// program returns the binary's bytes, with the web app inside.
func program(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(rig.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if out := run(t, rig.Binary(t), "version"); strings.Contains(out.Out, "web app: none") {
		t.Skip("SKIPPED: the binary was built without the web app (VECHE_BIN names one with it; make test does)")
	}
	return b
}

func run(t *testing.T, bin string, args ...string) rig.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	r := rig.Result{Out: out.String(), Err: errs.String(), Code: cmd.ProcessState.ExitCode()}
	if err != nil && r.Code == 0 {
		t.Fatal(err)
	}
	return r
}

// One byte of one file of the web app is changed inside of the program: the
// server says which file, and does not start.
func TestServerDoesNotStartWithAChangedFile(t *testing.T) {
	whole := program(t)
	for _, tt := range []struct {
		name, mark string // the mark stands in the file; a byte after it changes
		after      int
		says       string
	}{
		{"the page", "<!doctype html>", 20, "index.html"},
		{"the core", "\x00asm\x01\x00\x00\x00", 5000, ".wasm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := bytes.LastIndex(whole, []byte(tt.mark))
			if at < 0 {
				t.Fatalf("%s is not in the program", tt.name)
			}
			bad := bytes.Clone(whole)
			bad[at+tt.after] ^= 1
			bin := filepath.Join(t.TempDir(), "veche")
			if err := os.WriteFile(bin, bad, 0o700); err != nil {
				t.Fatal(err)
			}
			data := filepath.Join(t.TempDir(), "data")
			r := run(t, bin, "serve", "--data", data, "--listen", "127.0.0.1:0", "--local", "127.0.0.1:0", "--metrics", "off")
			if r.Code == 0 || !strings.Contains(r.Err, tt.says) || !strings.Contains(r.Err, "does not start") {
				t.Errorf("%v", r)
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Error("it has begun a data directory")
			}
			if v := run(t, bin, "version"); v.Code == 0 {
				t.Errorf("version says nothing of it: %v", v)
			}
		})
	}
}

// The bill of materials names what is inside, and is the same each time.
func TestBillOfMaterials(t *testing.T) {
	program(t)
	first := run(t, rig.Binary(t), "version", "--sbom")
	if again := run(t, rig.Binary(t), "version", "--sbom"); again.Out != first.Out {
		t.Error("two bills of one program differ")
	}
	var doc struct {
		BOMFormat, SpecVersion string
		Components             []struct{ PURL, Version string }
	}
	if err := json.Unmarshal([]byte(first.Out), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.BOMFormat != "CycloneDX" || doc.SpecVersion != "1.6" {
		t.Errorf("%s %s", doc.BOMFormat, doc.SpecVersion)
	}
	for _, want := range []string{"pkg:golang/std@", "pkg:golang/modernc.org/sqlite@", "pkg:npm/react@", "pkg:npm/%40sqlite.org/sqlite-wasm@"} {
		found := false
		for _, c := range doc.Components {
			found = found || strings.HasPrefix(c.PURL, want)
		}
		if !found {
			t.Errorf("%s… is not in it", want)
		}
	}
}
