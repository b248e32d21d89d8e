package sums_test

import (
	"crypto/ed25519"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/veche-im/veche/web/sums"
)

var me = []sums.Signer{{Name: "me", Key: sums.Development.Public().(ed25519.PublicKey)}}

// built returns a web app as the build leaves it.
func built(t *testing.T) fstest.MapFS {
	t.Helper()
	app := fstest.MapFS{
		".gitkeep":           {},
		"index.html":         {Data: []byte("<!doctype html>")},
		"assets/app-1.js":    {Data: []byte("one")},
		"assets/app-1.js.br": {Data: []byte("o")},
		"emoji/a.json":       {Data: []byte("{}")},
	}
	return signed(t, app, sums.Development)
}

func signed(t *testing.T, app fstest.MapFS, key ed25519.PrivateKey) fstest.MapFS {
	t.Helper()
	list, err := sums.List(app)
	if err != nil {
		t.Fatal(err)
	}
	app[sums.ListName] = &fstest.MapFile{Data: list}
	app[sums.SignatureName] = &fstest.MapFile{Data: sums.Sign(list, key)}
	return app
}

func TestWhatWasBuiltIsTaken(t *testing.T) {
	by, err := sums.Verify(built(t), me)
	if err != nil || by.Name != "me" {
		t.Errorf("%v by %q", err, by.Name)
	}
}

// Every byte of every file counts, the list and its signature included.
func TestOneChangedByteIsRefused(t *testing.T) {
	whole := built(t)
	for name, f := range whole {
		if name == ".gitkeep" {
			continue
		}
		for i := range f.Data {
			bad := maps.Clone(whole)
			b := append([]byte(nil), f.Data...)
			b[i] ^= 1
			bad[name] = &fstest.MapFile{Data: b}
			if _, err := sums.Verify(bad, me); !errors.Is(err, sums.ErrChanged) {
				t.Fatalf("%s, byte %d: %v", name, i, err)
			}
		}
	}
}

func TestOtherChangesAreRefusedAndNamed(t *testing.T) {
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(fstest.MapFS)
		want   error
		says   string
	}{
		{"a file less", func(m fstest.MapFS) { delete(m, "emoji/a.json") }, sums.ErrChanged, "emoji/a.json"},
		{"a file more", func(m fstest.MapFS) { m["evil.js"] = &fstest.MapFile{} }, sums.ErrChanged, "evil.js"},
		{"a file more, and listed", func(m fstest.MapFS) {
			m["evil.js"] = &fstest.MapFile{}
			list, _ := sums.List(m)
			m[sums.ListName] = &fstest.MapFile{Data: list}
		}, sums.ErrChanged, "nobody"},
		{"signed by a stranger", func(m fstest.MapFS) { signed(t, m, stranger) }, sums.ErrChanged, "nobody"},
		{"a line after the signature", func(m fstest.MapFS) {
			m[sums.SignatureName] = &fstest.MapFile{Data: append(m[sums.SignatureName].Data, '\n')}
		}, sums.ErrChanged, "no signature"},
		{"no list", func(m fstest.MapFS) { delete(m, sums.ListName) }, sums.ErrUnsigned, ""},
		{"no signature", func(m fstest.MapFS) { delete(m, sums.SignatureName) }, sums.ErrUnsigned, ""},
		{"nothing", func(m fstest.MapFS) { clear(m) }, sums.ErrUnsigned, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := built(t)
			tt.change(app)
			_, err := sums.Verify(app, me)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestListIsWhatSha256sumWrites(t *testing.T) {
	list, err := sums.List(fstest.MapFS{"b": {Data: []byte("b")}, "a/c": {Data: []byte("c")}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6  a/c\n" +
		"3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d  b\n"
	if string(list) != want {
		t.Errorf("got\n%s", list)
	}
	if _, err := sums.List(fstest.MapFS{"a\nb": {}}); err == nil {
		t.Error("a name with a line end is listed")
	}
}
