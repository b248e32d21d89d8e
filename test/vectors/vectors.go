// Package vectors finds the test vectors of the MLS working group (and whoever
// writes in their formats) for the tests of mls and mls/group.
//
// It takes the folder from MLS_VECTORS, else ../shared/vectors/mls beside the
// project, and reads every .json in it and below. A file is known by what its
// cases hold and not by its name, so that files of other implementations can be
// put beside the official ones. What is missing, unknown or of a suite that we
// do not have is skipped with a line that begins with NOT TESTED.
package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Format is a kind of vector file, under the name that the working group's file
// has.
type Format string

// The formats.
const (
	CryptoBasics      Format = "crypto-basics"
	Deserialization   Format = "deserialization"
	KeySchedule       Format = "key-schedule"
	MessageProtection Format = "message-protection"
	Messages          Format = "messages"
	PassiveClient     Format = "passive-client" // passive-client-welcome, -handling-commit, -random and others
	PSKSecret         Format = "psk_secret"
	SecretTree        Format = "secret-tree"
	TranscriptHashes  Format = "transcript-hashes"
	TreeKEM           Format = "treekem"
	TreeMath          Format = "tree-math"
	TreeOperations    Format = "tree-operations"
	TreeValidation    Format = "tree-validation"
	Welcome           Format = "welcome"
)

// marks are members that a case of one format has and no other.
var marks = map[Format][]string{
	CryptoBasics:      {"ref_hash", "sign_with_label"},
	Deserialization:   {"vlbytes_header"},
	KeySchedule:       {"initial_init_secret", "epochs"},
	MessageProtection: {"proposal_priv", "membership_key"},
	Messages:          {"mls_welcome", "group_secrets"},
	PassiveClient:     {"initial_epoch_authenticator", "welcome"},
	PSKSecret:         {"psks", "psk_secret"},
	SecretTree:        {"sender_data", "leaves"},
	TranscriptHashes:  {"authenticated_content", "interim_transcript_hash_before"},
	TreeKEM:           {"leaves_private", "update_paths"},
	TreeMath:          {"n_leaves", "n_nodes"},
	TreeOperations:    {"tree_before", "proposal_sender"},
	TreeValidation:    {"resolutions", "tree_hashes"},
	Welcome:           {"signer_pub", "welcome"},
}

// Formats lists the formats that are known.
func Formats() []Format {
	var out []Format
	for f := range marks {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

// File is one file of vectors.
type File struct {
	Name   string // relative to the folder
	Format Format // empty if it is none that we know
	Cases  []json.RawMessage
}

// Folder is where the vectors are.
func Folder() string {
	if dir := os.Getenv("MLS_VECTORS"); dir != "" {
		return dir
	}
	_, self, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(self), "..", "..", "..", "shared", "vectors", "mls")
}

// Read reads all files in dir and below it. A folder that is not there has no
// files.
func Read(dir string) ([]File, error) {
	var out []File
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f := File{Name: filepath.ToSlash(name)}
		if err := json.Unmarshal(b, &f.Cases); err == nil && len(f.Cases) > 0 {
			f.Format = formatOf(f.Cases[0])
		}
		out = append(out, f)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return out, err
}

func formatOf(c json.RawMessage) Format {
	var members map[string]json.RawMessage
	if json.Unmarshal(c, &members) != nil {
		return ""
	}
	for f, names := range marks {
		if !slices.ContainsFunc(names, func(name string) bool { _, ok := members[name]; return !ok }) {
			return f
		}
	}
	return ""
}

// suite is what all cases that belong to a cipher suite have.
type suite struct {
	Suite *uint16 `json:"cipher_suite"`
}

// Each runs test as a subtest for each case of the format in the folder.
// supported says which suites there are.
func Each[T any](t *testing.T, format Format, supported func(suite uint16) bool, test func(t *testing.T, c T)) {
	t.Helper()
	EachIn(t, Folder(), format, supported, test)
}

// EachIn is Each for the vectors in dir.
func EachIn[T any](t *testing.T, dir string, format Format, supported func(suite uint16) bool, test func(t *testing.T, c T)) {
	t.Helper()
	files, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f File) bool { return f.Format != format })
	if len(files) == 0 {
		t.Skipf("NOT TESTED: no vectors of the format %s in %s; set MLS_VECTORS", format, dir)
	}
	for _, f := range files {
		t.Run(f.Name, func(t *testing.T) { f.run(t, supported, func(t *testing.T, b []byte) { test(t, decode[T](t, b)) }) })
	}
}

func decode[T any](t *testing.T, b []byte) T {
	t.Helper()
	var c T
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (f File) run(t *testing.T, supported func(uint16) bool, test func(*testing.T, []byte)) {
	missing := map[uint16]int{}
	for i, c := range f.Cases {
		var of suite
		if err := json.Unmarshal(c, &of); err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		name := fmt.Sprint(i)
		if of.Suite != nil {
			name = fmt.Sprintf("suite %d, case %d", *of.Suite, i)
			if !supported(*of.Suite) {
				missing[*of.Suite]++
				continue
			}
		}
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
	for s, n := range missing {
		t.Run(fmt.Sprintf("suite %d", s), func(t *testing.T) {
			t.Skipf("NOT TESTED: %d cases of suite %#04x in %s; the suite is not implemented", n, s, f.Name)
		})
	}
}

// Hex is a byte string as the vectors write it. null stays nil.
type Hex []byte

// UnmarshalJSON implements json.Unmarshaler.
func (h *Hex) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return err
	}
	v, err := hex.DecodeString(*s)
	*h = v
	return err
}

// MarshalJSON implements json.Marshaler.
func (h Hex) MarshalJSON() ([]byte, error) {
	if h == nil {
		return []byte("null"), nil
	}
	return json.Marshal(hex.EncodeToString(h))
}

// Equal fails the test if got is not want.
func Equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s\n got %x\nwant %x", what, got, want)
	}
}
