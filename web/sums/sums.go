// Package sums says of the files of the web app that they are the ones that were
// built: a list of their hashes, and a signature under the list.
//
// The list guards against a file that changed between the build and the start (a
// bad copy, a bad disk, a hand that edits the program); the signature says who
// built. Neither can guard against who replaces the whole program: for that,
// compare the program's own hash with a build of your own (docs/admin/verify.md).
package sums

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// The two files that the build adds to those of the web app.
const (
	ListName      = "SHA256SUMS"     // lines as sha256sum writes and reads them, by path
	SignatureName = "SHA256SUMS.sig" // Ed25519, in base64 and a line end
)

// Errors that callers may test for.
var (
	ErrUnsigned = errors.New("the web app in this program is not signed")
	ErrChanged  = errors.New("the web app in this program is not the one that was built")
)

// List returns the sums of all files: one line for each, ascending by path.
func List(files fs.FS) ([]byte, error) {
	found, err := hashes(files)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, f := range found {
		fmt.Fprintf(&b, "%s  %s\n", f.sum, f.path)
	}
	return b.Bytes(), nil
}

type file struct{ path, sum string }

func hashes(files fs.FS) (found []file, err error) {
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == ListName || path == SignatureName || path == ".gitkeep" {
			return err
		}
		if strings.ContainsAny(path, "\n\\") {
			return fmt.Errorf("%q: a name that no list can hold", path)
		}
		f, err := files.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil { // and not read whole: the server does this at each start
			return err
		}
		found = append(found, file{path, hex.EncodeToString(h.Sum(nil))})
		return nil
	})
	slices.SortFunc(found, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return found, err
}

// scope keeps a signature from being taken for one of anything else.
const scope = "veche web files v1\n"

// Sign returns the signature file for a list.
func Sign(list []byte, key ed25519.PrivateKey) []byte {
	return encode(ed25519.Sign(key, append([]byte(scope), list...)))
}

func encode(sig []byte) []byte { return append(base64.StdEncoding.AppendEncode(nil, sig), '\n') }

// A Signer is who may have built the web app.
type Signer struct {
	Name string
	Key  ed25519.PublicKey
}

// Verify compares all files with the list and the list with its signature, and
// returns who signed. The errors are ErrUnsigned and ErrChanged, which name a
// file where one is to blame.
func Verify(files fs.FS, trusted []Signer) (Signer, error) {
	list, err := fs.ReadFile(files, ListName)
	if err != nil {
		return Signer{}, ErrUnsigned
	}
	text, err := fs.ReadFile(files, SignatureName)
	if err != nil {
		return Signer{}, ErrUnsigned
	}
	by, err := signer(list, text, trusted)
	if err != nil {
		return Signer{}, err
	}
	found, err := List(files)
	if err != nil {
		return Signer{}, fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if !bytes.Equal(found, list) {
		return Signer{}, fmt.Errorf("%w: %s", ErrChanged, difference(string(list), string(found)))
	}
	return by, nil
}

func signer(list, text []byte, trusted []Signer) (Signer, error) {
	sig, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(sig) != ed25519.SignatureSize || !bytes.Equal(encode(sig), text) { // one spelling
		return Signer{}, fmt.Errorf("%w: %s is no signature", ErrChanged, SignatureName)
	}
	signed := append([]byte(scope), list...)
	for _, s := range trusted {
		if ed25519.Verify(s.Key, signed, sig) {
			return s, nil
		}
	}
	return Signer{}, fmt.Errorf("%w: nobody whom this program trusts has signed its list of files", ErrChanged)
}

// difference names the first file by which two lists differ.
func difference(want, got string) string {
	w, g := slices.Collect(strings.Lines(want)), slices.Collect(strings.Lines(got))
	for _, line := range w {
		if !slices.Contains(g, line) {
			return pathOf(line) + " is changed or missing"
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			return pathOf(line) + " is too much"
		}
	}
	return "the order of the list" // the list itself is signed as it is
}

func pathOf(line string) string {
	_, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
	return path
}
