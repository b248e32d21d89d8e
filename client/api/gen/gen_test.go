package main

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/veche-im/veche/client/api"
)

// The interface is compiled against the file, so a table that moved on without
// it would break the interface in a browser and nowhere else.
func TestFileIsUpToDate(t *testing.T) {
	want, err := generate("..", "../../../wire", api.Commands(), api.Events())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../../web/src/core/api.gen.ts")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("web/src/core/api.gen.ts is out of date: run \"go generate ./client/api\"")
	}
}

func TestEveryCommandAndEventIsThere(t *testing.T) {
	text, err := generate("..", "../../../wire", api.Commands(), api.Events())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(api.Commands(), api.Events()...) {
		if !strings.Contains(string(text), "\n  readonly "+s.Name+": ") {
			t.Errorf("%s is missing", s.Name)
		}
	}
}

func TestWhatHasNoCounterpartIsRefused(t *testing.T) {
	type noTag struct{ A int }
	type bareMap struct {
		A map[string]int `json:"a"`
	}
	type barePointer struct {
		A *int `json:"a"`
	}
	type mood string // without constants
	type moody struct {
		A mood `json:"a"`
	}
	for _, tt := range []struct {
		why string
		typ reflect.Type
	}{
		{"needs a json name", reflect.TypeFor[noTag]()},
		{"has no counterpart", reflect.TypeFor[bareMap]()},
		{"must be omitempty", reflect.TypeFor[barePointer]()},
		{"no constants", reflect.TypeFor[moody]()},
	} {
		_, err := generate("..", "../../../wire", nil, []api.Spec{{Name: "x", Result: tt.typ}})
		if err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: got error %v, want one with %q", tt.typ, err, tt.why)
		}
	}
}
