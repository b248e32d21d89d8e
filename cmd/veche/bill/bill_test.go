package bill

import (
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"
)

const sum = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="

func TestMake(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8", Main: debug.Module{Path: "example.org/v"},
		Deps: []*debug.Module{
			{Path: "example.org/z", Version: "v1.0.0", Sum: "h1:x"},
			{Path: "example.org/a", Version: "v2.0.0", Replace: &debug.Module{Path: "example.org/b", Version: "v3.0.0"}},
		},
		Settings: []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "vcs.time", Value: "today"}},
	}
	b, err := Make("v1", info, []Part{{Name: "@o/p", Version: "4.0.0", License: "MIT", Integrity: sum}})
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range doc.Components {
		got = append(got, c.PURL)
	}
	want := "pkg:golang/example.org/b@v3.0.0 pkg:golang/example.org/z@v1.0.0 pkg:golang/std@1.26.8 pkg:npm/%40o/p@4.0.0"
	if strings.Join(got, " ") != want {
		t.Errorf("got %s", got)
	}
	if h := doc.Components[3].Hashes; len(h) != 1 || !strings.HasPrefix(h[0].Content, "cf83e1357eefb8bd") {
		t.Errorf("hash %v", h)
	}
	if strings.Contains(string(b), "today") {
		t.Error("the time of the build stands in it")
	}
}

func TestWhatCannotBeBilled(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Deps: []*debug.Module{{Path: "x", Version: "v1"}}}
	if _, err := Make("v1", &debug.BuildInfo{}, nil); err == nil {
		t.Error("a program without modules has a bill")
	}
	if _, err := Make("v1", info, []Part{{Name: "p", Integrity: "sha1-abc"}}); err == nil {
		t.Error("a package without a hash is billed")
	}
	if _, err := ReadParts(fstest.MapFS{PartsName: {Data: []byte("no")}}); err == nil {
		t.Error("read parts that are none")
	}
	if list, err := ReadParts(fstest.MapFS{}); list != nil || err != nil {
		t.Errorf("without a web app: %v %v", list, err)
	}
}
