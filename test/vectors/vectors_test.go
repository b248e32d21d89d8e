package vectors

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFilesAreKnownByWhatTheyHold names every file of the folder that no test
// reads.
func TestFilesAreKnownByWhatTheyHold(t *testing.T) {
	files, err := Read(Folder())
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("NOT TESTED: no vectors in %s; set MLS_VECTORS", Folder())
	}
	for _, f := range files {
		t.Run(f.Name, func(t *testing.T) {
			if f.Format == "" {
				t.Skipf("NOT TESTED: %s is of no format that we know", f.Name)
			}
			t.Logf("%s, %d cases", f.Format, len(f.Cases))
		})
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"any name.json":          `[{"vlbytes_header":"00","length":0}]`,
		"deep/down/passive.json": `[{"cipher_suite":9,"welcome":"","initial_epoch_authenticator":"","epochs":[]}]`,
		"strange.json":           `[{"colour":"blue"}]`,
		"an object.json":         `{"welcome":""}`,
		"empty.json":             `[]`,
		"notes.txt":              `not a vector`,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Format{}
	for _, f := range files {
		got[f.Name] = f.Format
	}
	want := map[string]Format{
		"any name.json": Deserialization, "deep/down/passive.json": PassiveClient, "strange.json": "", "an object.json": "", "empty.json": "",
	}
	for name, format := range want {
		if f, ok := got[name]; !ok || f != format {
			t.Errorf("%s: %q, want %q", name, f, format)
		}
	}
	if len(got) != len(want) {
		t.Errorf("read %v", got)
	}
	if files, err := Read(filepath.Join(dir, "nowhere")); err != nil || files != nil {
		t.Errorf("a folder that is not there: %v, %v", files, err)
	}
	// A suite that we do not have is skipped, not failed.
	EachIn(t, dir, PassiveClient, func(uint16) bool { return false }, func(t *testing.T, _ struct{}) { t.Error("ran") })
}
